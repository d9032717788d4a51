"""What a write answers: what changed, by name and value, instead of the whole record."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .envelopes import Answer, is_bulk
from .fields import record
from .records import LABELS, compact, is_empty, pruned
from .tables import table
from .text import clipped
from .untrusted import cleaned
from .view import Shaped, Spilled, View

_SMALL = 320
_BEFORE = ("previous", "previous_values", "before", "old_values", "old")
_CHANGES = ("changes", "changed", "changed_fields", "diff")
_DONE = ("created", "updated", "deleted", "moved", "succeeded")
_TELLING = re.compile(
    r"(?:id|status|message|code|error_code|balance|(?:.*_)?(?:url|secret|token|password|api_key|errors?|warnings?|skipped|failed"
    r"|count|credits_\w+|approval_id|run_id|job_id|expires_at|scheduled_for))"
)


def written(answer: Answer, view: View, payload: Any = None) -> Shaped:
    """The outcome of a write: a bulk outcome, a list, or the fields that changed and those that tell the outcome."""
    whole = answer.record
    if is_bulk(whole):
        return Shaped(_bulk(whole, view), payload)
    if answer.rows is not None:
        return table(answer, view, payload)
    if not isinstance(whole, dict) or view.fields or view.detail == "full" or view.format == "json":
        return record(answer, view, payload)
    if len(compact(pruned(whole))) <= _SMALL:
        return Shaped(_done(view) + record(answer, view).text, payload)
    chosen = changed_fields(whole, view.sent)
    present = [k for k, v in whole.items() if not is_empty(v)]
    left = len(present) - len([k for k in present if k in chosen])
    text = _done(view) + record(Answer(record=chosen), view).text
    if left:
        handle = view.keep(Spilled("record", whole, view.tool.name, view.entity))
        text += f'\n({left} more fields: read_result("{handle}"))' if handle else f"\n({left} more fields)"
    return Shaped(text, payload)


def changed_fields(whole: dict[str, Any], sent: tuple[str, ...]) -> dict[str, Any]:
    """What was sent, with its earlier value where the API tells it, and what tells the outcome."""
    before: dict[str, Any] = next((whole[k] for k in _BEFORE if isinstance(whole.get(k), dict)), {})
    name = next((k for k in LABELS if not is_empty(whole.get(k))), None)
    chosen: dict[str, Any] = {}
    for key, value in whole.items():
        if key in _BEFORE:
            continue
        if key in before and before[key] != value:
            chosen[key] = f"{_word(before[key])} → {_word(value)}"
        elif key in sent or key == name or key in _CHANGES or (_TELLING.fullmatch(key) and not is_empty(value)):
            chosen[key] = value if not is_empty(value) else "(cleared)"
    return chosen


def _word(value: Any) -> str:
    text = value if isinstance(value, str) and value else compact(value) if not is_empty(value) else "(empty)"
    return clipped(text, 200)


def _done(view: View) -> str:
    return f"Done: {view.tool.name}.\n"


def _bulk(whole: dict[str, Any], view: View) -> str:
    """How many were done, their ids, and each failure with its index."""
    parts = []
    room = replace(view.limits, tokens=view.limits.tokens // 2, characters=view.limits.characters // 2)
    for name in (n for n in _DONE if isinstance(whole.get(n), list)):
        rows = whole[name]
        parts.append(f"{name}: {len(rows)}")
        if rows:
            parts.append(table(Answer(rows=rows), replace(view, limits=room)).text)
    errors = whole["errors"]
    parts.append(f"errors: {len(errors)}")
    if errors:
        view_of_errors = replace(view, entity=None, fields=(), detail="full", limits=room)
        parts.append(table(Answer(rows=errors), view_of_errors).text)
    rest = {k: v for k, v in whole.items() if k not in (*_DONE, "errors") and not is_empty(v)}
    if rest:
        parts.append(cleaned(clipped(compact(rest), 600))[0])
    return "\n".join(parts)
