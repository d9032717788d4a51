"""`make bench`: the project's own figures, each beside what it is compared with. Prints; asserts nothing."""

from __future__ import annotations

import json

import anyio
import calls
import find
import start
import tokens as result_tokens
from bpe_openai import get_encoding
from search import run as search_bench

from trustpager_mcp.toolkit import Toolkit

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
    search_bench.main()
    await result_tokens.main()


if __name__ == "__main__":
    anyio.run(main)
