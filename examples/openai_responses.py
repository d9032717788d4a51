"""OpenAI's Agents SDK (Responses API), with the tools in this process and a stop before what cannot be undone.

python examples/openai_responses.py "which deals are open?"
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio
from agents import Agent, FunctionTool, Model, Runner
from agents.tool_context import ToolContext

from trustpager_mcp import Toolkit

INSTRUCTIONS = "You work in the user's CRM. Find tools with find_tools when none fits."


def function_tool(toolkit: Toolkit, tool: dict[str, Any], irreversible: bool) -> FunctionTool:
    """One tool for the SDK; the SDK pauses the run for approval where `irreversible`."""

    async def invoke(_context: ToolContext[Any], arguments: str) -> str:
        return (await toolkit.call(tool["name"], json.loads(arguments or "{}"))).text

    return FunctionTool(
        name=tool["name"],
        description=tool["description"],
        params_json_schema=tool["parameters"],
        on_invoke_tool=invoke,
        strict_json_schema=False,
        needs_approval=irreversible,
    )


async def agent(toolkit: Toolkit, model: str | Model) -> Agent[Any]:
    """An agent with everything that the key may do."""
    plain = {t["name"]: t["annotations"]["destructiveHint"] for t in await toolkit.tools()}
    tools = [function_tool(toolkit, t, irreversible=plain[t["name"]]) for t in await toolkit.tools("openai")]
    return Agent(name="TrustPager", instructions=INSTRUCTIONS, tools=list(tools), model=model)


async def main(question: str) -> None:
    key = os.environ.get("TRUSTPAGER_API_KEY")
    async with Toolkit(key, sandbox=not key) as toolkit:
        result = await Runner.run(await agent(toolkit, os.environ.get("MODEL", "gpt-5-mini")), question)
        for held in result.interruptions:
            print(f"Waits for your approval: {held.name} {held.arguments}")
        print(result.final_output or "")


if __name__ == "__main__":
    anyio.run(main, " ".join(sys.argv[1:]) or "Which deals are open?")
