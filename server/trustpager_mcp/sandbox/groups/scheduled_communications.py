"""Emails, texts and AI calls queued for later, and the scheduler that dispatches them every minute."""

from __future__ import annotations

from datetime import datetime, timedelta

from .. import seed_texts as texts
from ..automation.messages import place_call, waiting_communication
from ..business_hours import next_open
from ..checks import moment
from ..company import setting
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, forbidden, invalid
from ..mail import gmail_of, notify
from ..seed import Seeder
from ..store import Record
from ..texting import opted_out, text_out
from ..world import Job, World
from ..zones import must_be_iana

_FILTERS = ("status", "channel", "contact_id", "deal_id", "customer_id")
_SCOPES = {"email": "email:send", "sms": "sms:send", "voice_call": "calls:initiate"}
_NEEDS = {
    "email": ("to_email", "subject", "html_body"), "sms": ("phone_number_id", "to_number", "message_body"),
    "voice_call": ("voice_agent_outbound_config_id", "to_number"),
}  # fmt: skip
_LINKS = (("contact_id", "contact"), ("deal_id", "opportunity"), ("customer_id", "company"))
_OPTIONS = ("timezone", "respect_business_hours", "related_entity_type", "related_entity_id", "cancel_policy")
_LATEST_PAST = timedelta(minutes=1)
MOST_ATTEMPTS = 5


class _Undeliverable(Exception):
    """The dispatch failed; it is tried again."""


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_payload(channel: str, payload: Record) -> None:
    """Raise VALIDATION_ERROR when a payload lacks what its channel needs."""
    if missing := [name for name in _NEEDS[channel] if payload.get(name) in (None, "")]:
        raise invalid(f"payload of {channel} needs {', '.join(missing)}", fields={f"payload.{m}": "is required" for m in missing})
    if payload.get("mode") == "personal" and not payload.get("sender_user_id"):
        raise invalid("payload of mode personal needs sender_user_id", field="payload.sender_user_id")
    follow_ups = payload.get("follow_ups")
    if follow_ups and len(follow_ups["follow_up_delays"]) < follow_ups["max_attempts"] - 1:
        wanted = follow_ups["max_attempts"] - 1
        raise invalid(f"follow_up_delays must hold {wanted} delays, one before each retry", field="payload.follow_ups")
    if follow_ups and any(not 0 <= delay <= 24 * 365 for delay in follow_ups["follow_up_delays"]):
        raise invalid("follow_up_delays are hours from 0 to a year", field="payload.follow_ups.follow_up_delays")


def _check_time(call: Call, text: str) -> str:
    at = moment(text)
    if at is None or at < call.clock.now() - _LATEST_PAST:
        raise invalid("scheduled_for must not be more than a minute in the past", field="scheduled_for")
    return _iso(at)


def _create(call: Call) -> Answer:
    body, channel = call.body, call.body["channel"]
    if _SCOPES[channel] not in call.key.scopes:
        raise forbidden(_SCOPES[channel])
    _check_payload(channel, body["payload"])
    scheduled_for = _check_time(call, body["scheduled_for"])
    must_be_iana(body.get("timezone"))
    ids = {name: body.get(name) or body["payload"].get(name) for name, _ in _LINKS}
    for name, kind in _LINKS:
        call.reference(kind, ids[name], name)
    more = {k: body[k] for k in _OPTIONS if k in body}
    return Answer(waiting_communication(call.world, channel, scheduled_for, body["payload"], {**ids, **more}), status=201)


def _pending(call: Call) -> Record:
    row = call.must("scheduled_communication")
    if row["status"] != "pending":
        raise invalid(f"only pending communications can be changed; this one is {row['status']}", field="status")
    return row


def _update(call: Call) -> Answer:
    row, changes = _pending(call), dict(call.body)
    if "scheduled_for" in changes:
        changes["scheduled_for"] = _check_time(call, changes["scheduled_for"])
    if "payload" in changes:
        _check_payload(row["channel"], changes["payload"])
    must_be_iana(changes.get("timezone"))
    return Answer(change(call, "scheduled_communication", row, changes))


def _cancel(call: Call) -> Answer:
    change(call, "scheduled_communication", _pending(call), {"status": "cancelled"})
    return Answer(status=204)


def _dispatch_now(call: Call) -> Answer:
    """Due at once, whatever the hour: the next tick takes it."""
    changes = {"scheduled_for": _iso(call.clock.now()), "respect_business_hours": False}
    return Answer(change(call, "scheduled_communication", _pending(call), changes))


