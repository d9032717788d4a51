"""Raw and shaped tokens of every read tool over the sandbox: what an answer would cost as JSON, and what it costs.

Lists are asked with the largest limit. What a tool needs comes from earlier answers: a path's ids from the list that stands
before them, names from records of its kind, anything else from the definitions. Run alone or by run.py.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import anyio
from bpe_openai import get_encoding

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Parameter, Tool
from trustpager_mcp.dispatcher import Result
from trustpager_mcp.shaping.envelopes import unwrapped
from trustpager_mcp.shaping.records import LABELS
from trustpager_mcp.toolkit import Toolkit

WORST = 20
ENOUGH_ROWS = 10
PARENTS = 30
"""How many records are tried until one has a list with rows."""
ROUNDS = 4
_encoding = get_encoding("o200k_base")
_SAMPLES: dict[str, Any] = {
    "date": "2026-07-01",
    "time": "10:00",
    "cron": "0 9 * * 1",
    "string": "solar",
    "integer": 1,
    "number": 1,
}


@dataclass(frozen=True)
class Cost:
    """One tool's answer. `ids` is what its ids alone cost: no table that keeps them can be shorter."""

    tool: str
    rows: int | None
    raw: int
    shaped: int
    ids: int

    @property
    def share(self) -> float:
        return self.shaped / self.raw


def count(text: str) -> int:
    return len(_encoding.encode(text))


def cost(tool: Tool, result: Result) -> Cost:
    raw = result.data if isinstance(result.data, str) else json.dumps(result.data, ensure_ascii=False, separators=(",", ":"))
    rows = unwrapped(result.data).rows if isinstance(result.data, (dict, list)) else None
    ids = "\n".join(str(r["id"]) for r in rows or () if isinstance(r, dict) and "id" in r)
    return Cost(tool.name, None if rows is None else len(rows), count(raw), count(result.text), count(ids))


@dataclass
class Known:
    """What earlier answers told: the rows of each list by its path and entity, and ids by name."""

    by_path: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = field(default_factory=dict)
    """The rows of the lists at a path, each with the path values under which it was found."""
    by_entity: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def learn(self, tool: Tool, path_values: dict[str, Any], data: Any) -> None:
        rows = unwrapped(data).rows if isinstance(data, (dict, list)) else None
        found = [r for r in rows or () if isinstance(r, dict)]
        if not found:
            return
        self.by_path.setdefault(tool.path, []).extend((path_values, r) for r in found)
        self.by_entity.setdefault((tool.returns or "").removesuffix("[]"), []).extend(found)
        for name, value in found[0].items():
            if name.endswith("_id") and name != "company_id" and isinstance(value, str):
                self.ids.setdefault(name, value)

    def paths(self, tool: Tool) -> Iterator[dict[str, Any]]:
        """Values for the tool's path parameters: first those of the list before the placeholder, else of the entity."""
        wanted = [p for p in tool.parameters if p.location == "path"]
        if not wanted:
            yield {}
            return
        last = wanted[-1]
        before = tool.path.split(f":{last.wire}")[0].rstrip("/")
        found = self.by_path.get(before)
        if found is None:
            entity = (tool.returns or "").removesuffix("[]")
            same = [row for name in (entity, last.name.removesuffix("_id")) for row in self.by_entity.get(name, ())]
            found = [({}, row) for row in same]
        for above, row in found:
            value = row.get("id") or row.get(last.wire) or row.get(last.name)
            values = dict(zip([p.name for p in wanted], [*above.values(), value], strict=False))
            if value and len(values) == len(wanted):
                yield values
        if not found and all(p.name in self.ids for p in wanted):
            yield {p.name: self.ids[p.name] for p in wanted}

    def value(self, tool: Tool, parameter: Parameter) -> Any:
        """A value for a query or body parameter; None where nothing is known."""
        if tool.example and parameter.name in tool.example and parameter.type != "uuid":
            return tool.example[parameter.name]
        if parameter.enum:
            return parameter.enum[0]
        if parameter.type == "uuid":
            return self.ids.get(parameter.name)
        if parameter.type == "array":
            return [r["id"] for _, r in islice(self.by_path.get(tool.path.rsplit("/", 1)[0], ()), 3)] or None
        if parameter.name == "query":
            rows = self.by_entity.get((tool.returns or "").removesuffix("[]"), ())
            names = (str(row[k]) for row in rows for k in LABELS if row.get(k))
            return next(names, _SAMPLES["string"]).split()[0]
        return _SAMPLES.get(parameter.type)


