"""Making, calling off and closing bookings, and what each leaves in the CRM."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from ..automation import enrolment
from ..checks import moment
from ..company import setting
from ..engine import change
from ..errors import ApiError
from ..people import open_deals
from ..phones import is_evident_landline, to_e164
from ..store import Record
from ..world import World
from ..zones import clock_time, day_name, must_find
from . import notices, slots

_TOKEN_HOURS = 24


@dataclass(frozen=True)
class Booker:
    """Who books, and what is known of them."""

    name: str
    email: str
    timezone: str
    phone: str | None = None
    message: str | None = None
    company_name: str | None = None
    state: str | None = None
    crm_timezone: str | None = None
    attendees: list[Record] = field(default_factory=list)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def spoken(at: datetime, timezone: str) -> str:
    """A moment as one says it where the booker is."""
    local = at.astimezone(must_find(timezone))
    return f"{day_name(local)} at {clock_time(local)}"


def slot_view(at: datetime | None, timezone: str) -> Record | None:
    """A free slot as the answers show it."""
    if at is None:
        return None
    local = at.astimezone(must_find(timezone))
    return {"date": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}", "start_time": iso(at), "display": spoken(at, timezone)}


def unavailable(world: World, event_type: Record, start: datetime, timezone: str) -> ApiError:
    """409 SLOT_UNAVAILABLE with the nearest free slots."""
    before, after = (slot_view(at, timezone) for at in slots.nearest(world, event_type, start))
    near = " or ".join(slot["display"] for slot in (before, after) if slot)
    advice = f"free are {near}" if near else "nothing is free within a fortnight of it"
    details = {"requested": slot_view(start, timezone), "nearest_before": before, "nearest_after": after, "timezone": timezone}
    return ApiError(409, "SLOT_UNAVAILABLE", f"{spoken(start, timezone)} is not available; {advice}", details)


def book(world: World, event_type: Record, start: datetime, who: Booker, previous: Record | None = None) -> Record:
    """A new booking with its CRM records, invitations, reminders and enrolment.

    `previous` is the booking that this one replaces: its contact and opportunity stay. Raises SLOT_UNAVAILABLE.
    """
    if not slots.is_free(world, event_type, start):
        raise unavailable(world, event_type, start, who.timezone)
    end = start + slots.duration(event_type)
    contact = world.store.get("contact", (previous or {}).get("contact_id") or "") or _contact(world, event_type, who)
    company_id = (previous or {}).get("customer_id") or _company(world, contact, who)
    deal_id = previous["deal_id"] if previous else _deal(world, event_type, contact, company_id, start, who)
    booking = world.fresh(
        {
            "event_type_id": event_type["id"], "event_type_name": event_type["name"], "status": "confirmed",
            "start_time": iso(start), "end_time": iso(end), "timezone": who.timezone, "customer_name": who.name,
            "customer_email": who.email, "customer_phone": who.phone, "message": who.message, "attendees": who.attendees,
            "contact_id": contact["id"], "customer_id": company_id, "deal_id": deal_id,
            "assigned_user_ids": [u["id"] for u in slots.hosts(world, event_type)], "google_meet_link": None,
            "cancellation_reason": None, "cancelled_at": None, "notetaker_status": None,
            "management_token": str(uuid4()), "management_token_expires_at": iso(end + timedelta(hours=_TOKEN_HOURS)),
        }
    )  # fmt: skip
    if event_type.get("is_meeting"):
        booking["google_meet_link"] = _meet_link(booking["id"])
    world.store.add("booking", [booking])
    _invite(world, booking, event_type)
    notices.plan(world, booking, event_type)
    _enrol(world, booking, event_type, start)
    world.emit("booking_rescheduled" if previous else "booking_created", event_data(booking, previous))
    return booking


def event_data(booking: Record, previous: Record | None = None, **more: Any) -> Record:
    """What automations get to know of a booking."""
    start = moment(booking["start_time"])
    assert start is not None
    local = start.astimezone(must_find(booking["timezone"]))
    names = ("event_type_id", "event_type_name", "customer_name", "customer_email", "customer_phone", "start_time", "end_time",
             "google_meet_link", "contact_id", "deal_id", "customer_id", "message")  # fmt: skip
    before = {"previous_start_time": previous["start_time"]} if previous else {}
    kept = {k: booking[k] for k in names}
    return {"booking_id": booking["id"], **kept, "date": day_name(local), "time": clock_time(local), **before, **more}


def _meet_link(booking_id: str) -> str:
    letters = re.sub(r"[^a-z]", "", "".join(chr(97 + int(digit, 16)) for digit in booking_id.replace("-", "")))
    return f"https://meet.google.com/{letters[:3]}-{letters[3:7]}-{letters[7:10]}"


def _contact(world: World, event_type: Record, who: Booker) -> Record:
    """The person by email, then by phone, or a new contact; empty state and timezone are filled."""
    number = to_e164(who.phone) if who.phone else None
    found = next((c for c in world.store.all("contact") if (c.get("email") or "").lower() == who.email.lower()), None)
    if found is None and number:
        found = next((c for c in world.store.all("contact") if number in (c.get("phone"), c.get("landline"))), None)
    if found is None:
        first, _, last = who.name.strip().partition(" ")
        line = {"landline" if is_evident_landline(number) else "phone": number} if number else {}
        body = {"first_name": first, "last_name": last or None, "email": who.email, "source": _source(event_type), **line}
        made = world.run("create_contact", world.system, {}, {}, {k: v for k, v in body.items() if v is not None}).data
        found = world.store.get("contact", made["id"]) or made
    wanted = {"state": who.state, "timezone": who.crm_timezone or who.timezone}
    empty = {k: v for k, v in wanted.items() if v and not found.get(k)}
    return change(world, "contact", found, empty) if empty else found


def _source(event_type: Record) -> str:
    return str(event_type.get("booking_lead_source") or "booking")


def _company(world: World, contact: Record, who: Booker) -> str | None:
    """The booker's company, by name or new, linked to the contact; without a name the one that the contact has."""
    name = (who.company_name or "").strip()
    if not name:
        links = world.store.linked("employer", contact["id"])
        return links[0][0] if links else None
    found = next((c for c in world.store.all("company") if c["name"].lower() == name.lower()), None)
    company: Record = found or world.run("create_company", world.system, {}, {}, {"name": name}).data
    world.store.link("employer", contact["id"], company["id"])
    return str(company["id"])