def _tick(row: Record) -> str:
    """The tick that takes a row: the full minute at or after its time, and not before it was last changed."""
    at = max(filter(None, (moment(row["scheduled_for"]), moment(row["updated_at"]))))
    whole = at.replace(second=0, microsecond=0)
    return _iso(whole if whole == at else whole + timedelta(minutes=1))


def _due(world: World) -> str | None:
    return min((_tick(row) for row in world.store.all("scheduled_communication", status="pending")), default=None)


def _run(world: World) -> None:
    """Claim the row that is due: hold it outside business hours, else dispatch it, or try again later."""
    rows = world.store.all("scheduled_communication", status="pending")
    row = min(rows, key=lambda r: (_tick(r), r["created_at"], r["id"]))
    now = world.clock.now()
    opens = next_open(world.store, now, row["timezone"] or _zone_of(world, row)) if row["respect_business_hours"] else now
    if opens > now:
        _save(world, row, {"scheduled_for": _iso(opens)})
        return
    attempt = row["attempt_count"] + 1
    if (reason := _unwanted(world, row)) is not None:
        _save(world, row, {"status": "skipped", "last_error": reason})
        return
    try:
        sent = _dispatch(world, row)
    except _Undeliverable as error:
        again = _iso(now + timedelta(minutes=2 ** (attempt - 1)))
        outcome: Record = {"status": "failed"} if attempt >= MOST_ATTEMPTS else {"scheduled_for": again}
        _save(world, row, {**outcome, "attempt_count": attempt, "last_error": str(error)})
        return
    done = {"status": "dispatched", "attempt_count": attempt, "last_error": None, "dispatched_at": world.clock.iso()}
    _save(world, row, {**done, "dispatched_external_id": sent["id"]})
    _log(world, row)
    _follow_up(world, row)


def _save(world: World, row: Record, changes: Record) -> None:
    world.store.save("scheduled_communication", {**row, **changes, "updated_at": world.clock.iso()})


def _contact(world: World, row: Record) -> Record:
    return world.store.get("contact", row["contact_id"] or "") or {}


def _zone_of(world: World, row: Record) -> str:
    """The callee's zone where the contact has one, else the company's."""
    return str(_contact(world, row).get("timezone") or setting(world.store, "timezone"))


def _unwanted(world: World, row: Record) -> str | None:
    """Why the message must not go out: opt-outs of whoever has the address."""
    address, flag = ("to_email", "email_unsubscribed") if row["channel"] == "email" else ("to_number", "sms_unsubscribed")
    if row["channel"] == "voice_call":
        return None
    field = "email" if row["channel"] == "email" else "phone"
    people = [*world.store.all("contact", **{field: row["payload"][address]}), _contact(world, row)]
    left = any(p.get(flag) for p in people) or (row["channel"] == "sms" and opted_out(world.store, row["payload"][address]))
    return f"{row['payload'][address]} has unsubscribed" if left else None


def _dispatch(world: World, row: Record) -> Record:
    payload = row["payload"]
    if row["channel"] == "email":
        links = {name: row[name] for name, _ in _LINKS}
        return notify(
            world, "scheduled", payload["to_email"], payload["subject"], payload["html_body"], cc=payload.get("cc"),
            to_name=payload.get("to_name"), scheduled_communication_id=row["id"], **links, **{"from": _sender(world, payload)},
        )  # fmt: skip
    if row["channel"] == "sms":
        own = world.store.get("phone_number", payload["phone_number_id"])
        if own is None or not own["capabilities"]["sms"]:
            raise _Undeliverable(f"phone_number_id: the workspace has no number {payload['phone_number_id']} that can send texts")
        return text_out(world, payload["to_number"], payload["message_body"], own)
    try:
        placed = place_call(
            world, payload["voice_agent_outbound_config_id"], payload["to_number"], payload.get("dynamic_variables") or {}
        )
    except ApiError as error:
        raise _Undeliverable(error.message) from None
    if placed is not None:
        return placed
    details = {k: payload.get(k) for k in ("voice_agent_outbound_config_id", "dynamic_variables", "metadata")}
    return world.send("call", payload["to_number"], scheduled_communication_id=row["id"], **details)


def _sender(world: World, payload: Record) -> str:
    if user_id := payload.get("sender_user_id"):
        user = world.store.get("user", user_id)
        if user is None:
            raise _Undeliverable(f"sender_user_id: there is no team member {user_id}")
        if payload.get("mode") != "personal":
            return str(user["email"])
        try:
            return str(gmail_of(world.store, user_id)["email"])
        except ApiError as error:
            raise _Undeliverable(error.message) from None
    sender = payload.get("from_email") or setting(world.store, "company_email")
    if not sender:
        raise _Undeliverable("the company has no email address to send from")
    return str(sender)


