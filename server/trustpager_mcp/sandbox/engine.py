"""The generic part of the API: routing, validation by the definitions, paging, and the frame of a call."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator

from ..definitions import Parameter, Tool, parameter_schema
from .auth import Key
from .clock import Clock
from .errors import ApiError, invalid, not_found
from .store import Record, Store

DEFAULT_LIMIT = 25


@dataclass
class Call:
    """One validated request on its way to a handler."""

    tool: Tool
    store: Store
    clock: Clock
    key: Key
    ids: dict[str, str]
    query: dict[str, Any]
    body: Any
    outbox: list[Record] = field(default_factory=list)

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
        from uuid import uuid4

        now = self.clock.iso()
        return {"id": str(uuid4()), **fields, "created_at": now, "updated_at": now}


@dataclass(frozen=True)
class Answer:
    """What a handler answers; `data` goes into the envelope unless it is None (204) or text."""

    data: Any = None
    status: int = 200
    extra: dict[str, Any] = field(default_factory=dict)
    text: str | None = None


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
                path = re.sub(r"^https://[^/]+/functions/v1", "", path)
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


def validated(tool: Tool, ids: dict[str, str], query: list[tuple[str, str]], body: Any) -> tuple[dict[str, Any], Any]:
    """Query and body by the definitions. Raises VALIDATION_ERROR with one entry per problem in details.fields."""
    problems: dict[str, str] = {}
    for parameter in tool.parameters:
        if parameter.location == "path" and parameter.type == "uuid" and not _is_uuid(ids.get(parameter.wire, "")):
            problems[parameter.wire] = "is no UUID"
    values = _query_values(tool, query, problems)
    fields = {p.wire: p for p in tool.parameters if p.location == "body"}
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    for name, value in body.items():
        if name not in fields:
            problems[name] = "is no known field"
        elif problem := _problem(fields[name], value):
            problems[name] = problem
    for name, parameter in fields.items():
        if parameter.required and body.get(name) is None:
            problems[name] = "is required"
    if problems:
        first, text = next(iter(problems.items()))
        raise invalid(f"{first} {text}", fields=problems)
    return values, body


def _query_values(tool: Tool, query: list[tuple[str, str]], problems: dict[str, str]) -> dict[str, Any]:
    known = {p.wire: p for p in tool.parameters if p.location == "query"}
    values: dict[str, Any] = {}
    for name, text in query:
        parameter = known.get(name)
        if parameter is None:
            problems[name] = "is no known parameter"
            continue
        value: Any = text
        if parameter.type == "boolean" and text in ("true", "false"):
            value = text == "true"
        elif parameter.type == "integer" and re.fullmatch(r"-?\d{1,9}", text):
            value = int(text)
        if problem := _problem(parameter, value):
            problems[name] = problem
        values[name] = value
    problems.update({n: "is required" for n, p in known.items() if p.required and n not in values})
    return values


def _problem(parameter: Parameter, value: Any) -> str:
    if value is None:
        return "" if parameter.nullable or not parameter.required else "is required"
    if parameter.type == "uuid" and not (isinstance(value, str) and _is_uuid(value)):
        return "is no UUID"
    if parameter.type in ("date", "datetime", "date_or_datetime") and moment(value) is None:
        return "is no ISO 8601 date"
    for error in _validator(parameter).iter_errors(value):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        return f"{place + ': ' if place else ''}{error.message[:160]}"
    return ""


@lru_cache(maxsize=4096)
def _validator_of(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def _validator(parameter: Parameter) -> Draft202012Validator:
    schema = parameter_schema(parameter)
    # Records of a bulk creation are judged one by one, so that good ones are created beside bad ones.
    if parameter.wire == "records":
        schema = {k: v for k, v in schema.items() if k != "items"}
    return _validator_of(json.dumps(schema))


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def moment(text: Any) -> datetime | None:
    """An ISO 8601 date or time as UTC; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def page(call: Call, rows: list[tuple[int, Record]], show: Callable[[Record], Record] | None = None) -> Answer:
    """One page of numbered rows (newest first), with the cursor of the next one."""
    limit = call.query.get("limit", DEFAULT_LIMIT)
    after = _sequence(call.query.get("cursor"))
    rest = [r for r in rows if after is None or r[0] < after]
    chosen = rest[:limit]
    more = len(rest) > limit
    data = [show(r) if show else r for _, r in chosen]
    if fields := call.query.get("fields"):
        data = [selected(r, fields) for r in data]
    pagination = {"next_cursor": _cursor(chosen[-1][0]) if more else None, "has_more": more}
    return Answer(data, extra={"pagination": pagination, "total": len(rows)})


def everything(data: list[Any]) -> Answer:
    """A list that the API does not page."""
    return Answer(data, extra={"pagination": {"next_cursor": None, "has_more": False}})


def selected(record: Record, fields: str) -> Record:
    """`fields`: the named ones, and always the id."""
    wanted = {"id", *(f.strip() for f in fields.split(","))}
    return {k: v for k, v in record.items() if k in wanted}


def _cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(f"s{sequence}".encode()).decode().rstrip("=")


def _sequence(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if not text.startswith("s"):
            raise ValueError(cursor)
        return int(text[1:])
    except ValueError:
        raise invalid("cursor is not one that a list has given", fields={"cursor": "is unknown"}) from None


def contains(record: Record, text: str, *fields: str) -> bool:
    """Whether any of the fields holds the text, ignoring case; digits match formatted numbers."""
    wanted = text.lower().strip()
    digits = re.sub(r"\D", "", text)
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


def change(call: Call, kind: str, record: Record, changes: Record) -> Record:
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


def bulk_create(call: Call, create: Callable[[Call, Record], Record]) -> Answer:
    """Each record by itself: what worked in created[], what did not in errors[] with its index."""
    created, errors = [], []
    for index, record in enumerate(call.body["records"]):
        try:
            if not isinstance(record, dict):
                raise invalid("a record must be an object")
            created.append(create(call, dict(record)))
        except ApiError as error:
            errors.append({"index": index, "code": error.code, "message": error.message})
    return Answer({"created": created, "errors": errors}, status=201)


def bulk(call: Call, act: Callable[[str], bool], word: str) -> Answer:
    """The same act on every id: how many it worked for, and the ids that failed."""
    failed = [record_id for record_id in call.body["ids"] if not act(record_id)]
    return Answer({word: len(call.body["ids"]) - len(failed), "failed": failed})
