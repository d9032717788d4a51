"""One answer of the API → text: a table for lists, compact JSON for a record, always whole, never cut silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..definitions import Entity, Tool
from ..errors import ToolError
from .records import cell, is_empty, pick, pruned

MAX_CHARACTERS = 24_000
"""About 8,000 tokens of tables; far below the 40,000 characters at which clients cut."""
_LEARNT_COLUMNS = 8
_LONG_TEXT = 600


@dataclass(frozen=True)
class Shaped:
    """The text for the agent and the data it stands for."""

    text: str
    data: Any = None


def shape(tool: Tool, payload: Any, entity: Entity | None = None, fields: tuple[str, ...] = ()) -> Shaped:
    """The text of a JSON answer. `fields` are dotted paths to show instead of the default ones; `("all",)` shows all."""
    if isinstance(payload, dict) and "data" in payload:
        data, pagination = payload["data"], payload.get("pagination") or {}
        total = payload.get("total", pagination.get("total"))
    else:
        data, pagination, total = payload, {}, None
    if isinstance(data, list):
        return Shaped(_list_text(tool, data, entity, fields, pagination, total), payload)
    return Shaped(_record_text(data, fields), payload)


def shape_error(error: ToolError) -> str:
    """What an agent reads of an error: what happened, the API's details, what to do next."""
    parts = [f"{error.code}: {error.message}"]
    if not is_empty(error.details):
        parts.append("details: " + _clip(_compact(pruned(error.details)), _LONG_TEXT))
    if error.hint:
        parts.append(_clip(error.hint, _LONG_TEXT))
    if error.request_id:
        parts.append(f"request_id: {error.request_id}")
    return "\n".join(parts)


def _record_text(data: Any, fields: tuple[str, ...]) -> str:
    if fields and fields != ("all",) and isinstance(data, dict):
        data = {f: value for f in fields if (value := pick(data, f)) is not None}
    text = _compact(data if fields == ("all",) else pruned(data))
    if len(text) <= MAX_CHARACTERS:
        return text
    return _shrunk_record(data)


def _shrunk_record(data: Any) -> str:
    """A record over the budget: its largest fields are left out and named."""
    if not isinstance(data, dict):
        text = _compact(data)
        return _compact({"left_out": f"{len(text)} characters", "beginning": text[: MAX_CHARACTERS // 2]})
    kept = dict(pruned(data))
    left_out: dict[str, str] = {}
    for name in sorted(kept, key=lambda k: -len(_compact(kept[k]))):
        if len(_compact(kept)) + 200 <= MAX_CHARACTERS:
            break
        left_out[name] = f"{len(_compact(kept.pop(name)))} characters"
    return _compact({**kept, "left_out": left_out})


def _list_text(
    tool: Tool, rows: list[Any], entity: Entity | None, fields: tuple[str, ...], pagination: dict[str, Any], total: Any
) -> str:
    cursor = pagination.get("next_cursor")
    if not rows:
        return "No results."
    if not all(isinstance(r, dict) for r in rows):
        body, shown = _lines([cell(r) for r in rows], MAX_CHARACTERS)
        return "\n".join([*body, _footer(tool, shown, len(rows), total, cursor)])
    columns, others = _columns(rows, entity, fields)
    same = {} if fields or len(rows) < 3 else _shared(rows, columns)
    columns = [c for c in columns if c not in same]
    lines = [",".join(columns)]
    if same:
        lines.insert(0, "all rows: " + ", ".join(f"{k}={v}" for k, v in same.items()))
    body, shown = _lines([",".join(cell(pick(r, c)) for c in columns) for r in rows], MAX_CHARACTERS - 1_000)
    lines += body
    if others:
        lines.append(f"more fields: {_clip(', '.join(others), _LONG_TEXT)} (choose with fields=[...])")
    lines.append(_footer(tool, shown, len(rows), total, cursor))
    return "\n".join(lines)


def _columns(rows: list[Any], entity: Entity | None, fields: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The columns to show and the names of the others that hold anything."""
    present: dict[str, None] = {}
    for row in rows:
        present.update(dict.fromkeys(k for k, v in row.items() if not is_empty(v)))
    if fields == ("all",):
        return list(present), []
    if fields:
        chosen = list(dict.fromkeys(("id", *fields) if "id" in present else fields))
        return chosen, []
    hinted = [c for c in (entity.columns if entity else ()) if any(not is_empty(pick(r, c)) for r in rows)]
    if len(hinted) < 2:
        scalars = [k for k in present if not any(isinstance(r.get(k), (dict, list)) for r in rows)]
        hinted = sorted(scalars, key=lambda k: k != "id")[:_LEARNT_COLUMNS]
    if "id" in present and "id" not in hinted:
        hinted = ["id", *hinted]
    roots = {c.split(".")[0] for c in hinted}
    return hinted or list(present), [k for k in present if k not in roots]


def _shared(rows: list[Any], columns: list[str]) -> dict[str, str]:
    """Columns that say the same in every row."""
    same: dict[str, str] = {}
    for column in columns:
        values = {cell(pick(r, column)) for r in rows}
        if column != "id" and len(values) == 1:
            same[column] = values.pop()
    return same


def _lines(lines: list[str], budget: int) -> tuple[list[str], int]:
    used = 0
    for index, line in enumerate(lines):
        used += len(line) + 1
        if used > budget:
            return (lines[:index], index) if index else ([line[:budget] + " …(row cut)"], 1)
    return lines, len(lines)


def _footer(tool: Tool, shown: int, count: int, total: Any, cursor: Any) -> str:
    text = f"shown {shown} of {total}" if isinstance(total, int) else f"shown {shown}"
    if shown < count:
        text += f"; {count - shown} more rows of this page did not fit: ask with a lower limit or fewer fields"
    if cursor:
        text += f"; next page: cursor={cursor}" if tool.paging else f"; next cursor {cursor}"
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + f"… ({len(text) - length} more characters)"
