"""The workspace's clock: real time plus an offset that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """`now()` is UTC; `advance` and `set` move it, `iso` formats it as the API does."""

    def __init__(self, now: str | None = None) -> None:
        self._offset = timedelta()
        if now:
            self.set(now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def iso(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def advance(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)

    def set(self, now: str) -> None:
        moment = datetime.fromisoformat(now)
        self._offset = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
