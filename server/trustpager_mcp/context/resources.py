"""What a client may attach to a conversation: the API's own instructions and trigger schemas (live), and toolset pages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import unquote

from ..catalog import cost_text
from ..dispatcher import Dispatcher, Result
from ..errors import ToolError, UnknownToolError
from ..profiles import used_toolsets
from ..registry import Registry
from ..signatures import signature

SCHEME = "trustpager://"
MARKDOWN = "text/markdown"


@dataclass(frozen=True)
class Entry:
    """A resource or, where the address holds `{name}`, a template of resources."""

    address: str
    name: str
    title: str
    description: str
    tool: str | None = None
    """The tool that reads it; None for what the catalogue itself says."""


_FIXED = (
    Entry(
        f"{SCHEME}ai-instructions",
        name="ai_instructions",
        title="AI instructions",
        description="The API's own rules for agents, live",
        tool="get_ai_instructions",
    ),
    Entry(
        f"{SCHEME}trigger-schemas",
        name="trigger_schemas",
        title="Trigger schemas",
        description="Every automation trigger, live",
        tool="list_trigger_schemas",
    ),
    Entry(f"{SCHEME}toolsets", name="toolsets", title="Toolsets", description="What this key can do, by area"),
)
_TEMPLATES = (
    Entry(
        SCHEME + "trigger-schemas/{trigger_type}",
        name="trigger_schema",
        title="Trigger schema",
        description="Sample data and variables of one automation trigger, live",
        tool="get_trigger_schema",
    ),
    Entry(
        SCHEME + "toolsets/{toolset}",
        name="toolset",
        title="Toolset",
        description="The tools of one area with their signatures",
    ),
)


def resources(registry: Registry) -> list[Entry]:
    """The fixed resources that this credential may read, then a page for each toolset that it can use."""
    fixed = [e for e in _FIXED if e.tool is None or e.tool in registry.visible]
    sets = [registry.catalog.toolsets[name] for name in used_toolsets(registry)]
    return fixed + [Entry(f"{SCHEME}toolsets/{t.toolset}", f"toolset_{t.toolset}", t.title, t.summary) for t in sets]


def templates(registry: Registry) -> list[Entry]:
    return [e for e in _TEMPLATES if e.tool is None or e.tool in registry.visible]


async def read(address: str, registry: Registry, dispatcher: Dispatcher) -> tuple[str, str]:
    """Text and media type of a resource. Raises ToolError when there is none or it cannot be read."""
    place = address.removeprefix(SCHEME) if address.startswith(SCHEME) else ""
    if place == "ai-instructions":
        return _document(await dispatcher.call("get_ai_instructions", {}))
    if place == "trigger-schemas":
        return _document(await dispatcher.call("list_trigger_schemas", {}))
    if place == "toolsets":
        return index_page(registry), MARKDOWN
    if match := re.fullmatch(r"trigger-schemas/([^/]+)", place):
        return _document(await dispatcher.call("get_trigger_schema", {"trigger_type": unquote(match[1])}))
    match = re.fullmatch(r"toolsets/([^/]+)", place)
    if match and (name := unquote(match[1])) in used_toolsets(registry):
        return toolset_page(registry, name), MARKDOWN
    known = [e.address for e in (*_FIXED, *_TEMPLATES)]
    raise UnknownToolError(
        f"there is no resource {address[:120]!r} for this key; there are {', '.join(known)}.", code="UNKNOWN_RESOURCE"
    )


def _document(result: Result) -> tuple[str, str]:
    """An answer whole, as it came: text as Markdown, anything else as JSON."""
    if result.is_error:
        raise ToolError(result.text, code=result.code)
    data = result.data.get("data", result.data) if isinstance(result.data, dict) else result.data
    if isinstance(data, dict) and len(data) == 1 and isinstance(only := next(iter(data.values())), str):
        data = only
    if isinstance(data, str):
        return data, MARKDOWN
    return json.dumps(result.data if data is None else data, ensure_ascii=False, indent=1), "application/json"


def index_page(registry: Registry) -> str:
    """A table of the toolsets with the number of tools that this credential may use in each."""
    rows = []
    for name in used_toolsets(registry):
        toolset = registry.catalog.toolsets[name]
        count = sum(t.name in registry.visible for t in toolset.tools)
        rows.append(f"| [{name}]({SCHEME}toolsets/{name}) | {toolset.summary} | {count} |")
    return "\n".join(["# Toolsets", "", "| toolset | for | tools |", "|---|---|---|", *rows, ""])


def toolset_page(registry: Registry, name: str) -> str:
    """One toolset's visible tools: signature, effect, description, cost."""
    toolset = registry.catalog.toolsets[name]
    lines = [f"# {toolset.title}", "", f"{toolset.summary}", ""]
    for tool in toolset.tools:
        if tool.name in registry.visible:
            lines += [f"- `{signature(tool, optional=20)}` [{tool.effect}]", f"  {tool.description} {cost_text(tool)}".rstrip()]
    return "\n".join([*lines, ""])
