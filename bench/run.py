"""`make bench`: the project's own figures, each beside what it is compared with. Prints; asserts nothing."""

from __future__ import annotations

import json
import statistics
import time

import anyio
import calls
import find
import start
import tokens as result_tokens
from bpe_openai import get_encoding

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.registry import Policy, Registry
from trustpager_mcp.search import SearchIndex
from trustpager_mcp.toolkit import Toolkit

REQUESTS = ("list open deals", "add a contact", "log a call", "what is due this week", "move a deal to the next stage")
encoding = get_encoding("o200k_base")


def tokens(tools: list[dict[str, object]]) -> int:
    return sum(
        len(encoding.encode(f"{t['name']} {t['title']} {t['description']} {json.dumps(t['inputSchema'], separators=(',', ':'))}"))
        for t in tools
    )


async def main() -> None:
    print("tokens of tools/list (o200k_base; name, title, description, schema)")
    for profile, aim in (("lean", 500), ("core", 2_500), ("all", 65_000)):
        async with Toolkit(sandbox=True, tools=profile, scopes=("all",)) as toolkit:
            listed = await toolkit.tools()
            print(f"  {profile:5} {len(listed):4} tools {tokens(listed):7} tokens (aim {aim})")
    await find.report()
    await start.main()
    await calls.main()
    catalog = default_catalog()
    index = SearchIndex(Registry(catalog, Policy(scopes=catalog.scopes)))
    index.search("warm up")
    times = []
    for request in REQUESTS * 40:
        started = time.perf_counter()
        index.search(request)
        times.append((time.perf_counter() - started) * 1000)
    print(f"search: median {statistics.median(times):.2f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.2f} ms")
    await result_tokens.main()


if __name__ == "__main__":
    anyio.run(main)
