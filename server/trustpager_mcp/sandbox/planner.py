"""How Evie decides what to do. Here by rules; a model fits behind the same interface.

A planner sees the conversation so far and answers with the next tool call, or with the text that ends the turn.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from ..definitions import Tool
from . import phrases
from .store import Record

_STOP = frozenset(
    "a an the of for to in on at me my our all any and or is are was be it this that please can you i we do does with".split()
)
EVERYDAY = (
    "search_everything", "search_opportunities", "list_pipelines", "get_contact", "get_company", "get_opportunity",
    "create_contact", "create_company", "create_opportunity", "create_task", "create_activity", "move_opportunity",
)  # fmt: skip
"""What is asked for most, in words that need not name it."""
_ENTITY_TOOLS = {"opportunity": "get_opportunity", "contact": "get_contact", "company": "get_company"}
_ENTITY_IDS = {"opportunity": "opportunity_id", "contact": "contact_id", "company": "company_id"}
_MIN_SCORE = 4.0
_SHOWN = 5


@dataclass(frozen=True)
class ToolCall:
    """A tool that Evie wants to run, and its arguments by name."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a tool call brought: data, or an error's message."""

    call: ToolCall
    data: Any = None
    error: str | None = None


@dataclass(frozen=True)
class Turn:
    """One message of the user with what is known around it, and what was done about it so far."""

    message: str
    now: datetime
    tools: dict[str, Tool]
    """What the token may do and Evie does: nothing that deletes, sends or spends."""
    every: dict[str, Tool]
    context: Record = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    history: tuple[Record, ...] = ()
    """The thread's earlier messages: role, content."""
    began: float = field(default_factory=time.monotonic)
    """When the turn began, by the machine's own clock."""


Planner = Callable[[Turn], ToolCall | str]
"""Decides the next step of a turn: a tool to call, or the text that ends it."""


def by_rules(turn: Turn) -> ToolCall | str:
    """The next step of a turn: everyday requests by patterns, others by the words they share with the tools.

    It never deletes, sends or spends.
    """
    if turn.outcomes and (failed := turn.outcomes[-1].error):
        return f"That did not work: {failed}"
    wanted = _move(turn) or (_told(turn) if turn.outcomes else _first(turn))
    if isinstance(wanted, ToolCall) and wanted.tool not in turn.tools:
        scopes = ", ".join(turn.every[wanted.tool].scopes) if wanted.tool in turn.every else "none"
        return f"I may not do that for you: it takes {wanted.tool}, which needs {scopes}."
    return wanted


def _first(turn: Turn) -> ToolCall | str:
    return _create(turn) or _find(turn) or _about_this(turn) or _by_words(turn)


def _move(turn: Turn) -> ToolCall | str | None:
    """Move a deal to a stage: find the deal, read the pipelines, move."""
    match = re.match(r"\s*(?:please )?move (.+?) (?:in)?to (?:the )?(.+?)(?: stage)?[.!]?\s*$", turn.message, re.IGNORECASE)
    if not match:
        return None
    done = [o.call.tool for o in turn.outcomes]
    if "move_opportunity" in done:
        return f"Done: moved to {match[2].strip()}."
    deal_id = _this(turn, "opportunity") if re.search(r"\b(?:this|it)\b", match[1], re.IGNORECASE) else None
    if deal_id is None:
        if not done:
            wanted = phrases.quoted(match[1]) or re.sub(r"^(?:the )?(?:deal|opportunity)\s+", "", match[1])
            return ToolCall("search_opportunities", {"query": wanted})
        found = turn.outcomes[0].data
        if not found:
            return f"I found no opportunity like {match[1]}."
        deal_id = found[0]["id"]
    if "list_pipelines" not in done:
        return ToolCall("list_pipelines", {})
    for pipeline in turn.outcomes[-1].data:
        for stage in pipeline["stages"]:
            if stage["name"].lower() == match[2].strip(" \"'").lower():
                place = {"pipeline_id": pipeline["id"], "stage_id": stage["id"]}
                return ToolCall("move_opportunity", {"opportunity_id": deal_id, **place})
    return f"There is no stage called {match[2]}."


def _this(turn: Turn, kind: str) -> str | None:
    """The record that the user is looking at, when it is of the kind."""
    return turn.context.get("entity_id") if turn.context.get("entity_type") == kind else None


