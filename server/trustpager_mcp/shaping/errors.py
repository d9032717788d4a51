"""What an agent reads of an error: what happened, the API's code and details, what to do next; at most 300 tokens."""

from __future__ import annotations

from typing import Any

from ..errors import ToolError
from .records import compact, is_empty, pruned
from .text import clipped
from .tokens import estimate
from .untrusted import cleaned, cleaned_value

MAX_TOKENS = 300
_FITTED = MAX_TOKENS * 3 // 4
_LENGTHS = ((600, 500, 400), (400, 300, 300), (250, 180, 200), (150, 100, 120), (80, 60, 80), (40, 30, 40), (20, 0, 20))


def shape_error(error: ToolError) -> str:
    """The error as text. What is longer than there is room for is clipped, and says so."""
    details = "" if is_empty(error.details) else compact(_short_lists(pruned(cleaned_value(error.details)[0])))
    text = ""
    for message, detail, hint in _LENGTHS:
        text = _text(error, details, message, detail, hint)
        if estimate(text) + sum(not c.isascii() for c in text) // 2 <= _FITTED:
            return text
    # No token is shorter than a byte.
    return text.encode("utf-8", "replace")[: MAX_TOKENS - 20].decode("utf-8", "ignore") + "…"


def _text(error: ToolError, details: str, message: int, detail: int, hint: int) -> str:
    code = cleaned(error.code)[0][: max(20, message // 4)]
    parts = [f"{code}: {clipped(cleaned(error.message)[0], message)}"]
    if details and detail:
        parts.append("details: " + clipped(details, detail))
    if error.hint:
        parts.append(clipped(cleaned(error.hint)[0], hint))
    if error.request_id:
        parts.append(f"request_id: {cleaned(str(error.request_id))[0][: min(80, message)]}")
    return "\n".join(parts)


def _short_lists(value: Any, depth: int = 0) -> Any:
    """Lists of more than six elements keep the first five: the nearest slots, the first wrong fields."""
    if depth > 8:
        return "…" if isinstance(value, (dict, list)) else value
    if isinstance(value, dict):
        return {k: _short_lists(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        short = [_short_lists(v, depth + 1) for v in value[:5]] if len(value) > 6 else [_short_lists(v, depth + 1) for v in value]
        return [*short, f"… {len(value) - 5} more"] if len(value) > 6 else short
    return value
