"""Default rules of opportunities' custom fields, whose values stand in metadata under the field's id.

The first rule whose conditions hold writes a field that is empty or that a rule wrote last; what a person wrote stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .checks import moment
from .clock import months_later
from .store import Record
from .world import World

MANAGED = "_rule_managed"
_SATURDAY, _SUNDAY = 5, 6


def with_defaults(world: World, before: Record | None, deal: Record) -> Record:
    """The metadata that an opportunity gets when it is created or changed (`before` is what it was)."""
    settings = world.store.all("company_settings")
    fields: list[Record] = ((settings[0].get("custom_fields") or {}) if settings else {}).get("deal") or []
    metadata: Record = dict(deal.get("metadata") or {})
    earlier: Record = (before or {}).get("metadata") or {}
    managed = {f for f in earlier.get(MANAGED, ()) if _empty(metadata.get(f)) or metadata.get(f) == earlier.get(f)}
    for field in fields:
        if not _empty(metadata.get(field["id"])) and field["id"] not in managed:
            continue
        for rule in (field.get("conditional_logic") or {}).get("default_rules") or ():
            if all(_holds(c, deal, metadata) for c in rule["conditions"]):
                value = _value(rule["action"], metadata, deal, world.clock.now())
                if value is not None:
                    metadata[field["id"]] = value
                    managed.add(field["id"])
                break
    metadata.pop(MANAGED, None)
    return {**metadata, MANAGED: sorted(managed)} if managed else metadata


def _empty(value: Any) -> bool:
    return value is None or value == ""


def _read(field_id: str, deal: Record, metadata: Record) -> Any:
    return metadata[field_id] if field_id in metadata else deal.get(field_id)


def _holds(condition: Record, deal: Record, metadata: Record) -> bool:
    value = _read(condition["field_id"], deal, metadata)
    match condition["operator"]:
        case "is":
            return bool(value == condition.get("value"))
        case "is_not":
            return bool(value != condition.get("value"))
        case "is_set":
            return not _empty(value)
    return _empty(value)


def _value(action: Record, metadata: Record, deal: Record, now: datetime) -> Any:
    """What an action writes; None when it has nothing to start from."""
    if action["type"] == "constant":
        return action.get("value")
    start = now if action["type"] == "today_plus" else moment(_read(action.get("source_field_id", ""), deal, metadata))
    if start is None:
        return None
    off = {day for day, key in ((_SATURDAY, "skip_saturday"), (_SUNDAY, "skip_sunday")) if action.get(key)}
    try:
        due = _plus(start, action.get("amount", 0), action.get("unit", "days"))
        while due.weekday() in off:
            due += timedelta(days=1)
    except (OverflowError, ValueError):
        return None
    return due.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plus(start: datetime, amount: float, unit: str) -> datetime:
    return months_later(start, int(amount)) if unit == "months" else start + timedelta(**{unit: amount})