def _create(turn: Turn) -> ToolCall | None:
    text = turn.message
    match = re.search(
        r"\b(?:add|create|make|log|new|remind me|set up)\b.*?"
        r"\b(contact|person|company|task|reminder|deal|opportunity|note|call|meeting|to)\b",
        text, re.IGNORECASE,
    )  # fmt: skip
    if not match:
        return None
    links = {"deal_id": _this(turn, "opportunity"), "contact_id": _this(turn, "contact")}
    match match[1].lower():
        case "contact" | "person":
            first, _, last = (phrases.name(text) or "").partition(" ")
            given: Record = {"first_name": first or None, "last_name": last or None}
            given |= {"email": phrases.email(text), "phone": phrases.phone(text)}
            return ToolCall("create_contact", _given(given)) if first else None
        case "company":
            return ToolCall("create_company", {"name": found}) if (found := phrases.name(text)) else None
        case "deal" | "opportunity":
            found = phrases.name(text)
            return ToolCall("create_opportunity", _given({"name": found, "value": phrases.amount(text)})) if found else None
        case "task" | "reminder" | "to":
            title = phrases.quoted(text) or phrases.after(text, "task to", "reminder to", "remind me to", "task", "reminder")
            if not title:
                return None
            return ToolCall("create_task", _given({"title": title, "due_date": phrases.due(text, turn.now.date()), **links}))
        case kind:
            subject = phrases.quoted(text) or phrases.after(text, f"{kind} about", f"{kind} that", kind)
            links["customer_id"] = _this(turn, "company")
            return ToolCall("create_activity", _given({"activity_type": kind, "subject": subject, **links})) if subject else None
    return None


def _given(arguments: Record) -> Record:
    return {k: v for k, v in arguments.items() if v is not None}


def _find(turn: Turn) -> ToolCall | None:
    match = re.match(
        r"\s*(?:please )?(?:can you )?(?:find|search(?: for)?|look up|who is|who's)\s+"
        r"(?:me )?(?:the )?(?:contact |company |deal )?(.+?)[?.!]?\s*$",
        turn.message, re.IGNORECASE,
    )  # fmt: skip
    if not match:
        return None
    return ToolCall("search_everything", {"query": phrases.quoted(match[1]) or match[1], "limit": _SHOWN})


def _about_this(turn: Turn) -> ToolCall | None:
    """A question about the record on the screen."""
    kind = str(turn.context.get("entity_type"))
    if kind in _ENTITY_TOOLS and turn.context.get("entity_id") and re.search(r"\bthis\b|\bhere\b", turn.message, re.IGNORECASE):
        return ToolCall(_ENTITY_TOOLS[kind], {_ENTITY_IDS[kind]: turn.context["entity_id"]})
    return None


def _by_words(turn: Turn) -> ToolCall | str:
    """The reading tool that shares the most telling words with the message and needs nothing else."""
    ranked = sorted(_scores(turn.message, turn.tools.values()), key=lambda pair: -pair[0])
    for score, tool in ranked[:8]:
        if score >= _MIN_SCORE and tool.effect == "read" and not any(p.required for p in tool.parameters):
            limit = {"limit": _SHOWN} if "limit" in tool.parameter_by_name else {}
            return ToolCall(tool.name, limit)
    near = ", ".join(tool.title.lower() for _, tool in ranked[:3])
    return f"I follow fixed rules in this practice workspace and did not understand that. The nearest things I know: {near}."


def _words(text: str) -> list[str]:
    return [w[:-1] if w.endswith("s") and len(w) > 3 else w for w in re.findall(r"[a-z]+", text.lower()) if w not in _STOP]


@cache
def _tool_words(name: str, told: str) -> Counter[str]:
    own, others = set(_words(name)), set(_words(told))
    return Counter({w: 3 if w in own else 1 for w in {*own, *others}})


def _scores(message: str, tools: Iterable[Tool]) -> list[tuple[float, Tool]]:
    asked = set(_words(message))
    known = [
        (tool, _tool_words(f"{tool.name.replace('_', ' ')} {tool.title}", f"{tool.description} {' '.join(tool.intents)}"))
        for tool in tools
    ]
    rare = {w: math.log(1 + len(known) / (1 + sum(w in words for _, words in known))) for w in asked}
    # A name that says more than was asked for is about something else: of two tools with the same words, the plainer one.
    return [
        (sum(rare[w] * words[w] for w in asked) - 3.0 * len(set(_words(tool.name.replace("_", " "))) - asked), tool)
        for tool, words in known
    ]


def nearest(message: str, tools: Iterable[Tool]) -> list[Tool]:
    """The tools, those first that share the most telling words with the message."""
    return [tool for _, tool in sorted(_scores(message, tools), key=lambda pair: -pair[0])]


def _told(turn: Turn) -> str:
    """The last outcome in words."""
    outcome = turn.outcomes[-1]
    data = outcome.data
    if isinstance(data, list):
        shown = "; ".join(_label(r) for r in data[:_SHOWN])
        return f"I found {len(data)}: {shown}." if data else "I found nothing."
    if isinstance(data, dict):
        verb = "Created" if outcome.call.tool.startswith("create_") else "Here it is"
        return f"{verb}: {_label(data)}."
    return "Done."


def _label(record: Any) -> str:
    if not isinstance(record, dict):
        return str(record)
    names = ("display_name", "full_name", "name", "title", "subject", "label", "first_name", "status", "id")
    label = next((str(record[n]) for n in names if record.get(n)), ", ".join(f"{k} {v}" for k, v in list(record.items())[:4]))
    further = next((str(record[n]) for n in ("status", "email", "subtitle", "due_date") if record.get(n)), None)
    return f"{label} ({further})" if further and further != label else label
