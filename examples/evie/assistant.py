"""The loop of an in-app assistant: a model says what to call, the toolkit calls it, the person is asked where it matters."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from trustpager_mcp import Caller, Question, Reply, Toolkit

Emit = Callable[[str, dict[str, Any]], Awaitable[None]]
_MOST_TURNS = 12
_ANSWER_SECONDS = 300


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What a model says next: text for the person, calls to make, or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass
class Message:
    """One entry of the conversation: the person's text, a model's turn, or the results of its calls."""

    role: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: list[tuple[ToolCall, str, bool]] = field(default_factory=list)


class Model(Protocol):
    async def turn(self, conversation: list[Message], tools: list[dict[str, Any]]) -> Turn: ...


class Person(Caller):
    """The person in front of the page. Questions go out as events; the click comes back through `answer_to`."""

    can_ask = True

    def __init__(self, emit: Emit, waiting: dict[str, Person]) -> None:
        self._emit, self._waiting = emit, waiting
        self._clicked = anyio.Event()
        self._accepted = False

    async def progress(self, message: str) -> None:
        await self._emit("progress", {"text": message})

    async def ask(self, question: Question) -> Reply:
        number = secrets.token_urlsafe(16)
        self._waiting[number] = self
        self._clicked, self._accepted = anyio.Event(), False
        try:
            await self._emit("approval", {"id": number, "text": question.text})
            with anyio.move_on_after(_ANSWER_SECONDS):
                await self._clicked.wait()
        finally:
            self._waiting.pop(number, None)
        return Reply(self._accepted, question.state)

    def click(self, accepted: bool) -> None:
        self._accepted = accepted
        self._clicked.set()


async def converse(conversation: list[Message], model: Model, toolkit: Toolkit, api_key: str, person: Person, emit: Emit) -> None:
    """Answer the last message of the conversation, which grows by what is said and done."""
    tools = await toolkit.tools("anthropic", api_key=api_key)
    for _ in range(_MOST_TURNS):
        turn = await model.turn(conversation, tools)
        conversation.append(Message("assistant", turn.text, turn.calls))
        if turn.text:
            await emit("text", {"text": turn.text})
        if not turn.calls:
            return
        results = Message("tools")
        for call in turn.calls:
            await emit("call", {"id": call.id, "name": call.name, "arguments": call.arguments})
            result = await toolkit.call(call.name, call.arguments, api_key=api_key, caller=person)
            results.results.append((call, result.text, result.is_error))
            await emit("result", {"id": call.id, "ok": not result.is_error, "text": result.text})
        conversation.append(results)
    await emit("text", {"text": f"I stopped after {_MOST_TURNS} steps. Tell me how to go on."})


class Claude:
    """Anthropic's model behind the same interface."""

    def __init__(self, client: Any, name: str = "claude-sonnet-5-5") -> None:
        self._client, self._name = client, name

    async def turn(self, conversation: list[Message], tools: list[dict[str, Any]]) -> Turn:
        messages = [_anthropic(m) for m in conversation]
        answer = await self._client.messages.create(model=self._name, max_tokens=2000, tools=tools, messages=messages)
        text = "".join(b.text for b in answer.content if b.type == "text")
        return Turn(text, tuple(ToolCall(b.id, b.name, b.input) for b in answer.content if b.type == "tool_use"))


def _anthropic(message: Message) -> dict[str, Any]:
    if message.role == "tools":
        blocks = [
            {"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": failed}
            for call, text, failed in message.results
        ]
        return {"role": "user", "content": blocks}
    if message.role == "user":
        return {"role": "user", "content": message.text}
    said = [{"type": "text", "text": message.text}] if message.text else []
    return {"role": "assistant", "content": said + [
        {"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in message.calls
    ]}  # fmt: skip


class Rules:
    """A few rules in place of a model, so that the app can be tried without a key."""

    async def turn(self, conversation: list[Message], _tools: list[dict[str, Any]]) -> Turn:
        last = conversation[-1]
        if last.role == "user":
            return self._first(last.text.strip())
        call, text, failed = last.results[-1]
        if failed:
            return Turn(text.partition("\n")[0])
        asked = next(m.text for m in reversed(conversation) if m.role == "user")
        found = re.search(r"^([0-9a-f-]{36}),", text, re.MULTILINE)
        if asked.lower().startswith("delete contact") and call.arguments.get("tool") == "search_contacts" and found:
            args = {"tool": "delete_contact", "args": {"contact_id": found[1]}}
            return Turn(calls=(_call("call_irreversible", args),))
        return Turn("Done." if call.name == "call_irreversible" else "Here is what I found.")

    @staticmethod
    def _first(text: str) -> Turn:
        if match := re.match(r"(?:delete contact|find)\s+(.+)", text, re.IGNORECASE):
            args = {"tool": "search_contacts", "args": {"query": match[1]}}
            return Turn("Let me look for that contact.", (_call("call_read", args),))
        if re.search(r"\bdeals?\b", text, re.IGNORECASE):
            args = {"tool": "list_opportunities", "args": {"status": "open", "limit": 5}}
            return Turn("Let me look at your deals.", (_call("call_read", args),))
        return Turn("", (_call("find_tools", {"query": text}),))


def _call(name: str, arguments: dict[str, Any]) -> ToolCall:
    return ToolCall(f"call_{secrets.token_hex(4)}", name, json.loads(json.dumps(arguments)))
