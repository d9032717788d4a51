"""Walking a list's cursors until enough rows are there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from .definitions import Tool
from .errors import ToolError
from .request_builder import Request
from .shaping.envelopes import unwrapped

MAX_PAGES = 100


async def walk(tool: Tool, request: Request, first: Any, fetch: Callable[[Request], Awaitable[Any]], max_items: int) -> Any:
    """The rows of the first page and of those after it, up to `max_items`, as one page.

    `pagination` tells where it stopped: a cursor when there is more. A page that fails ends the walk, and is told; what
    was read before is kept. A cursor that comes twice ends it too. The API pages whole, so the last page may go beyond
    `max_items`: its rows are kept, since no cursor leads into the middle of a page.
    """
    answer = unwrapped(first)
    if tool.paging is None or answer.rows is None:
        return first
    rows, cursor, pages, stopped = list(answer.rows), answer.cursor, 1, ""
    seen = {cursor}
    while cursor is not None and len(rows) < max_items:
        if pages >= MAX_PAGES:
            stopped = f"stopped after {pages} pages"
            break
        try:
            page = unwrapped(await fetch(at_cursor(tool, request, cursor, max_items - len(rows))))
        except ToolError as error:
            stopped = f"page {pages + 1} failed ({error.code}): go on from the cursor"
            break
        rows += page.rows or []
        pages += 1
        cursor = page.cursor
        if cursor in seen:
            stopped = "the API gave the same cursor twice"
            cursor = None
        seen.add(cursor)
    pagination = {"next_cursor": cursor, "has_more": cursor is not None, "total": answer.total}
    beside = {**answer.beside, "pages": pages, **({"stopped": stopped} if stopped else {})}
    return {"data": rows, "pagination": pagination, **beside}


def at_cursor(tool: Tool, request: Request, cursor: str, wanted: int) -> Request:
    """The request for the page at a cursor, for no more rows than are wanted."""
    assert tool.paging is not None
    wire = tool.paging.cursor_wire
    in_body = any(p.name == "cursor" and p.location == "body" for p in tool.parameters)
    if in_body and isinstance(request.json, dict):
        return replace(request, json={**request.json, wire: cursor})
    query = [(k, _less(v, wanted) if k == "limit" else v) for k, v in request.query if k != wire]
    return replace(request, query=(*query, (wire, cursor)))


def _less(limit: str, wanted: int) -> str:
    return str(min(int(limit), wanted)) if str(limit).isdigit() else limit
