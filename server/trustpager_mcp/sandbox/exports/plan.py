"""A saved export: its columns, filters and sort, judged when saved and applied when run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

from ..checks import moment
from ..errors import invalid
from ..store import Record, Store
from ..world import World
from .entities import ENTITIES, Entity, custom_fields, field_type, records_of, value_at
from .files import Money

_NULLS = ("is_null", "not_null")
OPERATORS = {
    "text": ("eq", "neq", "in", "not_in", "contains", *_NULLS), "number": ("eq", "neq", "gte", "lte", "between", *_NULLS),
    "date": ("eq", "neq", "gte", "lte", "between", *_NULLS), "datetime": ("gte", "lte", "between", *_NULLS),
    "boolean": ("eq", "neq", *_NULLS), "reference": ("in", "not_in", *_NULLS), "tags": ("in", "not_in", *_NULLS),
}  # fmt: skip
MODES = ("primary", "first_n", "comma_joined", "explode")
_FIRST = 3
"""How many related records first_n names, where the column does not say n."""


def catalogue(store: Store, name: str) -> Record:
    """What GET /exports/field-catalog answers: filters with their operators, columns of the root and of relations."""
    entity = ENTITIES[name]
    fields = [
        *((f, _label(f), t) for f, t in entity.fields.items()),
        *((f, label, "text") for f, label in custom_fields(store, entity)),
    ]
    return {
        "root_entity": name,
        "filter_fields": [{"field": f, "label": label, "type": t, "operators": list(OPERATORS[t])} for f, label, t in fields],
        "column_fields": {
            "root": [{"field": f, "label": label, "type": t} for f, label, t in fields],
            "relation": [
                {"relation": n, "label": r.label, "relation_modes": list(MODES), "fields": list(r.fields)}
                for n, r in entity.relations.items()
            ],
        },
    }


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def check(entity: Entity, columns: list[Record], filters: list[Record] | None, sort: list[Record] | None) -> None:
    """Raise VALIDATION_ERROR for a column, filter or sort entry that the entity does not have, with what it has."""
    for index, column in enumerate(columns):
        _check_column(entity, column, f"columns.{index}")
    ids = [c["id"] for c in columns]
    if len(set(ids)) < len(ids):
        raise invalid("columns: every column needs an id of its own", field="columns")
    for index, one in enumerate(filters or ()):
        _test(entity, one, f"filters.{index}")
    for index, entry in enumerate(sort or ()):
        if entry["column_id"] not in ids:
            where = f"sort.{index}.column_id"
            raise invalid(f"{where}: no column has the id {entry['column_id']}; ids are {', '.join(ids)}", field=where)


def _check_column(entity: Entity, column: Record, where: str) -> None:
    if column["source"] == "root":
        if field_type(entity, column.get("field") or "") is None:
            named = ", ".join(entity.fields)
            raise invalid(f"{where}.field: {entity.name} has no {column.get('field')}; it has {named}", field=f"{where}.field")
        return
    relation = entity.relations.get(column.get("relation") or "")
    if relation is None:
        named = ", ".join(entity.relations)
        message = f"{where}.relation: {entity.name} has no relation {column.get('relation')}; it has {named}"
        raise invalid(message, field=f"{where}.relation")
    name = column.get("relation_field") or ""
    if name not in relation.fields and not name.startswith("metadata."):
        message = f"{where}.relation_field: {column['relation']} has no {name or 'field'}; it has {', '.join(relation.fields)}"
        raise invalid(message, field=f"{where}.relation_field")


def _test(entity: Entity, one: Record, where: str) -> Callable[[Record], bool]:
    """A filter as a test of a record. Raises VALIDATION_ERROR."""
    path, op, value = one["field"], one["op"], one.get("value")
    kind = field_type(entity, path)
    if kind is None:
        raise invalid(f"{where}.field: {entity.name} has no {path}; it has {', '.join(entity.fields)}", field=f"{where}.field")
    if op not in OPERATORS[kind]:
        message = f"{where}.op: {path} is a {kind} and takes {', '.join(OPERATORS[kind])}, not {op}"
        raise invalid(message, field=f"{where}.op")
    if op in _NULLS:
        return lambda r: (not _values(r, path)) == (op == "is_null")
    if op in ("in", "not_in"):
        if not isinstance(value, list) or not value:
            raise invalid(f"{where}.value: {op} needs a list that is not empty", field=f"{where}.value")
        wanted = {str(v).lower() for v in value}
        return lambda r: bool({str(v).lower() for v in _values(r, path)} & wanted) == (op == "in")
    if op == "contains":
        return lambda r: str(value or "").lower() in str(value_at(r, path) or "").lower()
    if op == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise invalid(f"{where}.value: between needs a list of two, from and to", field=f"{where}.value")
        low, high = (_comparable(v, kind, f"{where}.value") for v in value)
        return lambda r: _compared(r, path, kind, lambda v: low[0] <= v < high[1] or v == high[0])
    given = _comparable(value, kind, f"{where}.value")
    match op:
        case "gte":
            return lambda r: _compared(r, path, kind, lambda v: v >= given[0])
        case "lte":
            return lambda r: _compared(r, path, kind, lambda v: v < given[1] or v == given[0])
    return lambda r: _compared(r, path, kind, lambda v: v == given[0]) == (op == "eq")


def _values(record: Record, path: str) -> list[Any]:
    """A field's values: tags by name, several references, or the one value; empty when there is none."""
    value = value_at(record, path)
    several = value if isinstance(value, list) else [value]
    return [v["name"] if isinstance(v, dict) and "name" in v else v for v in several if v not in (None, "")]