def _deal(world: World, event_type: Record, contact: Record, company_id: str | None, start: datetime, who: Booker) -> str | None:
    """The opportunity by the event type's behaviour: a new one, the contact's open one as it is, or either.

    A matched one of update_or_create gets the tags, products and team members that it lacks.
    """
    behaviour = event_type.get("booking_deal_behavior") or "create"
    if behaviour != "create" and (known := open_deals(world.store, [contact["id"]])):
        if behaviour == "update_or_create":
            names = {str(t["name"]).lower() for t in known[0].get("tags") or []}
            new = [t for t in event_type.get("booking_default_tags") or [] if t["name"].lower() not in names]
            if new:
                change(world, "opportunity", known[0], {"tags": [*(known[0].get("tags") or []), *new]})
            _furnish(world, event_type, known[0]["id"])
        return str(known[0]["id"])
    if behaviour == "never_create" or event_type.get("booking_auto_create_deal") is False:
        return None
    return _new_deal(world, event_type, contact, company_id, start, who)


def _new_deal(world: World, event_type: Record, contact: Record, company_id: str | None, start: datetime, who: Booker) -> str:
    local = start.astimezone(must_find(who.timezone))
    name = event_type.get("booking_deal_name_template") or "{event_type} - {customer_name}"
    words = {"event_type": event_type["name"], "customer_name": who.name, "date": day_name(local), "time": clock_time(local)}
    for word, value in words.items():
        name = name.replace("{" + word + "}", value)
    record: Record = {
        "name": name, "contact_id": contact["id"], "lead_source": _source(event_type),
        "tags": event_type.get("booking_default_tags") or [], "notes": who.message,
    }  # fmt: skip
    record |= {"customer_id": company_id} if company_id else {}
    record |= _place(world, event_type)
    body = {"records": [{k: v for k, v in record.items() if v is not None}]}
    answer = world.run("bulk_create_opportunities", world.system, {}, {}, body).data
    if answer["errors"]:
        raise ApiError(400, "VALIDATION_ERROR", f"the opportunity could not be created: {answer['errors'][0]['message']}")
    deal_id = str(answer["created"][0]["id"])
    _furnish(world, event_type, deal_id)
    return deal_id


def _furnish(world: World, event_type: Record, deal_id: str) -> None:
    """The event type's products and hosts, where the opportunity does not have them."""
    there = {line["product_id"] for line in world.store.all("opportunity_product", opportunity_id=deal_id)}
    for product in event_type.get("booking_default_products") or []:
        if product["id"] not in there and world.store.get("product", product["id"]):
            line = {"product_id": product["id"], "quantity": product.get("quantity", 1)}
            world.run("add_opportunity_product", world.system, {"id": deal_id}, {}, line)
    team = {user_id for user_id, _ in world.store.linked("opportunity_user", deal_id)}
    for user in slots.hosts(world, event_type):
        if user["id"] not in team:
            world.store.link("opportunity_user", deal_id, user["id"])


def _place(world: World, event_type: Record) -> Record:
    """Pipeline and stage for the new opportunity; a pipeline's first stage where none is named."""
    pipeline_id, stage_id = event_type.get("booking_pipeline_id"), event_type.get("booking_stage_id")
    if pipeline_id and not stage_id:
        stages = sorted(world.store.all("stage", pipeline_id=pipeline_id), key=lambda s: s["position"])
        stage_id = stages[0]["id"] if stages else None
    stage = world.store.get("stage", stage_id or "")
    return {"pipeline_id": stage["pipeline_id"], "stage_id": stage["id"]} if stage else {}


