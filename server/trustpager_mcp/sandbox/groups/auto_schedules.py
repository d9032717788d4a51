"""Auto schedules: automations that the clock fires for a whole audience. Under the legacy path /event-schedules too."""

from __future__ import annotations

from datetime import datetime

from .. import cron
from ..automation import audiences, runner
from ..checks import moment
from ..engine import Answer, Call, Handler, change, page
from ..errors import invalid
from ..seed import Seeder
from ..store import Record
from ..world import Job, World
from ..zones import day_name, must_be_iana

_DEFAULTS: Record = {
    "description": None, "is_active": True, "timezone": "Australia/Sydney", "audience_filter": {}, "end_at": None,
    "max_runs": None, "run_count": 0, "last_run_at": None, "time_of_day": None, "days_of_week": None,
}  # fmt: skip


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _view(schedule: Record) -> Record:
    """Cron is the stored form: how it was given is not shown."""
    return {k: v for k, v in schedule.items() if k not in ("time_of_day", "days_of_week")}


def _next_run(schedule: Record, after: datetime) -> str | None:
    """When it fires next; None when it is off, has ended, or never will."""
    times = cron.next_fires(schedule["cron_expression"], must_be_iana(schedule["timezone"]), after)
    end = moment(schedule["end_at"])
    spent = schedule["max_runs"] is not None and schedule["run_count"] >= schedule["max_runs"]
    if not schedule["is_active"] or not times or spent or (end is not None and times[0] > end):
        return None
    return _iso(times[0])


def _checked(call: Call, known: Record) -> Record:
    """What the body changes, judged together with what is known, with cron and next_run_at. Raises VALIDATION_ERROR."""
    fields = dict(call.body)
    if "cron_expression" in fields:
        fields["time_of_day"] = fields["days_of_week"] = None
    elif "time_of_day" in fields or "days_of_week" in fields:
        time_of_day = fields.get("time_of_day") or known.get("time_of_day")
        if time_of_day is None:
            raise invalid("days_of_week goes with time_of_day", field="time_of_day")
        days = fields.get("days_of_week", known.get("days_of_week"))
        fields |= {"time_of_day": time_of_day, "days_of_week": days, "cron_expression": cron.from_structure(time_of_day, days)}
    whole = {**known, **fields}
    must_be_iana(whole["timezone"])
    call.reference("automation", fields.get("automation_id"), "automation_id")
    audiences.check(whole["audience_type"], whole["audience_filter"] or {})
    again = {"cron_expression", "timezone", "is_active", "end_at", "max_runs"} & set(fields)
    return {**fields, "next_run_at": _next_run(whole, call.clock.now())} if again or not known.get("id") else fields


def _create(call: Call) -> Answer:
    if "cron_expression" not in call.body and "time_of_day" not in call.body:
        raise invalid("give time_of_day (with days_of_week) or cron_expression", field="time_of_day")
    record = call.fresh({**_DEFAULTS, **_checked(call, _DEFAULTS)})
    call.store.add("auto_schedule", [record])
    return Answer(_view(record), status=201)


def _update(call: Call) -> Answer:
    schedule = call.must("auto_schedule")
    return Answer(_view(change(call, "auto_schedule", schedule, _checked(call, schedule))))


def _delete(call: Call) -> Answer:
    schedule = call.must("auto_schedule")
    for run in call.store.all("auto_schedule_run", schedule_id=schedule["id"]):
        call.store.delete("auto_schedule_run", run["id"])
    call.store.delete("auto_schedule", schedule["id"])
    return Answer(status=204)


def _preview_cron(call: Call) -> Answer:
    expression, zone = call.body["cron_expression"], must_be_iana(call.body.get("timezone"))
    times = cron.next_fires(expression, zone, call.clock.now(), call.body.get("count", 5))
    if not times:
        raise invalid("cron_expression names a date that never comes", field="cron_expression")
    local = [at.astimezone(zone) for at in times]
    return Answer(
        {
            "cron_expression": expression, "timezone": zone.key, "valid": True, "next_runs": [_iso(at) for at in times],
            "next_runs_local": [f"{day_name(at)}, {at:%H:%M %Z}" for at in local],
        }
    )  # fmt: skip


def _rows(world: World, schedule: Record) -> list[Record]:
    """The trigger data of every run."""
    data = {"schedule_id": schedule["id"], "schedule_name": schedule["name"]}
    found = audiences.resolve(world, schedule["audience_type"], schedule["audience_filter"] or {})
    return [{**row, **data} for row in found]


