"""pydantic-ai, with the tools in this process.

python examples/pydantic_ai_agent.py "which deals are open?"
"""

from __future__ import annotations

import os
import sys
from typing import Any

import anyio
from pydantic_ai import Agent, ModelRetry, Tool
from pydantic_ai.models import Model

from trustpager_mcp import Toolkit

INSTRUCTIONS = "You work in the user's CRM. Find tools with find_tools when none fits."


def agent_tool(toolkit: Toolkit, tool: dict[str, Any]) -> Tool[None]:
    """One tool for pydantic-ai; arguments that do not fit go back to the model to be mended."""

    async def invoke(**arguments: Any) -> str:
        result = await toolkit.call(tool["name"], arguments)
        if result.code == "INVALID_ARGUMENTS":
            raise ModelRetry(result.text)
        return result.text

    return Tool.from_schema(invoke, tool["name"], tool["description"], tool["inputSchema"])


async def agent(toolkit: Toolkit, model: str | Model) -> Agent[None, str]:
    """An agent with everything that the key may do."""
    tools = [agent_tool(toolkit, t) for t in await toolkit.tools()]
    return Agent(model, instructions=INSTRUCTIONS, tools=tools)


async def main(question: str) -> None:
    key = os.environ.get("TRUSTPAGER_API_KEY")
    async with Toolkit(key, sandbox=not key) as toolkit:
        crm = await agent(toolkit, os.environ.get("MODEL", "anthropic:claude-sonnet-5-5"))
        print((await crm.run(question)).output)


if __name__ == "__main__":
    anyio.run(main, " ".join(sys.argv[1:]) or "Which deals are open?")
