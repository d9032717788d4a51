"""What callers say of days and times, as voice agents pass it on."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PARTS = {"morning": (0, 12), "afternoon": (12, 17), "evening": (17, 24), "lunch": (11, 14), "midday": (11, 14), "noon": (11, 14)}
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(am|pm)?")
_ANY_DAYS = 14
_ABOUT = timedelta(minutes=60)


def days(text: str | None, today: date) -> tuple[date, date]:
    """The first and last day that the words mean; what is not understood means as soon as possible."""
    words = (text or "asap").strip().lower()
    if found := re.search(r"\d{4}-\d{2}-\d{2}", words):
        return _dated(found[0], today)
    if "day after tomorrow" in words:
        return _only(today + timedelta(days=2))
    if "tomorrow" in words:
        return _only(today + timedelta(days=1))
    if "today" in words:
        return _only(today)
    monday = today - timedelta(days=today.weekday())
    if "next week" in words:
        return monday + timedelta(days=7), monday + timedelta(days=13)
    if "this week" in words:
        return today, monday + timedelta(days=6)
    for number, name in enumerate(_WEEKDAYS):
        if name in words or re.search(rf"\b{name[:3]}\b", words):
            day = _next_weekday(number, today)
            # "next Friday", said on a Wednesday, is the one of the week after.
            same_week = day - timedelta(days=day.weekday()) == monday
            return _only(day + timedelta(days=7 if "next" in words and same_week else 0))
    return today, today + timedelta(days=_ANY_DAYS)


def _dated(text: str, today: date) -> tuple[date, date]:
    """A date; one that has passed means the next such weekday."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today, today + timedelta(days=_ANY_DAYS)
    if day.year > today.year + 2:
        return today, today + timedelta(days=_ANY_DAYS)
    return _only(day if day >= today else _next_weekday(day.weekday(), today))


def _only(day: date) -> tuple[date, date]:
    return day, day


def _next_weekday(number: int, today: date) -> date:
    return today + timedelta(days=(number - today.weekday()) % 7)


def _within(first: int, last: int, at: datetime) -> bool:
    return first <= at.hour < last


def time_test(text: str | None) -> Callable[[datetime], bool]:
    """Whether a local time suits what was said: a part of the day, about an hour, or anything."""
    words = (text or "").strip().lower()
    for name, (first, last) in _PARTS.items():
        if name in words:
            return partial(_within, first, last)
    found = _CLOCK.search(words)
    if found is None:
        return lambda _: True
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        hour = hour % 12 + (12 if found[3] == "pm" else 0)
    elif found[2] is None and 1 <= hour <= 6:
        hour += 12  # "around 2" is said of the afternoon
    if hour > 23 or minute > 59:
        return lambda _: True
    wanted = timedelta(hours=hour, minutes=minute)
    return lambda at: abs(timedelta(hours=at.hour, minutes=at.minute) - wanted) <= _ABOUT
