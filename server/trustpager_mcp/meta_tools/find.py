"""find_tools: from a request in words to one-line signatures."""

from __future__ import annotations

from typing import Any

from ..catalog import cost_text, signature
from ..definitions import Tool
from ..dispatcher import Result
from ..registry import Registry
from ..search import Hit, SearchIndex

_PURPOSE_WORDS = 10


def find(search: SearchIndex, registry: Registry, query: str) -> Result:
    """Up to six one-line signatures, or the toolsets when nothing fits."""
    hits = search.search(query)
    if not hits:
        index = ", ".join(toolset_index(registry))
        return Result(f"No tool matches {query[:80]!r}. Try other words; there are tools for: {index}.", [])
    return Result("\n".join(find_line(h.tool) for h in hits), [_hit_data(h) for h in hits])


def find_line(tool: Tool) -> str:
    """One answer line of find_tools: signature, effect class, ten words of purpose."""
    words = tool.description.split()
    purpose = " ".join(words[:_PURPOSE_WORDS]) + ("…" if len(words) > _PURPOSE_WORDS else "")
    cost = f" {cost_text(tool)}" if tool.credits else ""
    return f"{signature(tool, optional=5)} [{tool.effect}] {purpose}{cost}"


def toolset_index(registry: Registry) -> list[str]:
    """The toolsets that hold a visible tool, in the order of the catalogue."""
    used = dict.fromkeys(registry.catalog.toolset_of[n] for n in registry.visible)
    return [name.replace("_", " ") for name in used]


def _hit_data(hit: Hit) -> dict[str, Any]:
    return {"tool": hit.tool.name, "effect": hit.tool.effect, "score": round(hit.score, 4)}
