"""What kind of answer the API gave: rows, one record, or the outcome of a bulk write; and what it says about paging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_ROWS = ("data", "results", "items", "records", "rows", "entries")
_PAGING = ("pagination", "paging", "page_info", "meta")
_CURSOR = ("next_cursor", "nextCursor", "next", "after", "endCursor", "end_cursor")
_MORE = ("has_more", "hasMore", "hasNextPage", "has_next_page")
_TOTAL = ("total", "total_count", "totalCount", "count")
_MAX_DEPTH = 3


@dataclass(frozen=True)
class Answer:
    """An answer without its envelope. `rows` for a list, `record` otherwise; `beside` is what stood next to the rows."""

    rows: list[Any] | None = None
    record: Any = None
    cursor: str | None = None
    has_more: bool = False
    total: int | None = None
    beside: dict[str, Any] = field(default_factory=dict)


def unwrapped(payload: Any) -> Answer:
    """The answer inside any of the API's envelopes; what is in none of them is a record as it stands."""
    beside: dict[str, Any] = {}
    paging: dict[str, Any] = {}
    value = payload
    for depth in range(_MAX_DEPTH):
        if not isinstance(value, dict):
            break
        name = _envelope_key(value, inside=depth > 0)
        if name is None:
            break
        rest = {k: v for k, v in value.items() if k != name}
        for key in _PAGING:
            if isinstance(rest.get(key), dict):
                paging.update(rest.pop(key))
        for key in (*_CURSOR, *_MORE, *_TOTAL):
            if key in rest and not isinstance(rest[key], (dict, list)) and isinstance(value[name], list):
                paging[key] = rest.pop(key)
        beside.update(rest)
        value = value[name]
    if not isinstance(value, list):
        return Answer(record=value if not beside else {**beside, **value} if isinstance(value, dict) else payload)
    cursor = _first(paging, _CURSOR)
    total = _first(paging, _TOTAL)
    return Answer(
        rows=value,
        cursor=str(cursor) if isinstance(cursor, (str, int)) and not isinstance(cursor, bool) and cursor != "" else None,
        has_more=_first(paging, _MORE) is True,
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
        beside=beside,
    )


def is_bulk(record: Any) -> bool:
    """Whether a record is the outcome of a bulk write: what was done beside what failed."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("errors"), list)
        and any(isinstance(record.get(k), list) for k in ("created", "updated", "deleted", "moved", "succeeded"))
    )


def _envelope_key(value: dict[str, Any], inside: bool) -> str | None:
    """The key of what an envelope holds: `data`, or the only list, if it is named like one or all it is about."""
    if "data" in value:
        return "data"
    if "id" in value:
        return None
    lists = [k for k, v in value.items() if isinstance(v, list)]
    if len(lists) != 1:
        return None
    name = lists[0]
    if name in _ROWS:
        return name
    only_rows = all(isinstance(v, dict) for v in value[name]) and len(value[name]) > 0
    others_are_paging = all(k in (name, *_PAGING, *_CURSOR, *_MORE, *_TOTAL) for k in value)
    return name if inside and only_rows and others_are_paging else None


def _first(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[n] for n in names if values.get(n) is not None), None)
