"""Booking by telephone: text that a voice agent reads out. A failure says so in its first words, with status 200."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .. import zones
from ..checks import is_email, is_uuid, moment
from ..engine import Answer, Call, Handler
from ..errors import ApiError
from ..phones import to_e164
from ..scheduling import bookings, slots, spoken
from ..scheduling.bookings import Booker
from ..store import Record

_BOOKING = "**BOOKING FAILED - NOTHING WAS BOOKED. DO NOT TELL THE CALLER THAT THE APPOINTMENT IS CONFIRMED.**"
_CANCELLATION, _RESCHEDULING = "BOOKING CANCELLATION FAILED:", "RESCHEDULE FAILED:"
_SLOT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
_MOST_DAYS, _MOST_A_DAY = 4, 8


class _Failed(Exception):
    """Why the caller's wish was not fulfilled, for the agent."""


def _text(prefix: str, act: Callable[[Call], str]) -> Handler:
    """An endpoint that always answers 200: its failures begin with the prefix."""

    def handler(call: Call) -> Answer:
        try:
            return Answer(text=act(call))
        except _Failed as reason:
            return Answer(text=f"{prefix} {reason}".strip())

    return handler


def _args(call: Call) -> Record:
    """The arguments, which a voice platform wraps as {"call", "name", "args"}; empty texts count as left out."""
    args = call.body.get("args")
    given = args if isinstance(args, dict) else call.body
    return {k: v.strip() if isinstance(v, str) else v for k, v in given.items() if v not in (None, "")}


def _envelope(call: Call) -> Record:
    envelope = call.body.get("call")
    return envelope if isinstance(envelope, dict) else {}


def _must_have(args: Record, *names: str) -> None:
    for name in names:
        value = args.get(name)
        if value is None:
            raise _Failed(f"{name} is missing. Ask the caller for it and call this tool again.")
        if not isinstance(value, str):
            raise _Failed(f"{name} must be text.")
    for name, value in args.items():
        if isinstance(value, str) and re.search(r"\{\{.*?\}\}", value):
            raise _Failed(
                f"{name} holds the template variable {value[:60]} instead of a value. Fix: send what the caller said, "
                "or define the variable in the agent's settings."
            )


def _zone(call: Call, args: Record, default: ZoneInfo) -> ZoneInfo:
    """The caller's zone: by the state, the timezone where no state is known, or the call's own variables."""
    said = _envelope(call).get("retell_llm_dynamic_variables")
    variables = said if isinstance(said, dict) else {}
    named = (args.get("state"), args.get("timezone"), variables.get("state"), variables.get("timezone"))
    return next((zone for name in named if isinstance(name, str) and (zone := zones.find(name))), default)


def _event_type(call: Call) -> Record:
    wanted = call.ids["event_type_id"]
    found = call.store.get("scheduled_event_type", wanted) if is_uuid(wanted) else None
    if found is None or not found["is_active"]:
        raise _Failed(f"there is no active event type {wanted[:40]}. Check the URL of this tool.")
    return found


def _header(call: Call, event_type: Record, zone: ZoneInfo) -> list[str]:
    names = ", ".join(u["name"] for u in slots.hosts(call.world, event_type))
    lines = [
        f"EVENT: {event_type['name']}",
        f"DURATION: {slots.duration(event_type).total_seconds() / 60:.0f} minutes",
        names and f"WITH: {names}",
        event_type.get("description") and f"ABOUT: {event_type['description']}",
        f"TIMES ARE IN: {zone.key}",
    ]
    return [line for line in lines if line]


def _slots(call: Call) -> str:
    args, event_type = _args(call), _event_type(call)
    _must_have(args)
    zone = _zone(call, args, ZoneInfo(zones.DEFAULT))
    today = call.clock.now().astimezone(zone).date()
    first, last = spoken.days(str(args.get("preferred_day") or "asap"), today)
    suits = spoken.time_test(str(args.get("preferred_time") or ""))
    found = slots.free(call.world, event_type, first, last, zone)
    chosen = [at for at in found if suits(at.astimezone(zone))]
    note = None
    if not chosen:
        note = "Nothing is free at the preferred day and time. The nearest free times are:"
        chosen = found or slots.free(call.world, event_type, first, first + timedelta(days=14), zone)
    if not chosen:
        return "\n".join([*_header(call, event_type, zone), "", "No times are free in the next two weeks. Offer a call back."])
    return "\n".join([*_header(call, event_type, zone), *filter(None, ["", note]), *_listing(chosen, zone)])


