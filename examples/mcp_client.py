"""The plain MCP client: start the server as a process, find a tool, call it.

python examples/mcp_client.py "open deals"
"""

from __future__ import annotations

import os
import sys

import anyio
from mcp import StdioServerParameters
from mcp.client import Client


def server() -> StdioServerParameters:
    """The server's command; without a key it serves the practice workspace."""
    key = os.environ.get("TRUSTPAGER_API_KEY")
    return StdioServerParameters(
        command="trustpager-mcp",
        args=["serve", *([] if key else ["--sandbox"])],
        env={"TRUSTPAGER_API_KEY": key} if key else None,
    )


async def run(request: str, parameters: StdioServerParameters | None = None) -> tuple[str, str]:
    """The tools that fit a request, and the open deals, as an agent reads them."""
    async with Client(parameters or server()) as client:
        found = await client.call_tool("find_tools", {"query": request})
        deals = await client.call_tool("call_read", {"tool": "list_opportunities", "args": {"status": "open", "limit": 5}})
    return found.content[0].text, deals.content[0].text


if __name__ == "__main__":
    for text in anyio.run(run, " ".join(sys.argv[1:]) or "open deals"):
        print(text, end="\n\n")
