"""Free appointment times: working hours of every host, less what is taken, with buffers, notice and horizon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..business_hours import availability, has_own_availability, windows
from ..checks import moment
from ..store import Record
from ..world import World
from ..zones import must_find

DURATION, INTERVAL, HORIZON_DAYS = 30, 30, 60
_LOOKED_UP, _MOST_DAYS = 7, 36_500
TAKING = ("confirmed", "late", "attended")
"""The statuses of bookings that take up time."""
Span = tuple[datetime, datetime]


def minutes(rules: Record, name: str, default: int = 0) -> timedelta:
    """A field of an event type or notice, from nothing to a hundred years."""
    value = rules.get(name)
    return timedelta(minutes=max(0, min(default if value is None else value, _MOST_DAYS * 24 * 60)))


def duration(event_type: Record) -> timedelta:
    return minutes(event_type, "default_duration_minutes", DURATION)


def hosts(world: World, event_type: Record) -> list[Record]:
    """The team members who hold the appointment; none means the company as a whole."""
    found = (world.store.get("user", user_id) for user_id in event_type.get("booking_assigned_user_ids") or [])
    return [user for user in found if user]


def home_zone(world: World, event_type: Record) -> ZoneInfo:
    """The zone of the event type's working hours."""
    return must_find(_hours(world, event_type)[0]["timezone"])


def _hours(world: World, event_type: Record) -> list[Record]:
    """The working hours that all must allow: each host's own, or the company's."""
    own = [availability(world.store, u["id"]) for u in hosts(world, event_type) if has_own_availability(world.store, u["id"])]
    everyone_has_own = len(own) == len(hosts(world, event_type)) > 0
    return own if everyone_has_own else [*own, availability(world.store)]


def free(world: World, event_type: Record, first: date, last: date, zone: ZoneInfo) -> list[datetime]:
    """The starts of free slots, in UTC, from the first to the last date as the zone has them."""
    begin = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    earliest, latest = _bookable(world, event_type)
    taken = _taken(world, event_type)
    chosen = {
        start
        for start in _candidates(world, event_type, begin, end)
        if begin <= start < end and earliest <= start <= latest and not _clashes(event_type, start, taken)
    }
    return sorted(chosen)


def _candidates(world: World, event_type: Record, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Starts on the grid of the first hours that lie within everyone's hours."""
    every = _hours(world, event_type)
    length, step = duration(event_type), minutes(event_type, "slot_interval_minutes", INTERVAL)
    spans = [[*_spans(hours, begin, end)] for hours in every]
    for opens, closes in spans[0]:
        start = opens
        while start + length <= closes:
            if all(any(o <= start and start + length <= c for o, c in others) for others in spans[1:]):
                yield start
            start += step


def _spans(hours: Record, begin: datetime, end: datetime) -> Iterator[Span]:
    zone = must_find(hours["timezone"])
    day = begin.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        yield from windows(hours, day, zone)
        day += timedelta(days=1)


def _taken(world: World, event_type: Record) -> list[tuple[Span, timedelta, timedelta]]:
    """What is booked, with the buffers it needs itself, and what the hosts' calendars hold besides."""
    store = world.store
    mine = {u["id"] for u in hosts(world, event_type)}
    spans: list[tuple[Span, timedelta, timedelta]] = []
    for status in TAKING:
        for booking in store.all("booking", status=status):
            theirs = set(booking["assigned_user_ids"])
            if not mine or not theirs or mine & theirs:
                own = store.get("scheduled_event_type", booking["event_type_id"] or "") or {}
                buffers = minutes(own, "buffer_before_minutes"), minutes(own, "buffer_after_minutes")
                spans.append((_span(booking), *buffers))
    events = (e for user_id in mine for e in store.all("calendar_event", user_id=user_id))
    return [*spans, *((_span(e), timedelta(), timedelta()) for e in events)]


def _span(record: Record) -> Span:
    start, end = moment(record["start_time"]), moment(record["end_time"])
    assert start is not None
    assert end is not None
    return start, end


def _clashes(event_type: Record, start: datetime, taken: list[tuple[Span, timedelta, timedelta]]) -> bool:
    """Whether the slot, with its own buffers or with theirs, meets something that is taken."""
    end = start + duration(event_type)
    before, after = minutes(event_type, "buffer_before_minutes"), minutes(event_type, "buffer_after_minutes")
    return any(
        start - max(before, their_after) < their_end and end + max(after, their_before) > their_start
        for (their_start, their_end), their_before, their_after in taken
    )


def is_free(world: World, event_type: Record, start: datetime) -> bool:
    zone = home_zone(world, event_type)
    day = start.astimezone(zone).date()
    return start in free(world, event_type, day, day, zone)


def nearest(world: World, event_type: Record, start: datetime) -> tuple[datetime | None, datetime | None]:
    """The last free slot before a moment and the first after it, as far as the notice and the horizon reach."""
    zone = home_zone(world, event_type)
    first, last = (at.astimezone(zone).date() for at in _bookable(world, event_type))
    day = min(max(start.astimezone(zone).date(), first), last)
    before = next((s for s in _stepwise(world, event_type, day, first, -1, zone) if s < start), None)
    return before, next((s for s in _stepwise(world, event_type, day, last, 1, zone) if s > start), None)


def _stepwise(world: World, event_type: Record, day: date, end: date, sign: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Free slots from a day on towards another one, looked up a week at a time, for a year at most."""
    year = day + sign * timedelta(days=366)
    end = min(end, year) if sign > 0 else max(end, year)
    while (end - day).days * sign >= 0:
        other = min(day + timedelta(days=_LOOKED_UP - 1), end) if sign > 0 else max(day - timedelta(days=_LOOKED_UP - 1), end)
        found = free(world, event_type, min(day, other), max(day, other), zone)
        yield from found[::sign]
        day = other + timedelta(days=sign)


def _bookable(world: World, event_type: Record) -> tuple[datetime, datetime]:
    """The first and the last moment at which a booking may begin: the notice and the horizon."""
    now, horizon = world.clock.now(), event_type.get("max_advance_days")
    notice = timedelta(hours=min(event_type.get("min_notice_hours") or 0, _MOST_DAYS * 24))
    return now + notice, now + timedelta(days=min(HORIZON_DAYS if horizon is None else horizon, _MOST_DAYS))
