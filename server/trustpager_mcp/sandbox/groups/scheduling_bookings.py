"""Bookings: free slots, booking one, attendance, and the notetaker that listens in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ..business_hours import windows
from ..checks import moment
from ..company import setting
from ..engine import Answer, Call, Handler, page
from ..errors import ApiError, invalid
from ..scheduling import bookings, notices, slots
from ..scheduling.bookings import Booker
from ..seed import Seeder
from ..store import Record
from ..trigram import best_similarity
from ..world import Job, World
from ..zones import clock_time, day_name, must_find

_MOST_DAYS, _USUAL_DAYS = 30, 14
_YEARS = (2000, 2100)
_LEAST_SIMILAR = 0.3
_NOTETAKER_CREDITS = 23
_TOKEN = ("management_token", "management_token_expires_at")


def _view(call: Call, booking: Record, with_token: bool = True) -> Record:
    """A booking with the name that its event type has now; one whose event type is gone keeps the last name."""
    start = moment(booking["start_time"])
    assert start is not None
    event_type = call.store.get("scheduled_event_type", booking["event_type_id"] or "")
    name = event_type["name"] if event_type else booking["event_type_name"]
    shown = {**booking, "event_type_name": name, "display_time": bookings.spoken(start, booking["timezone"])}
    return shown if with_token else {k: v for k, v in shown.items() if k not in _TOKEN}


def _list(call: Call) -> Answer:
    """By start time, the earliest first."""
    q = call.query
    zone = must_find(setting(call.store, "timezone"))
    rows = call.store.numbered("booking", **{k: q[k] for k in ("status", "event_type_id") if k in q})
    rows = [(n, b) for n, b in rows if q.get("date_from", "") <= _day(b, zone) <= q.get("date_to", "9999")]
    return page(call, rows, lambda b: _view(call, b), order=lambda sequence, booking: (booking["start_time"], sequence))


def _day(booking: Record, zone: ZoneInfo) -> str:
    start = moment(booking["start_time"])
    return f"{start.astimezone(zone):%Y-%m-%d}" if start else ""


def _event_type(call: Call) -> Record:
    """The event type by id, slug or roughly its name. Raises NOT_FOUND, naming those there are."""
    body, found = call.body, None
    active = [t for t in reversed(call.store.all("scheduled_event_type")) if t["is_active"]]
    if "event_type_id" in body:
        found = call.must("scheduled_event_type", body["event_type_id"], "event type")
        if not found["is_active"]:
            raise invalid(f"the event type {found['name']} is not active", field="event_type_id")
    elif "event_type_slug" in body:
        found = next((t for t in active if t["slug"] == body["event_type_slug"]), None)
    else:
        ranked = sorted(active, key=lambda t: -best_similarity(body["event_type_name"], t["name"]))
        found = ranked[0] if ranked and best_similarity(body["event_type_name"], ranked[0]["name"]) >= _LEAST_SIMILAR else None
    if found is None:
        wanted = body.get("event_type_slug") or body.get("event_type_name")
        known = [{"id": t["id"], "name": t["name"], "slug": t["slug"]} for t in active]
        names = ", ".join(t["name"] for t in active)
        raise ApiError(404, "NOT_FOUND", f"no event type is called {wanted}; there are {names}", {"event_types": known})
    return found


def _date(text: str, field: str) -> date:
    day = date.fromisoformat(text)
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise invalid(f"{field} must be in the years {_YEARS[0]} to {_YEARS[1]}", field=field)
    return day


def _start(body: Record, zone: ZoneInfo) -> datetime:
    """The date and time of the body, which are wall-clock time in the zone. Raises VALIDATION_ERROR."""
    _date(body["date"], "date")
    return datetime.fromisoformat(f"{body['date']}T{body['time']}:00").replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))


def _create(call: Call) -> Answer:
    body, event_type = call.body, _event_type(call)
    zone = must_find(body.get("timezone"))
    if not body["fullName"].strip():
        raise invalid("fullName must not be empty", field="fullName")
    who = Booker(
        name=body["fullName"].strip(), email=body["email"].strip(), timezone=zone.key, phone=body.get("phone"),
        message=body.get("message"), company_name=body.get("company_name"), state=body.get("booker_state"),
        crm_timezone=must_find(body.get("booker_timezone"), "booker_timezone", zone.key).key,
        attendees=body.get("attendees") or [],
    )  # fmt: skip
    start = _start(body, zone)
    booking = bookings.book(call.world, event_type, start, who)
    confirmation = event_type.get("booking_confirmation_message")
    message = confirmation or f"{event_type['name']} is booked for {bookings.spoken(start, zone.key)}."
    return Answer({**_view(call, booking, with_token=False), "message": message}, status=201)


def _check(call: Call) -> Answer:
    event_type, zone = _event_type(call), must_find(call.body.get("timezone"))
    start = _start(call.body, zone)
    is_free = slots.is_free(call.world, event_type, start)
    before, after = (bookings.slot_view(at, zone.key) for at in slots.nearest(call.world, event_type, start))
    said = bookings.spoken(start, zone.key)
    return Answer(
        {
            "available": is_free, "event_type": _brief(event_type), "timezone": zone.key,
            "requested": bookings.slot_view(start, zone.key), "nearest_before": before, "nearest_after": after,
            "message": f"{said} is {'available' if is_free else 'not available'}.",
        }
    )  # fmt: skip


def _brief(event_type: Record) -> Record:
    return {k: event_type[k] for k in ("id", "name", "slug", "default_duration_minutes")}


def _slots(call: Call) -> Answer:
    event_type, zone = _event_type(call), must_find(call.body.get("timezone"))
    today = call.clock.now().astimezone(zone).date()
    first = _date(call.body["date_from"], "date_from") if "date_from" in call.body else today
    last = _date(call.body["date_to"], "date_to") if "date_to" in call.body else first + timedelta(days=_USUAL_DAYS)
    if last < first:
        raise invalid("date_to must not be before date_from", field="date_to")
    if (last - first).days > _MOST_DAYS:
        raise invalid(f"a range holds at most {_MOST_DAYS} days", field="date_to")
    days: dict[str, Record] = {}
    for start in slots.free(call.world, event_type, first, last, zone):
        local, end = start.astimezone(zone), start + slots.duration(event_type)
        day = days.setdefault(f"{local:%Y-%m-%d}", {"date": f"{local:%Y-%m-%d}", "display": day_name(local), "slots": []})
        times = {"start_time": bookings.iso(start), "end_time": bookings.iso(end)}
        day["slots"].append({"time": f"{local:%H:%M}", "display": clock_time(local), **times})
    total = sum(len(d["slots"]) for d in days.values())
    return Answer(
        {
            "event_type": _brief(event_type), "timezone": zone.key, "date_from": first.isoformat(), "date_to": last.isoformat(),
            "total_slots": total, "dates": list(days.values()),
        }
    )  # fmt: skip


def _mark(status: str) -> Handler:
    return lambda call: Answer(_view(call, bookings.close(call.world, call.must("booking"), status)))


def _notetaker(call: Call) -> Answer:
    """Registers the bot; the recorded minutes are charged when the meeting is over."""
    booking = call.must("booking")
    if not setting(call.store, "notetaker_enabled"):
        raise ApiError(400, "NOTETAKER_DISABLED", "the TrustPager Notetaker is switched off in the company settings")
    if booking["status"] == "cancelled":
        raise invalid("the booking is cancelled")
    if not booking["google_meet_link"]:
        raise invalid("the booking has no google_meet_link")
    start = moment(booking["start_time"])
    assert start is not None
    already = booking["notetaker_status"] is not None
    if not already and (booking["status"] != "confirmed" or start <= call.clock.now()):
        raise invalid("the notetaker joins confirmed bookings that have not begun")
    if not already:
        call.store.save("booking", {**booking, "notetaker_status": "scheduled", "updated_at": call.clock.iso()})
    joins = bookings.iso(start - timedelta(seconds=60))
    return Answer({"booking_id": booking["id"], "already_scheduled": already, "joins_at": joins})


def _recorded_at(booking: Record) -> str:
    return str(booking["end_time"])


def _recordings_due(world: World) -> str | None:
    return min((_recorded_at(b) for b in world.store.all("booking", notetaker_status="scheduled")), default=None)


def _record(world: World) -> None:
    """The meeting is over: its transcript is written and its minutes are charged."""
    booking = min(world.store.all("booking", notetaker_status="scheduled"), key=lambda b: (_recorded_at(b), b["id"]))
    start, end = moment(booking["start_time"]), moment(booking["end_time"])
    assert start is not None
    assert end is not None
    length = int((end - start).total_seconds() // 60)
    outcome = "recorded"
    if booking["status"] == "no_show":
        outcome = "nobody_joined"
    else:
        try:
            world.charge(length * _NOTETAKER_CREDITS, "notetaker")
        except ApiError:
            outcome = "insufficient_credits"
        else:
            _transcribe(world, booking, length)
    world.store.save("booking", {**booking, "notetaker_status": outcome, "updated_at": world.clock.iso()})


def _transcribe(world: World, booking: Record, length: int) -> None:
    """What was said and by whom, among the transcripts, linked to the booking's contact and opportunity."""
    user = next((u for i in booking["assigned_user_ids"] if (u := world.store.get("user", i))), {"name": "Host", "email": None})
    people = bookings.participants(booking, user)
    said = ("Thanks for making the time.", booking["message"] or "Thanks for having me.")
    transcript = world.fresh({
        "title": f"{booking['event_type_name']}: {booking['customer_name']}", "type": "meeting", "source": "recall",
        "transcription_status": "complete", "booking_id": booking["id"], "recording_url": None,
        "transcript_text": "\n".join(f"{p['name']}: {text}" for p, text in zip(people, said, strict=True)),
        "occurred_at": booking["start_time"], "duration_seconds": length * 60, "inbox_path": "/inbox/meetings",
        "participants": people, "metadata": {"google_meet_link": booking["google_meet_link"]}, "created_by": user.get("id"),
    })  # fmt: skip
    world.store.add("transcript", [transcript])
    for kind, name in (("contact", "contact_id"), ("opportunity", "deal_id")):
        if world.store.get(kind, booking[name] or ""):
            world.store.link(f"transcript_{kind}", transcript["id"], booking[name])