def arguments(tool: Tool, known: Known) -> list[dict[str, Any]]:
    """What the tool may be called with beside its path, once for each kind where it needs to be told one.

    Empty when something that it needs is not known yet.
    """
    needed = {p.name for p in tool.parameters if p.required and p.location != "path"}
    needed |= {r.parameters[0] for r in tool.rules if r.kind in ("at_least_one_of", "exactly_one_of")}
    named = [tool.parameter_by_name[n] for n in (*(tool.example or ()), *needed) if n in tool.parameter_by_name]
    chosen = {p.name: known.value(tool, p) for p in named if p.location != "path"}
    if any(chosen.get(n) is None for n in needed):
        return []
    limit = tool.parameter_by_name.get("limit")
    if limit is not None and limit.maximum:
        chosen["limit"] = int(limit.maximum)
    kind = next((p for p in tool.parameters if p.name in chosen and p.enum and not tool.example), None)
    return [{**chosen, kind.name: value} for value in kind.enum] if kind else [chosen]


async def measured(toolkit: Toolkit) -> list[Cost]:
    """Every read tool that answers with data, called once what it needs is known; of several parents the fullest."""
    known = Known()
    waiting = [t for t in default_catalog().tools.values() if t.effect == "read"]
    costs: list[Cost] = []
    for _ in range(ROUNDS):
        for tool in tuple(waiting):
            best = await _best(toolkit, tool, known)
            if best is not None:
                waiting.remove(tool)
                costs.append(best)
    return costs


async def _best(toolkit: Toolkit, tool: Tool, known: Known) -> Cost | None:
    """The tool's fullest answer over the parents that are known; None when none answers with data."""
    best: Cost | None = None
    calls = ((values, more) for more in arguments(tool, known) for values in islice(known.paths(tool), PARENTS))
    for values, more in calls:
        result = await toolkit.call(tool.name, {**values, **more})
        if result.is_error or result.data is None:
            continue
        known.learn(tool, values, result.data)
        one = cost(tool, result)
        if best is None or (one.rows or 0) > (best.rows or 0):
            best = one
        if one.rows is None or one.rows >= ENOUGH_ROWS:
            break
    return best


def report(costs: list[Cost]) -> str:
    asked = sum(t.effect == "read" for t in default_catalog().tools.values())
    lists = [c for c in costs if c.rows]
    long = [c for c in lists if (c.rows or 0) >= ENOUGH_ROWS]
    others = [c for c in costs if c.rows is None]
    empty = sum(c.rows == 0 for c in costs)
    lines = [
        f"tokens of results over the sandbox (o200k_base): {len(costs)} of {asked} read tools answered with data, "
        f"{empty} of them without rows"
    ]
    for name, group in (("lists with rows", lists), (f"lists of {ENOUGH_ROWS} rows and more", long), ("records", others)):
        if group:
            share = statistics.median(c.share for c in group)
            ids = statistics.median(c.ids / c.raw for c in group)
            floor = "" if name == "records" else f" (their ids alone: {ids:.1%})"
            together = sum(c.shaped for c in group) / sum(c.raw for c in group)
            lines.append(
                f"  {name}: {len(group)}, median {share:.1%} of raw compact JSON{floor}, together {together:.1%}, "
                f"most {max(c.shaped for c in group)}"
            )
    lines.append(f"  the worst {WORST} by tokens:")
    for c in sorted(costs, key=lambda c: -c.shaped)[:WORST]:
        rows = "record" if c.rows is None else f"{c.rows} rows"
        lines.append(f"    {c.tool:38} {rows:>9} raw {c.raw:7} shaped {c.shaped:6} {c.share:6.1%}")
    return "\n".join(lines)


async def main() -> None:
    async with Toolkit(sandbox=True, tools="all", scopes=("all",)) as toolkit:
        print(report(await measured(toolkit)))


if __name__ == "__main__":
    anyio.run(main)
