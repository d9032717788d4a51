"""What find_tools costs an agent: tokens of its answers over the requests of the search evaluation."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from trustpager_mcp.tokens import count_tokens
from trustpager_mcp.toolkit import Toolkit

REQUESTS = Path(__file__).parent / "search" / "requests.jsonl"


@dataclass(frozen=True)
class Cost:
    """Tokens of one answer each."""

    median: float
    p95: float
    maximum: int


def requests() -> list[str]:
    """The evaluation's requests, in the order of the file."""
    return [json.loads(line)["request"] for line in REQUESTS.read_text().splitlines()]


async def answers(queries: list[str]) -> list[int]:
    """The tokens of find_tools' answer to every request, for a credential that may do everything."""
    async with Toolkit(sandbox=True, tools="lean", scopes=("all",)) as toolkit:
        return [count_tokens((await toolkit.call("find_tools", {"query": q})).text) for q in queries]


async def cost(queries: list[str]) -> Cost:
    costs = await answers(queries)
    return Cost(statistics.median(costs), statistics.quantiles(costs, n=20)[-1], max(costs))


async def report() -> None:
    """Print the figures beside what they should be."""
    queries = requests()
    figures = await cost(queries)
    print(
        f"find_tools over {len(queries)} requests, tokens: "
        f"median {figures.median:.0f}, p95 {figures.p95:.0f}, max {figures.maximum} (aim 150, 250, 500)"
    )