def _fire(world: World, schedule: Record, manual: bool) -> Record:
    """One automation run for every row of the audience; the record of it."""
    rows = _rows(world, schedule)
    automation = world.store.get("automation", schedule["automation_id"])
    usable = automation is not None and (manual or automation["enabled"])
    runs = [runner.run(world, automation, row, source="schedule") for row in rows] if automation and usable else []
    failed = sum(r["status"] == "failed" for r in runs) if usable else len(rows)
    record = world.fresh(
        {
            "schedule_id": schedule["id"], "fired_at": world.clock.iso(), "completed_at": world.clock.iso(), "manual": manual,
            "audience_size": len(rows), "runs_triggered": len(runs), "runs_failed": failed,
            "status": "completed" if not failed else "failed" if failed == len(rows) else "partial",
            "error": None if usable else "the automation is disabled or gone",
        }
    )  # fmt: skip
    world.store.add("auto_schedule_run", [record])
    return record


def _audience(call: Call) -> Answer:
    schedule = call.must("auto_schedule")
    rows = _rows(call.world, schedule)
    sample = rows[: call.query.get("sample", 5)]
    return Answer({"audience_type": schedule["audience_type"], "total_count": len(rows), "sample": sample})


def _due(world: World) -> str | None:
    active = world.store.all("auto_schedule", is_active=True)
    return min((s["next_run_at"] for s in active if s["next_run_at"]), default=None)


def _run(world: World) -> None:
    waiting = [s for s in world.store.all("auto_schedule", is_active=True) if s["next_run_at"]]
    schedule = min(waiting, key=lambda s: (s["next_run_at"], s["created_at"]))
    _fire(world, schedule, manual=False)
    fired = {**schedule, "run_count": schedule["run_count"] + 1, "last_run_at": world.clock.iso()}
    fired["is_active"] = schedule["max_runs"] is None or fired["run_count"] < schedule["max_runs"]
    fired["next_run_at"] = _next_run(fired, world.clock.now())
    world.store.save("auto_schedule", {**fired, "updated_at": world.clock.iso()})


# name, cron, zone, audience, filter, automation, active
_SEEDED: tuple[tuple[str, str, str, str, Record, str, bool], ...] = (
    ("Team digest on weekdays", "0 8 * * 1-5", "Australia/Sydney", "tasks_by_assignee", {"include_overdue_only": True},
     "Team morning digest", True),
    ("Monday check of quiet deals", "0 9 * * 1", "Australia/Melbourne", "deals",
     {"status": "open", "stale_days": 30, "limit": 10}, "Quiet deal check-in", True),
    ("Monthly sales note", "0 9 1 * *", "Australia/Sydney", "users", {"roles": ["client_editor"]}, "Team morning digest", False),
    ("Half-hourly watch", "*/30 * * * *", "Australia/Perth", "users", {"roles": ["client_admin"]}, "Team morning digest", False),
)  # fmt: skip


def seed(s: Seeder) -> None:
    by_name = {a["name"]: a["id"] for a in s.store.all("automation")}
    for age, (name, expression, zone, audience, wanted, automation, active) in zip((150, 120, 60, 30), _SEEDED, strict=True):
        schedule = s.record(
            age, **{**_DEFAULTS, "is_active": active, "timezone": zone, "audience_filter": wanted}, name=name,
            cron_expression=expression, audience_type=audience, automation_id=by_name[automation],
        )  # fmt: skip
        past = [s.time(days) for days in (21, 14, 7)] if active else []
        runs = [
            {
                **s.record(0, schedule_id=schedule["id"], fired_at=at, completed_at=at, manual=False, audience_size=6,
                           runs_triggered=6, runs_failed=0, status="completed", error=None),
                "created_at": at, "updated_at": at,
            }
            for at in past
        ]  # fmt: skip
        s.store.add("auto_schedule_run", runs)
        schedule |= {"run_count": len(runs), "last_run_at": past[-1] if past else None}
        s.store.add("auto_schedule", [{**schedule, "next_run_at": _next_run(schedule, s.now)}])


JOBS = (Job(_due, _run),)

HANDLERS: dict[str, Handler] = {
    "list_auto_schedules": lambda c: page(c, c.store.numbered("auto_schedule"), _view),
    "get_auto_schedule": lambda c: Answer(_view(c.must("auto_schedule"))),
    "create_auto_schedule": _create,
    "update_auto_schedule": _update,
    "delete_auto_schedule": _delete,
    "preview_auto_schedule_cron": _preview_cron,
    "fire_auto_schedule": lambda c: Answer(_fire(c.world, c.must("auto_schedule"), manual=True)),
    "preview_auto_schedule_audience": _audience,
    "list_auto_schedule_runs": lambda c: page(
        c, c.store.numbered("auto_schedule_run", schedule_id=c.must("auto_schedule")["id"])
    ),
}
