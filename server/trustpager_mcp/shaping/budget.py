"""Fitting into a result's budget: whole rows and whole fields are left out, never parts that nobody tells of."""

from __future__ import annotations

from collections.abc import Sequence

from .tokens import at_most, estimate
from .view import Limits

_FOOTER_CHARACTERS = 600
_FOOTER_TOKENS = 200


def fits(text: str, limits: Limits) -> bool:
    return len(text) <= limits.fitted_characters and at_most(text, limits.fitted_tokens)


def rows_that_fit(fixed: Sequence[str], rows: Sequence[str], limits: Limits) -> int:
    """How many of the rows fit beside the fixed lines and a footer."""
    characters = limits.fitted_characters - _FOOTER_CHARACTERS - sum(len(f) + 1 for f in fixed)
    size = sum(map(len, rows)) + len(rows)
    tokens = limits.fitted_tokens - _FOOTER_TOKENS
    if size <= characters and size * 4 <= tokens:
        return len(rows)
    tokens -= sum(estimate(f) + 1 for f in fixed)
    for index, row in enumerate(rows):
        characters -= len(row) + 1
        tokens -= estimate(row[: characters + len(row) + 1]) + 1 if characters >= 0 else 0
        if characters < 0 or tokens < 0:
            return index
    return len(rows)
