"""The same listed tools in the shapes that models' APIs and frameworks take."""

from __future__ import annotations

from typing import Any, Literal

from .catalog import Catalog

ToolFormat = Literal["mcp", "anthropic", "openai", "meta"]
FORMATS: tuple[ToolFormat, ...] = ("mcp", "anthropic", "openai", "meta")


def converted(tools: list[dict[str, Any]], kind: ToolFormat, catalog: Catalog) -> list[dict[str, Any]]:
    """Plain MCP tools in another shape.

    `mcp` as they are; `anthropic` for the Messages API; `openai` for the Responses API; `meta` as the API's own
    `GET /api/v1/_meta/tools` tells them. Raises ValueError for an unknown shape.
    """
    if kind == "mcp":
        return tools
    if kind == "anthropic":
        return [{"name": t["name"], "description": t["description"], "input_schema": t["inputSchema"]} for t in tools]
    if kind == "openai":
        return [
            # Not strict: that mode demands every property, and most of these are optional.
            {
                "type": "function",
                "name": t["name"],
                "description": t["description"],
                "parameters": t["inputSchema"],
                "strict": False,
            }
            for t in tools
        ]
    if kind == "meta":
        return [_meta(t, catalog) for t in tools]
    raise ValueError(f"format is {kind!r}; it must be one of {', '.join(FORMATS)}")


def _meta(tool: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """One entry; of a tool that is no endpoint (find_tools, ...) path, scopes and page are empty."""
    own = catalog.tools.get(tool["name"])
    changes = not tool["annotations"]["readOnlyHint"]
    return {
        "name": tool["name"],
        "description": tool["description"],
        "input_schema": tool["inputSchema"],
        "preferred_model": "sonnet" if changes else "haiku",
        "api_path": own.path if own else None,
        "required_scopes": list(own.scopes) if own else [],
        "is_write": own.is_write if own else changes,
        "portal_path": f"/crm/{own.path.split('/')[1]}" if own and own.path.startswith("/") else None,
    }
