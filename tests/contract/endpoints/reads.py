"""Which read shows what a write did, and what an update is asked to change."""

from __future__ import annotations

from typing import Any

from trustpager_mcp.definitions import Tool, parameter_schema

from .samples import CHANGES, SHOWN_BY, UNSHOWN
from .target import TOOLS

_OPERATIONS = {tool.operation: tool for tool in TOOLS.values()}
_TEXTS = ("name", "title", "label", "subject", "description", "content", "notes", "display_name", "agent_name", "reviewer_name")
_OTHERS = {"boolean": True, "integer": 7, "number": 7, "color": "#123456", "string": "Contract change", "date": "2026-07-01"}


def shown_by(tool: Tool) -> Tool | None:
    """The read of the same path, of the path above it, or the one that the samples name. None for a write that none shows."""
    if tool.name in UNSHOWN:
        return None
    if tool.name in SHOWN_BY:
        return TOOLS[SHOWN_BY[tool.name]]
    path = tool.path
    while path:
        if read := _OPERATIONS.get(f"GET {path}"):
            return read
        path = path.rpartition("/")[0]
    raise AssertionError(f"no read is known that shows what {tool.name} does; name it in SHOWN_BY or UNSHOWN")


def item_read(tool: Tool) -> Tool | None:
    """For a tool that adds to a collection: the read of one record of it."""
    return next((t for t in TOOLS.values() if t.method == "GET" and t.path.rpartition("/:")[0] == tool.path), None)


def change_of(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """What an update without required fields is asked to change: a plain text, else the first plain field."""
    if tool.method not in ("PATCH", "PUT") or any(p.location == "body" and p.name in arguments for p in tool.parameters):
        return {}
    if tool.name in CHANGES:
        return CHANGES[tool.name]
    plain = {p.name: p for p in tool.parameters if p.location == "body" and not p.fragment and not p.name.endswith("_id")}
    for name in _TEXTS:
        if name in plain and plain[name].type == "string" and not plain[name].enum:
            return {name: f"Changed {name}"}
    for name, parameter in plain.items():
        if parameter.enum:
            return {name: parameter.enum[-1]}
        if parameter.type in _OTHERS:
            return {name: min(parameter_schema(parameter).get("maximum", _OTHERS[parameter.type]), _OTHERS[parameter.type])
                    if parameter.type in ("integer", "number") else _OTHERS[parameter.type]}  # fmt: skip
    raise AssertionError(f"{tool.name} has no plain field to change; name one in CHANGES")
