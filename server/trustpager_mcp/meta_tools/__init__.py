"""The tools through which an agent finds and calls all others: find, describe, three executors; and read_result."""

from __future__ import annotations

from typing import Any

from ..callers import Caller
from ..definitions import Effect
from ..dispatcher import EXECUTORS, Dispatcher, Result, failure
from ..errors import ToolError
from ..registry import Registry
from ..search import SearchIndex
from .describe import describe
from .execute import EFFECT_OF, execute
from .find import find, find_line, index_of_everything, toolset_index
from .read import DESCRIPTION as _READ_ON
from .read import NAME as READ_RESULT
from .read import SCHEMA as _READ_ON_SCHEMA
from .read import read_result

__all__ = ["READ_RESULT", "MetaTools", "find_line", "listed", "reading_on"]

_FIND_SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": ["string", "array"], "items": {"type": "string"}},
        "toolset": {"type": "string"},
        "effect": {"type": "string", "enum": ["read", "write", "irreversible"]},
        "include_unavailable": {"type": "boolean"},
    },
    "required": ["query"],
}
_DESCRIBE_SCHEMA = {
    "type": "object",
    "properties": {"tool": {"type": "string"}, "format": {"type": "string", "enum": ["signature", "json_schema"]}},
    "required": ["tool"],
}
_CALL_SCHEMA = {
    "type": "object",
    "properties": {
        "tool": {"type": "string"},
        "args": {"type": "object"},
    },
    "required": ["tool"],
}
_READ_SCHEMA = {
    "type": "object",
    "properties": {
        **_CALL_SCHEMA["properties"],  # type: ignore[dict-item]
        "fields": {"type": "array", "items": {"type": "string"}, "description": '["all"]: every one'},
    },
    "required": ["tool"],
}


def listed(registry: Registry) -> list[dict[str, Any]]:
    """The meta tools that have anything to do under this registry, in their fixed order, as plain MCP tools."""
    effects = {t.effect for t in registry.visible.values()}
    index = "; ".join(toolset_index(registry))
    tools = [
        _tool(
            "find_tools",
            "Find tools",
            f"Find CRM tools by what you want to do: signatures for call_read, call_write, call_irreversible. Toolsets: {index}.",
            _FIND_SCHEMA,
            "read",
        ),
        _tool(
            "describe_tool",
            "Describe tool",
            "Every argument of one tool, its rules and an example.",
            _DESCRIBE_SCHEMA,
            "read",
        ),
    ]
    texts: dict[Effect, str] = {
        "read": "Run a read tool.",
        "write": "Run a write tool (changes that can be undone).",
        "irreversible": "Run an irreversible tool (deletes, sends, spends).",
    }
    for effect, name in EXECUTORS.items():
        if effect in effects:
            schema = _READ_SCHEMA if effect == "read" else _CALL_SCHEMA
            tools.append(_tool(name, name.replace("_", " ").capitalize(), texts[effect], schema, effect))
    return [*tools, reading_on()]


def reading_on() -> dict[str, Any]:
    """read_result, which every profile has: any answer may have more to it than fits."""
    return _tool(READ_RESULT, "Read result", _READ_ON, _READ_ON_SCHEMA, "read")


def _tool(name: str, title: str, description: str, schema: dict[str, Any], effect: Effect) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": {
            "readOnlyHint": effect == "read",
            "destructiveHint": effect == "irreversible",
            "idempotentHint": effect == "read",
            "openWorldHint": effect == "irreversible",
        },
    }


class MetaTools:
    """Runs the meta tools for one session."""

    def __init__(self, registry: Registry, search: SearchIndex, dispatcher: Dispatcher) -> None:
        self._registry = registry
        self._search = search
        self._dispatcher = dispatcher
        self._whole: SearchIndex | None = None

    def _everything(self) -> SearchIndex:
        if self._whole is None:
            self._whole = index_of_everything(self._registry.catalog)
        return self._whole

    @staticmethod
    def knows(name: str) -> bool:
        return name in ("find_tools", "describe_tool", READ_RESULT) or name in EFFECT_OF

    async def call(self, name: str, arguments: dict[str, Any], caller: Caller) -> Result:
        """Run a meta tool; failures are Results with `is_error`."""
        try:
            if name == "find_tools":
                await self._search.made()
                return find(self._search, self._registry, arguments, self._everything)
            if name == "describe_tool":
                return describe(self._registry, arguments)
            if name == READ_RESULT:
                return read_result(self._dispatcher, arguments)
            return await execute(self._dispatcher, name, arguments, caller)
        except ToolError as error:
            return failure(error)
