"""find_tools: from requests in words to one-line signatures that can be called as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ..catalog import Catalog, cost_text
from ..definitions import Effect, Tool
from ..dispatcher import Result
from ..profiles import used_toolsets
from ..registry import Registry, everything
from ..search import NOTHING, Hit, SearchIndex
from ..signatures import signature
from .arguments import choice, flag, only, texts

ARGUMENTS = ("query", "toolset", "effect", "include_unavailable")
MOST_QUERIES = 6
_EFFECTS: tuple[Effect, ...] = get_args(Effect)
# How many lines answer one request when there are that many requests; from the fourth on the last figure holds.
_LINES = (5, 3, 3, 2)
# Hits are compared with the best by score: below this share of it they are no longer offered.
_WORTH_A_LINE = 0.45
_FEWEST_LINES = 3
# How much the best line says and how much the others, and every line when many requests are asked at once.
_FIRST = {"optional": 5, "words": 12}
_OTHERS = {"optional": 2, "words": 8, "most_values": 8}
_SHORT = {"optional": 0, "words": 6, "most_values": 8}
_MANY_QUERIES = 4
_POOL = 200
_NEAREST_TOOLSETS = 5


@dataclass(frozen=True)
class _Filter:
    """What the agent narrows the answer to."""

    toolset: str | None
    effect: str | None

    def admits(self, registry: Registry, tool: Tool) -> bool:
        in_toolset = self.toolset is None or registry.catalog.toolset_of[tool.name] == self.toolset
        return in_toolset and (self.effect is None or tool.effect == self.effect)

    @property
    def is_set(self) -> bool:
        return bool(self.toolset or self.effect)


def find(search: SearchIndex, registry: Registry, arguments: dict[str, Any], whole: Callable[[], SearchIndex]) -> Result:
    """Answer one request or several. `whole` gives the index of all tools, whatever the credential may do.

    Raises ArgumentsError for a missing query, an unknown toolset or effect, and arguments that it does not take.
    """
    only("find_tools", arguments, ARGUMENTS)
    queries = texts("find_tools", arguments, "query", MOST_QUERIES)
    unavailable = flag("find_tools", arguments, "include_unavailable")
    toolsets = registry.catalog.toolsets if unavailable else dict.fromkeys(used_toolsets(registry))
    wanted = _Filter(
        choice("find_tools", arguments, "toolset", list(toolsets)), choice("find_tools", arguments, "effect", _EFFECTS)
    )
    index = whole() if unavailable else search
    most = _LINES[min(len(queries), len(_LINES)) - 1]
    blocks: list[str] = []
    data: list[dict[str, Any]] = []
    told: set[str] = set()
    for query in queries:
        hits = _hits(index, registry, query, wanted, most)
        lines = (
            _lines(registry, hits, told, short=len(queries) >= _MANY_QUERIES)
            if hits
            else [_nothing(registry, query, wanted, unavailable)]
        )
        told |= {h.tool.name for h in hits}
        blocks.append("\n".join(([f"# {query[:60]}"] if len(queries) > 1 else []) + lines))
        data += [{"query": query, "tool": h.tool.name, "effect": h.tool.effect, "score": round(h.score, 4)} for h in hits]
    return Result("\n".join(blocks), data)


def _hits(index: SearchIndex, registry: Registry, query: str, wanted: _Filter, most: int) -> list[Hit]:
    """The hits worth a line: few when the first is clearly the best."""
    found = index.search(query, _POOL if wanted.is_set else most)
    fitting = [h for h in found if wanted.admits(registry, h.tool)][:most]
    if not fitting or found[0].score < NOTHING:
        return []
    least = fitting[0].score * _WORTH_A_LINE
    return [h for i, h in enumerate(fitting) if i < _FEWEST_LINES or h.score >= least]


def _lines(registry: Registry, hits: Sequence[Hit], told: set[str], *, short: bool) -> list[str]:
    lines = []
    for place, hit in enumerate(hits):
        name = hit.tool.name
        if name in told:
            lines.append(f"{name} (see above)")
            continue
        reason = "" if name in registry.visible else unavailable_because(registry, hit.tool)
        length = _SHORT if short else _FIRST if place == 0 else _OTHERS
        lines.append(find_line(hit.tool, **length) + reason)
    return lines


def find_line(tool: Tool, optional: int = 5, words: int = 10, most_values: int | None = None) -> str:
    """One answer line of find_tools: signature, effect class, a few words of purpose, cost."""
    cost = f". {cost_text(tool)}" if tool.credits else ""
    return f"{signature(tool, optional, most_values)} [{tool.effect}] {_purpose(tool, words)}{cost}"


def _purpose(tool: Tool, most: int) -> str:
    """The beginning of the description: its first sentence if that is short, else so many words of it."""
    sentence = re.split(r"(?<=[.;:])\s", tool.description, maxsplit=1)[0]
    words = sentence.split()
    return sentence.rstrip(".;:") if len(words) <= most else " ".join(words[:most]).rstrip(",;:") + "…"


def unavailable_because(registry: Registry, tool: Tool) -> str:
    """` — unavailable: lacks contacts:write`, empty for a tool that may be called."""
    refusal = registry.refusal(tool)
    if refusal is None:
        return ""
    lacking = refusal.details.get("missing_scopes") if isinstance(refusal.details, dict) else None
    reason = f"lacks {', '.join(lacking)}" if lacking else refusal.message.split(": ", 1)[-1].rstrip(".")
    return f" — unavailable: {reason}"


def _nothing(registry: Registry, query: str, wanted: _Filter, unavailable: bool) -> str:
    """What to try when no tool fits: the filter dropped, or the nearest toolsets."""
    said = f"No tool matches {query[:80]!r}"
    if wanted.is_set:
        filters = " and ".join(f"{k} {v}" for k, v in (("toolset", wanted.toolset), ("effect", wanted.effect)) if v)
        return f"{said} with {filters}. Leave the filter out, or use other words."
    near = nearest_toolsets(registry, query)
    more = "" if unavailable else " include_unavailable shows what this key may not do."
    return f"{said}. Use other words; nearest toolsets: {'; '.join(near)}.{more}"


def nearest_toolsets(registry: Registry, query: str, count: int = _NEAREST_TOOLSETS) -> list[str]:
    """`tasks (to-dos and reminders)`: toolsets whose words come nearest to the request, in any case some."""
    from difflib import SequenceMatcher

    asked = re.findall(r"[a-z]+", query.lower())

    def likeness(name: str) -> float:
        toolset = registry.catalog.toolsets[name]
        said = set(re.findall(r"[a-z]+", f"{name} {toolset.title} {toolset.summary}".lower()))
        return sum(max(SequenceMatcher(None, a, s).ratio() ** 3 for s in said) for a in asked)

    used = used_toolsets(registry)
    ranked = sorted(used, key=lambda n: -likeness(n))[:count] if asked else used[:count]
    return [f"{n.replace('_', ' ')} ({registry.catalog.toolsets[n].summary})" for n in ranked]


def toolset_index(registry: Registry) -> list[str]:
    """The toolsets that hold a visible tool, in the order of the catalogue."""
    return [name.replace("_", " ") for name in used_toolsets(registry)]


def index_of_everything(catalog: Catalog) -> SearchIndex:
    """The search index of all tools, whoever may use them."""
    return SearchIndex(everything(catalog))