def _listing(found: list[datetime], zone: ZoneInfo) -> list[str]:
    """The first days with their first times, each with the key that booking takes."""
    days: dict[str, list[str]] = {}
    for at in found:
        local = at.astimezone(zone)
        line = f'- {zones.clock_time(local)} (slot:"{local:%Y-%m-%d %H:%M}")'
        days.setdefault(zones.day_name(local), []).append(line)
    shown = list(days.items())[:_MOST_DAYS]
    return [line for day, times in shown for line in ("", f"{day}:", *times[:_MOST_A_DAY])]


def _moment(args: Record, name: str, zone: ZoneInfo) -> datetime:
    text = args[name]
    if not _SLOT.fullmatch(text):
        raise _Failed(f'{name} is "{text[:40]}"; it must be a slot as the slots tool gives it, like "2026-04-28 10:45".')
    try:
        local = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone)
        at = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Failed(f'{name} "{text}" is no date and time of the calendar.') from None
    if not 2000 <= at.year <= 2100:
        raise _Failed(f'{name} "{text}" is too far away.')
    return at


def _no_slot(error: ApiError) -> _Failed:
    details = error.details or {}
    near = [s for s in (details.get("nearest_before"), details.get("nearest_after")) if s] if isinstance(details, dict) else []
    offer = " or ".join(f'{s["display"]} (slot:"{s["date"]} {s["time"]}")' for s in near)
    advice = f"Offer the caller {offer}." if offer else "Fetch the slots again and offer another day."
    return _Failed(f"That time is no longer free. {advice}")


def _book(call: Call) -> str:
    args, event_type = _args(call), _event_type(call)
    _must_have(args, "slot", "name", "email")
    if not is_email(args["email"]):
        raise _Failed(f'"{args["email"][:60]}" is no complete email address. Ask the caller to spell it.')
    zone = _zone(call, args, ZoneInfo(zones.DEFAULT))
    start = _moment(args, "slot", zone)
    phone = _caller(call, args)
    who = Booker(
        name=args["name"], email=args["email"], timezone=zone.key, phone=phone, message=_string(args.get("notes")),
        state=_string(args.get("state")),
    )  # fmt: skip
    try:
        with call.store.attempt():
            booking = bookings.book(call.world, event_type, start, who)
    except ApiError as error:
        raise _no_slot(error) if error.code == "SLOT_UNAVAILABLE" else _Failed(error.message) from None
    return _confirmation(call, booking, event_type, "is booked")


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _confirmation(call: Call, booking: Record, event_type: Record, done: str) -> str:
    start, end = moment(booking["start_time"]), moment(booking["end_time"])
    assert start is not None
    assert end is not None
    local_end = end.astimezone(ZoneInfo(booking["timezone"]))
    names = " and ".join(u["name"] for u in slots.hosts(call.world, event_type))
    length = f"{(end - start).total_seconds() / 60:.0f} minutes"
    parts = [
        f"{event_type['name']} ({length}) {done} for {booking['customer_name']} on {bookings.spoken(start, booking['timezone'])}"
        f" until {zones.clock_time(local_end)}, {booking['timezone']} time.",
        names and f"It is with {names}.",
        event_type.get("description"),
        booking["google_meet_link"] and f"Google Meet link: {booking['google_meet_link']}.",
        f"A confirmation goes to {booking['customer_email']}.",
        f"Booking ID: {booking['id']}",
    ]
    return " ".join(part for part in parts if part)


def _caller(call: Call, args: Record) -> str | None:
    """The caller's number: as given, else the other end of the call."""
    envelope = _envelope(call)
    other = envelope.get("to_number" if envelope.get("direction") == "outbound" else "from_number")
    return next((n for n in (args.get("phone"), other) if isinstance(n, str) and n.strip()), None)


