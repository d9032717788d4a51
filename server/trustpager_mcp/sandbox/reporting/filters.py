"""The filters of report queries: judged before the query runs, then told for each row."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..checks import moment
from ..errors import ApiError, invalid
from ..store import Record

Test = Callable[[Record], bool]
_LISTS, _NULLS = ("in", "not_in"), ("is_null", "is_not_null")
_ORDERED = ("gt", "gte", "lt", "lte")
_TEXTS = ("like", "contains")
CURRENT_USER = ("current_user_id", "{{current_user_id}}")
"""Values that mean the person for whom a query runs."""


def test_of(one: Record, kinds: dict[str, str], user_id: str | None, where: str) -> Test:
    """A filter as a test of a row's values. Raises VALIDATION_ERROR for a field, operator or value that does not fit.

    Like SQL, no comparison holds for a missing value; only is_null does.
    """
    name, operator = one["field"], one["operator"]
    if name not in kinds:
        raise invalid(f"{where}: {name} cannot be filtered; fields are {', '.join(kinds)}", field=where)
    kind = kinds[name]
    if operator == "is_null":
        return lambda row: row.get(name) is None
    if operator == "is_not_null":
        return lambda row: row.get(name) is not None
    if operator in _LISTS:
        return _list_test(name, operator, _listed(one, kind, user_id, where), kind)
    if one.get("value") is None:
        raise invalid(f"{where}: {operator} needs a value (to look for missing ones, use is_null)", field=where)
    if operator in _TEXTS:
        return _text_test(name, operator, kind, str(one["value"]), where)
    if operator in _ORDERED and kind not in ("number", "date"):
        raise invalid(f"{where}: {operator} compares numbers and dates; {name} is a {kind}", field=where)
    return _compared(name, operator, kind, _value(one["value"], kind, user_id, where))


def _listed(one: Record, kind: str, user_id: str | None, where: str) -> list[Any]:
    values = one.get("values") if one.get("values") is not None else one.get("value")
    if not isinstance(values, list) or not values:
        raise invalid(f"{where}: {one['operator']} needs a list in values, not empty", field=where)
    return [_value(v, kind, user_id, where) for v in values]


def _value(value: Any, kind: str, user_id: str | None, where: str) -> Any:
    """A filter's value in the field's kind. Raises VALIDATION_ERROR."""
    if value in CURRENT_USER:
        # Without a person nothing is theirs: an id that no record has.
        return user_id or ""
    match kind:
        case "number":
            try:
                return float(value) if not isinstance(value, bool) else _wrong(value, "a number", where)
            except (TypeError, ValueError):
                return _wrong(value, "a number", where)
        case "boolean":
            known = {True: True, False: False, "true": True, "false": False}
            return known[value] if isinstance(value, (bool, str)) and value in known else _wrong(value, "true or false", where)
        case "date":
            return moment(value) or _wrong(value, "an ISO 8601 date or time", where)
    return value if isinstance(value, str) else _wrong(value, "text", where)


def _wrong(value: Any, wanted: str, where: str) -> ApiError:
    raise invalid(f"{where}: {value!r} is not {wanted}", field=where)


def _stored(value: Any, kind: str) -> Any:
    return moment(value) if kind == "date" else value


def _list_test(name: str, operator: str, values: list[Any], kind: str) -> Test:
    within = operator == "in"
    return lambda row: row.get(name) is not None and (_stored(row[name], kind) in values) == within


def _text_test(name: str, operator: str, kind: str, value: str, where: str) -> Test:
    """`contains` finds a part; `like` is SQL's, with % and _, ignoring case."""
    if kind not in ("text", "id"):
        raise invalid(f"{where}: {operator} looks into text; {name} is a {kind}", field=where)
    pattern = re.escape(value) if operator == "contains" else "".join(_like(c) for c in value)
    compiled = re.compile(pattern if operator == "contains" else f"^{pattern}$", re.IGNORECASE | re.DOTALL)
    return lambda row: row.get(name) is not None and bool(compiled.search(str(row[name])))


def _like(character: str) -> str:
    return {"%": ".*", "_": "."}.get(character, re.escape(character))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b), "neq": lambda a, b: bool(a != b), "gt": lambda a, b: bool(a > b),
    "gte": lambda a, b: bool(a >= b), "lt": lambda a, b: bool(a < b), "lte": lambda a, b: bool(a <= b),
}  # fmt: skip


def _compared(name: str, operator: str, kind: str, value: float | bool | str | datetime) -> Test:
    holds = _COMPARISONS[operator]
    return lambda row: row.get(name) is not None and holds(_stored(row[name], kind), value)
