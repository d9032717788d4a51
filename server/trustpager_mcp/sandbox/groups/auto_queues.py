"""Auto queues: steps that reach people at their delay after they were enrolled. Under the legacy path /event-queues too."""

from __future__ import annotations

from typing import Any

from ..automation import enrolment, runner
from ..automation.actions import check
from ..checks import is_uuid, moment
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, invalid
from ..seed import Seeder
from ..store import Record
from ..world import Job, World

MOST_ENROLLED = 500
_STEP_FIELDS = ("name", "position", "delay_minutes", "delay_hours", "delay_days", "automation_id", "action_type", "config")
_DELAYS = {"delay_minutes": 1, "delay_hours": 60, "delay_days": 24 * 60}
_MOST_DELAYED = 5 * 365 * 24 * 60


def _view(call: Call, queue: Record) -> Record:
    return {**queue, "steps": enrolment.steps_of(call.world, queue["id"])}


def _create(call: Call) -> Answer:
    record = call.fresh({"name": call.body["name"], "description": None, "is_active": True})
    call.store.add("auto_queue", [record])
    return Answer(_view(call, record), status=201)


def _delete(call: Call) -> Answer:
    queue = call.must("auto_queue")
    for kind in ("auto_queue_step", "auto_queue_enrollment"):
        for record in call.store.all(kind, queue_id=queue["id"]):
            call.store.delete(kind, record["id"])
    for event_type in call.store.all("scheduled_event_type", event_queue_id=queue["id"]):
        call.store.save("scheduled_event_type", {**event_type, "event_queue_id": None})
    call.store.delete("auto_queue", queue["id"])
    return Answer(status=204)


def _step_fields(call: Call, known: Record) -> Record:
    """The step as stored, judged together with what is known. Raises VALIDATION_ERROR.

    The reference asks for no body: a step without one waits for what it shall do.
    """
    body = {} if call.body is None else call.body
    if not isinstance(body, dict) or (not body and known):
        raise invalid(f"the body must be an object with some of {', '.join(_STEP_FIELDS)}")
    if unknown := sorted(set(body) - set(_STEP_FIELDS)):
        raise invalid(f"a step has no {', '.join(unknown)}; it has {', '.join(_STEP_FIELDS)}", field=unknown[0])
    fields = {k: v for k, v in body.items() if k not in _DELAYS}
    if given := [name for name in _DELAYS if name in body]:
        fields["delay_minutes"] = _minutes(given[0], body[given[0]], len(given))
    position = fields.get("position", 0)
    if not isinstance(position, int) or isinstance(position, bool) or position < 0:
        raise invalid("position must be a whole number from 0", field="position")
    if not isinstance(fields.get("name", ""), (str, type(None))):
        raise invalid("name must be a string", field="name")
    whole = {**known, **fields}
    _check_doing(call, whole)
    return fields


def _minutes(name: str, amount: Any, given: int) -> int:
    if given > 1:
        raise invalid(f"give one of {', '.join(_DELAYS)}", field=name)
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount * _DELAYS[name] <= _MOST_DELAYED:
        raise invalid(f"{name} must be a number from 0, at most five years", field=name)
    return round(amount * _DELAYS[name])


def _check_doing(call: Call, step: Record) -> None:
    """A step runs a whole automation or one action, as automations have them; or nothing yet."""
    if step.get("automation_id") is not None and step.get("action_type") is not None:
        raise invalid("a step has automation_id or action_type (with config), not both", field="action_type")
    if step.get("automation_id") is None and step.get("action_type") is None:
        if step.get("config"):
            raise invalid("config belongs to an action_type; name it", field="action_type")
        return
    if step.get("automation_id") is not None:
        if not is_uuid(step["automation_id"]):
            raise invalid("automation_id must be a UUID", field="automation_id")
        call.reference("automation", step["automation_id"], "automation_id")
        return
    config = step.get("config") or {}
    if not isinstance(config, dict):
        raise invalid("config must be an object", field="config")
    check(str(step["action_type"]), config)


def _add_step(call: Call) -> Answer:
    queue = call.must("auto_queue")
    count = len(call.store.all("auto_queue_step", queue_id=queue["id"]))
    defaults: Record = {
        "name": f"Step {count + 1}", "position": count, "delay_minutes": 0,
        "automation_id": None, "action_type": None, "config": {},
    }  # fmt: skip
    record = call.fresh({"queue_id": queue["id"], **defaults, **_step_fields(call, {})})
    call.store.add("auto_queue_step", [record])
    return Answer(record, status=201)


def _step(call: Call) -> Record:
    step = call.must("auto_queue_step", call.ids["stepId"])
    if step["queue_id"] != call.must("auto_queue")["id"]:
        raise ApiError(404, "NOT_FOUND", "the queue has no such step")
    return step


def _update_step(call: Call) -> Answer:
    step = _step(call)
    return Answer(change(call, "auto_queue_step", step, _step_fields(call, step)))


