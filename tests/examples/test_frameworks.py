"""Every example runs on the sandbox, with a scripted model in place of the real one.

The script: find a tool, call it, look at the answer, stop. What a model would read is what the tests look at. A framework is
imported by its tests: importing all takes seconds, and every process of a test run reads this file.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from mcp import StdioServerParameters

from trustpager_mcp import Toolkit

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("find_tools", {"query": "list the open deals"}),
    ("call_read", {"tool": "list_opportunities", "args": {"status": "open", "limit": 3}}),
    ("call_read", {"tool": "list_opportunities", "args": {"status": "opne"}}),
]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def toolkit() -> AsyncIterator[Toolkit]:
    async with Toolkit(sandbox=True) as made:
        yield made


def check(answers: Sequence[str]) -> None:
    found, listed, refused = answers
    assert "list_opportunities(" in found
    assert "shown 3" in listed
    assert "INVALID_ARGUMENTS" in refused
    assert "open" in refused


async def test_the_plain_client_finds_and_calls(command: str) -> None:
    parameters = StdioServerParameters(command=command, args=["serve", "--sandbox"])
    found, deals = await example("mcp_client").run("list the open deals", parameters)
    assert "list_opportunities(" in found
    assert "shown 5" in deals


async def test_the_messages_loop_calls_tools_until_the_model_is_done(toolkit: Toolkit) -> None:
    import anthropic

    asked: list[dict[str, Any]] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        asked.append(body)
        turn = len(asked) - 1
        if turn < len(SCRIPT):
            name, arguments = SCRIPT[turn]
            content: list[dict[str, Any]] = [{"type": "tool_use", "id": f"call_{turn}", "name": name, "input": arguments}]
        else:
            content = [{"type": "text", "text": "Three are open."}]
        reason = "tool_use" if turn < len(SCRIPT) else "end_turn"
        message = {"id": "msg", "type": "message", "role": "assistant", "model": body["model"], "content": content,
                   "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
        return httpx2.Response(200, json=message)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(reply))
    async with anthropic.AsyncAnthropic(api_key="scripted", http_client=http) as client:
        assert await example("anthropic_messages").run("Which deals are open?", client, toolkit) == "Three are open."
    results = [m["content"][0] for m in asked[-1]["messages"] if m["role"] == "user" and isinstance(m["content"], list)]
    check([r["content"] for r in results])
    assert [r["is_error"] for r in results] == [False, False, True]
    assert {"name", "description", "input_schema"} == set(asked[0]["tools"][0])


async def test_the_agents_sdk_runs_the_tools(toolkit: Toolkit) -> None:
    from agents import RunConfig, Runner

    from tests.examples.scripted_agents_sdk import ScriptedAgentsModel

    model = ScriptedAgentsModel(SCRIPT)
    agent = await example("openai_responses").agent(toolkit, model)
    result = await Runner.run(agent, "Which deals are open?", run_config=RunConfig(tracing_disabled=True))
    assert result.final_output == "Three are open."
    check(model.heard)


async def test_the_agents_sdk_stops_before_what_cannot_be_undone(toolkit: Toolkit) -> None:
    from agents import RunConfig, Runner

    from tests.examples.scripted_agents_sdk import ScriptedAgentsModel

    contact = (await toolkit.call("list_contacts", {"limit": 1})).data["data"][0]["id"]
    script = [("call_irreversible", {"tool": "delete_contact", "args": {"contact_id": contact}})]
    agent = await example("openai_responses").agent(toolkit, ScriptedAgentsModel(script))
    result = await Runner.run(agent, "Delete the newest contact", run_config=RunConfig(tracing_disabled=True))
    assert [i.name for i in result.interruptions] == ["call_irreversible"]
    assert not (await toolkit.call("get_contact", {"contact_id": contact})).is_error


async def test_pydantic_ai_runs_the_tools_and_mends_arguments(toolkit: Toolkit) -> None:
    from pydantic_ai.messages import (
        ModelMessage,
        ModelRequest,
        ModelResponse,
        RetryPromptPart,
        TextPart,
        ToolCallPart,
        ToolReturnPart,
    )
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    heard: list[str] = []

    def scripted(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        parts = [p for m in messages if isinstance(m, ModelRequest) for p in m.parts]
        heard[:] = [str(p.content) for p in parts if isinstance(p, (ToolReturnPart, RetryPromptPart))]
        if len(heard) < len(SCRIPT):
            name, arguments = SCRIPT[len(heard)]
            return ModelResponse(parts=[ToolCallPart(name, arguments)])
        return ModelResponse(parts=[TextPart("Three are open.")])

    agent = await example("pydantic_ai_agent").agent(toolkit, FunctionModel(scripted))
    assert (await agent.run("Which deals are open?")).output == "Three are open."
    check(heard)


async def test_langgraph_runs_the_tools_and_tells_failures_apart(toolkit: Toolkit) -> None:
    from langchain_core.messages import ToolMessage

    from tests.examples.scripted_langgraph import ScriptedChatModel, chat_script

    graph = await example("langgraph_agent").agent(toolkit, ScriptedChatModel(messages=chat_script(SCRIPT)))
    state = await graph.ainvoke({"messages": [{"role": "user", "content": "Which deals are open?"}]})
    assert state["messages"][-1].text == "Three are open."
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    check([str(m.content) for m in results])
    assert [m.status for m in results] == ["success", "success", "error"]
