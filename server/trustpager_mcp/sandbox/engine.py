"""The generic part of the API: routing, validation by the definitions, paging, and the frame of a call."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..definitions import Tool
from .auth import Key
from .checks import check_item, is_uuid, moment
from .clock import Clock
from .errors import ApiError, invalid, not_found
from .store import Record, Store
from .world import World

DEFAULT_LIMIT = 25


@dataclass
class Call:
    """One validated request on its way to a handler."""

    tool: Tool
    world: World
    key: Key
    ids: dict[str, str]
    query: dict[str, Any]
    body: Any

    @property
    def store(self) -> Store:
        return self.world.store

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def must(self, kind: str, record_id: str | None = None, what: str | None = None) -> Record:
        """The record, by default the one that the path names `id`. Raises 404 NOT_FOUND."""
        wanted = record_id or self.ids["id"]
        record = self.store.get(kind, wanted)
        if record is None:
            raise not_found(what or kind.replace("_", " "), wanted)
        return record

    def reference(self, kind: str, record_id: str | None, name: str) -> None:
        """Raise VALIDATION_ERROR when a body names a record that does not exist."""
        if record_id is not None and self.store.get(kind, record_id) is None:
            raise invalid(f"{name}: there is no {kind.replace('_', ' ')} {record_id}", field=name)

    def fresh(self, fields: Record) -> Record:
        """A new record: id and times set."""
        return self.world.fresh(fields)


@dataclass(frozen=True)
class Answer:
    """What a handler answers; `data` goes into the envelope unless it is None (204), text, a file or a stream."""

    data: Any = None
    status: int = 200
    extra: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    file: File | None = None
    events: Iterable[tuple[str, Any]] | None = None
    """Server-sent events: names and data."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A binary answer. `headers` are further ones (X-Row-Count, X-Truncated)."""

    content: bytes
    media_type: str
    name: str
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]
_Route = tuple[str, re.Pattern[str], tuple[str, ...], Tool]


class Router:
    """Finds the tool of a method and path; fixed segments win over placeholders."""

    def __init__(self, tools: list[Tool]) -> None:
        routes: list[tuple[tuple[bool, ...], _Route]] = []
        for tool in tools:
            own = re.findall(r":(\w+)", tool.path)
            for operation in (tool.operation, *tool.aliases):
                method, path = operation.split(" ", 1)
                path = re.sub(r"^https://[^/]+/functions/v1", "", path).removeprefix("/api/v1")
                pattern = re.compile(re.sub(r":\w+", "([^/]+)", path) + "$")
                rank = tuple(segment.startswith(":") for segment in path.split("/"))
                routes.append((rank, (method, pattern, tuple(own), tool)))
        self._routes = [route for _, route in sorted(routes, key=lambda r: r[0])]

    def find(self, method: str, path: str) -> tuple[Tool, dict[str, str]]:
        """The tool and its path values by wire name. Raises 404 or 405."""
        other_methods = set()
        for route_method, pattern, names, tool in self._routes:
            if match := pattern.match(path):
                if route_method == method:
                    return tool, dict(zip(names, match.groups(), strict=True))
                other_methods.add(route_method)
        if other_methods:
            raise ApiError(405, "METHOD_NOT_ALLOWED", f"{path} takes {', '.join(sorted(other_methods))}, not {method}")
        raise ApiError(404, "NOT_FOUND", f"there is no endpoint {method} {path}")


def page(
    call: Call,
    rows: list[tuple[int, Record]],
    show: Callable[[Record], Record] | None = None,
    order: Callable[[int, Record], tuple[Any, ...]] = lambda sequence, _: (-sequence,),
) -> Answer:
    """One page of numbered rows (by default newest first), with the cursor of the next one.

    `order` gives each row its place; the cursor holds the place of the last row shown, so that rows which come and go
    between pages neither repeat others nor hide them.
    """
    # A list without a limit to ask for comes whole: there would be no way to the rest of it.
    paged = any(p.wire == "limit" for p in call.tool.parameters)
    limit = call.query.get("limit", DEFAULT_LIMIT if paged else max(len(rows), 1))
    if limit < 1:
        raise invalid("limit must be at least 1", field="limit")
    placed = sorted(((order(n, r), r) for n, r in rows), key=lambda pair: pair[0])
    rest = placed
    if (cursor := call.query.get("cursor", call.query.get("after"))) is not None:
        after = _place_of_id(placed, cursor) if is_uuid(cursor) else _place(call.tool.name, cursor)
        try:
            rest = [pair for pair in placed if pair[0] > after]
        except TypeError:
            raise _unknown_cursor() from None
    chosen = rest[:limit]
    more = len(rest) > limit
    data = [show(r) if show else r for _, r in chosen]
    if fields := call.query.get("fields"):
        data = [selected(r, fields, call.query.get("expand")) for r in data]
    pagination = {"next_cursor": _cursor(call.tool.name, chosen[-1][0]) if more else None, "has_more": more}
    return Answer(data, extra={"pagination": pagination, "total": len(rows)})


