"""The dispatcher of outreach sequences: what is due for a lead, and doing it within the day's cap."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from . import mail
from .checks import moment
from .errors import ApiError
from .people import by_email, by_phone
from .phones import is_evident_landline
from .store import Record, Store
from .texting import opted_out as sms_opted_out
from .texting import text_out
from .world import World

CADENCE = 900.0
"""Seconds between the scheduler's own runs."""
_FIELDS = ("business_name", "email", "phone", "website", "address", "city", "category", "rating")


class _Undeliverable(Exception):
    """A step that can never be done for this lead."""


class _OptedOut(Exception):
    """The lead wants no messages of this kind."""


def steps_of(store: Store, initiative_id: str) -> list[Record]:
    """An initiative's steps in their order."""
    return sorted(store.all("initiative_step", initiative_id=initiative_id), key=lambda s: int(s["step_number"]))


def opted_out(store: Store, lead: Record) -> bool:
    """Whether the lead's address is on the opt-out list, or its contact takes no mailings."""
    email, known = (lead.get("email") or "").lower(), [*by_phone(store, lead["phone"])] if lead.get("phone") else []
    if email and store.all("email_unsubscribe", email=email):
        return True
    if email and (contact := by_email(store, email)):
        known.append(contact)
    return any(c.get("email_unsubscribed") for c in known)


def next_action_at(initiative: Record, steps: list[Record], enrolment: Record) -> str | None:
    """When the enrolment's next step is due; None when it has no next step or is over."""
    step = _next_step(steps, enrolment)
    if enrolment["status"] != "active" or step is None:
        return None
    since = moment(enrolment["last_action_at"])
    assert since is not None
    due = (since + timedelta(days=step["delay_days"])).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # What became due while the sequence was not active is due from its activation on.
    return max(due, enrolment["held_until"] or due, initiative["activated_at"] or due)


def _next_step(steps: list[Record], enrolment: Record) -> Record | None:
    """The steps are numbered from 1 without gaps."""
    done: int = enrolment["current_step"]
    return steps[done] if done < len(steps) else None


def _waiting(store: Store, only: str | None = None) -> list[tuple[str, Record, Record]]:
    """Active enrolments of active initiatives with the time of their next step, the earliest first."""
    rows = []
    for initiative in store.all("initiative", status="active"):
        if only in (None, initiative["id"]):
            steps = steps_of(store, initiative["id"])
            for enrolment in reversed(store.all("enrolment", initiative_id=initiative["id"], status="active")):
                if (at := next_action_at(initiative, steps, enrolment)) is not None:
                    rows.append((at, initiative, enrolment))
    return sorted(rows, key=lambda row: row[0])


def ready_at(store: Store) -> str | None:
    """When the earliest step is due."""
    waiting = _waiting(store)
    return waiting[0][0] if waiting else None


