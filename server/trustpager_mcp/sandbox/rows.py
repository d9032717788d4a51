"""Whole rows: every record of an entity is answered with every column of its table, unset ones as null or empty.

An API over SQL answers rows, not the fields that happen to be set. Which columns an entity has follows from the
definitions: what its create and update endpoints take, and what `entities` names. `row_columns.json` adds what only the
reference's prose tells or any such row has, and says what is no column. Nothing of it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..definitions import Parameter, Tool, Toolset, inline
from .company import COMPANY
from .people import name_of, owner
from .store import Record, Store

Shape = dict[str, Any]
"""Columns with what stands in an unset one."""
# In row_columns.json: the workspace's own id, the key's owner, the row's own created_at.
_COMPANY_ID, _OWNER_ID, _CREATED = "@company", "@owner", "@created"
_BULK = "/bulk-create"


@dataclass(frozen=True)
class Rows:
    """The tables of the API: their columns, and which columns hold rows of another."""

    shapes: dict[str, Shape]
    inside: dict[str, dict[str, str]]
    """By entity: the columns, and the entity of the rows in each."""
    joined: dict[str, dict[str, tuple[str, str, tuple[str, ...]]]]
    """By entity: objects that its rows embed: the column that holds the id, the kind of record, and its fields."""
    collections: dict[str, str]
    """The entity behind the path of a list that takes new records."""

    def completed(self, tool: Tool, data: Any, store: Store, fields: str | None = None) -> Any:
        """The tool's answer with whole rows; with `fields`, rows of those columns only."""
        entity = (tool.returns or "").removesuffix("[]")
        if tool.path.endswith(_BULK) and isinstance(data, dict):
            rows = data.get("created")
            entity = self.collections.get(tool.path.removesuffix(_BULK), "")
            return {**data, "created": self._all(entity, rows, _Known(store), None)} if entity else data
        if entity not in self.shapes:
            return data
        wanted = {f.strip() for f in fields.split(",")} if fields else None
        return self._all(entity, data, _Known(store), wanted)

    def _all(self, entity: str, data: Any, known: _Known, wanted: set[str] | None) -> Any:
        if isinstance(data, list):
            return [self._all(entity, row, known, wanted) for row in data]
        return self._row(entity, data, known, wanted) if isinstance(data, dict) else data

    def _row(self, entity: str, record: Record, known: _Known, wanted: set[str] | None) -> Record:
        row = dict(record)
        for name, unset in self.shapes[entity].items():
            if name not in row and (wanted is None or name in wanted):
                row[name] = record.get("created_at") if unset == _CREATED else known.value(unset)
        for name, (key, kind, shown) in self.joined.get(entity, {}).items():
            if wanted is None or name in wanted:
                row[name] = known.joined(kind, record.get(key), shown)
        for name, other in self.inside.get(entity, {}).items():
            if name in record:
                row[name] = self._all(other, record[name], known, None)
        return row


class _Known:
    """What stands in a column of every row: looked up once for an answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[str, str | None] = {}

    def value(self, unset: Any) -> Any:
        if not isinstance(unset, str) or unset not in (_COMPANY_ID, _OWNER_ID):
            return unset
        if unset not in self._values:
            company = next(iter(self._store.all(COMPANY)), {})
            self._values[unset] = company.get("id") if unset == _COMPANY_ID else owner(self._store)["id"]
        return self._values[unset]

    def joined(self, kind: str, record_id: str | None, shown: tuple[str, ...]) -> Record | None:
        """The named fields of another record; None when there is none."""
        found = self._store.get(kind, record_id) if record_id else None
        if found is None:
            return None
        return {name: name_of(found) if name == "display_name" else found.get(name) for name in shown}


def rows_of(toolsets: Iterable[Toolset]) -> Rows:
    """The tables that the definitions and `row_columns.json` describe."""
    told: dict[str, Any] = json.loads((Path(__file__).parent / "row_columns.json").read_bytes())
    toolsets = tuple(toolsets)
    tools = [t for toolset in toolsets for t in toolset.tools]
    listed = {t.path: t.returns.removesuffix("[]") for t in tools if t.method == "GET" and t.returns}
    shapes: dict[str, Shape] = {}
    for toolset in toolsets:
        for entity, hints in toolset.entities.items():
            if entity in told["not_rows"]:
                continue
            columns: Shape = dict(told["every_row"])
            for tool in (t for t in tools if t.returns == entity and _sets(t, listed)):
                columns.update(_settable(tool.parameters))
                columns.update(told["created_rows"] if tool.method == "POST" else {})
            columns.update({c: None for c in hints.columns if c not in columns and c != "id" and "." not in c})
            columns.update(told["columns"].get(entity, {}))
            left_out = {*told["never_columns"], *told["not_columns"].get(entity, ())}
            shapes[entity] = {name: unset for name, unset in columns.items() if name not in left_out}
    collections = {t.path: listed[t.path] for t in tools if t.method == "POST" and t.path in listed}
    joined = {e: {n: (key, kind, tuple(shown)) for n, (key, kind, shown) in told["joined"][e].items()} for e in told["joined"]}
    return Rows(shapes, told["inside"], joined, collections)


def _sets(tool: Tool, listed: dict[str, str]) -> bool:
    """Whether a tool creates a row or changes one, rather than acting on it."""
    return tool.method in ("PATCH", "PUT") or (tool.method == "POST" and tool.path in listed)


def _settable(parameters: tuple[Parameter, ...]) -> Shape:
    columns: Shape = {}
    for parameter in (p for p in parameters if p.location == "body"):
        if parameter.wire == "(body)":
            properties = inline(parameter.fragment or {}).get("properties", {})
            columns.update({name: None for name in properties})
        else:
            empty: Any = {"array": [], "object": {}}.get(parameter.type)
            columns[parameter.wire] = parameter.default if parameter.default is not None else empty
    return columns
