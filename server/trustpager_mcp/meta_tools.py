"""The five tools through which an agent finds and calls all others: find, describe, and three executors."""

from __future__ import annotations

import json
from typing import Any

from .catalog import cost_text, full_description, signature, type_word
from .definitions import Effect, Tool
from .dispatcher import EXECUTORS, Dispatcher, Result, failure
from .errors import ArgumentsError, ToolError
from .registry import Registry
from .search import Hit, SearchIndex
from .validation import example

_PURPOSE_WORDS = 10
_EFFECT_OF: dict[str, Effect] = {name: effect for effect, name in EXECUTORS.items()}
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
        "fields": {"type": "array", "items": {"type": "string"}, "description": "fields to show; [\"all\"] for every one"},
    },
    "required": ["tool"],
}


def listed(registry: Registry) -> list[dict[str, Any]]:
    """The meta tools that have anything to do under this registry, in their fixed order, as plain MCP tools."""
    effects = {t.effect for t in registry.visible.values()}
    index = "; ".join(_toolset_index(registry))
    tools = [
        _tool(
            "find_tools",
            "Find tools",
            "Find TrustPager CRM tools by what you want to do. Answers with signatures to call through call_read, "
            f"call_write or call_irreversible. Toolsets: {index}.",
            {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
            "read",
        ),
        _tool(
            "describe_tool",
            "Describe tool",
            "Full arguments of one tool, with an example.",
            {"type": "object", "properties": {"tool": {"type": "string"}}, "required": ["tool"]},
            "read",
        ),
    ]
    texts: dict[Effect, str] = {
        "read": "Run a read tool.",
        "write": "Run a write tool (changes that can be undone).",
        "irreversible": "Run an irreversible tool (deletes, sends to people, spends).",
    }
    for effect, name in EXECUTORS.items():
        if effect in effects:
            schema = _READ_SCHEMA if effect == "read" else _CALL_SCHEMA
            tools.append(_tool(name, name.replace("_", " ").capitalize(), texts[effect], schema, effect))
    return tools


def _toolset_index(registry: Registry) -> list[str]:
    used = dict.fromkeys(registry.catalog.toolset_of[n] for n in registry.visible)
    return [name.replace("_", " ") for name in used]


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

    @staticmethod
    def knows(name: str) -> bool:
        return name in ("find_tools", "describe_tool") or name in _EFFECT_OF

    async def call(self, name: str, arguments: dict[str, Any]) -> Result:
        """Run a meta tool; failures are Results with `is_error`."""
        try:
            if name == "find_tools":
                return self.find(_text(name, arguments, "query"))
            if name == "describe_tool":
                return self.describe(_text(name, arguments, "tool"))
            return await self._execute(name, arguments)
        except ToolError as error:
            return failure(error)

    def find(self, query: str) -> Result:
        """Up to six one-line signatures, or the toolsets when nothing fits."""
        hits = self._search.search(query)
        if not hits:
            index = ", ".join(_toolset_index(self._registry))
            return Result(f"No tool matches {query[:80]!r}. Try other words; there are tools for: {index}.", [])
        return Result("\n".join(find_line(h.tool) for h in hits), [_hit_data(h) for h in hits])

    def describe(self, name: str) -> Result:
        """Everything an agent needs to call one tool."""
        tool = self._registry.get(name)
        lines = [f"{tool.name} — {tool.title}. {full_description(tool)}", f"Run with {EXECUTORS[tool.effect]}. Arguments:"]
        properties = self._registry.catalog.input_schema(name)["properties"]
        for parameter in tool.parameters:
            optional = "" if parameter.required else "?"
            schema = {k: v for k, v in properties[parameter.name].items() if k not in ("type", "description", "enum", "format")}
            if not isinstance(properties[parameter.name].get("type"), str):
                schema.pop("type", None)
            extra = f" {json.dumps(schema, separators=(',', ':'))}" if schema else ""
            nullable = " | null" if parameter.nullable else ""
            text = f" — {parameter.description}" if parameter.description else ""
            lines.append(f"  {parameter.name}{optional}: {type_word(parameter)}{nullable}{extra}{text}")
        if not tool.parameters:
            lines.append("  none")
        call = {"tool": tool.name, "args": example(tool)}
        lines.append(f"Example: {EXECUTORS[tool.effect]}({json.dumps(call, ensure_ascii=False)})")
        lines += [f"Prefer {n.tool} when {n.when}." for n in tool.neighbours if n.tool in self._registry.visible]
        return Result("\n".join(lines), {"name": tool.name, "input_schema": self._registry.catalog.input_schema(name)})

    async def _execute(self, executor: str, arguments: dict[str, Any]) -> Result:
        name = _text(executor, arguments, "tool")
        rest = {k: v for k, v in arguments.items() if k not in ("tool", "args", "fields")}
        args = arguments.get("args")
        if isinstance(args, str):
            try:
                args = json.loads(args)
            except (ValueError, RecursionError):
                raise ArgumentsError(f"{executor}: args is not valid JSON; give an object.") from None
        if args is not None and not isinstance(args, dict):
            raise ArgumentsError(f"{executor}: args must be an object of the tool's arguments.")
        merged = {**rest, **(args or {})}
        fields = arguments.get("fields") or []
        if isinstance(fields, str):
            fields = [f.strip() for f in fields.split(",")]
        return await self._dispatcher.call(
            name, merged, fields=tuple(str(f) for f in fields), effect=_EFFECT_OF[executor]
        )


def find_line(tool: Tool) -> str:
    """One answer line of find_tools: signature, effect class, ten words of purpose."""
    words = tool.description.split()
    purpose = " ".join(words[:_PURPOSE_WORDS]) + ("…" if len(words) > _PURPOSE_WORDS else "")
    cost = f" {cost_text(tool)}" if tool.credits else ""
    return f"{signature(tool, optional=5)} [{tool.effect}] {purpose}{cost}"


def _hit_data(hit: Hit) -> dict[str, Any]:
    return {"tool": hit.tool.name, "effect": hit.tool.effect, "score": round(hit.score, 4)}


def _text(tool: str, arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ArgumentsError(
            f"{tool}: {name} is required and must be text, got {json.dumps(value, default=str)[:80]}.",
            hint=f'Call it like {{"{name}": "..."}}.',
        )
    return value.strip()