def everything(data: list[Any]) -> Answer:
    """A list that the API does not page."""
    return Answer(data, extra={"pagination": {"next_cursor": None, "has_more": False}, "total": len(data)})


def selected(record: Record, fields: str, expand: str | None = None) -> Record:
    """`fields`: the named ones, always the id, and what `expand` asks for."""
    wanted = {"id", *(f.strip() for f in f"{fields},{expand or ''}".split(","))}
    return {k: v for k, v in record.items() if k in wanted}


def _cursor(tool: str, place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps([tool, *place]).encode()).decode().rstrip("=")


def _place_of_id(placed: list[tuple[tuple[Any, ...], Record]], record_id: str) -> tuple[Any, ...]:
    """Some lists document their cursor as the last id of the page before; every list takes it."""
    for place, record in placed:
        if record.get("id") == record_id:
            return place
    raise _unknown_cursor()


def _place(tool: str, cursor: str) -> tuple[Any, ...]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise _unknown_cursor() from None
    if not isinstance(decoded, list) or not decoded or decoded[0] != tool:
        raise _unknown_cursor()
    return tuple(decoded[1:])


def _unknown_cursor() -> ApiError:
    return invalid("cursor is not one that this list has given", field="cursor")


def sought(call: Call) -> str:
    """The text that a search endpoint is asked for. Raises VALIDATION_ERROR when it is blank."""
    text = str(call.body["query"]).strip()
    if not text:
        raise invalid("query must not be empty", field="query")
    return text


def contains(record: Record, text: str, *fields: str) -> bool:
    """Whether any of the fields holds the text, ignoring case; digits match formatted numbers."""
    wanted = text.lower().strip()
    digits = re.sub(r"\D", "", text).removeprefix("0")
    for name in fields:
        value = str(record.get(name) or "").lower()
        if wanted in value or (len(digits) >= 6 and digits in re.sub(r"\D", "", value)):
            return True
    return False


def created_between(record: Record, query: dict[str, Any], field_name: str = "created_at") -> bool:
    """The filters created_after and created_before."""
    at = moment(record.get(field_name))
    after, before = moment(query.get("created_after")), moment(query.get("created_before"))
    if at is None:
        return after is None and before is None
    return (after is None or at > after) and (before is None or at < before)


def change(call: Call | World, kind: str, record: Record, changes: Record) -> Record:
    """PATCH: the changes are stored and every changed field is logged, as the reference's audit does."""
    log = [
        call.fresh({"kind": kind, "record_id": record["id"], "field": k, "before": record.get(k), "after": v})
        for k, v in changes.items()
        if record.get(k) != v
    ]
    updated = {**record, **changes, "updated_at": call.clock.iso()}
    call.store.save(kind, updated)
    call.store.add("field_change", log)
    return updated


def clear_references(call: Call, record_id: str, *fields: tuple[str, str]) -> None:
    """Other records' fields that name a deleted record become null: what was logged outlives what it was about."""
    for kind, name in fields:
        for record in call.store.all(kind, **{name: record_id}):
            call.store.save(kind, {**record, name: None})


def bulk_create(call: Call, create: Callable[[Call, Record], Record]) -> Answer:
    """Each record by itself: what worked in created[], what did not in errors[] with its index."""
    created, errors = [], []
    for index, record in enumerate(call.body["records"]):
        try:
            if not isinstance(record, dict):
                raise invalid("a record must be an object")
            check_item(call.tool, "records", record := {k: v for k, v in record.items() if v is not None})
            created.append(create(call, dict(record)))
        except ApiError as error:
            errors.append({"index": index, "code": error.code, "message": error.message})
    return Answer({"created": created, "errors": errors}, status=201)


def bulk(call: Call, act: Callable[[str], bool], word: str) -> Answer:
    """The same act on every id: how many it worked for, and the ids that failed."""
    ids = list(dict.fromkeys(call.body["ids"]))
    failed = [record_id for record_id in ids if not act(record_id)]
    return Answer({word: len(ids) - len(failed), "failed": failed})
