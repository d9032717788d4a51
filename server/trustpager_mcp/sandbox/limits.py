"""How many requests a caller may send in a minute."""

from __future__ import annotations

import math
from datetime import datetime

from .errors import ApiError

_MINUTE = 60.0


class RateLimit:
    """Counts each caller's requests in windows of a minute, by the workspace's clock; no limit while `per_minute` is None."""

    def __init__(self, per_minute: int | None = None) -> None:
        self._default = self.per_minute = per_minute
        self._windows: dict[str, tuple[float, int]] = {}

    def reset(self) -> None:
        """The limit that the sandbox was started with, and nothing counted yet."""
        self.set(self._default)

    def set(self, per_minute: int | None) -> None:
        """Another limit, with nothing counted yet."""
        self.per_minute = per_minute
        self._windows.clear()

    def take(self, caller: str, now: datetime) -> dict[str, str]:
        """Count one request; the headers that tell what is left. Raises 429 RATE_LIMITED with Retry-After."""
        if self.per_minute is None:
            return {}
        at = now.timestamp()
        start, count = self._windows.get(caller, (at, 0))
        if not start <= at < start + _MINUTE:
            start, count = at, 0
        wait = max(1, math.ceil(start + _MINUTE - at))
        headers = {"x-ratelimit-limit": str(self.per_minute), "x-ratelimit-reset": str(wait)}
        if count >= self.per_minute:
            message = f"more than {self.per_minute} requests in a minute; try again in {wait} s"
            headers |= {"x-ratelimit-remaining": "0", "retry-after": str(wait)}
            raise ApiError(429, "RATE_LIMITED", message, {"retry_after": wait}, headers)
        self._windows[caller] = (start, count + 1)
        return {**headers, "x-ratelimit-remaining": str(self.per_minute - count - 1)}
