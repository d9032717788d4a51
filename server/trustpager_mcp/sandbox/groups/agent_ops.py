"""Registered agents, their runs, signals between them, alert rules and alerts."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from .. import agent_alerts
from ..checks import is_uuid, moment
from ..cron import fire_times
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid, not_found
from ..ordered import named
from ..seed import Seeder
from ..store import Record
from ..world import Job, World

_MANAGED = "managed_agents"
_TEST_TAKES = timedelta(seconds=30)
_OWN = ("id", "created_at", "updated_at")
_ENDED = ("completed", "failed", "skipped")


def _filtered(call: Call, kind: str, *names: str) -> Answer:
    return page(call, call.store.numbered(kind, **{n: call.query[n] for n in names if n in call.query}))


def _checked(call: Call) -> Record:
    """The body, its names not blank and its schedule a cron expression. Raises VALIDATION_ERROR."""
    if call.body.get("schedule"):
        fire_times(call.body["schedule"], ZoneInfo("UTC"), call.clock.now(), "schedule")
    return named(call.body, "name", "display_name")


def _register(call: Call) -> Answer:
    body = _checked(call)
    if call.store.all("registered_agent", name=body["name"]):
        raise ApiError(409, "CONFLICT", f"an agent named {body['name']} is registered already")
    unset: Record = dict.fromkeys(("description", "agent_type", "schedule", "timezone", "last_run_at", "last_run_status"))
    counts = {"total_runs": 0, "failed_runs": 0, "consecutive_failures": 0, "runtime": "external", "definition_id": None}
    defaults = {**unset, **counts, "status": "active", "capabilities": [], "configuration": {}}
    record = call.fresh({**defaults, **body})
    call.store.add("registered_agent", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    return Answer(change(call, "registered_agent", call.must("registered_agent", what="agent"), _checked(call)))


def _delete(call: Call) -> Answer:
    call.store.delete("registered_agent", call.must("registered_agent", what="agent")["id"])
    return Answer(status=204)


def _test_run(call: Call) -> Answer:
    """Starts a run, which the clock ends."""
    agent = call.must("registered_agent", what="agent")
    if agent["runtime"] != _MANAGED:
        raise invalid(f"{agent['name']} does not run on {_MANAGED}; only managed agents can be started from here")
    if agent["status"] != "active":
        raise invalid(f"{agent['name']} is {agent['status']}; set its status to active first", field="status")
    context = call.body.get("trigger_context") or {"source": "api-test-run"}
    run = _run(
        call.world, {"agent_name": agent["name"], "task_type": "test-run", "status": "started", "trigger_context": context}
    )
    run["session_id"] = f"session_{uuid4().hex[:16]}"
    run["_ends_at"] = (call.clock.now() + _TEST_TAKES).isoformat()
    call.store.add("agent_run", [run])
    return Answer({"run_id": run["id"], "session_id": run["session_id"], "status": "started"}, status=202)


def _define(call: Call) -> Answer:
    agent = call.must("registered_agent", what="agent")
    definition = call.store.get("agent_definition", agent["definition_id"] or "")
    if definition is None:
        raise invalid(f"{agent['name']} has no managed definition")
    version = definition["version"] + 1
    payload = {k: v for k, v in call.body["agent"].items() if k not in _OWN}
    changed = change(call, "agent_definition", definition, {**payload, "version": version})
    return Answer({"agent_id": agent["id"], "definition_id": definition["id"], "version": version, "definition": changed})


def _run(world: World, fields: Record) -> Record:
    unset = dict.fromkeys(("task_type", "model", "duration_ms", "output_summary", "error_message", "eve_id", "completed_at"))
    return world.fresh({**unset, "status": "started", **fields})


def _log_run(call: Call) -> Answer:
    """A run with a known eve_id is the same run again: it is updated."""
    eve_id = call.body.get("eve_id")
    known = call.store.all("agent_run", eve_id=eve_id) if eve_id else []
    if known:
        return Answer(_shown(_advance(call.world, known[0], call.body)))
    run = _run(call.world, {**call.body, "status": "started"})
    call.store.add("agent_run", [run])
    return Answer(_shown(_advance(call.world, run, {"status": call.body.get("status", "started")})), status=201)


def _update_run(call: Call) -> Answer:
    wanted = call.ids["id"]
    found = [call.store.get("agent_run", wanted)] if is_uuid(wanted) else call.store.all("agent_run", eve_id=wanted)
    if not found or found[0] is None:
        raise not_found("agent run", wanted)
    return Answer(_shown(_advance(call.world, found[0], call.body)))


def _advance(world: World, run: Record, changes: Record) -> Record:
    """The run changed; when it is completed or fails, the agent's figures and the alert rules follow."""
    now = world.clock.iso()
    changed = {**run, **changes, "updated_at": now}
    ends = changed["status"] in _ENDED and run["status"] not in _ENDED
    if ends:
        changed["completed_at"] = now
        changed.pop("_ends_at", None)
    world.store.save("agent_run", changed)
    if ends and changed["status"] != "skipped":
        _count(world, changed)
        agent_alerts.judge_run(world, changed)
    return changed


