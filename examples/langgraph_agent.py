"""LangChain and LangGraph, with the tools in this process.

python examples/langgraph_agent.py "which deals are open?"
"""

from __future__ import annotations

import os
import sys
from typing import Any

import anyio
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import StructuredTool, ToolException

from trustpager_mcp import Toolkit

SYSTEM = "You work in the user's CRM. Find tools with find_tools when none fits."


def chain_tool(toolkit: Toolkit, tool: dict[str, Any]) -> StructuredTool:
    """One tool for LangChain; a failure becomes a tool message of status error."""

    async def invoke(**arguments: Any) -> tuple[str, Any]:
        result = await toolkit.call(tool["name"], arguments)
        if result.is_error:
            raise ToolException(result.text)
        return result.text, result.data

    return StructuredTool(
        name=tool["name"],
        description=tool["description"],
        args_schema=tool["inputSchema"],
        coroutine=invoke,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


async def agent(toolkit: Toolkit, model: str | BaseChatModel) -> Any:
    """A LangGraph agent with everything that the key may do."""
    return create_agent(model, [chain_tool(toolkit, t) for t in await toolkit.tools()], system_prompt=SYSTEM)


async def main(question: str) -> None:
    key = os.environ.get("TRUSTPAGER_API_KEY")
    async with Toolkit(key, sandbox=not key) as toolkit:
        graph = await agent(toolkit, os.environ.get("MODEL", "anthropic:claude-sonnet-5-5"))
        state = await graph.ainvoke({"messages": [{"role": "user", "content": question}]})
        print(state["messages"][-1].text)


if __name__ == "__main__":
    anyio.run(main, " ".join(sys.argv[1:]) or "Which deals are open?")
