"""A tool loop on Anthropic's Messages API, with the tools in this process.

python examples/anthropic_messages.py "which deals are open?"
"""

from __future__ import annotations

import os
import sys

import anthropic
import anyio

from trustpager_mcp import Toolkit

SYSTEM = "You work in the user's CRM. Make sure that the user asked for it before you send or delete anything."


async def run(question: str, client: anthropic.AsyncAnthropic, toolkit: Toolkit, model: str = "claude-sonnet-5-5") -> str:
    """Answer a question, calling tools as often as the model asks for."""
    tools = await toolkit.tools("anthropic")
    messages: list[dict] = [{"role": "user", "content": question}]
    while True:
        answer = await client.messages.create(model=model, max_tokens=2000, system=SYSTEM, tools=tools, messages=messages)
        messages.append({"role": "assistant", "content": answer.content})
        if answer.stop_reason != "tool_use":
            return "".join(block.text for block in answer.content if block.type == "text")
        results = []
        for block in answer.content:
            if block.type == "tool_use":
                result = await toolkit.call(block.name, block.input)
                results.append(
                    {"type": "tool_result", "tool_use_id": block.id, "content": result.text, "is_error": result.is_error}
                )
        messages.append({"role": "user", "content": results})


async def main(question: str) -> None:
    key = os.environ.get("TRUSTPAGER_API_KEY")
    async with Toolkit(key, sandbox=not key) as toolkit, anthropic.AsyncAnthropic() as client:
        print(await run(question, client, toolkit))


if __name__ == "__main__":
    anyio.run(main, " ".join(sys.argv[1:]) or "Which deals are open?")
