"""Raw and shaped tokens of every read tool over the sandbox: what an answer would cost as JSON, and what it costs.

Lists are asked with the largest limit; ids that a tool needs are taken from earlier answers. Run alone or by run.py.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import Any

import anyio
from bpe_openai import get_encoding

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Tool
from trustpager_mcp.dispatcher import Result
from trustpager_mcp.shaping.envelopes import unwrapped
from trustpager_mcp.toolkit import Toolkit

WORST = 20
ENOUGH_ROWS = 10
_encoding = get_encoding("o200k_base")


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


async def measured(toolkit: Toolkit) -> list[Cost]:
    """Every read tool that answers with data, called once its ids are known."""
    known: dict[str, Any] = {}
    waiting = [t for t in default_catalog().tools.values() if t.effect == "read"]
    costs: list[Cost] = []
    for _ in range(4):
        ready = [t for t in waiting if all(p.name in known for p in t.parameters if p.required)]
        waiting = [t for t in waiting if t not in ready]
        for tool in ready:
            arguments = {p.name: known[p.name] for p in tool.parameters if p.required}
            limit = tool.parameter_by_name.get("limit")
            if limit is not None and limit.maximum:
                arguments["limit"] = int(limit.maximum)
            result = await toolkit.call(tool.name, arguments)
            if result.is_error or result.data is None:
                continue
            costs.append(cost(tool, result))
            learn(known, tool, result.data)
    return costs


def learn(known: dict[str, Any], tool: Tool, data: Any) -> None:
    """The ids of the first row, under the names that other tools ask for them."""
    rows = unwrapped(data).rows if isinstance(data, (dict, list)) else None
    if not rows or not isinstance(rows[0], dict):
        return
    for name, value in rows[0].items():
        if name.endswith("_id") and value:
            known.setdefault(name, value)
    if tool.returns and rows[0].get("id"):
        known.setdefault(f"{tool.returns.removesuffix('[]')}_id", rows[0]["id"])


def report(costs: list[Cost]) -> str:
    lists = [c for c in costs if c.rows]
    long = [c for c in lists if (c.rows or 0) >= ENOUGH_ROWS]
    others = [c for c in costs if c.rows is None]
    lines = [f"tokens of results over the sandbox (o200k_base): {len(costs)} read tools answered with data"]
    for name, group in (("lists with rows", lists), (f"lists of {ENOUGH_ROWS} rows and more", long), ("records", others)):
        if group:
            share = statistics.median(c.share for c in group)
            ids = statistics.median(c.ids / c.raw for c in group)
            floor = "" if name == "records" else f" (their ids alone: {ids:.1%})"
            lines.append(
                f"  {name}: {len(group)}, median {share:.1%} of raw compact JSON{floor}, most {max(c.shaped for c in group)}"
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
