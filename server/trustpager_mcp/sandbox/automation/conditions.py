"""Conditions of automations: {field: {operator: value}}, all of which must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import moment
from ..store import Record


def unmet(conditions: Record | None, lookup: Callable[[str], Any]) -> list[str]:
    """The conditions that do not hold, in words; none means the automation may act."""
    return [
        f"{field} {operator} {wanted!r} (is {_plain(value)!r})"
        for field, tests in (conditions or {}).items()
        for value in [lookup(field)]
        for operator, wanted in tests.items()
        if not _OPERATORS[operator](value, wanted)
    ]


def _plain(value: Any) -> Any:
    return _names(value) if isinstance(value, list) else value


def _names(value: Any) -> list[Any]:
    """The entries of a list; tags by their names."""
    entries = value if isinstance(value, list) else [] if value is None else [value]
    return [e.get("name") if isinstance(e, dict) else e for e in entries]


def _fold(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return str(a).lower() == str(b).lower()
    first, second = _number(a), _number(b)
    return first == second if first is not None and second is not None else _fold(a) == _fold(b)


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _exists(value: Any, wanted: Any) -> bool:
    return (value not in (None, "", [], {})) is (wanted is not False)


def _contains(value: Any, wanted: Any) -> bool:
    return any(_same(entry, wanted) for entry in _names(value))


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Numbers by size, dates by time; what cannot be compared does not hold."""

    def compare(value: Any, wanted: Any) -> bool:
        for read in (_number, moment):
            first, second = read(value), read(wanted)
            if first is not None and second is not None:
                return holds(first, second)
        return False

    return compare


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "neq": lambda value, wanted: not _same(value, wanted),
    "exists": _exists,
    "not_exists": lambda value, wanted: not _exists(value, wanted),
    "gt": _ordered(lambda a, b: a > b),
    "gte": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "lte": _ordered(lambda a, b: a <= b),
    "contains": _contains,
    "not_contains": lambda value, wanted: not _contains(value, wanted),
    "contains_any": lambda value, wanted: any(_contains(value, one) for one in wanted),
    "contains_text": lambda value, wanted: _fold(str(wanted)) in _fold(" ".join(str(n) for n in _names(value))),
    "in": lambda value, wanted: any(_same(entry, one) for entry in _names(value) for one in wanted),
}
