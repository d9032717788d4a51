"""Templates of visits, calls and meetings, with their rules for bookings."""

from __future__ import annotations

import re

from ..engine import Answer, Call, Handler, change, clear_references, page
from ..errors import ApiError, invalid
from ..rules import normal_tags
from ..seed import Seeder
from ..store import Record, Store

_DEFAULTS: Record = {
    "description": None, "icon": "calendar", "color": "primary", "is_meeting": False, "default_duration_minutes": 30,
    "event_queue_id": None, "enrollment_offset_minutes": 0, "sort_order": 0, "is_active": True, "is_bookable": False,
    "buffer_before_minutes": 0, "buffer_after_minutes": 0, "min_notice_hours": 0, "max_advance_days": 60,
    "slot_interval_minutes": 30, "booking_pipeline_id": None, "booking_stage_id": None, "booking_auto_create_deal": True,
    "booking_lead_source": "booking", "booking_deal_name_template": None, "booking_assigned_user_ids": [],
    "booking_default_tags": [], "booking_default_products": [], "booking_confirmation_message": None,
    "booking_deal_behavior": "create", "booking_notifications": {},
}  # fmt: skip
_REFERENCES = (("event_queue_id", "auto_queue"), ("booking_pipeline_id", "pipeline"), ("booking_stage_id", "stage"))


def slug_of(store: Store, name: str, own_id: str | None = None) -> str:
    """A slug that no other event type has."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "event"
    taken = {t["slug"] for t in store.all("scheduled_event_type") if t["id"] != own_id}
    return next(s for n in range(1, len(taken) + 3) if (s := base if n == 1 else f"{base}-{n}") not in taken)


def _checked(call: Call, known: Record) -> Record:
    fields = dict(call.body)
    for name, kind in _REFERENCES:
        call.reference(kind, fields.get(name), name)
    for user_id in fields.get("booking_assigned_user_ids") or []:
        call.reference("user", user_id, "booking_assigned_user_ids")
    for product in fields.get("booking_default_products") or []:
        call.reference("product", product["id"], "booking_default_products")
    whole = {**known, **fields}
    stage = call.store.get("stage", whole.get("booking_stage_id") or "")
    if stage and whole.get("booking_pipeline_id") not in (None, stage["pipeline_id"]):
        raise invalid("booking_stage_id is no stage of booking_pipeline_id", field="booking_stage_id")
    if "slug" in fields:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fields["slug"] or ""):
            raise invalid("slug must be lower-case letters, digits and single hyphens", field="slug")
        if any(t["id"] != known.get("id") for t in call.store.all("scheduled_event_type", slug=fields["slug"])):
            raise ApiError(409, "CONFLICT", f"another event type has the slug {fields['slug']}")
    if fields.get("booking_default_tags"):
        fields["booking_default_tags"] = normal_tags(fields["booking_default_tags"])
    return fields


def _create(call: Call) -> Answer:
    fields = {**_DEFAULTS, **_checked(call, {})}
    fields["slug"] = fields.get("slug") or slug_of(call.store, fields["name"])
    record = call.fresh(fields)
    call.store.add("scheduled_event_type", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    known = call.must("scheduled_event_type")
    return Answer(change(call, "scheduled_event_type", known, _checked(call, known)))


def _delete(call: Call) -> Answer:
    """Bookings outlive their event type: they keep its name."""
    event_type = call.must("scheduled_event_type")
    clear_references(call, event_type["id"], ("booking", "event_type_id"))
    call.store.delete("scheduled_event_type", event_type["id"])
    return Answer(status=204)


_REMINDERS: Record = {
    "pre_meeting": [
        {"offset_minutes": 1440, "channels": ["email"], "recipients": "booker", "email_subject": "Tomorrow: {event_type}",
         "email_body": "Hi {booker_name}, we see you tomorrow at {time}. Change it here: {management_url}",
         "label": "One day before"},
        {"offset_minutes": 120, "channels": ["sms"], "recipients": "booker", "sms_body": "See you at {time} today.",
         "label": "Two hours before"},
    ],
    "late": [{"channels": ["sms"], "recipients": "booker", "sms_body": "Hi {booker_name}, are you on your way?"}],
    "no_show": [{"channels": ["email"], "recipients": "booker", "email_subject": "Sorry we missed you",
                 "email_body": "{rebook_link}"}],
    "rebooking": [{"offset_minutes": 2880, "channels": ["email"], "recipients": "booker", "email_subject": "Another time?",
                   "email_body": "Book again: {rebook_link}"}],
}  # fmt: skip
# name, icon, colour, meeting?, minutes, hosts by role, further fields
_SEEDED: tuple[tuple[str, str, str, bool, int, tuple[str, ...], Record], ...] = (
    ("Site visit", "map-pin", "emerald", False, 60, ("installer",),
     {"buffer_before_minutes": 30, "buffer_after_minutes": 30, "min_notice_hours": 24, "booking_notifications": _REMINDERS,
      "booking_deal_behavior": "update_or_create", "description": "We look at roof, switchboard and meter."}),
    ("Phone consultation", "phone", "blue", False, 15, (), {"slot_interval_minutes": 15, "min_notice_hours": 1}),
    ("Quote walk-through", "video", "purple", True, 30, ("admin",),
     {"booking_notifications": _REMINDERS, "booking_deal_behavior": "never_create", "min_notice_hours": 4,
      "description": "We go through your quote line by line."}),
    ("30 minute booking", "calendar", "primary", True, 30, (),
     {"booking_default_tags": [{"name": "booked", "color": "#22c55e"}]}),
    ("Annual service", "calendar-clock", "amber", False, 90, ("installer",), {"max_advance_days": 120, "is_bookable": False}),
    ("Coffee with the owner", "coffee", "pink", False, 45, (), {"is_active": False}),
)  # fmt: skip


def seed(s: Seeder) -> None:
    queue = next((q["id"] for q in s.store.all("auto_queue") if q["name"] == "Site visit reminders"), None)
    for i, (name, icon, color, meeting, minutes, roles, more) in enumerate(_SEEDED):
        hosts = [u["id"] for u in s.store.all("user") if u["role"] in roles]
        fields = {**_DEFAULTS, "is_bookable": True, **more, "booking_assigned_user_ids": hosts}
        fields |= {"name": name, "icon": icon, "color": color, "is_meeting": meeting, "default_duration_minutes": minutes}
        fields |= {"sort_order": i, "slug": slug_of(s.store, name), "event_queue_id": queue if name == "Site visit" else None}
        s.store.add("scheduled_event_type", [s.record(200 - i, **fields)])


HANDLERS: dict[str, Handler] = {
    "list_scheduled_event_types": lambda c: page(
        c, c.store.numbered("scheduled_event_type"), order=lambda sequence, t: (t["sort_order"], sequence)
    ),
    "create_scheduled_event_type": _create,
    "get_scheduled_event_type": lambda c: Answer(c.must("scheduled_event_type")),
    "update_scheduled_event_type": _update,
    "delete_scheduled_event_type": _delete,
}
