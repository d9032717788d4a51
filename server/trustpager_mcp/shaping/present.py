"""The one entry: an answer of the API and how it is to be shown → the text for the agent."""

from __future__ import annotations

from typing import Any

from .envelopes import is_bulk, unwrapped
from .fields import record, text_answer
from .tables import table
from .text import clipped
from .tokens import at_most
from .view import Download, Limits, Shaped, View
from .writes import written


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
    if view.tool.effect != "read" or is_bulk(answer.record):
        return written(answer, view, payload)
    if answer.rows is not None:
        return table(answer, view, payload)
    return record(answer, view, payload)


def enforced(text: str, limits: Limits) -> str:
    """The last guard: a text over the limits is clipped and says so."""
    room = limits.fitted_characters
    shown = text
    while len(shown) > limits.characters or not at_most(shown, limits.tokens):
        shown = clipped(text, room) + "\nThis result did not fit: ask for fewer fields or rows."
        room = room * 2 // 3
    return shown
