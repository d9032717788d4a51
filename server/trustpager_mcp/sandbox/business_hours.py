"""When the company is open: its bookable hours, read in the zone of whoever is called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .company import setting
from .store import Record, Store
from .zones import find, must_find

WEEKDAYS = [{"day": day, "start": "09:00", "end": "17:00"} for day in range(1, 6)]
_LOOKED_AHEAD = 60


def availability(store: Store, user_id: str | None = None) -> Record:
    """The stored availability of a person, or the company's, or Monday to Friday from nine to five."""
    found = store.all("scheduling_availability", user_id=user_id)
    default = {"user_id": user_id, "weekly_hours": WEEKDAYS, "timezone": setting(store, "timezone"), "date_overrides": []}
    return {**default, **(found[0] if found else {})}


def has_own_availability(store: Store, user_id: str) -> bool:
    return bool(store.all("scheduling_availability", user_id=user_id))


def windows(hours: Record, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The open times of a date in UTC, by the weekly hours and what overrides them on that date."""
    overrides = [o for o in hours.get("date_overrides") or [] if o["date"] == day.isoformat()]
    if any(o["type"] == "blocked" for o in overrides):
        return []
    weekly = [h for h in hours["weekly_hours"] if h["day"] == day.isoweekday() % 7]
    chosen = [o for o in overrides if o.get("start") and o.get("end")] or weekly
    spans = [(_at(day, h["start"], zone), _at(day, h["end"], zone)) for h in chosen]
    return sorted((start, end) for start, end in spans if start < end)


def _at(day: date, wall: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(wall), zone).astimezone(UTC)


def next_open(store: Store, moment: datetime, timezone: str | None) -> datetime:
    """The moment itself when the company is open then, else the start of the next open time."""
    zone = find(timezone) or must_find(setting(store, "timezone"))
    return next((max(start, moment) for start, end in _upcoming(availability(store), moment, zone) if end > moment), moment)


def _upcoming(hours: Record, moment: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    first = moment.astimezone(zone).date()
    for offset in range(_LOOKED_AHEAD):
        yield from windows(hours, first + timedelta(days=offset), zone)
