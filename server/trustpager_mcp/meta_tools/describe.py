"""describe_tool: everything an agent needs to call one tool."""

from __future__ import annotations

import json

from ..catalog import full_description, type_word
from ..dispatcher import EXECUTORS, Result
from ..registry import Registry
from ..validation import example


def describe(registry: Registry, name: str) -> Result:
    """Everything an agent needs to call one tool."""
    tool = registry.get(name)
    lines = [f"{tool.name} — {tool.title}. {full_description(tool)}", f"Run with {EXECUTORS[tool.effect]}. Arguments:"]
    properties = registry.catalog.input_schema(name)["properties"]
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
    lines += [f"Prefer {n.tool} when {n.when}." for n in tool.neighbours if n.tool in registry.visible]
    return Result("\n".join(lines), {"name": tool.name, "input_schema": registry.catalog.input_schema(name)})
