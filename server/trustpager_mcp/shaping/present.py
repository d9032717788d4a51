"""The one entry: an answer of the API and how it is to be shown → the text for the agent."""

from __future__ import annotations

from typing import Any

from .envelopes import Answer, is_bulk, unwrapped
from .fields import record, text_answer
from .records import compact
from .tables import table
from .text import clipped
from .tokens import at_most
from .view import Download, Limits, Shaped, Spilled, View
from .writes import written

_BRIEF = 300
"""Characters of a value of a tool event that is shown."""


def present(payload: Any, view: View) -> Shaped:
    """The text for the agent: within the view's limits whatever came, with what was left out named."""
    shaped = _shaped(payload, view)
    return Shaped(enforced(shaped.text, view.limits), shaped.data)


def _shaped(payload: Any, view: View) -> Shaped:
    if isinstance(payload, Download):
        from .files import file_result

        return file_result(payload, view)
    if isinstance(payload, str):
        return text_answer(payload, view, payload)
    answer = unwrapped(payload)
    if view.tool.response == "stream" and isinstance(answer.record, dict):
        return _turn(answer.record, view, payload)
    if view.tool.effect != "read" or is_bulk(answer.record):
        return written(answer, view, payload)
    if answer.rows is not None:
        return table(answer, view, payload)
    return record(answer, view, payload)


def _turn(whole: dict[str, Any], view: View, payload: Any) -> Shaped:
    """What a stream amounted to: its text, and which tools were called; what those answered is kept, for it is in the text."""
    told = whole.get("tool_events") if view.detail == "concise" and not view.fields else None
    if not isinstance(told, list):
        return record(Answer(record=whole), view, payload)
    brief = [{k: v for k, v in event.items() if len(compact(v)) <= _BRIEF} for event in told if isinstance(event, dict)]
    shaped = record(Answer(record={**whole, "tool_events": brief}), view, payload)
    if brief == told or not (handle := view.keep(Spilled("record", whole, view.tool.name, view.entity))):
        return shaped
    return Shaped(f'{shaped.text}\n(what the tools answered: read_result("{handle}"))', payload)


def enforced(text: str, limits: Limits) -> str:
    """The last guard: a text over the limits is clipped and says so."""
    room = limits.fitted_characters
    shown = text
    while len(shown) > limits.characters or not at_most(shown, limits.tokens):
        shown = clipped(text, room) + "\nThis result did not fit: ask for fewer fields or rows."
        room = room * 2 // 3
    return shown
