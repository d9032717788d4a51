"""Automations: what sets them off, what they do, and what they did."""

from __future__ import annotations

from ..automation import runner
from ..automation.actions import check
from ..automation.trigger_types import SOURCE_TYPES, TRIGGER_TYPES
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, forbidden, invalid
from ..seed import Seeder
from ..store import Record
from ..texting import default_number

_STAGE, _DEPRECATED = "stage_changed", "form_submitted"


def _view(call: Call, automation: Record) -> Record:
    return {
        **automation,
        "triggers": _triggers(call, automation["id"]),
        "actions": runner.actions_of(call.world, automation["id"]),
    }


def _triggers(call: Call, automation_id: str) -> list[Record]:
    return list(reversed(call.store.all("automation_trigger", automation_id=automation_id)))


def _checked(call: Call, fields: Record, known: Record) -> Record:
    """What is to be stored, judged together with what is known. Raises VALIDATION_ERROR."""
    whole = {**known, **fields}
    trigger = whole["trigger_type"]
    call.reference("stage", fields.get("stage_id"), "stage_id")
    if trigger == _DEPRECATED:
        raise invalid("trigger_type form_submitted is deprecated; use form_completed", field="trigger_type")
    if trigger not in TRIGGER_TYPES:
        raise invalid(f"trigger_type {trigger} is unknown; GET /schemas/triggers lists them all", field="trigger_type")
    if trigger == _STAGE:
        if not whole.get("stage_id"):
            raise invalid("stage_id is required for stage_changed", field="stage_id")
        if known and trigger != known["trigger_type"] and _triggers(call, known["id"]):
            raise invalid("delete the trigger rows first: stage_changed matches by stage_id alone", field="trigger_type")
    return fields


def _create(call: Call) -> Answer:
    defaults: Record = {"stage_id": None, "description": None, "enabled": False, "priority": 0, "conditions": None}
    record = call.fresh({**defaults, **_checked(call, call.body, {})})
    call.store.add("automation", [record])
    return Answer(_view(call, record), status=201)


def _update(call: Call) -> Answer:
    automation = call.must("automation")
    return Answer(_view(call, change(call, "automation", automation, _checked(call, call.body, automation))))


def _delete(call: Call) -> Answer:
    automation = call.must("automation")
    for kind in ("automation_trigger", "automation_action"):
        for record in call.store.all(kind, automation_id=automation["id"]):
            call.store.delete(kind, record["id"])
    for schedule in call.store.all("auto_schedule", automation_id=automation["id"]):
        call.store.save("auto_schedule", {**schedule, "is_active": False, "next_run_at": None})
    call.store.delete("automation", automation["id"])
    return Answer(status=204)


def _switch(enabled: bool) -> Handler:
    def handler(call: Call) -> Answer:
        return Answer(_view(call, change(call, "automation", call.must("automation"), {"enabled": enabled})))

    return handler


def _run_view(record: Record) -> Record:
    """A run without the working details that the reference does not list."""
    return {k: v for k, v in record.items() if k != "automation_name"}


def _trigger(call: Call) -> Answer:
    data = call.body.get("trigger_data") or {}
    for name, kind in (("deal_id", "opportunity"), ("contact_id", "contact"), ("customer_id", "company")):
        if isinstance(data.get(name), str):
            call.reference(kind, data[name], f"trigger_data.{name}")
    return Answer(_run_view(runner.run(call.world, call.must("automation"), data, source="manual")))


def _runs(call: Call) -> Answer:
    return everything([_run_view(r) for r in call.store.all("automation_run", automation_id=call.must("automation")["id"])])


def _add_trigger(call: Call) -> Answer:
    automation = call.must("automation")
    if automation["trigger_type"] == _STAGE:
        raise invalid("stage_changed takes no trigger rows: set stage_id on the automation", field="source_type")
    defaults: Record = {"source_type": SOURCE_TYPES[automation["trigger_type"]], "source_id": None, "config": {}}
    record = call.fresh({"automation_id": automation["id"], **defaults, **call.body})
    call.store.add("automation_trigger", [record])
    return Answer(record, status=201)


def _part(call: Call, kind: str, id_name: str) -> Record:
    """A trigger or action of the automation in the path. Raises 404."""
    record = call.must(kind, call.ids[id_name])
    if record["automation_id"] != call.must("automation")["id"]:
        raise ApiError(404, "NOT_FOUND", f"the automation has no such {kind.removeprefix('automation_')}")
    return record


def _delete_part(kind: str, id_name: str) -> Handler:
    def handler(call: Call) -> Answer:
        call.store.delete(kind, _part(call, kind, id_name)["id"])
        return Answer(status=204)

    return handler


def _add_action(call: Call) -> Answer:
    automation = call.must("automation")
    config = call.body.get("config") or {}
    check(call.body["action_type"], config)
    record = call.fresh({"automation_id": automation["id"], **call.body, "config": config})
    call.store.add("automation_action", [record])
    return Answer(record, status=201)


def _update_action(call: Call) -> Answer:
    action = _part(call, "automation_action", "actionId")
    whole = {**action, **call.body}
    check(whole["action_type"], whole["config"] or {})
    return Answer(change(call, "automation_action", action, call.body))


