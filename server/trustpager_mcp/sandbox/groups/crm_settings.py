"""CRM settings with custom fields, the tag palette, and birthday messages with the job that sends them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..checks import moment
from ..engine import Answer, Call, Handler, everything
from ..errors import invalid
from ..mail import notify
from ..seed import Seeder
from ..seed_words import JOB_FOLDER, SOURCES, TAGS
from ..store import Record
from ..texting import sending_number, text_out
from ..world import Job, World

_SEND_AT = time(9)
_APART = ("birthday_messages", "birthday_run_at", "deal_tag_options", "id", "created_at")


def _settings(world: World) -> Record:
    return world.store.all("company_settings")[0]


def _change(world: World, **changes: Any) -> Record:
    changed = {**_settings(world), **changes, "updated_at": world.clock.iso()}
    world.store.save("company_settings", changed)
    return changed


def _shown(settings: Record) -> Record:
    return {k: v for k, v in settings.items() if k not in _APART}


def _check_custom_fields(fields: dict[str, list[Record]]) -> None:
    for entity, defined in fields.items():
        seen: set[str] = set()
        for i, field in enumerate(defined):
            where = f"custom_fields.{entity}.{i}"
            if field["id"] in seen:
                raise invalid(f"{where}: the id {field['id']} stands twice", field=where)
            seen.add(field["id"])
            if field["type"] == "dropdown" and not field.get("options"):
                raise invalid(f"{where}: a dropdown needs options", field=f"{where}.options")
            for rule in (field.get("conditional_logic") or {}).get("default_rules") or ():
                _check_action(rule["action"], f"{where}.conditional_logic.default_rules")


def _check_action(action: Record, where: str) -> None:
    needed = {"today_plus": ("amount", "unit"), "field_plus": ("source_field_id", "amount", "unit"), "constant": ("value",)}
    if missing := [n for n in needed[action["type"]] if action.get(n) is None]:
        raise invalid(f"{where}: {action['type']} needs {', '.join(missing)}", field=where)


def _update(call: Call) -> Answer:
    _check_custom_fields(call.body.get("custom_fields") or {})
    ids = [link["id"] for link in call.body.get("quick_links") or ()]
    if len(ids) != len(set(ids)):
        raise invalid("quick_links holds an id twice", field="quick_links")
    return Answer(_shown(_change(call.world, **call.body)))


def _replace_palette(call: Call) -> Answer:
    """Names are the same whatever their case; the last entry of a name wins, in the place of the first."""
    unique: dict[str, Record] = {}
    for tag in call.body:
        unique[tag["name"].strip().lower()] = {"name": tag["name"].strip(), "color": tag["color"]}
    return everything(_change(call.world, deal_tag_options=list(unique.values()))["deal_tag_options"])


def _replace_birthday_messages(call: Call) -> Answer:
    for i, message in enumerate(call.body):
        if not message["channels"]:
            raise invalid(f"{i}: channels must name email, sms or both", field=f"{i}.channels")
    # A new set starts counting from now: what is past is not sent again.
    changed = _change(call.world, birthday_messages=call.body, birthday_run_at=call.clock.iso())
    return everything(changed["birthday_messages"])


def _zone(world: World) -> ZoneInfo:
    return ZoneInfo(world.store.all("own_company")[0]["timezone"])


def _next_run(world: World) -> str | None:
    """The first nine o'clock of the company's zone after the last run, when there is anything to send at all."""
    settings = _settings(world)
    last = moment(settings["birthday_run_at"])
    if not settings["birthday_messages"] or last is None:
        return None
    local = last.astimezone(_zone(world))
    due = datetime.combine(local.date(), _SEND_AT, local.tzinfo)
    if due <= local:
        due = datetime.combine(local.date() + timedelta(days=1), _SEND_AT, local.tzinfo)
    return due.isoformat()


def _send_birthdays(world: World) -> None:
    today = world.clock.now().astimezone(_zone(world)).date()
    for contact in world.store.all("contact"):
        born = contact.get("date_of_birth")
        if born and _is_birthday(date.fromisoformat(born[:10]), today):
            _send(world, contact, date.fromisoformat(born[:10]), today)
    _change(world, birthday_run_at=world.clock.iso())


def _is_birthday(born: date, today: date) -> bool:
    """Those of 29 February celebrate on the 28th in other years."""
    if (born.month, born.day) == (2, 29) and not _is_leap(today.year):
        return (today.month, today.day) == (2, 28)
    return (born.month, born.day) == (today.month, today.day)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _send(world: World, contact: Record, born: date, today: date) -> None:
    """The message of the contact's year with us, over the channels that it may be reached by."""
    since = moment(contact["created_at"])
    messages = _settings(world)["birthday_messages"]
    passed = sum(_is_later(born, year, since, today) for year in range(since.year if since else today.year, today.year + 1))
    if not 1 <= passed <= len(messages):
        return
    message = messages[passed - 1]
    company = world.store.all("own_company")[0]["name"]
    tags = {
        "{first_name}": contact["first_name"], "{last_name}": contact.get("last_name") or "", "{company_name}": company,
        "{age}": str(today.year - born.year),
    }  # fmt: skip

    def filled(text: str) -> str:
        for tag, value in tags.items():
            text = text.replace(tag, value)
        return text

    channels = []
    if "email" in message["channels"] and contact.get("email") and not contact.get("email_unsubscribed"):
        subject, body = filled(message["email_subject"]), filled(message["email_body"])
        notify(world, "birthday", contact["email"], subject, body, contact_id=contact["id"])
        channels.append("email")
    own = sending_number(world.store)
    if own and "sms" in message["channels"] and contact.get("phone") and not contact.get("sms_unsubscribed"):
        text_out(world, contact["phone"], filled(message["sms_body"]), own)
        channels.append("sms")
    if channels:
        sent = {"contact_id": contact["id"], "year": today.year, "channels": channels, "sent_at": world.clock.iso()}
        world.store.add("birthday_send", [world.fresh(sent)])


