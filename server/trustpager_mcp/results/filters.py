"""Choosing rows of a kept result: `status=open, value>1000`, free text, and places like `26-50`."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from ..errors import ArgumentsError
from ..shaping.records import compact, label, pick

_CONDITION = re.compile(r"\s*([\w.\- ()]+?)\s*(!=|>=|<=|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_PLACES = re.compile(r"\s*(\d{1,9})\s*(-)?\s*(\d{1,9})?\s*")

Condition = tuple[str, str, str]


def conditions(given: Any) -> list[Condition]:
    """The conditions of a filter, an object or text. Raises ArgumentsError that shows a correct one."""
    if given in (None, "", {}):
        return []
    if isinstance(given, dict):
        return [(str(k), "=", label(v)) for k, v in given.items()]
    found = []
    for part in re.split(r",|\band\b", str(given)):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ArgumentsError(
                f"filter is {str(given)[:80]!r}; give conditions like status=open, value>1000, name~smith (= != > < >= <= ~)."
            )
        found.append((match[1], match[2], match[3].strip("\"'")))
    return found


def matches(row: Any, wanted: list[Condition]) -> bool:
    """Whether a row meets every condition. Numbers compare as numbers, else texts without regard to case."""
    return all(_meets(pick(row, field), sign, value) for field, sign, value in wanted)


def _meets(value: Any, sign: str, wanted: str) -> bool:
    values = value if isinstance(value, list) else [value]
    return (sign == "!=" and not any(_one(v, "=", wanted) for v in values)) or any(
        _one(v, sign, wanted) for v in values if sign != "!="
    )


def _one(value: Any, sign: str, wanted: str) -> bool:
    text = label(value)
    if sign == "~":
        return wanted.lower() in text.lower()
    left: Any = text.lower()
    right: Any = wanted.lower()
    if value is None and sign != "=":
        return False
    with contextlib.suppress(ValueError):
        left, right = float(text), float(wanted)
    match sign:
        case "=":
            return bool(left == right)
        case ">":
            return bool(left > right)
        case "<":
            return bool(left < right)
        case ">=":
            return bool(left >= right)
        case _:
            return bool(left <= right)


def contains(row: Any, text: str) -> bool:
    """Whether any value of the row holds the text, without regard to case."""
    return text.lower() in (row if isinstance(row, str) else compact(row)).lower()


def places(given: Any, count: int) -> tuple[int, int]:
    """`26-50`, `7`, `26-` → first and last place, from 1. Raises ArgumentsError."""
    match = _PLACES.fullmatch(str(given))
    if match is None:
        raise ArgumentsError(f'rows is {str(given)[:40]!r}; give places like "26-50", "26-" or "7". There are {count}.')
    first = int(match[1])
    last = int(match[3]) if match[3] else count if match[2] else first
    if not 1 <= first <= last or first > max(count, 1):
        raise ArgumentsError(f'rows is {str(given)[:40]!r}; there are {count} rows, counted from 1: give "1-{count}" or a part.')
    return first, min(last, count)
