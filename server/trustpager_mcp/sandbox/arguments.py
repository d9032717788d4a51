"""Calling an endpoint by its tool's name and one flat object of arguments, as agents and proposals do."""

from __future__ import annotations

from typing import Any

from ..definitions import Tool
from .auth import Key
from .engine import Answer
from .errors import ApiError, invalid
from .world import World


def tool_named(world: World, name: str) -> Tool:
    """The tool. Raises 400 UNKNOWN_TOOL."""
    for tool in world.tools:
        if tool.name == name:
            return tool
    raise ApiError(400, "UNKNOWN_TOOL", f"there is no tool {name}; GET /_meta/tools lists them")


def call_tool(world: World, key: Key, name: str, arguments: dict[str, Any]) -> Answer:
    """Run a tool with its arguments by name, alternative spelling or wire name. Raises ApiError."""
    tool = tool_named(world, name)
    places = {n: p for p in tool.parameters for n in (p.name, p.wire, *p.also_accepts)}
    ids: dict[str, str] = {}
    query: dict[str, Any] = {}
    body: Any = {} if tool.method != "GET" else None
    for given, value in arguments.items():
        parameter = places.get(given)
        if parameter is None:
            raise invalid(f"{given} is not a parameter of {name}", field=given)
        if parameter.location == "path":
            ids[parameter.wire] = str(value)
        elif parameter.location == "query":
            query[parameter.wire] = str(value).lower() if isinstance(value, bool) else value
        elif tool.body == "whole":
            body = value
        else:
            body[parameter.wire] = value
    missing = [p.name for p in tool.parameters if p.location == "path" and p.wire not in ids]
    if missing:
        raise invalid(f"{name} needs {', '.join(missing)}", fields=dict.fromkeys(missing, "is required"))
    return world.run(name, key, ids, query, body)
