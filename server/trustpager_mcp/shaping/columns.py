"""Which columns a table shows: an entity's hints as far as they are cheap, else learnt from the records.

What a column costs depends on the kind of its values only, so that the pages of one list have the same columns.
"""

from __future__ import annotations

import re
from typing import Any

from ..definitions import Entity
from .dates import MOMENT
from .records import LABELS, is_empty, is_uuid, label, pick, present_keys
from .view import Detail

ROW_TOKENS = 11
"""What the columns beside the id may cost in each row of a concise table."""
_SAMPLE = 25
_SHORT = 40
_COSTS = {"uuid": 23, "moment": 10, "date": 6, "email": 9, "phone": 5, "url": 13, "number": 2, "flag": 1, "short": 4, "long": 16}
_PREFERRED = (*LABELS, "status", "state", "stage", "type", "priority", "value", "amount", "total", "price", "due_date", "date")
_LEARNT_FULL = 10
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PHONE = re.compile(r"\+?[\d ()-]{8,20}")


def chosen(
    rows: list[dict[str, Any]], entity: Entity | None, fields: tuple[str, ...], detail: Detail
) -> tuple[list[str], dict[str, str], list[str]]:
    """Columns of the table, columns that say the same in every row with what they say, and the names of the fields left out."""
    present = present_keys(rows)
    if fields == ("all",):
        columns = sorted(present, key=lambda k: k != "id")
        return columns, {}, []
    identity = identity_of(rows, entity, present)
    if fields:
        return list(dict.fromkeys((identity, *fields) if identity else fields)), {}, []
    candidates = _candidates(rows, entity, present, detail)
    if detail == "concise":
        candidates = list(dict.fromkeys(named(rows, c) if c != identity else c for c in candidates))
    same = _same(rows, [c for c in candidates if c != identity])
    varied = [c for c in candidates if c != identity and c not in same]
    if detail == "concise":
        varied = _affordable(rows, varied)
    columns = ([identity] if identity else []) + varied
    if not columns:
        columns, same = (candidates or present)[:_LEARNT_FULL], {}
    roots = {c.split(".", 1)[0] for c in (*columns, *same)}
    return columns, same, [k for k in present if k not in roots]


def identity_of(rows: list[dict[str, Any]], entity: Entity | None, present: list[str]) -> str | None:
    """The column that names a row: `id`, else the first hint that has a value in every row."""
    if "id" in present:
        return "id"
    hints = entity.columns if entity else ()
    ids = [*hints[:2], *(k for k in present if k.endswith("_id"))]
    return next((h for h in ids if all(not is_empty(pick(r, h)) for r in rows)), None)


def named(rows: list[dict[str, Any]], column: str) -> str:
    """For the id of another record the name that stands beside it, as `x_name` or in an object `x`: cheaper, and it says more."""
    if not column.endswith("_id"):
        return column
    stem = column.removesuffix("_id")
    sample = [r for r in rows[:_SAMPLE] if not is_empty(r.get(column))]
    if sample and all(not is_empty(r.get(f"{stem}_name")) for r in sample):
        return f"{stem}_name"
    for name in LABELS:
        if sample and all(isinstance(r.get(stem), dict) and not is_empty(r[stem].get(name)) for r in sample):
            return f"{stem}.{name}"
    return column


def _candidates(rows: list[dict[str, Any]], entity: Entity | None, present: list[str], detail: Detail) -> list[str]:
    hinted = [c for c in (entity.columns if entity else ()) if any(not is_empty(pick(r, c)) for r in rows)]
    if len(hinted) >= 2:
        return hinted
    rank = {name: place for place, name in enumerate(_PREFERRED)}
    plain = [k for k in present if not any(isinstance(r.get(k), (dict, list)) for r in rows[:_SAMPLE])]
    learnt = sorted(plain, key=lambda k: rank.get(k, len(rank)))
    kinds = {k: kind_of(rows, k) for k in learnt}
    useful = [k for k in learnt if kinds[k] not in ("uuid", "long")] if detail == "concise" else learnt[:_LEARNT_FULL]
    return list(dict.fromkeys([*hinted, *useful]))


def _same(rows: list[dict[str, Any]], columns: list[str]) -> dict[str, str]:
    if len(rows) < 3:
        return {}
    same: dict[str, str] = {}
    for column in columns:
        first = pick(rows[0], column)
        if not is_empty(first) and all(pick(r, column) == first for r in rows) and len(text := label(first)) <= _SHORT:
            same[column] = text
    return same


def _affordable(rows: list[dict[str, Any]], columns: list[str]) -> list[str]:
    """The first column whatever it costs, if it tells more than another id would, then each that still fits."""
    kinds = {column: kind_of(rows, column) for column in columns}
    first = next((c for c in columns if kinds[c] != "uuid"), columns[0] if columns else None)
    kept: set[str] = set()
    left = float(ROW_TOKENS)
    for column in columns:
        cost = _COSTS[kinds[column]]
        if column == first or cost <= left:
            kept.add(column)
            left -= cost
    return [c for c in columns if c in kept]


def kind_of(rows: list[dict[str, Any]], column: str) -> str:
    """What sort of values a column holds."""
    values = [v for v in (pick(r, column) for r in rows[:_SAMPLE]) if not is_empty(v)]
    if not values:
        return "flag"
    value = values[0]
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, (dict, list)):
        return "short" if max(len(label(v)) for v in values) <= _SHORT else "long"
    text = str(value)
    if is_uuid(text):
        return "uuid"
    if MOMENT.fullmatch(text):
        return "moment"
    if _DATE.fullmatch(text):
        return "date"
    if "@" in text and " " not in text:
        return "email"
    if text.startswith(("http://", "https://")):
        return "url"
    if _PHONE.fullmatch(text):
        return "phone"
    return "short" if max(len(label(v)) for v in values) <= 2 * _SHORT else "long"
