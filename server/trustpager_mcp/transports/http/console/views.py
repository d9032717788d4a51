"""What the console shows and does, as JSON: the catalogue as an agent sees it, and calls on the agent's own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....app import App, Session
from ....callers import AnswerNeeded, Caller, Question, Reply
from ....catalog import cost_text
from ....credentials import Credential
from ....definitions import Tool
from ....meta_tools import READ_RESULT, find_line, reading_on
from ....meta_tools.find import unavailable_because
from ....shaping.tokens import estimate
from ....validation import example
from ....version import __version__
from .feed import calls_of_this_request


class Refused(Exception):
    """The request cannot be answered: an HTTP status and what is wrong, for a person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Operator(Caller):
    """The person at the console. Signed in as the operator, they can be asked; the answer comes with a repeated call."""

    can_ask = True
    asks = "You ask for it at the console."

    def __init__(self, answer: Reply | None = None) -> None:
        self.answer = answer


def state(app: App, credential: Credential | None, session: Session | None) -> dict[str, Any]:
    """What the page has to know before anything else; without a credential it has to ask for one."""
    settings = app.settings
    shown = {
        "version": __version__,
        "sandbox": settings.sandbox,
        "api": app.base_url,
        "profile": settings.tools,
        "confirm": settings.confirm,
        "read_only": settings.read_only,
        "with_arguments": settings.audit_arguments,
        "has_own_key": app.credential.api_key is not None,
        "key": credential.fingerprint if credential else None,
        "toolsets": [],
    }
    if session is not None:
        registry = session.registry
        names = registry.catalog.toolset_of
        shown["notice"] = registry.notice
        shown["tools"], shown["all_tools"] = len(registry.visible), len(registry.catalog.tools)
        shown["toolsets"] = [
            {
                "name": name,
                "title": toolset.title,
                "summary": toolset.summary,
                "tools": len(toolset.tools),
                "usable": sum(names[tool] == name for tool in registry.visible),
            }
            for name, toolset in registry.catalog.toolsets.items()
        ]
    return shown


async def find(session: Session, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The very answer of find_tools, and beside each of its lines what the line is about. Raises Refused."""
    if not isinstance(asked.get("query"), str):
        raise Refused(400, "a search is {query: text}, with toolset, effect and include_unavailable where wanted")
    arguments = {name: asked[name] for name in ("query", "toolset", "effect", "include_unavailable") if asked.get(name)}
    result = await session.find(arguments)
    hits = [] if result.is_error else result.data
    lines = result.text.split("\n")
    tools = session.registry.catalog.tools
    return {
        "text": result.text,
        "tokens": estimate(result.text),
        "is_error": result.is_error,
        "hits": [
            {**_entry(session, tools[hit["tool"]]), "line": line, "score": hit["score"]}
            for hit, line in zip(hits, lines, strict=False)
        ],
    }


def browse(session: Session, toolset: str, *, unavailable: bool) -> dict[str, Any]:
    """The tools of one toolset: those that may be called here, or all of them."""
    registry = session.registry
    if toolset not in registry.catalog.toolsets:
        raise Refused(404, f"there is no toolset {toolset[:60]!r}")
    tools = [t for t in registry.catalog.toolsets[toolset].tools if unavailable or t.name in registry.visible]
    return {"hits": [{**_entry(session, tool), "line": find_line(tool)} for tool in tools]}


def _entry(session: Session, tool: Tool) -> dict[str, Any]:
    between = " or " if tool.any_scope else ", "
    return {
        "tool": tool.name,
        "title": tool.title,
        "effect": tool.effect,
        "toolset": session.registry.catalog.toolset_of[tool.name],
        "scopes": between.join(tool.scopes),
        "unavailable": unavailable_because(session.registry, tool).removeprefix(" — unavailable: "),
    }


async def describe(session: Session, name: str) -> dict[str, Any]:
    """One tool: what describe_tool says of it, and the schema that its form is made of."""
    if name == READ_RESULT:
        listed = reading_on()
        return {
            "tool": name,
            "title": listed["title"],
            "description": listed["description"] + " An answer that did not fit says its handle.",
            "effect": "read",
            "toolset": "",
            "scopes": "",
            "unavailable": "",
            "operation": "",
            "cost": "",
            "schema": listed["inputSchema"],
            "example": {},
            "text": "",
            "tokens": 0,
        }
    tool = session.registry.catalog.tools.get(name)
    if tool is None:
        raise Refused(404, f"there is no tool {name[:60]!r}")
    told = await session.describe(name)
    return {
        **_entry(session, tool),
        "description": tool.description,
        "also_needs": [f"{a.scope} when {a.when}" for a in tool.also_needs],
        "operation": f"{tool.method} {tool.path}",
        "cost": cost_text(tool).rstrip("."),
        "schema": session.registry.catalog.input_schema(name),
        "example": example(tool),
        "text": told.text,
        "tokens": estimate(told.text),
    }


async def call(session: Session, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Preview or run a tool, on the way of every agent's call. Raises Refused.

    What cannot be undone is run only when `confirm` names the tool; where the gate asks a person, the question comes back
    with its `state`, and the answer comes with the call made again.
    """
    name, arguments, preview = asked.get("tool"), asked.get("arguments", {}), asked.get("preview", False)
    if not isinstance(name, str) or not isinstance(arguments, dict) or not isinstance(preview, bool):
        raise Refused(400, "a call is {tool: text, arguments: object, preview: true or false}")
    tool = session.registry.catalog.tools.get(name)
    if tool is None and name != READ_RESULT:
        raise Refused(404, f"there is no tool {name[:60]!r}")
    if tool is not None and tool.effect == "irreversible" and not preview and asked.get("confirm") != name:
        raise Refused(409, f"{name} cannot be undone: confirm it by its name")
    with calls_of_this_request() as records:
        try:
            options = {"preview": True} if preview else None
            result = await session.call(name, arguments, Operator(_reply(asked.get("answer"))), options=options)
        except AnswerNeeded as needed:
            return {"question": _shown(needed.question)}
    record = records[-1] if records else {}
    return {
        "text": result.text.encode("utf-8", "replace").decode(),
        "is_error": result.is_error,
        "code": result.code,
        "outcome": record.get("outcome", "failed" if result.is_error else "done"),
        "ms": record.get("ms"),
        "tokens": estimate(result.text),
        "credits": record.get("credits", 0.0),
        "attempts": record.get("attempts", 0),
        "status": record.get("status"),
        "approval_id": record.get("approval_id"),
    }


def _shown(question: Question) -> dict[str, str]:
    return {"text": question.text, "state": question.state}


def _reply(answer: Any) -> Reply | None:
    if answer is None:
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("state"), str):
        raise Refused(400, "an answer is {accepted: true or false, state: text}")
    return Reply(answer.get("accepted") is True, answer["state"])
