"""What can be read out of a sentence by rules: names, quotes, addresses, dates, amounts."""

from __future__ import annotations

import re
from datetime import date, timedelta

from .phones import to_e164

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_PHONE = re.compile(r"\+?\d[\d ()-]{6,16}\d")
_QUOTED = re.compile(r"[\"“]([^\"”]{1,200})[\"”]|(?<!\w)'([^']{1,200})'(?!\w)")
_MONEY = re.compile(r"\$ ?(\d[\d,]*(?:\.\d{1,2})?)(k)?", re.IGNORECASE)
_NAMED = re.compile(r"(?:named|called|for|with|about|to|contact|company|deal|opportunity|find|is)\s+((?:[A-Z][\w'&-]*\s?){1,4})")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def email(text: str) -> str | None:
    """The first email address."""
    found = _EMAIL.search(text)
    return found[0] if found else None


def phone(text: str) -> str | None:
    """The first telephone number, in E.164."""
    found = _PHONE.search(_EMAIL.sub(" ", text))
    return to_e164(found[0]) if found else None


def quoted(text: str) -> str | None:
    """The first quoted passage."""
    found = _QUOTED.search(text)
    return (found[1] or found[2]).strip() if found else None


def amount(text: str) -> float | None:
    """The first sum of dollars; 12k is 12,000."""
    found = _MONEY.search(text)
    if not found:
        return None
    return float(found[1].replace(",", "")) * (1000 if found[2] else 1)


def name(text: str) -> str | None:
    """What is named: a quotation, or capitalised words after a word that announces a name."""
    if found := quoted(text):
        return found
    match = _NAMED.search(_EMAIL.sub(" ", text))
    return match[1].strip() if match else None


def due(text: str, today: date) -> str | None:
    """A day that is said: an ISO date, today, tomorrow, a weekday, in n days or weeks."""
    lower = text.lower()
    if found := re.search(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(found[0]).isoformat()
        except ValueError:
            return None
    if found := re.search(r"in (\d{1,3}) (day|week)s?", lower):
        return (today + timedelta(days=int(found[1]) * (7 if found[2] == "week" else 1))).isoformat()
    for word, days in (("today", 0), ("tomorrow", 1)):
        if word in lower:
            return (today + timedelta(days=days)).isoformat()
    for number, day in enumerate(_DAYS):
        if day in lower:
            return (today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)).isoformat()
    return None


def after(text: str, *announcing: str) -> str | None:
    """The rest of a sentence after one of the words, without what the other rules read."""
    match = re.search(rf"\b(?:{'|'.join(announcing)})\b[:,]?\s+(.+)", text, re.IGNORECASE | re.DOTALL)
    if not match:
        return None
    rest = re.split(r"\b(?:tomorrow|today|by|on|in \d+ (?:days?|weeks?))\b|[.;\n]", match[1])[0]
    return rest.strip(" ?!,") or None