def _count(world: World, run: Record) -> None:
    for agent in world.store.all("registered_agent", name=run["agent_name"]):
        failed = run["status"] == "failed"
        streak = agent["consecutive_failures"] + 1 if failed else 0
        world.store.save("registered_agent", {
            **agent, "last_run_at": run["completed_at"], "last_run_status": run["status"], "consecutive_failures": streak,
            "total_runs": agent["total_runs"] + 1, "failed_runs": agent["failed_runs"] + failed,
            "updated_at": run["completed_at"],
        })  # fmt: skip


def _shown(run: Record) -> Record:
    return {k: v for k, v in run.items() if not k.startswith("_")}


def _runs(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("agent_run", **{n: q[n] for n in ("agent_name", "status") if n in q})
    if (since := moment(q.get("since"))) is not None:
        rows = [(n, r) for n, r in rows if (moment(r["created_at"]) or since) > since]
    return page(call, rows, _shown)


def _is_pending(signal: Record, call: Call) -> bool:
    expires = moment(signal["expires_at"])
    return signal["actioned_at"] is None and (expires is None or expires > call.clock.now())


def _signals(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("agent_signal", **{n: q[n] for n in ("for_agent", "created_by", "signal") if n in q})
    if q.get("pending"):
        rows = [(n, s) for n, s in rows if _is_pending(s, call)]
    return page(call, rows)


def _send_signal(call: Call) -> Answer:
    signal = call.fresh({"detail": None, "expires_at": None, "actioned_at": None, **call.body})
    call.store.add("agent_signal", [signal])
    return Answer(signal, status=201)


def _create_rule(call: Call) -> Answer:
    for name, value in call.body["threshold"].items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise invalid(f"threshold.{name} must be a number from 0", field=f"threshold.{name}")
    rule = call.fresh({"agent_name": None, "notify_channel": "slack", "enabled": True, **call.body})
    call.store.add("agent_alert_rule", [rule])
    return Answer(rule, status=201)


def _alerts(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("agent_alert", **{n: q[n] for n in ("agent_name",) if n in q})
    if q.get("unacknowledged"):
        rows = [(n, a) for n, a in rows if a["acknowledged_at"] is None]
    return page(call, rows)


def _acknowledge(call: Call) -> Answer:
    alert = call.must("agent_alert", what="alert")
    if alert["acknowledged_at"] is not None:
        return Answer(alert)
    by = call.body.get("acknowledged_by") or "api"
    return Answer(change(call, "agent_alert", alert, {"acknowledged_at": call.clock.iso(), "acknowledged_by": by}))


def _dashboard(call: Call) -> Answer:
    today = call.clock.iso()[:10]
    agents = [a for _, a in call.store.numbered("registered_agent")]
    runs = [_shown(r) for r in call.store.all("agent_run") if r["created_at"][:10] == today]
    signals = [s for s in call.store.all("agent_signal") if _is_pending(s, call)]
    reports = [a for a in agents if a["agent_type"] == "cron_report"]
    by_status = {status: sum(r["status"] == status for r in runs) for status in ("started", *_ENDED)}
    status = [
        {"agent_name": a["name"], "last_run_at": a["last_run_at"], "last_run_status": a["last_run_status"]} for a in reports
    ]
    return Answer({
        "agents": agents, "runs_today": {"total": len(runs), "by_status": by_status, "runs": runs}, "pending_signals": signals,
        "unacknowledged_alerts": len(call.store.all("agent_alert", acknowledged_at=None)), "report_status": status,
    })  # fmt: skip


def _testing(world: World) -> list[Record]:
    return sorted(
        (r for r in world.store.all("agent_run", status="started") if r.get("_ends_at")), key=lambda r: str(r["_ends_at"])
    )


def _next_end(world: World) -> str | None:
    running = _testing(world)
    return running[0]["_ends_at"] if running else None


def _end(world: World) -> None:
    done = {"status": "completed", "duration_ms": int(_TEST_TAKES.total_seconds() * 1000), "output_summary": "Test run done."}
    _advance(world, _testing(world)[0], done)


def seed(s: Seeder) -> None:
    """Three agents, a week of their runs, a signal, a rule and an alert."""
    definition = s.record(200, name="Pipeline watch", system_prompt="Find deals nobody has touched.", model="standard", version=3)
    s.store.add("agent_definition", [definition])
    managed = {"runtime": _MANAGED, "definition_id": definition["id"]}
    external = {"runtime": "external", "definition_id": None}
    kinds = [
        ("pipeline-watch", "Pipeline watch", "scheduled_task", "0 7 * * 1-5", managed),
        ("sales-report", "Sales report", "cron_report", "0 17 * * 5", external),
        ("sms-responder", "SMS responder", "real_time_responder", None, external),
    ]
    names = []
    for name, title, kind, schedule, runtime in kinds:
        s.store.add("registered_agent", [s.record(
            200, name=name, display_name=title, description=f"{title} of the office.", agent_type=kind, status="active",
            schedule=schedule, timezone="Australia/Sydney", capabilities=["email", "sms"], configuration={}, **runtime,
            last_run_at=s.time(0.2), last_run_status="completed", total_runs=30, failed_runs=2, consecutive_failures=0,
        )])  # fmt: skip
        names.append(name)
    runs = []
    for i in range(30):
        age, failed = 7 - i * 0.22, i % 11 == 5
        run = s.record(
            age, agent_name=names[i % 3], task_type=names[i % 3], status="failed" if failed else "completed", model="standard",
            duration_ms=s.rng.randint(2_000, 90_000), output_summary=None if failed else "Done, nothing unusual.",
            error_message="The mailbox did not answer." if failed else None, eve_id=str(1000 + i),
        )  # fmt: skip
        runs.append({**run, "completed_at": run["created_at"]})
    s.store.add("agent_run", runs)
    s.store.add("agent_signal", [s.record(
        0.3, for_agent="sales-report", created_by="pipeline-watch", signal="include_stale_deals", detail="Seven deals are stale.",
        expires_at=None, actioned_at=None,
    )])  # fmt: skip
    rule = s.record(
        150,
        rule_type="consecutive_failures",
        threshold={"max_failures": 3},
        agent_name=None,
        notify_channel="email",
        enabled=True,
    )
    s.store.add("agent_alert_rule", [rule])
    s.store.add("agent_alert", [s.record(
        9, rule_id=rule["id"], rule_type=rule["rule_type"], agent_name="sms-responder",
        acknowledged_at=None, acknowledged_by=None, message="sms-responder failed 3 times in a row",
    )])  # fmt: skip


JOBS = (Job(_next_end, _end), Job(agent_alerts.next_silence, agent_alerts.tell_silence))
HANDLERS: dict[str, Handler] = {
    "get_agent_ops_dashboard": _dashboard,
    "list_registered_agents": lambda c: _filtered(c, "registered_agent", "agent_type", "status"),
    "register_agent": _register,
    "get_registered_agent": lambda c: Answer(c.must("registered_agent", what="agent")),
    "update_registered_agent": _update,
    "delete_registered_agent": _delete,
    "test_registered_agent": _test_run,
    "update_managed_agent_definition": _define,
    "list_agent_runs": _runs,
    "log_agent_run": _log_run,
    "update_agent_run": _update_run,
    "list_agent_signals": _signals,
    "send_agent_signal": _send_signal,
    "list_agent_alert_rules": lambda c: _filtered(c, "agent_alert_rule"),
    "create_agent_alert_rule": _create_rule,
    "list_agent_alerts": _alerts,
    "acknowledge_agent_alert": _acknowledge,
}