def next_tick(at: str | None, cadence: float) -> str | None:
    """The scheduler's first run at or after a moment."""
    parsed = moment(at)
    if parsed is None:
        return None
    seconds = -(-parsed.timestamp() // cadence) * cadence
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def dispatch(world: World, only: str | None = None, *, dry_run: bool = False) -> Record:
    """Do every step that is due; over a day's cap (UTC days) it waits for tomorrow. What was done, in figures and one by one."""
    store, now = world.store, world.clock.now()
    counts: dict[str, int] = dict.fromkeys(
        ("emails_sent", "sms_sent", "notifications_sent", "unsubscribed", "failed", "deferred"), 0
    )
    tasks: list[Record] = []
    used: dict[str, int] = {}
    for at, initiative, enrolment in _waiting(store, only):
        due = moment(at)
        if due is None or due > now:
            break
        step = _next_step(steps_of(store, initiative["id"]), enrolment)
        assert step is not None
        sent_today = used.setdefault(initiative["id"], _sent_on(store, initiative["id"], now))
        task = {"initiative_id": initiative["id"], "enrolment_id": enrolment["id"], "step_number": step["step_number"]}
        task["action_type"] = step["action_type"]
        if initiative["daily_send_cap"] is not None and sent_today >= initiative["daily_send_cap"]:
            counts["deferred"] += 1
            tasks.append({**task, "result": "deferred"})
            if not dry_run:
                tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
                store.save("enrolment", {**enrolment, "held_until": tomorrow.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
            continue
        used[initiative["id"]] += 1
        if dry_run:
            tasks.append({**task, "result": "would_send"})
            continue
        counted, error = _do(world, enrolment, step)
        counts[counted] += 1
        tasks.append({**task, "result": counted.removesuffix("_sent") if error else "sent", "error": error})
    return {"dry_run": dry_run, "tasks_processed": len(tasks) - counts["deferred"], **counts, "tasks": tasks}


def _sent_on(store: Store, initiative_id: str, now: datetime) -> int:
    day = f"{now:%Y-%m-%d}"
    return sum(str(a["created_at"]).startswith(day) for a in store.all("outreach_action", initiative_id=initiative_id))


def _do(world: World, enrolment: Record, step: Record) -> tuple[str, str | None]:
    """One step for one lead: what it counts as, and why it could not be done."""
    store = world.store
    lead = store.get("lead_result", enrolment["search_result_id"])
    act, word = _ACTIONS[step["action_type"]]
    try:
        if lead is None:
            raise _Undeliverable("the search result no longer exists")
        act(world, enrolment, step["config"], lead)
    except _OptedOut as reason:
        store.save("enrolment", {**enrolment, "status": "unsubscribed", "last_error": str(reason)})
        return "unsubscribed", str(reason)
    except (_Undeliverable, ApiError) as reason:
        store.save("enrolment", {**enrolment, "status": "failed", "last_error": str(reason)})
        return "failed", str(reason)
    done = {"initiative_id": enrolment["initiative_id"], "enrolment_id": enrolment["id"], "step_id": step["id"]}
    store.add("outreach_action", [world.fresh({**done, "action_type": step["action_type"]})])
    now = world.clock.iso()
    after = {**enrolment, "current_step": step["step_number"], "last_action_at": now, "held_until": None, "updated_at": now}
    if _next_step(steps_of(store, enrolment["initiative_id"]), after) is None:
        after |= {"status": "completed", "completed_at": now}
    store.save("enrolment", after)
    return word, None


def _filled(text: str, lead: Record) -> str:
    words = {"name": lead["business_name"], **{k: lead.get(k) for k in _FIELDS}}
    return re.sub(r"\{\{\s*lead\.(\w+)\s*\}\}", lambda m: str(words.get(m[1]) or ""), text)


def _email(world: World, enrolment: Record, config: Record, lead: Record) -> None:
    """From the assigned user's Gmail when one was assigned and is connected, else from the step's."""
    if not lead.get("email"):
        raise _Undeliverable("the lead has no email address")
    if opted_out(world.store, lead):
        raise _OptedOut("the lead has unsubscribed")
    own = world.store.all("gmail_connection", user_id=enrolment["assigned_user_id"], status="active")
    connection = own[0] if own and enrolment["own_gmail"] else world.store.get("gmail_connection", config["gmail_connection_id"])
    if connection is None or connection["status"] != "active":
        raise _Undeliverable("the Gmail account is no longer connected")
    user = world.store.get("user", connection["user_id"]) or {}
    one = mail.Mail(
        lead["email"], _filled(config["subject"], lead), _filled(config["body"], lead), connection["email"], "gmail",
        to_name=lead["business_name"], from_name=user.get("name"), sender_user_id=user.get("id"),
        contact_id=lead.get("contact_id"), email_type="initiative",
    )  # fmt: skip
    mail.post(world, one)


def _sms(world: World, enrolment: Record, config: Record, lead: Record) -> None:
    number = lead.get("phone")
    if not number or is_evident_landline(number):
        raise _Undeliverable("the lead has no mobile number")
    if sms_opted_out(world.store, number) or opted_out(world.store, lead):
        raise _OptedOut("the lead has opted out of messages")
    text_out(world, number, _filled(config["body"], lead), user_id=enrolment["assigned_user_id"])


def _notify(world: World, enrolment: Record, config: Record, lead: Record) -> None:
    user = world.store.get("user", enrolment["assigned_user_id"])
    if user is None:
        raise _Undeliverable("the assigned user no longer exists")
    sender = mail.company_sender(world.store)
    one = mail.Mail(
        user["email"], _filled(config["subject"], lead), _filled(config["body"], lead), sender["from_email"], "postmark",
        to_name=user["name"], from_name=sender["from_name"], email_type="notification",
    )  # fmt: skip
    mail.write_log(world, one, None, mail.put_out(world, one)["id"])


_Act = Callable[[World, Record, Record, Record], None]
_ACTIONS: dict[str, tuple[_Act, str]] = {
    "send_gmail_email": (_email, "emails_sent"),
    "send_sms": (_sms, "sms_sent"),
    "notify_assigned_staff": (_notify, "notifications_sent"),
}
