"""Alert rules over agents' runs: judged when a run ends, and by the clock for agents that fall silent.

The reference gives the keys of two thresholds (max_failures, max_duration_ms); max_error_rate (0 to 1, over the last
`window` runs, 20 by default) and max_hours are the sandbox's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .checks import moment
from .mail import notify
from .store import Record
from .world import World

_WINDOW, _MAX_FAILURES, _MAX_DURATION, _MAX_ERROR_RATE, _MAX_HOURS = 20, 3, 300_000, 0.5, 24.0


def judge_run(world: World, run: Record) -> None:
    """Fire the rules that an ended run breaks."""
    runs = [r for r in world.store.all("agent_run", agent_name=run["agent_name"]) if r["status"] in ("completed", "failed")]
    for rule in _rules(world, run["agent_name"]):
        if message := _broken(rule, run, runs):
            fire(world, rule, run["agent_name"], message)


def _rules(world: World, agent_name: str) -> list[Record]:
    return [r for r in world.store.all("agent_alert_rule", enabled=True) if r["agent_name"] in (None, agent_name)]


def _broken(rule: Record, run: Record, runs: list[Record]) -> str | None:
    limit = rule["threshold"]
    match rule["rule_type"]:
        case "consecutive_failures":
            most = int(limit.get("max_failures", _MAX_FAILURES))
            if len(runs) >= most and all(r["status"] == "failed" for r in runs[:most]):
                return f"{run['agent_name']} failed {most} times in a row"
        case "duration_exceeded":
            longest = limit.get("max_duration_ms", _MAX_DURATION)
            if (run.get("duration_ms") or 0) > longest:
                return f"{run['agent_name']} took {run['duration_ms']} ms, more than {longest} ms"
        case "error_rate":
            latest = runs[: int(limit.get("window", _WINDOW))]
            rate = sum(r["status"] == "failed" for r in latest) / len(latest) if latest else 0.0
            if rate > limit.get("max_error_rate", _MAX_ERROR_RATE):
                return f"{run['agent_name']} failed in {rate:.0%} of its last {len(latest)} runs"
    return None


def fire(world: World, rule: Record, agent_name: str, message: str) -> None:
    """Store an alert and notify over the rule's channels, unless the same one waits for its acknowledgement."""
    waiting = world.store.all("agent_alert", rule_id=rule["id"], agent_name=agent_name, acknowledged_at=None)
    if waiting:
        return
    alert = world.fresh({
        "rule_id": rule["id"], "rule_type": rule["rule_type"], "agent_name": agent_name, "message": message,
        "acknowledged_at": None, "acknowledged_by": None,
    })  # fmt: skip
    world.store.add("agent_alert", [alert])
    if rule["notify_channel"] in ("slack", "both"):
        world.send("slack", "#agent-alerts", body=message)
    if rule["notify_channel"] in ("email", "both"):
        notify(world, "agent_alert", "alerts@brightside.example", f"Agent alert: {agent_name}", message)


def next_silence(world: World) -> str | None:
    """When the first agent will have been silent for longer than a rule allows."""
    silences = _silences(world)
    return min(silences)[0].isoformat() if silences else None


def tell_silence(world: World) -> None:
    """Fire for the agent whose silence has lasted too long."""
    _, rule_id, agent_name = min(_silences(world))
    rule = world.store.get("agent_alert_rule", rule_id)
    if rule is not None:
        fire(world, rule, agent_name, f"{agent_name} has not run for {rule['threshold'].get('max_hours', _MAX_HOURS):g} h")


def _silences(world: World) -> list[tuple[datetime, str, str]]:
    """The moments at which the no_run_since rules break, but for those whose alert waits already."""
    found = []
    for rule in world.store.all("agent_alert_rule", rule_type="no_run_since", enabled=True):
        waiting = {a["agent_name"] for a in world.store.all("agent_alert", rule_id=rule["id"], acknowledged_at=None)}
        hours = timedelta(hours=float(rule["threshold"].get("max_hours", _MAX_HOURS)))
        for agent in world.store.all("registered_agent", status="active"):
            if agent["name"] in waiting or rule["agent_name"] not in (None, agent["name"]):
                continue
            # Counted from the rule's own making at the earliest, and anew from an acknowledgement.
            told = [a["acknowledged_at"] for a in world.store.all("agent_alert", rule_id=rule["id"], agent_name=agent["name"])]
            since = max(filter(None, map(moment, (agent["last_run_at"], agent["created_at"], rule["created_at"], *told))))
            found.append((since + hours, rule["id"], agent["name"]))
    return found
