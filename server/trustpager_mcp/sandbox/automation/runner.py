"""Runs automations: when an event matches, by hand, by schedule or as a queue's step."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from ..checks import moment
from ..company import setting
from ..errors import ApiError
from ..mail import notify
from ..store import Record
from ..texting import sending_number
from ..world import Event, World
from . import conditions
from .actions import ACTIONS, CHAINING, Step
from .context import Context
from .outcome import Failed, Skipped

_MOST_CHAINED = 5
_LONGEST_TEXT = 2000
_NOTICE_SECONDS = 3600
_MAPPED_WEBHOOKS = ("generic_webhook", "zapier", "typeform")
_chained: ContextVar[int] = ContextVar("chained automations", default=0)
_SOURCE_FIELDS = ("source_id", "form_template_id", "phone_number_id", "voice_agent_id", "document_template_id", "template_id",
                  "signature_template_id", "webhook_id", "event_type_id", "to_number")  # fmt: skip


def fire(world: World, event: Event) -> None:
    """Run every enabled automation that an event sets off, those of higher priority first."""
    found = [a for a in world.store.all("automation", trigger_type=event.name, enabled=True) if _matches(world, a, event)]
    for automation in sorted(found, key=lambda a: -(a.get("priority") or 0)):
        run(world, automation, event.data, skip_actions=event.skip_actions)


def _matches(world: World, automation: Record, event: Event) -> bool:
    """stage_changed by the stage alone; others by their trigger rows, where there are any."""
    if event.name == "stage_changed":
        return bool(automation.get("stage_id") == event.data.get("stage_id"))
    rows = world.store.all("automation_trigger", automation_id=automation["id"])
    named = {event.data.get(f) for f in _SOURCE_FIELDS}
    wanted = [row.get("source_id") or (row.get("config") or {}).get("form_template_id") for row in rows]
    return not rows or any(source is None or source in named for source in wanted)


def actions_of(world: World, automation_id: str) -> list[Record]:
    """The actions in their order."""
    found = world.store.all("automation_action", automation_id=automation_id)
    return sorted(found, key=lambda a: (a["sequence"], a["created_at"]))


def run(
    world: World, automation: Record, trigger_data: Record, *, skip_actions: tuple[str, ...] = (), source: str = "event"
) -> Record:
    """Evaluate the conditions, do the actions, and keep a record of it. What fails is recorded, not raised."""
    started = world.clock.iso()
    unmet = conditions.unmet(automation.get("conditions"), Context(world, trigger_data).lookup)
    actions = actions_of(world, automation["id"])
    results = [] if unmet else [_result(world, automation, a, trigger_data, a["id"] in skip_actions) for a in actions]
    count = {status: sum(r["status"] == status for r in results) for status in ("completed", "failed", "skipped")}
    record = world.fresh(
        {
            "automation_id": automation["id"], "automation_name": automation["name"],
            "trigger_type": automation["trigger_type"], "source": source, "trigger_data": trigger_data,
            "status": "skipped" if unmet else "failed" if count["failed"] else "completed", "unmet_conditions": unmet,
            "actions_total": len(actions), "actions_executed": count["completed"], "actions_failed": count["failed"],
            "actions_skipped": len(actions) if unmet else count["skipped"], "action_results": results,
            "skipped_action_ids": [a["id"] for a in actions if a["id"] in skip_actions],
            "truncated": any(r["truncated"] for r in results), "started_at": started, "completed_at": world.clock.iso(),
        }
    )  # fmt: skip
    record["run_id"] = record["id"]
    world.store.add("automation_run", [record])
    _tell_of_failures(world, automation, results)
    return record


def run_action(world: World, automation: Record, action: Record, trigger_data: Record) -> Record:
    """One action by itself: its result, as in a run."""
    return _result(world, automation, action, trigger_data, unwanted=False)


def _result(world: World, automation: Record, action: Record, trigger_data: Record, unwanted: bool) -> Record:
    started = time.perf_counter()
    context = Context(world, trigger_data)
    config = context.fill(action.get("config") or {})
    status, response, error = "completed", None, None
    try:
        if unwanted:
            raise Skipped("named in skip_action_ids")
        with world.store.attempt():
            response = _do(Step(world, context, automation, action, config))
    except Skipped as reason:
        status, error = "skipped", str(reason)
    except Failed as reason:
        status, error = "failed", str(reason)
    except ApiError as reason:
        status, error = "failed", f"{reason.code}: {reason.message}"
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as reason:
        status, error = "failed", f"the configuration does not fit the action ({type(reason).__name__}: {reason})"
    shown, cut = _clipped({"request": config, "response": response})
    return {
        "action_id": action["id"], "sequence": action.get("sequence"), "action_type": action["action_type"],
        "status": status, **shown, "error": error, "duration_ms": round((time.perf_counter() - started) * 1000),
        "truncated": cut,
    }  # fmt: skip


def _do(step: Step) -> Record:
    if step.action["action_type"] != CHAINING:
        return ACTIONS[step.action["action_type"]](step)
    other = step.world.store.get("automation", str(step.config["automation_id"]))
    if other is None:
        raise Failed(f"there is no automation {step.config['automation_id']}")
    return _chain(step.world, other, step.context.trigger_data)


def _chain(world: World, automation: Record, trigger_data: Record) -> Record:
    if _chained.get() >= _MOST_CHAINED:
        raise Failed(f"more than {_MOST_CHAINED} automations in a chain: it may go in a circle")
    token = _chained.set(_chained.get() + 1)
    try:
        record = run(world, automation, trigger_data, source="automation")
    finally:
        _chained.reset(token)
    return {"run_id": record["run_id"], "status": record["status"]}


def on_event(world: World, event: Event) -> None:
    """The listener: automations that set each other off by their effects end after a few rounds."""
    if _chained.get() >= _MOST_CHAINED:
        return
    token = _chained.set(_chained.get() + 1)
    try:
        fire(world, _of_webhook(world, event) if event.name == "webhook_received" else event)
    finally:
        _chained.reset(token)


def _of_webhook(world: World, event: Event) -> Event:
    """A post to an incoming webhook as the trigger of its kind of sender: `webhook` has it as body, others as fields."""
    hook = world.store.get("incoming_webhook", event.data["webhook_id"]) or {}
    kind = next((k for k in _MAPPED_WEBHOOKS if k == hook.get("service_type")), "webhook")
    body = event.data["payload"]
    fields = body if kind != "webhook" and isinstance(body, dict) else {"body": body}
    return Event(kind, {**fields, "webhook_id": hook.get("id")})


def _clipped(value: Any) -> tuple[Any, bool]:
    """A value whose long texts are cut, and whether any was."""
    if isinstance(value, str):
        return value[:_LONGEST_TEXT], len(value) > _LONGEST_TEXT
    if isinstance(value, list):
        parts = [_clipped(v) for v in value]
        return [v for v, _ in parts], any(cut for _, cut in parts)
    if isinstance(value, dict):
        fields = {k: _clipped(v) for k, v in value.items()}
        return {k: v for k, (v, _) in fields.items()}, any(cut for _, cut in fields.values())
    return value, False


def _tell_of_failures(world: World, automation: Record, results: list[Record]) -> None:
    """Those whom the settings name hear of a failed action, of one kind at most once an hour."""
    emails = setting(world.store, "automation_error_notify_emails") or []
    phones = setting(world.store, "automation_error_notify_phones") or []
    for result in results if emails or phones else []:
        signature = f"{automation['id']}/{result['action_type']}/{result['error']}"
        if result["status"] != "failed" or _told_lately(world, signature):
            continue
        text = f"{automation['name']}: {result['action_type']} failed: {result['error']}"
        for address in emails:
            notify(world, "automation_error", address, "An automation action failed", text, source="automation_error")
        if own := sending_number(world.store):
            for number in phones:
                world.send("sms", number, body=text, from_number=own["phone_number"], source="automation_error")
        world.store.add("automation_error_notice", [world.fresh({"signature": signature})])


def _told_lately(world: World, signature: str) -> bool:
    now = world.clock.now()
    times = (moment(n["created_at"]) for n in world.store.all("automation_error_notice", signature=signature))
    return any(t is not None and (now - t).total_seconds() < _NOTICE_SECONDS for t in times)