def _is_later(born: date, year: int, since: datetime | None, today: date) -> bool:
    """Whether that year's birthday lies between the contact's creation and today."""
    leap_day = (born.month, born.day) == (2, 29) and not _is_leap(year)
    birthday = date(year, born.month, 28 if leap_day else born.day)
    return (since is None or birthday >= since.date()) and birthday <= today


def seed(s: Seeder) -> None:
    """Settings of a home-energy business: lists, three custom fields, a palette. Birthday messages are off."""
    roof = {"id": "cf_roof_type", "label": "Roof type", "type": "dropdown", "options": ["Tile", "Metal", "Flat"]}
    site_visit = {"id": "cf_site_visit", "label": "Site visit", "type": "datetime"}
    meter = {"id": "cf_meter_number", "label": "Meter number", "type": "text"}
    shown = {"show_on_detail": True, "show_in_table": False}
    colors = ["#ef4444", "#f97316", "#3b82f6", "#22c55e", "#8b5cf6"]
    s.store.add("company_settings", [s.record(
        365,
        opportunity_type_options=["New business", "Upgrade", "Referral"], account_type_options=["Client", "Supplier", "Partner"],
        contact_type_options=["Decision maker", "Influencer", "Tenant"], transcript_types=["Sales", "Fulfilment", "Support"],
        transcript_sources=["Zoom", "Phone", "Manual"], custom_fields_title="Site details", accounts_enabled=True,
        contacts_enabled=True, enable_work_orders=True, lead_sources=sorted(set(SOURCES)),
        lost_reasons=["Price", "Went with a competitor", "No answer", "Not now"], won_reasons=["Price", "Service", "Referral"],
        referral_categories=["Past client", "Partner", "Staff"], form_completion_notify_emails=["office@brightside.example"],
        automation_error_notify_emails=[], automation_error_notify_phones=[],
        custom_fields={"deal": [{**roof, **shown}, {**site_visit, **shown}], "account": [], "contact": [{**meter, **shown}]},
        needs_analysis_config={"questions": [
            {"key": "bill", "label": "Quarterly bill", "type": "number", "show_on_detail": True, "show_in_table": False},
            {"key": "timing", "label": "When should it be done?", "type": "text", "show_on_detail": True, "show_in_table": False},
        ]},
        quick_links=[{"id": JOB_FOLDER, "label": "Job folder", "icon": "google-drive"}],
        deal_tag_options=[{"name": t, "color": colors[i % len(colors)]} for i, t in enumerate(dict.fromkeys(TAGS))],
        birthday_messages=[], birthday_run_at=s.time(0),
    )])  # fmt: skip


JOBS = (Job(_next_run, _send_birthdays),)
HANDLERS: dict[str, Handler] = {
    "get_crm_settings": lambda c: Answer(_shown(_settings(c.world))),
    "update_crm_settings": _update,
    "get_birthday_messages": lambda c: everything(_settings(c.world)["birthday_messages"]),
    "replace_birthday_messages": _replace_birthday_messages,
    "get_tag_palette": lambda c: everything(_settings(c.world)["deal_tag_options"]),
    "replace_tag_palette": _replace_palette,
}