def _reorder(call: Call) -> Answer:
    automation = call.must("automation")
    known = {a["id"]: a for a in runner.actions_of(call.world, automation["id"])}
    order = call.body["action_ids"]
    if len(order) != len(known) or set(order) != set(known):
        raise invalid("action_ids must hold every action of the automation once", field="action_ids")
    for sequence, action_id in enumerate(order, 1):
        call.store.save("automation_action", {**known[action_id], "sequence": sequence, "updated_at": call.clock.iso()})
    return Answer({"reordered": len(order), "actions": runner.actions_of(call.world, automation["id"])})


def _execute(call: Call) -> Answer:
    if "automations-trigger:trigger" not in call.key.scopes:
        raise forbidden("automations-trigger:trigger")
    action = _part(call, "automation_action", "actionId")
    automation = call.must("automation")
    result = runner.run_action(call.world, automation, action, call.body.get("trigger_data") or {})
    return Answer({"automation_id": automation["id"], **result})


_SEEDED: tuple[tuple[str, str, str, Record | None, bool, tuple[tuple[str, Record], ...]], ...] = (
    ("VIP quote follow-up", "stage_changed", "Quote Sent", {"tags": {"contains": "vip"}, "deal.value": {"gte": 5000}}, True,
     (("add_tasks", {"tasks": [{"title": "Ring {{contact.first_name}} about the quote", "due_offset_days": 2}]}),
      ("slack_send_message", {"channel": "#sales", "message": "VIP quote out: {{deal.name}} ({{deal.value}})"}))),
    ("Welcome after a won job", "stage_changed", "Won", {"tags": {"contains": "repeat-client"}}, True,
     (("send_custom_email", {"greeting": "{{contact.greeting}},", "customMessage":
                             "Thank you for choosing us again. Ruby will ring you to book the install."}),
      ("apply_tags", {"tags": [{"name": "welcome-back", "color": "#22c55e"}]}))),
    ("Facebook lead to pipeline", "facebook_lead_ad", "", None, True,
     (("crm_integration", {"mode": "create"}), ("add_tasks", {"tasks": [{"title": "Call the new Facebook lead"}]}))),
    ("Missed call text back", "call_analyzed", "", {"call_status": {"eq": "missed"}}, False,
     (("send_sms", {"phone_number_id": None,
                    "message_body": "{{contact.greeting}}, sorry we missed you. We will ring back today."}),)),
    ("Quiet deal check-in", "api", "", {"deal.status": {"eq": "open"}}, True,
     (("slack_send_message", {"channel": "#sales", "message": "Gone quiet: {{deal.name}}, {{deal.value}}"}),)),
    ("Team morning digest", "api", "", None, True,
     (("slack_send_message",
       {"channel": "#team", "message": "{{user.name}}: {{task_count}} tasks, {{overdue_count}} overdue"}),)),
    ("Site visit booked", "booking_created", "", {"event_type_name": {"contains_text": "site visit"}}, True,
     (("slack_send_message", {"channel": "#ops", "message": "Site visit: {{customer_name}} on {{date}} at {{time}}"}),)),
    ("New form answers", "form_completed", "", None, False,
     (("add_tasks", {"tasks": [{"title": "Read the form answers of {{contact.display_name}}"}]}),)),
)  # fmt: skip


def seed(s: Seeder) -> None:
    stages = {stage["name"]: stage["id"] for stage in s.store.all("stage")}
    number = default_number(s.store)["id"]
    for days_ago, (name, trigger, stage, conditions, enabled, actions) in zip(range(300, 0, -30), _SEEDED, strict=False):
        automation = s.record(
            days_ago, name=name, trigger_type=trigger, stage_id=stages.get(stage), description=None, enabled=enabled,
            priority=0, conditions=conditions,
        )  # fmt: skip
        s.store.add("automation", [automation])
        rows = [
            s.record(
                days_ago,
                automation_id=automation["id"],
                action_type=kind,
                sequence=i,
                config={**config, "phone_number_id": number} if "phone_number_id" in config else config,
            )
            for i, (kind, config) in enumerate(actions, 1)
        ]
        s.store.add("automation_action", rows)
        if trigger != _STAGE:
            row = s.record(days_ago, automation_id=automation["id"], source_type=SOURCE_TYPES[trigger], source_id=None, config={})
            s.store.add("automation_trigger", [row])


LISTENERS = (runner.on_event,)

HANDLERS: dict[str, Handler] = {
    "list_automations": lambda c: page(c, c.store.numbered("automation")),
    "get_automation": lambda c: Answer(_view(c, c.must("automation"))),
    "create_automation": _create,
    "update_automation": _update,
    "delete_automation": _delete,
    "enable_automation": _switch(True),
    "disable_automation": _switch(False),
    "trigger_automation": _trigger,
    "list_automation_runs": _runs,
    "get_automation_run": lambda c: Answer(_run_view(c.must("automation_run", c.ids["runId"], "automation run"))),
    "list_automation_triggers": lambda c: everything(_triggers(c, c.must("automation")["id"])),
    "add_automation_trigger": _add_trigger,
    "update_automation_trigger": lambda c: Answer(
        change(c, "automation_trigger", _part(c, "automation_trigger", "triggerId"), c.body)
    ),
    "delete_automation_trigger": _delete_part("automation_trigger", "triggerId"),
    "list_automation_actions": lambda c: everything(runner.actions_of(c.world, c.must("automation")["id"])),
    "add_automation_action": _add_action,
    "reorder_automation_actions": _reorder,
    "update_automation_action": _update_action,
    "delete_automation_action": _delete_part("automation_action", "actionId"),
    "execute_automation_action": _execute,
}
