"""Moments of the API in the workspace's zone, with their offset; without a zone they stay in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")


@lru_cache(maxsize=16)
def zone_named(name: str) -> tzinfo:
    """The IANA zone. Raises ValueError when there is none of that name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"{name!r} is no IANA time zone like Australia/Sydney") from None


def moment(value: Any, zone: str | None, *, to_minutes: bool = False) -> Any:
    """An ISO moment that names its offset, shortened and in `zone`; anything else as it is."""
    if not isinstance(value, str) or not 16 < len(value) < 36 or value[4] != "-" or not MOMENT.fullmatch(value):
        return value
    precision = "minutes" if to_minutes else "seconds"
    if zone is None and value.endswith(("Z", "+00:00")) and value[16] == ":":
        return value[: 16 if to_minutes else 19].replace("T", " ") + "Z"
    try:
        when = datetime.fromisoformat(value).astimezone(zone_named(zone) if zone else UTC)
    except (ValueError, OverflowError):
        return value
    text = when.isoformat(sep=" ", timespec=precision)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