def participants(booking: Record, host: Record) -> list[Record]:
    """Who was at a booking, as a transcript names them."""
    guest = {field: booking[f"customer_{field}"] for field in ("name", "email", "phone")}
    return [{"name": host["name"], "email": host["email"], "phone": None, "role": "host"}, {**guest, "role": "guest"}]


def _guests(world: World, booking: Record) -> list[str]:
    team = [u["email"] for i in booking["assigned_user_ids"] if (u := world.store.get("user", i))]
    return list(dict.fromkeys([booking["customer_email"], *(a["email"] for a in booking["attendees"]), *team]))


def _invite(world: World, booking: Record, event_type: Record) -> None:
    url = notices.manage_url(booking, str(setting(world.store, "company_slug")))
    text = "\n\n".join(filter(None, [event_type.get("description"), booking["message"], f"Change or cancel: {url}"]))
    for guest in _guests(world, booking):
        world.send(
            "calendar_invite", guest, subject=f"{event_type['name']}: {booking['customer_name']}", body=text,
            start_time=booking["start_time"], end_time=booking["end_time"], booking_id=booking["id"],
        )  # fmt: skip


def _enrol(world: World, booking: Record, event_type: Record, start: datetime) -> None:
    queue = world.store.get("auto_queue", event_type.get("event_queue_id") or "")
    if queue is not None:
        anchor = start - slots.minutes(event_type, "enrollment_offset_minutes")
        ids = {k: booking[k] for k in ("contact_id", "deal_id", "customer_id")}
        enrolment.enrol(world, queue, ids, anchor, event_data(booking))


def cancel(world: World, booking: Record, reason: str | None, *, quietly: bool = False) -> Record:
    """Call a booking off: everybody is told, and what was planned for it is dropped. Raises CONFLICT.

    `quietly` (a booking that another one replaces) fires no automation.
    """
    _must_be(booking, ("confirmed", "late"), "cancelled")
    changes = {"status": "cancelled", "cancellation_reason": reason, "cancelled_at": world.clock.iso(), "notetaker_status": None}
    cancelled = change(world, "booking", booking, changes)
    for guest in _guests(world, booking):
        world.send("calendar_cancellation", guest, subject=f"Cancelled: {booking['event_type_name']}", booking_id=booking["id"])
    notices.cancel(world, booking["id"])
    enrolment.cancel_of_booking(world, booking["id"])
    if not quietly:
        world.emit("booking_cancelled", event_data(cancelled, cancellation_reason=reason))
    return cancelled


def close(world: World, booking: Record, status: str) -> Record:
    """Mark a booking attended, late or no_show, with what each entails. Raises CONFLICT."""
    allowed = {"attended": ("confirmed", "late"), "late": ("confirmed",), "no_show": ("confirmed", "late")}
    _must_be(booking, allowed[status], status)
    closed = change(world, "booking", booking, {"status": status})
    event_type = world.store.get("scheduled_event_type", booking["event_type_id"] or "") or {}
    sent = 0
    if status != "late":
        notices.cancel(world, booking["id"])
    if status == "attended":
        _clear_next_action(world, booking)
    else:
        sent = notices.send_all(world, closed, event_type, status)
    reminders = notices.plan_rebooking(world, closed, event_type) if status == "no_show" else 0
    _log(world, closed, status)
    world.emit(f"booking_{status}", event_data(closed))
    return {**closed, "notifications_sent": sent, "rebooking_reminders": reminders}


def _must_be(booking: Record, allowed: tuple[str, ...], wanted: str) -> None:
    if booking["status"] not in allowed:
        raise ApiError(409, "CONFLICT", f"the booking is {booking['status']} and cannot become {wanted}")


def _clear_next_action(world: World, booking: Record) -> None:
    deal = world.store.get("opportunity", booking["deal_id"] or "")
    pending = {k: None for k, v in (deal or {}).items() if k.startswith("next_action") and v is not None}
    if deal and pending:
        change(world, "opportunity", deal, pending)


def _log(world: World, booking: Record, status: str) -> None:
    start = moment(booking["start_time"])
    assert start is not None
    who = ", ".join(filter(None, (booking["customer_email"], booking["customer_phone"])))
    team = [u["name"] for i in booking["assigned_user_ids"] if (u := world.store.get("user", i))]
    guests = [a.get("name") or a["email"] for a in booking["attendees"]]
    text = [
        f"{booking['customer_name']} ({who}), {spoken(start, booking['timezone'])}",
        f"With: {', '.join(team)}" if team else None,
        f"Attendees: {', '.join(guests)}" if guests else None,
        booking["message"] and f"Message: {booking['message']}",
        booking["google_meet_link"] and f"Meeting: {booking['google_meet_link']}",
    ]
    kinds = {"contact_id": "contact", "deal_id": "opportunity", "customer_id": "company"}
    links = {name: booking[name] for name, kind in kinds.items() if world.store.get(kind, booking[name] or "")}
    body = {"activity_type": "meeting", "subject": f"{booking['event_type_name']}: {status.replace('_', ' ')}", **links}
    world.run("create_activity", world.system, {}, {}, {**body, "description": "\n".join(filter(None, text))})
