"""The catalogue: every definition by name, with what is derived from it (descriptions, schemas, annotations)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from .definitions import Entity, Rule, Tool, Toolset, input_schema, load_toolsets
from .errors import DefinitionError

_RULE_WORDS = {
    "exactly_one_of": "Exactly one of",
    "at_least_one_of": "At least one of",
    "at_most_one_of": "At most one of",
    "all_or_none": "Together or not at all",
}


class Catalog:
    """All tools of all toolsets, unfiltered. Immutable after construction."""

    def __init__(self, toolsets: Iterable[Toolset]) -> None:
        self.toolsets: dict[str, Toolset] = {t.toolset: t for t in toolsets}
        self.tools: dict[str, Tool] = {}
        self.toolset_of: dict[str, str] = {}
        self.entities: dict[str, Entity] = {}
        for toolset in self.toolsets.values():
            self.entities.update(toolset.entities)
            for tool in toolset.tools:
                if tool.name in self.tools:
                    raise DefinitionError(f"the tool {tool.name} stands in {self.toolset_of[tool.name]} and {toolset.toolset}")
                self.tools[tool.name] = tool
                self.toolset_of[tool.name] = toolset.toolset
        self._schemas: dict[str, dict[str, Any]] = {}

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope that any tool names, alternatives split."""
        named = (s for t in self.tools.values() for s in (*t.scopes, *(a.scope for a in t.also_needs)))
        return frozenset(one for s in named for one in alternatives(s))

    def input_schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of the tool's arguments, made when first asked for."""
        schema = self._schemas.get(name)
        if schema is None:
            schema = self._schemas[name] = input_schema(self.tools[name])
        return schema

    def nearest(self, name: str, among: Iterable[str] | None = None, count: int = 3) -> list[str]:
        """The tool names that `name` most likely means, whatever its spelling."""
        from .tool_names import nearest_names

        return nearest_names(name, self.tools if among is None else among, count)


@lru_cache(maxsize=1)
def default_catalog() -> Catalog:
    """The catalogue of the definitions that ship with the package; read once a process."""
    return Catalog(load_toolsets())


def alternatives(scope: str) -> list[str]:
    """`"a | b"` → `["a", "b"]`: any one of them is enough."""
    return [part.strip() for part in scope.split("|")]


def missing_scopes(tool: Tool, held: frozenset[str]) -> list[str]:
    """The scopes of `tool` that `held` does not satisfy, in the reference's spelling."""
    missing = [s for s in tool.scopes if not any(a in held for a in alternatives(s))]
    return [] if tool.any_scope and len(missing) < len(tool.scopes) else missing


def rule_text(rule: Rule) -> str:
    names = ", ".join(rule.parameters)
    if rule.kind == "required_when":
        condition = " and ".join(f"{k}={v}" for k, v in (rule.when or {}).items())
        return f"With {condition}: {names} required."
    return f"{_RULE_WORDS[rule.kind]}: {names}."


def cost_text(tool: Tool) -> str:
    if tool.credits is None:
        return ""
    if tool.credits.amount is None:
        return "Costs credits."
    amount = f"{tool.credits.amount:g} credit{'s' if tool.credits.amount != 1 else ''}"
    minimum = f", at least {tool.credits.minimum:g}" if tool.credits.minimum else ""
    return f"Costs {amount} per {tool.credits.per}{minimum}."


def full_description(tool: Tool) -> str:
    """What an agent reads: the authored text and what the data says about conditions, costs and deprecation."""
    parts = [f"Deprecated: {tool.deprecated}" if tool.deprecated else "", tool.description]
    parts += [rule_text(r) for r in tool.rules]
    parts += [f"{a.scope} needed when {a.when}." for a in tool.also_needs]
    parts.append(cost_text(tool))
    return " ".join(p for p in parts if p)


def behaviour_hints(tool: Tool) -> dict[str, Any]:
    """Honest MCP annotations from the effect class."""
    return {
        "readOnlyHint": tool.effect == "read",
        "destructiveHint": tool.effect == "irreversible",
        "idempotentHint": tool.idempotent,
        "openWorldHint": tool.effect == "irreversible",
    }


def catalog_document(catalog: Catalog) -> dict[str, Any]:
    """The whole catalogue as plain data, for checks and for other programs."""
    return {"tools": [_catalog_entry(catalog, tool) for tool in catalog.tools.values()]}


def _catalog_entry(catalog: Catalog, tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": full_description(tool),
        "toolset": catalog.toolset_of[tool.name],
        "method": tool.method,
        "path": tool.path,
        "aliases": list(tool.aliases),
        "scopes": list(tool.scopes),
        "also_needs": [a.model_dump() for a in tool.also_needs],
        "effect": tool.effect,
        "is_write": tool.is_write,
        "read_only": tool.effect == "read",
        "destructive": tool.effect == "irreversible",
        "idempotent": tool.idempotent,
        "credits": tool.credits.model_dump() if tool.credits else None,
        "response": tool.response,
        "deprecated": tool.deprecated,
        "input_schema": catalog.input_schema(tool.name),
        "parameters": [
            {
                "name": p.name,
                "wire": p.wire,
                "in": p.location,
                "type": p.type,
                "required": p.required,
                "description": p.description,
                **({"extra": True} if p.extra else {}),
            }
            for p in tool.parameters
        ],
    }