def _upcoming(call: Call, args: Record) -> list[Record]:
    """The caller's confirmed bookings to come, the next one first."""
    number = _caller(call, args)
    if number is None:
        raise _Failed("no phone number is known. Ask the caller for the number the booking was made with.")
    wanted = to_e164(number)
    if wanted is None:
        raise _Failed(f"{number[:40]} is no phone number.")
    contacts = {c["id"] for c in call.store.all("contact") if wanted in (c.get("phone"), c.get("landline"))}
    now = bookings.iso(call.clock.now())
    found = [
        b
        for b in call.store.all("booking", status="confirmed")
        if b["start_time"] > now and (b["contact_id"] in contacts or to_e164(b["customer_phone"] or "") == wanted)
    ]
    if not found:
        raise _Failed("no upcoming booking belongs to this phone number. Ask whether it was made with another one.")
    return sorted(found, key=lambda b: (b["start_time"], b["id"]))


def _chosen(found: list[Record], selector: Any) -> Record | None:
    """The booking that a number in the list, the beginning of an id or a part of the name means; None: ask."""
    if selector is None:
        return found[0] if len(found) == 1 else None
    text = str(selector).strip().lower()
    if re.fullmatch(r"\d{1,2}", text):
        if not 1 <= int(text) <= len(found):
            raise _Failed(f"there is no number {text} in the list of {len(found)}. Read it out again:\n{_numbered(found)}")
        return found[int(text) - 1]
    matching = [b for b in found if b["id"].startswith(text)] if re.fullmatch(r"[0-9a-f-]{6,36}", text) else []
    matching = matching or [b for b in found if text and text in b["event_type_name"].lower()]
    if not matching:
        raise _Failed(f'no upcoming booking matches "{str(selector)[:40]}". There are:\n{_numbered(found)}')
    return matching[0] if len(matching) == 1 else None


def _numbered(found: list[Record]) -> str:
    lines = []
    for number, booking in enumerate(found, 1):
        start = moment(booking["start_time"])
        assert start is not None
        lines.append(f"{number}. {booking['event_type_name']} on {bookings.spoken(start, booking['timezone'])}")
    return "\n".join(lines)


def _ask(found: list[Record], what: str) -> str:
    return (
        f"The caller has {len(found)} upcoming bookings. Nothing has been {what} yet. Ask which one, then call this tool again "
        f"with booking_selector set to its number:\n{_numbered(found)}"
    )


def _cancel(call: Call) -> str:
    args = _args(call)
    _must_have(args)
    found = _upcoming(call, args)
    booking = _chosen(found, args.get("booking_selector"))
    if booking is None:
        return _ask(found, "cancelled")
    bookings.cancel(call.world, booking, _string(args.get("reason")))
    start = moment(booking["start_time"])
    assert start is not None
    said = bookings.spoken(start, booking["timezone"])
    return f"The {booking['event_type_name']} on {said} is cancelled. Booking ID: {booking['id']}"


def _reschedule(call: Call) -> str:
    """The new booking comes first; both stand or fall together, because a request is one transaction."""
    args = _args(call)
    _must_have(args, "new_slot")
    found = _upcoming(call, args)
    booking = _chosen(found, args.get("booking_selector"))
    if booking is None:
        return _ask(found, "moved")
    event_type = call.store.get("scheduled_event_type", booking["event_type_id"] or "")
    if event_type is None:
        raise _Failed("the kind of appointment no longer exists. Offer a new booking instead.")
    zone = _zone(call, args, slots.home_zone(call.world, event_type))
    who = Booker(
        name=booking["customer_name"], email=booking["customer_email"], timezone=zone.key, phone=booking["customer_phone"],
        message=booking["message"], attendees=booking["attendees"],
    )  # fmt: skip
    try:
        with call.store.attempt():
            made = bookings.book(call.world, event_type, _moment(args, "new_slot", zone), who, previous=booking)
    except ApiError as error:
        raise _no_slot(error) if error.code == "SLOT_UNAVAILABLE" else _Failed(error.message) from None
    bookings.cancel(call.world, booking, f"Rescheduled to {made['id']}", quietly=True)
    return _confirmation(call, made, event_type, "is moved and now booked")


HANDLERS: dict[str, Handler] = {
    "get_voice_slots": _text("NO SLOTS:", _slots),
    "book_voice_slot": _text(_BOOKING, _book),
    "cancel_voice_booking": _text(_CANCELLATION, _cancel),
    "reschedule_voice_booking": _text(_RESCHEDULING, _reschedule),
}
