"""Outreach sequences: their steps in order, and the leads that go through them."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid
from ..ordered import named
from ..outreach import CADENCE, dispatch, next_action_at, next_tick, opted_out, ready_at, steps_of
from ..people import owner
from ..seed import Seeder
from ..store import Record, Store
from ..world import Job, World

_DEFAULT_LIMIT = 50
_NEEDED = {
    "send_gmail_email": ("gmail_connection_id", "subject", "body"), "send_sms": ("body",),
    "notify_assigned_staff": ("subject", "body"),
}  # fmt: skip
_STATUSES = ("active", "completed", "unsubscribed", "failed")
_LEAD = ("business_name", "email", "phone", "website", "address", "city", "category", "rating", "reviews_count", "place_id")


def _counts(store: Store, initiative: Record) -> Record:
    enrolled = store.all("enrolment", initiative_id=initiative["id"])
    return {"total": len(enrolled), **{s: sum(e["status"] == s for e in enrolled) for s in _STATUSES}}


def _brief(store: Store, initiative: Record) -> Record:
    counts = _counts(store, initiative)
    return {**initiative, "step_count": len(steps_of(store, initiative["id"])), "enrolment_count": counts["total"]}


def _whole(store: Store, initiative: Record) -> Record:
    return {
        **_brief(store, initiative),
        "steps": steps_of(store, initiative["id"]),
        "enrolment_counts": _counts(store, initiative),
    }


def _paged(call: Call) -> Call:
    """Fifty to a page where no limit is given (reference: initiatives and enrolments)."""
    call.query.setdefault("limit", _DEFAULT_LIMIT)
    return call


def _list(call: Call) -> Answer:
    rows = call.store.numbered("initiative", **{k: call.query[k] for k in ("status",) if k in call.query})
    return page(_paged(call), rows, lambda i: _brief(call.store, i))


def _create(call: Call) -> Answer:
    defaults = {"description": None, "daily_send_cap": None, "status": "draft"}
    record = call.fresh({**defaults, **named(call.body, "name"), "activated_at": None})
    if record["status"] == "active":
        record["activated_at"] = record["created_at"]
    call.store.add("initiative", [record])
    return Answer(_whole(call.store, record), status=201)


def _update(call: Call) -> Answer:
    initiative, changes = call.must("initiative"), dict(named(call.body, "name"))
    if changes.get("status") == "active" != initiative["status"]:
        changes["activated_at"] = call.clock.iso()
    return Answer(_whole(call.store, change(call, "initiative", initiative, changes)))


def _delete(call: Call) -> Answer:
    initiative = call.must("initiative")
    for kind in ("initiative_step", "enrolment"):
        for record in call.store.all(kind, initiative_id=initiative["id"]):
            call.store.delete(kind, record["id"])
    call.store.delete("initiative", initiative["id"])
    return Answer(status=204)


def _check_config(store: Store, action: str, config: Record) -> None:
    missing = [name for name in _NEEDED[action] if not str(config.get(name) or "").strip()]
    if missing:
        raise invalid(f"config of {action} needs {', '.join(missing)}", field=f"config.{missing[0]}")
    if unknown := set(config) - set(_NEEDED[action]):
        message = f"config of {action}: unknown {', '.join(sorted(unknown))}; it takes {', '.join(_NEEDED[action])}"
        raise invalid(message, field=f"config.{min(unknown)}")
    if action == "send_gmail_email":
        connection = store.get("gmail_connection", str(config["gmail_connection_id"]))
        if connection is None or connection["status"] != "active":
            message = f"config.gmail_connection_id: there is no connected Gmail account {config['gmail_connection_id']}"
            raise invalid(message, field="config.gmail_connection_id")


def _renumber(call: Call, initiative_id: str, order: list[Record]) -> None:
    """The steps in their new order; enrolments keep the steps that they have done."""
    before = {s["id"]: s["step_number"] for s in steps_of(call.store, initiative_id)}
    after = {step["id"]: number for number, step in enumerate(order, 1)}
    for step in order:
        if step["step_number"] != after[step["id"]]:
            call.store.save("initiative_step", {**step, "step_number": after[step["id"]]})
    for enrolment in call.store.all("enrolment", initiative_id=initiative_id):
        done = [after[i] for i, number in before.items() if number <= enrolment["current_step"] and i in after]
        current = max(done, default=0)
        if current != enrolment["current_step"]:
            call.store.save("enrolment", {**enrolment, "current_step": current})


def _add_step(call: Call) -> Answer:
    initiative, body = call.must("initiative"), call.body
    _check_config(call.store, body["action_type"], body["config"])
    steps = steps_of(call.store, initiative["id"])
    place = min(body["step_number"], len(steps) + 1)
    step = call.fresh({"initiative_id": initiative["id"], "delay_days": 0, **body, "step_number": len(steps) + 1})
    call.store.add("initiative_step", [step])
    _renumber(call, initiative["id"], [*steps[: place - 1], step, *steps[place - 1 :]])
    return Answer(call.must("initiative_step", step["id"]), status=201)


def _step(call: Call) -> Record:
    initiative, step = call.must("initiative"), call.must("initiative_step", call.ids["stepId"])
    if step["initiative_id"] != initiative["id"]:
        raise ApiError(404, "NOT_FOUND", f"initiative {initiative['id']} has no step {step['id']}")
    return step


def _update_step(call: Call) -> Answer:
    step, changes = _step(call), dict(call.body)
    place = changes.pop("step_number", None)
    if "config" in changes:
        _check_config(call.store, step["action_type"], changes["config"])
    updated = change(call, "initiative_step", step, changes)
    if place is not None:
        others = [s for s in steps_of(call.store, step["initiative_id"]) if s["id"] != step["id"]]
        _renumber(call, step["initiative_id"], [*others[: place - 1], updated, *others[place - 1 :]])
    return Answer(call.must("initiative_step", step["id"]))


def _delete_step(call: Call) -> Answer:
    step = _step(call)
    others = [s for s in steps_of(call.store, step["initiative_id"]) if s["id"] != step["id"]]
    _renumber(call, step["initiative_id"], others)
    call.store.delete("initiative_step", step["id"])
    return Answer(status=204)


def _enrol(call: Call) -> Answer:
    """Those enrolled already are skipped and counted; those who opted out are left out without a word."""
    initiative, body = call.must("initiative"), call.body
    call.reference("user", body.get("assigned_user_id"), "assigned_user_id")
    wanted = list(dict.fromkeys(body["search_result_ids"]))
    results = [call.store.get("lead_result", i) for i in wanted]
    if missing := [i for i, r in zip(wanted, results, strict=True) if r is None]:
        raise invalid(f"search_result_ids: there is no search result {', '.join(missing[:3])}", field="search_result_ids")
    already = {e["search_result_id"] for e in call.store.all("enrolment", initiative_id=initiative["id"])}
    fresh = [r for r in results if r and r["id"] not in already]
    now = call.clock.iso()
    enrolled = [
        call.fresh({
            "initiative_id": initiative["id"], "search_result_id": r["id"], "status": "active", "current_step": 0,
            "assigned_user_id": body.get("assigned_user_id") or owner(call.store)["id"],
            "own_gmail": body.get("assigned_user_id") is not None, "enrolled_at": now, "last_action_at": now,
            "held_until": None, "last_error": None, "completed_at": None,
        })
        for r in fresh if not opted_out(call.store, r)
    ]  # fmt: skip
    call.store.add("enrolment", enrolled)
    shown = [_enrolment(call.store, initiative, e) for e in enrolled]
    return Answer({"enrolled": len(enrolled), "skipped": len(wanted) - len(fresh), "enrolments": shown}, status=201)


def _enrolment(store: Store, initiative: Record, enrolment: Record) -> Record:
    result = store.get("lead_result", enrolment["search_result_id"]) or {}
    lead = {"name": result.get("business_name"), **{k: result.get(k) for k in _LEAD}}
    shown = {k: v for k, v in enrolment.items() if k not in ("own_gmail", "held_until")}
    return {**shown, "lead": lead, "next_action_at": next_action_at(initiative, steps_of(store, initiative["id"]), enrolment)}


def _enrolments(call: Call) -> Answer:
    initiative = call.must("initiative")
    equal = {"initiative_id": initiative["id"], **{k: call.query[k] for k in ("status",) if k in call.query}}
    return page(_paged(call), call.store.numbered("enrolment", **equal), lambda e: _enrolment(call.store, initiative, e))


def _run(call: Call) -> Answer:
    only = call.body.get("initiative_id")
    if only:
        call.must("initiative", only)
    return Answer(dispatch(call.world, only, dry_run=bool(call.body.get("dry_run"))))


def _tick(world: World) -> None:
    dispatch(world)


HANDLERS: dict[str, Handler] = {
    "create_initiative": _create,
    "list_initiatives": _list,
    "get_initiative": lambda c: Answer(_whole(c.store, c.must("initiative"))),
    "update_initiative": _update,
    "delete_initiative": _delete,
    "add_initiative_step": _add_step,
    "update_initiative_step": _update_step,
    "delete_initiative_step": _delete_step,
    "enrol_initiative_leads": _enrol,
    "list_initiative_enrolments": _enrolments,
    "run_initiative_dispatcher": _run,
}
JOBS = (Job(lambda world: next_tick(ready_at(world.store), CADENCE), _tick),)


def seed(s: Seeder) -> None:
    """A paused sequence with leads half-way, and a draft."""
    connection = s.store.all("gmail_connection")[-1]
    user_id = connection["user_id"]
    paused = s.record(30, name="Builders in Sydney", description="Win builders as partners", daily_send_cap=20, status="paused",
                      activated_at=s.time(30))  # fmt: skip
    draft = s.record(5, name="Strata managers", description=None, daily_send_cap=None, status="draft", activated_at=None)
    s.store.add("initiative", [paused, draft])
    email = {
        "gmail_connection_id": connection["id"],
        "subject": "Solar for {{lead.business_name}}",
        "body": "<p>Hi {{lead.name}}</p>",
    }
    steps: tuple[tuple[str, int, Record], ...] = (
        ("send_gmail_email", 0, email), ("send_sms", 3, {"body": "Hi {{lead.name}}, did our email reach you?"}),
        ("notify_assigned_staff", 4, {"subject": "Ring {{lead.name}}", "body": "No answer yet: {{lead.phone}}"}),
    )  # fmt: skip
    s.store.add("initiative_step", [
        s.record(30, initiative_id=paused["id"], step_number=i, action_type=action, delay_days=days, config=config)
        for i, (action, days, config) in enumerate(steps, 1)
    ])  # fmt: skip
    leads = s.store.all("lead_result", search_id=s.store.all("lead_search")[-1]["id"])[:12]
    s.store.add("enrolment", [
        s.record(
            28, initiative_id=paused["id"], search_result_id=lead["id"], status="active", current_step=1, own_gmail=False,
            assigned_user_id=user_id, enrolled_at=s.time(28), last_action_at=s.time(28), held_until=None, last_error=None,
            completed_at=None,
        )
        for lead in leads
    ])  # fmt: skip
