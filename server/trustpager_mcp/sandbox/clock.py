"""The workspace's clock: real time plus an offset that tests move."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

_Day = TypeVar("_Day", bound=date)


def months_later(day: _Day, months: int) -> _Day:
    """The same day of another month, or its last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))


class Clock:
    """`now()` is UTC; `advance` and `set` move it, `iso` formats it as the API does."""

    def __init__(self, now: str | None = None, offset: float = 0.0) -> None:
        self._offset = timedelta(seconds=offset)
        self._standing: datetime | None = None
        if now:
            self.set(now)

    @property
    def offset(self) -> float:
        """Seconds by which the clock is ahead of real time."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        return self._standing or datetime.now(UTC) + self._offset

    def iso(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def later(self, seconds: float) -> str:
        """The moment that many seconds from now, as the API writes it."""
        return (self.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def advance(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)

    def set(self, now: str) -> None:
        moment = datetime.fromisoformat(now)
        self._offset = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)

    @contextmanager
    def standing_at(self, moment: datetime) -> Iterator[None]:
        """Let the clock stand still at a moment: what a job does late is dated when it was due."""
        before, self._standing = self._standing, moment
        try:
            yield
        finally:
            self._standing = before