def _log(world: World, row: Record) -> None:
    """An entry on the timeline of what the row is linked to."""
    links = {name: row[name] for name, kind in _LINKS if world.store.get(kind, row[name] or "")}
    if links:
        payload = row["payload"]
        kind, subject = {
            "email": ("note", f"Email sent: {payload.get('subject')}"), "sms": ("note", "SMS sent"),
            "voice_call": ("call", "AI call placed"),
        }[row["channel"]]  # fmt: skip
        text = payload.get("message_body") or payload.get("to_number") or payload.get("to_email")
        body = {"activity_type": kind, "subject": subject, "description": text, **links}
        world.run("create_activity", world.system, {}, {}, body)


def _follow_up(world: World, row: Record) -> None:
    """The next attempt of a call cadence: in the sandbox nobody picks up, so that every attempt is made."""
    follow_ups = row["payload"].get("follow_ups")
    made = int((row["payload"].get("metadata") or {}).get("attempt", 1))
    if row["channel"] != "voice_call" or not follow_ups or made >= follow_ups["max_attempts"]:
        return
    at = world.clock.now() + timedelta(hours=follow_ups["follow_up_delays"][made - 1])
    payload = {
        "voice_agent_outbound_config_id": follow_ups["voice_agent_outbound_config_id"], "to_number": follow_ups["to_number"],
        "dynamic_variables": follow_ups.get("dynamic_variables") or row["payload"].get("dynamic_variables") or {},
        "metadata": {**(row["payload"].get("metadata") or {}), "attempt": made + 1, "first_attempt_id": row["id"]},
        "follow_ups": follow_ups,
    }  # fmt: skip
    ids = {name: follow_ups.get(name) or row[name] for name, _ in _LINKS}
    more = {"timezone": row["timezone"], "respect_business_hours": bool(follow_ups.get("respect_business_hours"))}
    waiting_communication(world, "voice_call", _iso(at), payload, {**ids, **more})


_ANNIVERSARY = "Your system has been running for a year: how does it do? We would like to look at its figures with you."
_ON_THE_WAY = "Hi, our crew is on its way and will be with you within the hour. Please clear the driveway. Brightside Energy"


def seed(s: Seeder) -> None:
    """Some of every outcome; what is pending lies weeks ahead."""
    contacts = [c for c in s.rng.sample(s.store.all("contact"), 30) if c["email"] and c["phone"]]
    rows = []
    for i, contact in enumerate(contacts):
        channel = ("email", "email", "sms", "voice_call")[i % 4]
        status = ("dispatched", "dispatched", "dispatched", "cancelled", "pending", "failed")[i % 6]
        days = -s.rng.uniform(20, 40) if status == "pending" else s.rng.uniform(2, 90)
        payload = {
            "email": {
                "to_email": contact["email"],
                "subject": "Your system, one year on",
                "html_body": f"<p>{texts.letter(s.rng, contact['first_name'], _ANNIVERSARY)}</p>",
            },
            "sms": {"phone_number_id": s.id(), "to_number": contact["phone"], "message_body": _ON_THE_WAY},
            "voice_call": {
                "voice_agent_outbound_config_id": s.id(),
                "to_number": contact["phone"],
                "dynamic_variables": {
                    "first_name": contact["first_name"],
                    "reason": "the yearly check of the system",
                    "best_time": "weekdays after four",
                },
            },
        }[channel]
        sent = status == "dispatched"
        rows.append(
            s.record(
                max(days, 0) + 1 + i / 100, channel=channel, status=status, scheduled_for=s.time(days), payload=payload,
                timezone="Australia/Sydney", respect_business_hours=channel == "voice_call", contact_id=contact["id"],
                customer_id=None, deal_id=None, related_entity_type=None, related_entity_id=None, cancel_policy=None,
                attempt_count={"dispatched": 1, "failed": MOST_ATTEMPTS}.get(status, 0),
                last_error="the number is not in service" if status == "failed" else None,
                dispatched_at=s.time(days) if sent else None, dispatched_external_id=s.id() if sent else None,
            )
        )  # fmt: skip
    s.store.add("scheduled_communication", sorted(rows, key=lambda r: r["created_at"]))


JOBS = (Job(_due, _run),)


def _list(call: Call) -> Answer:
    wanted = {k: call.query[k] for k in _FILTERS if k in call.query}
    return page(call, call.store.numbered("scheduled_communication", **wanted))


HANDLERS: dict[str, Handler] = {
    "list_scheduled_communications": _list,
    "schedule_communication": _create,
    "get_scheduled_communication": lambda c: Answer(c.must("scheduled_communication")),
    "update_scheduled_communication": _update,
    "cancel_scheduled_communication": _cancel,
    "dispatch_scheduled_communication": _dispatch_now,
}
