"""Notices of bookings: reminders before, at the start, when late or absent, and invitations to book again."""

from __future__ import annotations

from ..checks import moment
from ..errors import ApiError
from ..mail import notify
from ..phones import to_e164
from ..store import Record
from ..texting import text_out
from ..world import World
from ..zones import clock_time, day_name, must_find
from . import slots

_TIMED = {"pre_meeting": -1, "meeting_start": 0}
"""When a notice goes out, in offsets from the start: before it, at it."""
_BOOK = "https://app.trustpager.com/book"


def manage_url(booking: Record, company_slug: str) -> str:
    return f"{_BOOK}/{company_slug}/manage/{booking['management_token']}"


def plan(world: World, booking: Record, event_type: Record) -> None:
    """Put the timed notices of a new booking on the clock; those whose time has passed are left out."""
    start = moment(booking["start_time"])
    assert start is not None
    for kind, sign in _TIMED.items():
        for notice in (event_type.get("booking_notifications") or {}).get(kind, []):
            at = start + sign * slots.minutes(notice, "offset_minutes")
            if at > world.clock.now():
                _keep(world, booking, kind, notice, at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def plan_rebooking(world: World, booking: Record, event_type: Record) -> int:
    """Put invitations to book again on the clock; how many."""
    notices = (event_type.get("booking_notifications") or {}).get("rebooking", [])
    for notice in notices:
        at = world.clock.now() + slots.minutes(notice, "offset_minutes")
        _keep(world, booking, "rebooking", notice, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return len(notices)


def _keep(world: World, booking: Record, kind: str, notice: Record, at: str) -> None:
    row = world.fresh({"booking_id": booking["id"], "kind": kind, "notice": notice, "send_at": at, "status": "pending"})
    world.store.add("booking_notice", [row])


def cancel(world: World, booking_id: str) -> int:
    """Drop what has not gone out yet; how many."""
    waiting = world.store.all("booking_notice", booking_id=booking_id, status="pending")
    for row in waiting:
        world.store.save("booking_notice", {**row, "status": "cancelled"})
    return len(waiting)


def send_all(world: World, booking: Record, event_type: Record, kind: str) -> int:
    """Send the notices of a kind now; how many messages went out."""
    return sum(
        _send(world, booking, event_type, notice) for notice in (event_type.get("booking_notifications") or {}).get(kind, [])
    )


def due(world: World) -> str | None:
    return min((row["send_at"] for row in world.store.all("booking_notice", status="pending")), default=None)


def run(world: World) -> None:
    """Send the notice whose time has come."""
    row = min(world.store.all("booking_notice", status="pending"), key=lambda r: (r["send_at"], r["id"]))
    booking = world.store.get("booking", row["booking_id"]) or {}
    event_type = world.store.get("scheduled_event_type", booking.get("event_type_id") or "")
    if event_type is not None:
        _send(world, booking, event_type, row["notice"])
    world.store.save("booking_notice", {**row, "status": "sent" if event_type else "cancelled"})


def _send(world: World, booking: Record, event_type: Record, notice: Record) -> int:
    words = _variables(world, booking, event_type)
    sent = 0
    for email, phone in _recipients(world, booking, notice["recipients"]):
        if "email" in notice["channels"] and email:
            subject = _filled(notice.get("email_subject") or "{event_type} on {date}", words)
            body = _filled(notice.get("email_body") or "Your appointment is on {date} at {time}.", words)
            links = {
                "deal_id": booking["deal_id"],
                "contact_id": booking["contact_id"] if email == booking["customer_email"] else None,
            }
            notify(world, "booking", email, subject, body, booking_id=booking["id"], label=notice.get("label"), **links)
            sent += 1
        if "sms" in notice["channels"] and phone:
            body = _filled(notice.get("sms_body") or "{event_type}: {date} at {time}.", words)
            sent += _text(world, phone, body)
    return sent


def _text(world: World, phone: str, body: str) -> int:
    """A text message in its conversation: 1, or 0 when the number has opted out or nothing can send it."""
    try:
        return int(text_out(world, to_e164(phone) or phone, body)["status"] != "suppressed")
    except ApiError:
        return 0


def _recipients(world: World, booking: Record, who: str) -> list[tuple[str | None, str | None]]:
    """Email and phone of each; a booker who opted out of texts gets none."""
    contact = world.store.get("contact", booking.get("contact_id") or "") or {}
    phone = None if contact.get("sms_unsubscribed") else booking["customer_phone"]
    booker = [(booking["customer_email"], phone)]
    attendees = [(a["email"], a.get("phone")) for a in booking["attendees"]]
    team = [(u["email"], u.get("phone")) for i in booking["assigned_user_ids"] if (u := world.store.get("user", i))]
    groups = {"booker": booker, "booker_and_attendees": [*booker, *attendees], "team": team}
    return groups.get(who, [*booker, *attendees, *team])


def _variables(world: World, booking: Record, event_type: Record) -> dict[str, str]:
    from ..company import setting

    start, end = moment(booking["start_time"]), moment(booking["end_time"])
    assert start is not None
    assert end is not None
    local = start.astimezone(must_find(booking["timezone"]))
    slug = str(setting(world.store, "company_slug"))
    return {
        "booker_name": booking["customer_name"], "event_type": event_type["name"], "date": day_name(local),
        "time": clock_time(local), "meet_link": booking["google_meet_link"] or "",
        "duration": f"{(end - start).total_seconds() / 60:.0f} minutes",
        "rebook_link": f"{_BOOK}/{slug}/{event_type['slug']}", "management_url": manage_url(booking, slug),
    }  # fmt: skip


def _filled(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text
