"""describe_tool: everything an agent needs to call one tool."""

from __future__ import annotations

import json
from typing import Any

from ..catalog import cost_text, rule_text
from ..definitions import Tool
from ..dispatcher import EXECUTORS, Result
from ..registry import Registry
from ..signatures import argument_lines
from ..validation import example
from .arguments import choice, only, text

ARGUMENTS = ("tool", "format")
FORMATS = ("signature", "json_schema")


def describe(registry: Registry, arguments: dict[str, Any]) -> Result:
    """Signature or JSON Schema, an example, rules, scopes, costs and neighbours. Raises UnknownToolError, NotAllowedError."""
    only("describe_tool", arguments, ARGUMENTS)
    tool = registry.get(text("describe_tool", arguments, "tool"))
    schema = registry.catalog.input_schema(tool.name)
    shown = [json.dumps(schema, ensure_ascii=False, separators=(",", ":"))]
    if choice("describe_tool", arguments, "format", FORMATS) != "json_schema":
        shown = spread_signature(tool, schema["properties"])
    lines = [f"{tool.title} [{tool.effect}] {tool.description}", *shown, *_facts(tool)]
    call = json.dumps({"tool": tool.name, "args": example(tool)}, ensure_ascii=False)
    lines.append(f"Example: {EXECUTORS[tool.effect]}({call})")
    lines += [f"Prefer {n.tool} when {n.when}." for n in tool.neighbours if n.tool in registry.visible]
    return Result("\n".join(lines), {"name": tool.name, "input_schema": schema})


def spread_signature(tool: Tool, properties: dict[str, Any]) -> list[str]:
    """`create_task(`, one argument a line, `)`."""
    if not tool.parameters:
        return [f"{tool.name}()"]
    return [f"{tool.name}(", *argument_lines(tool, properties), ")"]


def _facts(tool: Tool) -> list[str]:
    """What no signature says: deprecation, rules, scopes, costs."""
    facts = [f"Deprecated: {tool.deprecated}"] if tool.deprecated else []
    facts += [rule_text(rule) for rule in tool.rules]
    between = " or " if tool.any_scope else ", "
    needs = [f"Scopes: {between.join(tool.scopes)}."] if tool.scopes else []
    needs += [f"{a.scope} when {a.when}." for a in tool.also_needs]
    if needs:
        facts.append(" ".join(needs))
    if cost := cost_text(tool):
        facts.append(cost)
    return facts
