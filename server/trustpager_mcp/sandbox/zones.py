"""Time zones by IANA name, Australian city, state or abbreviation."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from .errors import invalid

DEFAULT = "Australia/Sydney"
# Summer time abbreviations and their standard twins both mean the place: its offset follows from the date.
_SHORT = {
    "Australia/Sydney": "nsw, new south wales, sydney, canberra, act, australian capital territory, aest, aedt, newcastle",
    "Australia/Melbourne": "vic, victoria, melbourne, geelong",
    "Australia/Brisbane": "qld, queensland, brisbane, gold coast, cairns",
    "Australia/Perth": "wa, western australia, perth, awst",
    "Australia/Adelaide": "sa, south australia, adelaide, acst, acdt",
    "Australia/Darwin": "nt, northern territory, darwin",
    "Australia/Hobart": "tas, tasmania, hobart",
    "UTC": "utc, gmt, z",
}
_BY_SHORT = {short.strip(): zone for zone, names in _SHORT.items() for short in names.split(",")}


@cache
def _by_lower_name() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _iana(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def find(text: str | None) -> ZoneInfo | None:
    """The zone that a name, city, state or abbreviation means; None when it means none."""
    if not text or not (wanted := text.strip()):
        return None
    if short := _BY_SHORT.get(wanted.lower()):
        return ZoneInfo(short)
    if exact := _iana(wanted):
        return exact
    # Listing all zones reads hundreds of files: only for a name that is not spelt as IANA does.
    known = _by_lower_name().get(wanted.lower().replace(" ", "_"))
    return _iana(known) if known else None


def must_find(text: str | None, field: str = "timezone", default: str = DEFAULT) -> ZoneInfo:
    """The zone that was named, or the default. Raises VALIDATION_ERROR."""
    zone = find(text or default)
    if zone is None:
        raise invalid(f"{field}: {text} is no time zone; give an IANA name such as Australia/Sydney", field=field)
    return zone


def must_be_iana(text: str | None, field: str = "timezone") -> ZoneInfo:
    """The zone of an IANA name. Raises VALIDATION_ERROR for anything else, abbreviations too."""
    zone = ZoneInfo(DEFAULT) if text is None else _iana(text)
    if zone is None:
        raise invalid(f"{field}: {text} is no IANA time zone, such as Australia/Sydney", field=field)
    return zone


def day_name(moment: datetime) -> str:
    """A date as one says it: Wednesday 1 April 2026."""
    return f"{moment:%A} {moment.day} {moment:%B %Y}"


def clock_time(moment: datetime) -> str:
    """A time as one says it: 9:30 AM."""
    return f"{moment.hour % 12 or 12}:{moment:%M %p}"