def seed(s: Seeder) -> None:
    """Bookings of the last months and the next two weeks, inside working hours and never two at once."""
    rng, zone = s.rng, must_find(None)
    types = [t for t in s.store.all("scheduled_event_type") if t["is_active"]]
    deals = rng.sample([d for d in s.store.all("opportunity") if d["contact_id"]], 30)
    hours = s.store.all("scheduling_availability", user_id=None)[0]
    days = [s.now.date() + timedelta(days=n) for n in (*range(-90, 0, 4), *range(2, 16))]
    usable = [spans for day in days if (spans := windows(hours, day, zone))]
    made = []
    for deal, spans in zip(deals, usable, strict=False):
        event_type, contact = rng.choice(types), s.store.get("contact", deal["contact_id"]) or {}
        start = spans[0][0] + timedelta(minutes=30 * rng.randint(1, 8))
        end = start + slots.duration(event_type)
        past = end < s.now
        meeting = f"https://meet.google.com/bri-{rng.randint(1000, 9999)}-ght" if event_type["is_meeting"] else None
        made.append(
            s.record(
                rng.uniform(1, 5) + max(0.0, (s.now - start).total_seconds() / 86400), event_type_id=event_type["id"],
                event_type_name=event_type["name"], status=rng.choice(["attended", "attended", "no_show", "cancelled"])
                if past else "confirmed", start_time=bookings.iso(start), end_time=bookings.iso(end), timezone=zone.key,
                customer_name=f"{contact['first_name']} {contact['last_name'] or ''}".strip(), customer_email=contact["email"],
                customer_phone=contact["phone"], message=rng.choice([None, "Please ring the bell.", "Two storeys, tiles."]),
                attendees=[], contact_id=contact["id"], customer_id=deal["customer_id"], deal_id=deal["id"],
                assigned_user_ids=event_type["booking_assigned_user_ids"], google_meet_link=meeting, cancellation_reason=None,
                cancelled_at=None, notetaker_status=None, management_token=None if past else s.id(),
                management_token_expires_at=None if past else bookings.iso(end + timedelta(hours=24)),
            )
        )  # fmt: skip
    s.store.add("booking", sorted(made, key=lambda b: b["created_at"]))
    for host in (u for u in s.store.all("user") if u["role"] in ("installer", "admin")):
        busy = []
        for spans in usable[-6:]:
            start = spans[0][0] + timedelta(hours=5)
            times = {"start_time": bookings.iso(start), "end_time": bookings.iso(start + timedelta(hours=1))}
            busy.append(s.record(3, user_id=host["id"], title="Team meeting", source="google_calendar", **times))
        s.store.add("calendar_event", busy)


JOBS = (Job(notices.due, notices.run), Job(_recordings_due, _record))

HANDLERS: dict[str, Handler] = {
    "list_bookings": _list,
    "get_booking": lambda c: Answer(_view(c, c.must("booking"))),
    "create_booking": _create,
    "cancel_booking": lambda c: Answer(_view(c, bookings.cancel(c.world, c.must("booking"), c.body.get("cancellation_reason")))),
    "check_booking_availability": _check,
    "list_available_slots": _slots,
    "mark_booking_attended": _mark("attended"),
    "mark_booking_late": _mark("late"),
    "mark_booking_no_show": _mark("no_show"),
    "add_booking_notetaker": _notetaker,
}
