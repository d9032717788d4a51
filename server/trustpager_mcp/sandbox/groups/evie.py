"""Evie, the assistant in the app: tokens, conversations that really call tools, and what tools there are."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import replace
from typing import Any

from ...definitions import Tool, input_schema
from ..arguments import call_tool
from ..auth import Key, missing_scopes
from ..engine import Answer, Call, Handler
from ..errors import ApiError, forbidden, invalid, not_found
from ..planner import Outcome, ToolCall, Turn
from ..pricing import credits
from ..store import Record

_MOST_STEPS = 8
_MAX_IMAGE = 5 * 1024 * 1024
_KEPT_MECHANICALLY = 40
_STANDARD, _ADVANCED = "TrustPager AI Standard", "TrustPager AI Advanced"
# What Evie may do at most, whoever she works for: people's access and money stay with people.
_NEVER = frozenset({"users:write", "users:delete", "approvals:reassign"})
_ADMIN_ONLY = frozenset({"company:write", "webhooks:write", "integrations:write", "billing:read"})
_ENTITIES = {"opportunities": "opportunity", "contacts": "contact", "companies": "company"}
_RECORD_PAGE = re.compile(rf"/crm/({'|'.join(_ENTITIES)})/([0-9a-f-]{{36}})(?:[/?#]|$)")


def _meta_entry(tool: Tool) -> Record:
    """One tool as the reference documents GET /api/v1/_meta/tools."""
    return {
        "name": tool.name, "description": tool.description, "input_schema": input_schema(tool),
        "preferred_model": "haiku" if tool.effect == "read" else "sonnet", "api_path": tool.path,
        "required_scopes": list(tool.scopes), "is_write": tool.is_write, "portal_path": "/crm/" + tool.path.split("/")[1],
    }  # fmt: skip


def _allowed(call: Call) -> list[Tool]:
    return [t for t in call.world.tools if t.credential == "api_key" and not missing_scopes(t, call.key)]


def _grant(call: Call) -> Answer:
    """A token with what both Evie and the user's role may do; the user's former one stops working."""
    company = call.store.all("own_company")[0]
    user_id = call.key.user_id or ""
    membership = call.store.get("membership", user_id)
    if call.body["company_id"] != company["id"] or membership is None:
        error = forbidden()
        error.message = "the session's user does not belong to this workspace"
        raise error
    for former in call.store.all("granted_token", user_id=user_id):
        call.store.delete("granted_token", former["id"])
    scopes = sorted(_of_role(call.key, membership["role"]))
    token = "tp_oauth_" + secrets.token_urlsafe(24)
    record = {"id": token, "user_id": user_id, "company_id": company["id"], "scopes": scopes, "created_at": call.clock.iso()}
    call.store.add("granted_token", [record])
    return Answer({
        "access_token": token, "token_type": "Bearer", "scopes": scopes, "user_id": user_id, "company_id": company["id"],
    })  # fmt: skip


def _of_role(key: Key, role: str) -> frozenset[str]:
    most = key.scopes - _NEVER
    if role == "client_viewer":
        return frozenset(s for s in most if s.endswith(":read")) - _ADMIN_ONLY
    return most if role == "client_admin" else most - _ADMIN_ONLY


def _thread(call: Call, thread_id: str) -> Record:
    """A conversation of the caller that goes on. Raises 404 NOT_FOUND and 409 CONFLICT."""
    thread = call.store.get("evie_thread", thread_id)
    if thread is None or thread["user_id"] != call.key.user_id:
        raise not_found("thread", thread_id)
    if successor := thread["superseded_by_thread_id"]:
        raise ApiError(
            409, "CONFLICT", "the thread was compacted; go on in its successor", {"superseded_by_thread_id": successor}
        )
    return thread


def _new_thread(call: Call, title: str, messages: list[Record]) -> Record:
    company = call.store.all("own_company")[0]["id"]
    fields = {"user_id": call.key.user_id, "company_id": company, "title": title[:80], "messages": messages}
    return call.fresh({**fields, "superseded_by_thread_id": None})


def _check_images(attachments: list[Record]) -> None:
    for i, image in enumerate(attachments):
        try:
            size = len(base64.b64decode(image["data"], validate=True))
        except (binascii.Error, ValueError):
            raise invalid("data must be base64 without a data: prefix", field=f"attachments.{i}.data") from None
        if size > _MAX_IMAGE:
            raise invalid("an image must not be larger than 5 MB", field=f"attachments.{i}.data")


def _chat(call: Call) -> Answer:
    """One turn. It is done and kept before its first event leaves, so that a lost connection loses no work."""
    body = call.body
    _check_images(body.get("attachments") or [])
    text: str = body["message"].strip()
    thinks = text.startswith("/think")
    text = text.removeprefix("/think").strip()
    if not text:
        raise invalid("message must not be empty", field="message")
    known = body.get("thread_id")
    thread = _thread(call, known) if known else _new_thread(call, text, [])
    call.world.charge(credits("evie_message"), "evie_message")
    model = _ADVANCED if thinks else _STANDARD
    events: list[tuple[str, Any]] = [("thread", {"thread_id": thread["id"], "model": model})]
    answer, used = _work(call, text, tuple(thread["messages"]), events)
    if body.get("attachments"):
        answer += " I cannot look at pictures in this practice workspace."
    events += [("text", {"delta": piece}) for piece in _pieces(answer)]
    now = call.clock.iso()
    messages = [
        *thread["messages"],
        {"role": "user", "content": text, "attachments": len(body.get("attachments") or []), "created_at": now},
        {"role": "assistant", "content": answer, "tools": used, "model": model, "created_at": now},
    ]
    updated = {**thread, "messages": messages, "updated_at": now}
    if known:
        call.store.save("evie_thread", updated)
    else:
        call.store.add("evie_thread", [updated])
    events.append(("done", {"thread_id": thread["id"], "message_count": len(messages), "sandbox": True}))
    return Answer(events=events)


def _work(call: Call, text: str, history: tuple[Record, ...], events: list[tuple[str, Any]]) -> tuple[str, list[str]]:
    """Let the planner call tools until it has an answer; the answer and the tools used."""
    every = {t.name: t for t in call.world.tools}
    allowed = {t.name: t for t in _allowed(call) if not t.approves and t.effect != "irreversible"}
    context = _located(call.body.get("context") or {})
    turn = Turn(text, call.clock.now(), allowed, every, context, history=history)
    for number in range(_MOST_STEPS):
        step = call.world.planner(turn)
        if isinstance(step, str):
            return step, [o.call.tool for o in turn.outcomes]
        events.append(("tool_call", {"id": f"call_{number + 1}", "name": step.tool, "arguments": step.arguments}))
        outcome = _call(call, step)
        result = {"error": outcome.error} if outcome.error else {"data": outcome.data}
        events.append(("tool_result", {"id": f"call_{number + 1}", "name": step.tool, "ok": outcome.error is None, **result}))
        turn = replace(turn, outcomes=(*turn.outcomes, outcome))
    return "That took more steps than I may take.", [o.call.tool for o in turn.outcomes]


def _located(context: Record) -> Record:
    """The context; where it names no record, the one that the address of the page names."""
    on_page = _RECORD_PAGE.match(str(context.get("current_route") or ""))
    if context.get("entity_id") or on_page is None:
        return context
    return {**context, "entity_type": _ENTITIES[on_page[1]], "entity_id": on_page[2]}


def _call(call: Call, step: ToolCall) -> Outcome:
    try:
        with call.store.attempt():
            answer = call_tool(call.world, call.key, step.tool, step.arguments)
    except ApiError as error:
        return Outcome(step, error=error.message)
    return Outcome(step, answer.text if answer.text is not None else answer.data)


def _pieces(text: str, size: int = 60) -> list[str]:
    """The answer as it streams: cut at spaces, nothing lost when joined."""
    pieces = [""]
    for word in text.split(" "):
        joined = f"{pieces[-1]} {word}" if pieces[-1] or len(pieces) > 1 else word
        if len(joined) > size and pieces[-1]:
            pieces.append(" " + word)
        else:
            pieces[-1] = joined
    return pieces


def _compact(call: Call) -> Answer:
    """A new thread that begins with the old one's summary. Short threads are summed up by rule for free."""
    thread = _thread(call, call.body["thread_id"])
    messages: list[Record] = thread["messages"]
    cost = credits("evie_compact") if len(messages) > _KEPT_MECHANICALLY else 0.0
    if cost:
        call.world.charge(cost, "evie_compact")
    asked = [m["content"] for m in messages if m["role"] == "user"]
    tools = sorted({t for m in messages for t in m.get("tools", ())})
    summary = f"Earlier you asked: {' | '.join(asked[-10:])}. Tools used: {', '.join(tools) or 'none'}."
    opening = {"role": "assistant", "content": summary, "tools": [], "model": _STANDARD, "created_at": call.clock.iso()}
    successor = _new_thread(call, thread["title"], [opening])
    call.store.add("evie_thread", [successor])
    call.store.save("evie_thread", {**thread, "superseded_by_thread_id": successor["id"], "updated_at": call.clock.iso()})
    return Answer({
        "new_thread_id": successor["id"], "superseded_thread_id": thread["id"], "summary": summary,
        "messages_compacted": len(messages), "credits_charged": cost,
    })  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "create_evie_token": _grant,
    "chat_with_evie": _chat,
    "compact_evie_thread": _compact,
    "list_evie_tools": lambda c: Answer({"tools": [_meta_entry(t) for t in _allowed(c)]}),
}