def _comparable(value: Any, kind: str, where: str) -> tuple[Any, Any]:
    """A filter's value, and the end of what it covers: a bare date covers its day. Raises VALIDATION_ERROR."""
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise invalid(f"{where} must be a number", field=where)
        return value, value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise invalid(f"{where} must be true or false", field=where)
        return value, value
    if kind in ("date", "datetime"):
        at = moment(value)
        if at is None:
            raise invalid(f"{where} must be an ISO 8601 date or time", field=where)
        return at, at + timedelta(days=1) if len(value) == 10 else at
    if not isinstance(value, str):
        raise invalid(f"{where} must be text", field=where)
    return value.lower(), value.lower()


def _compared(record: Record, path: str, kind: str, holds: Callable[[Any], bool]) -> bool:
    value = value_at(record, path)
    if kind in ("date", "datetime"):
        value = moment(value)
    elif kind == "text" and value is not None:
        value = str(value).lower()
    return value is not None and holds(value)


def chosen(world: World, entity: Entity, columns: list[Record], filters: list[Record], sort: list[Record]) -> list[Record]:
    """The records that the filters keep, in their order; relation columns do not sort."""
    tests = [_test(entity, one, f"filters.{i}") for i, one in enumerate(filters)]
    records = [r for r in records_of(world, entity) if all(test(r) for test in tests)]
    by_id = {c["id"]: c for c in columns}
    for entry in reversed(sort):
        column = by_id.get(entry["column_id"])
        if column is not None and column["source"] == "root" and not _is_list(entity, column["field"]):
            records = _ordered(records, column["field"], entry["direction"] == "desc")
    return records


def _is_list(entity: Entity, path: str) -> bool:
    return entity.fields.get(path) == "tags" or path in ("pipeline_id", "stage_id")


def _ordered(records: list[Record], path: str, downwards: bool) -> list[Record]:
    filled = [r for r in records if value_at(r, path) not in (None, "")]
    empty = [r for r in records if value_at(r, path) in (None, "")]
    return [*sorted(filled, key=lambda r: _rank(value_at(r, path)), reverse=downwards), *empty]


def _rank(value: Any) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, (int, float)) else (0.0, str(value).lower())


def rows(store: Store, entity: Entity, columns: list[Record], records: list[Record]) -> Iterator[list[Any]]:
    """A row per record; a relation that explodes makes one per related record."""
    for record in records:
        named = {c["relation"] for c in columns if c["source"] == "relation"}
        related = {name: entity.relations[name].of(store, record) for name in named}
        exploded = sorted({c["relation"] for c in columns if c.get("relation_mode") == "explode"})
        for combination in product(*(related[name] or [{}] for name in exploded)):
            one_of = dict(zip(exploded, combination, strict=True))
            yield [_cell(column, record, related, one_of) for column in columns]


def _cell(column: Record, record: Record, related: dict[str, list[Record]], one_of: dict[str, Record]) -> Any:
    if column["source"] == "root":
        return _formatted(value_at(record, column["field"]), column.get("format"))
    name, path, found = column["relation"], column["relation_field"], related[column["relation"]]
    match column.get("relation_mode", "primary"):
        case "explode":
            found = [one_of[name]] if one_of[name] else []
        case "first_n" | "comma_joined" as mode:
            most = int(column.get("n") or _FIRST) if mode == "first_n" else len(found)
            texts = (_formatted(value_at(r, path), column.get("format")) for r in found[:most])
            return ", ".join(str(t) for t in texts if t is not None) or None
    return _formatted(value_at(found[0], path), column.get("format")) if found else None


def _formatted(value: Any, how: str | None) -> Any:
    """A cell's value in the column's format; one that does not fit it stays as it is."""
    if isinstance(value, list):
        return ", ".join(str(v["name"] if isinstance(v, dict) and "name" in v else v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items())
    if how in ("date", "datetime") and (at := moment(value)) is not None:
        return at.date() if how == "date" else at
    if how == "currency" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Money(round(float(value), 2))
    return bool(value) if how == "boolean" and value in (True, False, "true", "false", 0, 1) and value != "false" else value


def as_json(value: Any) -> Any:
    """A cell as a preview shows it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return value.amount if isinstance(value, Money) else value