def _delete_step(call: Call) -> Answer:
    """What still waits for the step is cancelled."""
    step = _step(call)
    for timer in call.store.all("auto_queue_enrollment", step_id=step["id"], status="pending"):
        call.store.save("auto_queue_enrollment", {**timer, "status": "cancelled", "updated_at": call.clock.iso()})
    call.store.delete("auto_queue_step", step["id"])
    return Answer(status=204)


def _enrollments(call: Call) -> Answer:
    wanted = {"status": call.query["status"]} if "status" in call.query else {}
    return page(call, call.store.numbered("auto_queue_enrollment", queue_id=call.must("auto_queue")["id"], **wanted))


def _matches(record: Record, wanted: Record) -> bool:
    """Every field equals the value, or one of the values; case does not matter."""
    for name, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        have = record.get(name)
        if isinstance(value, bool):
            if bool(have) != value:
                return False
        elif str(have if have is not None else "").lower() not in {str(v).lower() for v in values}:
            return False
    return True


def _targets(call: Call) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Contacts (each with the opportunity that brought it) that the body names or describes, and ids that do not exist."""
    store, body = call.store, call.body
    if "contact_ids" in body:
        ids = list(dict.fromkeys(body["contact_ids"]))
        return [(i, None) for i in ids if store.get("contact", i)], [i for i in ids if not store.get("contact", i)]
    if "deal_ids" in body:
        found: dict[str, str | None] = {}
        ids = list(dict.fromkeys(body["deal_ids"]))
        for deal in (d for i in ids if (d := store.get("opportunity", i))):
            people = [deal.get("contact_id"), *(b for b, _ in store.linked("opportunity_contact", deal["id"]))]
            for contact_id in filter(None, people):
                found.setdefault(contact_id, deal["id"])
        return [(c, d) for c, d in found.items() if store.get("contact", c)], [i for i in ids if not store.get("opportunity", i)]
    if "contact_filter" in body:
        return [(c["id"], None) for c in reversed(store.all("contact")) if _matches(c, body["contact_filter"])], []
    firms = [c["id"] for c in reversed(store.all("company")) if _matches(c, body["customer_filter"])]
    return [(i, None) for i in dict.fromkeys(a for firm in firms for a in store.linking("employer", firm))], []


def _bulk_enroll(call: Call) -> Answer:
    """Contacts already waiting in the queue are passed over, so that calling again goes on where 500 ended."""
    queue = call.must("auto_queue")
    if not enrolment.steps_of(call.world, queue["id"]):
        raise invalid("the queue has no steps yet; add one before enrolling people")
    targets, unknown = _targets(call)
    waiting = {t["contact_id"] for t in enrolment.pending(call.world, queue["id"])}
    again = not call.body.get("skip_if_already_enrolled", True)
    fresh = [t for t in targets if again or t[0] not in waiting]
    anchor = moment(call.body.get("enrollment_time")) or call.clock.now()
    for contact_id, deal_id in fresh[:MOST_ENROLLED]:
        links = call.store.linked("employer", contact_id)
        ids = {"contact_id": contact_id, "deal_id": deal_id, "customer_id": links[0][0] if links else None}
        enrolment.enrol(call.world, queue, ids, anchor, {k: v for k, v in ids.items() if v})
    enrolled = len(fresh[:MOST_ENROLLED])
    return Answer(
        {
            "queue_id": queue["id"], "enrolled": enrolled, "skipped": len(targets) - len(fresh), "not_found": unknown,
            "total_matched": len(targets), "has_more": len(fresh) > enrolled,
        }
    )  # fmt: skip


def _due_at(timer: Record) -> str:
    """A timer of a backdated enrolment is late at once, but not before it existed."""
    return str(max(timer["scheduled_for"], timer["created_at"]))


def _due(world: World) -> str | None:
    return min((_due_at(t) for t in world.store.all("auto_queue_enrollment", status="pending")), default=None)


def _run(world: World) -> None:
    timer = min(world.store.all("auto_queue_enrollment", status="pending"), key=lambda t: (_due_at(t), t["created_at"], t["id"]))
    done = {**timer, "executed_at": world.clock.iso(), "updated_at": world.clock.iso(), **_execute(world, timer)}
    world.store.save("auto_queue_enrollment", done)


def _execute(world: World, timer: Record) -> Record:
    """What the step did: status, the run if an automation ran, and the error."""
    step = world.store.get("auto_queue_step", timer["step_id"])
    if step is None or (timer["contact_id"] and world.store.get("contact", timer["contact_id"]) is None):
        return {"status": "cancelled", "last_error": "the step or the contact is gone"}
    data = {**timer["trigger_data"], **{k: timer[k] for k in ("contact_id", "customer_id", "deal_id") if timer[k]}}
    if step["automation_id"] is None and step["action_type"] is None:
        return {"status": "completed", "last_error": None}
    if step["automation_id"] is None:
        by = {"id": step["queue_id"], "name": step["name"]}
        result = runner.run_action(world, by, {**step, "sequence": step["position"]}, data)
        failed = result["status"] == "failed"
        return {"status": "failed" if failed else "completed", "last_error": result["error"]}
    automation = world.store.get("automation", step["automation_id"])
    if automation is None:
        return {"status": "failed", "last_error": f"automation {step['automation_id']} does not exist"}
    run = runner.run(world, automation, data, source="auto_queue")
    errors = [r["error"] for r in run["action_results"] if r["status"] == "failed"]
    return {"status": "failed" if errors else "completed", "run_id": run["run_id"], "last_error": errors[0] if errors else None}


_HELLO = {"greeting": "{{contact.greeting}},"}
_SEEDED: tuple[tuple[str, str, tuple[tuple[str, float, str, Record], ...]], ...] = (
    ("New lead nurture", "Three emails in the first fortnight.", (
        ("Welcome", 0, "send_custom_email",
         {**_HELLO, "customMessage": "Thanks for asking us about solar. Here is what happens next."}),
        ("Rebates", 3, "send_custom_email", {**_HELLO, "customMessage": "Three rebates that most homes in your area can claim."}),
        ("Ring them", 14, "add_tasks", {"tasks": [{"title": "Ring {{contact.display_name}}, two weeks after the first email"}]}),
    )),
    ("Quote follow-up", "Two nudges after a quote.", (
        ("Nudge", 2, "send_custom_email", {**_HELLO, "customMessage": "Any questions about the quote? Just reply."}),
        ("Last call", 7, "add_tasks", {"tasks": [{"title": "Last call on the quote of {{contact.display_name}}"}]}),
    )),
    ("Site visit reminders", "Before every booked visit.", (
        ("Prepare", 0, "add_tasks", {"tasks": [{"title": "Prepare the visit to {{contact.display_name}}"}]}),
    )),
    ("Annual service", "A year after the install.", (
        ("Service due", 365, "send_custom_email", {**_HELLO, "customMessage": "Your system is due for its yearly check."}),
    )),
)  # fmt: skip
_CONTACT_TYPES = ("Decision Maker", "Influencer", "Referrer", "Lead", None)
_ACCOUNT_TYPES = ("Client", "Supplier", "Partner", "Referrer", None)


def seed(s: Seeder) -> None:
    for contact in s.store.all("contact"):
        s.store.save("contact", {**contact, "contact_type": s.rng.choice(_CONTACT_TYPES)})
    for company in s.store.all("company"):
        kind = s.rng.choice(_ACCOUNT_TYPES)
        roles = {"is_customer": kind != "Supplier", "is_supplier": kind == "Supplier"}
        s.store.save("company", {**company, "account_type": kind, **roles})
    people = s.rng.sample(s.store.all("contact"), 36)
    for age, (name, description, steps) in zip((280, 200, 120, 90), _SEEDED, strict=True):
        queue = s.record(age, name=name, description=description, is_active=True)
        rows = [
            s.record(age, queue_id=queue["id"], name=step, position=i, delay_minutes=round(days * 1440), automation_id=None,
                     action_type=kind, config=config)
            for i, (step, days, kind, config) in enumerate(steps)
        ]  # fmt: skip
        s.store.add("auto_queue", [queue])
        s.store.add("auto_queue_step", rows)
        timers = [_past_timer(s, queue, row, person) for person in people[:12] for row in rows]
        s.store.add("auto_queue_enrollment", sorted(timers, key=lambda t: t["created_at"]))
        people = people[12:] or people


def _past_timer(s: Seeder, queue: Record, step: Record, person: Record) -> Record:
    """A timer that ran in the last months; those of the future were cancelled, so that a fresh workspace sends nothing."""
    days = 20 + int(person["id"][:2], 16) % 60
    at = days - step["delay_minutes"] / 1440
    return s.record(
        days, queue_id=queue["id"], step_id=step["id"], status="completed" if at > 0 else "cancelled", scheduled_for=s.time(at),
        enrollment_time=s.time(days), contact_id=person["id"], customer_id=None, deal_id=None,
        trigger_data={"contact_id": person["id"]}, executed_at=s.time(at) if at > 0 else None, run_id=None, last_error=None,
    )  # fmt: skip


JOBS = (Job(_due, _run),)

HANDLERS: dict[str, Handler] = {
    "list_auto_queues": lambda c: everything([_view(c, q) for q in c.store.all("auto_queue")]),
    "get_auto_queue": lambda c: Answer(_view(c, c.must("auto_queue"))),
    "create_auto_queue": _create,
    "update_auto_queue": lambda c: Answer(_view(c, change(c, "auto_queue", c.must("auto_queue"), c.body))),
    "delete_auto_queue": _delete,
    "add_auto_queue_step": _add_step,
    "update_auto_queue_step": _update_step,
    "delete_auto_queue_step": _delete_step,
    "list_auto_queue_enrollments": _enrollments,
    "bulk_enroll_auto_queue": _bulk_enroll,
}
