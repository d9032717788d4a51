"""Cron expressions in time zones: what they mean, and when they come next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from .errors import invalid


def fire_times(expression: str, zone: ZoneInfo, after: datetime, field: str = "cron_expression") -> Iterator[datetime]:
    """The moments after `after`, in UTC.

    Wall-clock time counts: where summer time skips a daily hour it comes right after the gap, and where the hour
    repeats it comes once (as Debian's cron does). Raises VALIDATION_ERROR, for the named field, when it means nothing.
    """
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != 5:
        raise invalid(f"{field} needs five fields: minute hour day-of-month month day-of-week", field=field)
    try:
        times = CronSim(expression.strip(), after.astimezone(zone))
    except CronSimError as error:
        raise invalid(f"{field} is not valid: {error}", field=field) from None
    return (moment.astimezone(UTC) for moment in times)


def next_fires(expression: str, zone: ZoneInfo, after: datetime, count: int = 1) -> list[datetime]:
    """The next `count` moments; fewer where the expression ends (30 February never comes). Raises VALIDATION_ERROR."""
    return list(islice(fire_times(expression, zone, after), count))


def from_structure(time_of_day: str, days_of_week: list[int] | None) -> str:
    """The expression of a time of day on some days of the week (0 is Sunday), or on all."""
    hour, minute = time_of_day.split(":")
    days = ",".join(str(day) for day in sorted(set(days_of_week or []))) or "*"
    return f"{int(minute)} {int(hour)} * * {days}"
