"""Every example runs on the sandbox, with a scripted model in place of the real one.

The script: find a tool, call it, look at the answer, stop. What a model would read is what the tests look at.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import httpx2
import pytest
from agents import Model as AgentsModel
from agents import ModelResponse, RunConfig, Runner, Usage
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from mcp import StdioServerParameters
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic_ai.messages import ModelMessage, ModelRequest, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.messages import ModelResponse as AiResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

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


class ScriptedAgentsModel(AgentsModel):
    """Answers the Agents SDK with the script, then with a sentence."""

    def __init__(self, script: list[tuple[str, dict[str, Any]]]) -> None:
        self.script = script
        self.heard: list[Any] = []

    async def get_response(self, *_args: Any, input: Any, **_keywords: Any) -> ModelResponse:
        self.heard = [i["output"] for i in input if isinstance(i, dict) and i.get("type") == "function_call_output"]
        turn = len(self.heard)
        if turn < len(self.script):
            name, arguments = self.script[turn]
            item: Any = ResponseFunctionToolCall(
                type="function_call", call_id=f"call_{turn}", name=name, arguments=json.dumps(arguments)
            )
        else:
            text = ResponseOutputText(type="output_text", text="Three are open.", annotations=[])
            item = ResponseOutputMessage(id="msg", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *_args: Any, **_keywords: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


async def test_the_agents_sdk_runs_the_tools(toolkit: Toolkit) -> None:
    model = ScriptedAgentsModel(SCRIPT)
    agent = await example("openai_responses").agent(toolkit, model)
    result = await Runner.run(agent, "Which deals are open?", run_config=RunConfig(tracing_disabled=True))
    assert result.final_output == "Three are open."
    check(model.heard)


async def test_the_agents_sdk_stops_before_what_cannot_be_undone(toolkit: Toolkit) -> None:
    contact = (await toolkit.call("list_contacts", {"limit": 1})).data["data"][0]["id"]
    script = [("call_irreversible", {"tool": "delete_contact", "args": {"contact_id": contact}})]
    agent = await example("openai_responses").agent(toolkit, ScriptedAgentsModel(script))
    result = await Runner.run(agent, "Delete the newest contact", run_config=RunConfig(tracing_disabled=True))
    assert [i.name for i in result.interruptions] == ["call_irreversible"]
    assert not (await toolkit.call("get_contact", {"contact_id": contact})).is_error


async def test_pydantic_ai_runs_the_tools_and_mends_arguments(toolkit: Toolkit) -> None:
    heard: list[str] = []

    def scripted(messages: list[ModelMessage], _info: AgentInfo) -> AiResponse:
        parts = [p for m in messages if isinstance(m, ModelRequest) for p in m.parts]
        heard[:] = [str(p.content) for p in parts if isinstance(p, (ToolReturnPart, RetryPromptPart))]
        if len(heard) < len(SCRIPT):
            name, arguments = SCRIPT[len(heard)]
            return AiResponse(parts=[ToolCallPart(name, arguments)])
        return AiResponse(parts=[TextPart("Three are open.")])

    agent = await example("pydantic_ai_agent").agent(toolkit, FunctionModel(scripted))
    assert (await agent.run("Which deals are open?")).output == "Three are open."
    check(heard)


class ScriptedChatModel(GenericFakeChatModel):
    """A chat model that takes tools and says what the script says."""

    def bind_tools(self, tools: Any, **_keywords: Any) -> Any:
        assert "find_tools" in [t.name for t in tools]
        return self


def chat_script() -> Iterator[AIMessage]:
    for turn, (name, arguments) in enumerate(SCRIPT):
        yield AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call_{turn}"}])
    yield AIMessage("Three are open.")


async def test_langgraph_runs_the_tools_and_tells_failures_apart(toolkit: Toolkit) -> None:
    graph = await example("langgraph_agent").agent(toolkit, ScriptedChatModel(messages=chat_script()))
    state = await graph.ainvoke({"messages": [{"role": "user", "content": "Which deals are open?"}]})
    assert state["messages"][-1].text == "Three are open."
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    check([str(m.content) for m in results])
    assert [m.status for m in results] == ["success", "success", "error"]
