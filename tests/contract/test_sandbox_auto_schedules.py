"""Auto schedules: when they fire, for whom, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def schedule(api: Api, **fields: Any) -> dict[str, Any]:
    """A schedule of a new automation that logs a task for each row."""
    made = await api.ok("POST", "/automations", {"name": "A", "trigger_type": "api", "enabled": True}, status=201)
    task = {"action_type": "add_tasks", "sequence": 1, "config": {"tasks": [{"title": "for {{user.name}}{{deal.name}}"}]}}
    await api.ok("POST", f"/automations/{made['id']}/actions", task, status=201)
    body = {"name": "S", "audience_type": "users", "automation_id": made["id"], **fields}
    if "time_of_day" not in body:
        body.setdefault("cron_expression", "0 9 * * *")
    result: dict[str, Any] = await api.ok("POST", "/auto-schedules", body, status=201)
    return result


async def preview(api: Api, expression: str, **fields: Any) -> list[str]:
    body = {"cron_expression": expression, **fields}
    runs: list[str] = (await api.ok("POST", "/auto-schedules/preview-cron", body))["next_runs"]
    return runs


async def at(api: Api, now: str) -> None:
    await api.ok("POST", "/__sandbox/clock", {"now": now})


async def test_a_time_of_day_becomes_a_cron_expression_and_a_cron_expression_wins() -> None:
    api = make()
    made = await schedule(api, time_of_day="08:00", days_of_week=[5, 1, 3], timezone="Australia/Melbourne")
    assert (made["cron_expression"], made["next_run_at"]) == ("0 8 * * 1,3,5", "2026-06-16T22:00:00Z")
    assert (await schedule(api, time_of_day="08:05"))["cron_expression"] == "5 8 * * *"
    assert (await schedule(api, time_of_day="08:00", cron_expression="0 9,17 * * *"))["cron_expression"] == "0 9,17 * * *"
    path = f"/event-schedules/{made['id']}"
    assert (await api.ok("PATCH", path, {"days_of_week": []}))["cron_expression"] == "0 8 * * *"
    assert (await api.ok("PATCH", path, {"timezone": "Australia/Perth"}))["next_run_at"] == "2026-06-16T00:00:00Z"
    assert (await api.ok("PATCH", path, {"cron_expression": "0 0 1 1 *"}))["next_run_at"] == "2026-12-31T16:00:00Z"
    assert (await api.error("PATCH", path, {"days_of_week": [1]}))["message"].startswith("days_of_week goes")
    assert await api.get(path) == await api.get(f"/auto-schedules/{made['id']}")
    assert made["id"] in [s["id"] for s in await api.get("/auto-schedules", limit=100)]
    await api.ok("DELETE", path, status=204)
    assert (await api.get(f"/automations/{made['automation_id']}"))["name"] == "A"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cron_expression": "99 9 * * *"},
        {"cron_expression": "* * * *"},
        {"timezone": "Australia/Nowhere"},
        {"timezone": "AEST"},
        {"automation_id": NOBODY},
        {"audience_type": "everyone"},
        {"audience_filter": {"stale_days": 3}},
        {"audience_type": "contacts", "audience_filter": {"limit": 0}},
        {"max_runs": 0},
        {"days_of_week": [7], "time_of_day": "09:00"},
        {"time_of_day": "9:00"},
    ],
)
async def test_a_schedule_that_could_not_fire_is_refused(wrong: dict[str, Any]) -> None:
    api = make()
    automation = (await api.get("/automations"))[0]["id"]
    body = {"name": "S", "cron_expression": "0 9 * * *", "audience_type": "users", "automation_id": automation, **wrong}
    assert (await api.error("POST", "/auto-schedules", body))["code"] == "VALIDATION_ERROR"


async def test_a_schedule_without_a_time_is_refused() -> None:
    api = make()
    automation = (await api.get("/automations"))[0]["id"]
    error = await api.error("POST", "/auto-schedules", {"name": "S", "audience_type": "users", "automation_id": automation})
    assert "time_of_day" in error["message"]


async def test_a_preview_shows_the_next_times_and_makes_nothing() -> None:
    api = make()
    before = (await api.listed("/auto-schedules"))["total"]
    assert await preview(api, "0 9 * * 1-5", count=3) == ["2026-06-15T23:00:00Z", "2026-06-16T23:00:00Z", "2026-06-17T23:00:00Z"]
    assert len(await preview(api, "*/15 * * * *")) == 5
    for wrong in ("0 9 * *", "61 * * * *", "0 9 30 2 *"):
        assert (await api.error("POST", "/auto-schedules/preview-cron", {"cron_expression": wrong}))["code"] == "VALIDATION_ERROR"
    await api.error("POST", "/auto-schedules/preview-cron", {"cron_expression": "0 9 * * *", "count": 21})
    assert (await api.listed("/auto-schedules"))["total"] == before


async def test_wall_clock_time_counts_through_both_changes_of_summer_time() -> None:
    spring = make(now="2026-10-02T20:00:00Z")  # Sydney's clocks go from 2 to 3 o'clock on 4 October 2026.
    daily = await preview(spring, "0 9 * * *", count=3)
    assert daily == ["2026-10-02T23:00:00Z", "2026-10-03T22:00:00Z", "2026-10-04T22:00:00Z"]
    gap = await preview(spring, "30 2 * * *", count=3)
    assert gap == ["2026-10-03T16:00:00Z", "2026-10-04T15:30:00Z", "2026-10-05T15:30:00Z"]
    autumn = make(now="2027-04-02T20:00:00Z")  # They go back from 3 to 2 on 4 April 2027: half past two comes twice.
    assert await preview(autumn, "30 2 * * *", count=2) == ["2027-04-03T15:30:00Z", "2027-04-04T16:30:00Z"]
    brisbane = await preview(spring, "30 2 * * *", count=3, timezone="Australia/Brisbane")
    assert brisbane == ["2026-10-03T16:30:00Z", "2026-10-04T16:30:00Z", "2026-10-05T16:30:00Z"]


async def test_a_schedule_fires_when_its_time_comes_for_every_row_of_its_audience() -> None:
    api = make()
    made = await schedule(api, audience_filter={"roles": ["client_editor"]})
    path = f"/auto-schedules/{made['id']}"
    preview = await api.get(f"{path}/audience-preview", sample=1)
    assert (preview["total_count"], len(preview["sample"])) == (4, 1)
    await at(api, "2026-06-17T00:00:00Z")
    newest, first = await api.get(f"{path}/runs")
    assert (first["fired_at"][:19], first["audience_size"], first["runs_triggered"], first["status"]) == (
        "2026-06-15T23:00:00", 4, 4, "completed",
    )  # fmt: skip
    assert newest["fired_at"].startswith("2026-06-16T23:00:00")
    now = await api.get(path)
    assert (now["run_count"], now["next_run_at"]) == (2, "2026-06-17T23:00:00Z")
    runs = await api.get(f"/automations/{made['automation_id']}/runs")
    assert len(runs) == 8
    assert preview["sample"][0] in [run["trigger_data"] for run in runs]
    assert (await api.listed(f"{path}/runs", limit=1))["pagination"]["has_more"] is True


async def test_a_schedule_ends_by_its_date_or_its_number_of_runs_and_can_go_on() -> None:
    api = make()
    counted = await schedule(api, max_runs=2, audience_filter={"roles": ["client_admin"]})
    dated = await schedule(api, end_at="2026-06-17T00:00:00Z", audience_filter={"roles": ["client_admin"]})
    await at(api, "2026-06-20T00:00:00Z")
    one, two = [await api.get(f"/auto-schedules/{s['id']}") for s in (counted, dated)]
    assert (one["run_count"], one["is_active"], one["next_run_at"]) == (2, False, None)
    assert (two["run_count"], two["next_run_at"]) == (2, None)
    again = await api.ok("PATCH", f"/auto-schedules/{counted['id']}", {"max_runs": None, "is_active": True})
    assert again["next_run_at"] == "2026-06-20T23:00:00Z"
    off = await api.ok("PATCH", f"/auto-schedules/{counted['id']}", {"is_active": False})
    assert off["next_run_at"] is None


async def test_firing_by_hand_counts_for_nothing_and_minds_no_limit() -> None:
    api = make()
    made = await schedule(api, max_runs=1, is_active=False)
    path = f"/event-schedules/{made['id']}"
    for _ in range(2):
        fired = await api.ok("POST", f"{path}/fire-now")
        assert (fired["status"], fired["audience_size"], fired["runs_triggered"]) == ("completed", 6, 6)
    now = await api.get(path)
    assert (now["run_count"], now["next_run_at"]) == (0, made["next_run_at"])
    assert len(await api.get(f"{path}/runs")) == 2


async def test_a_fire_whose_runs_fail_says_partial_or_failed() -> None:
    api = make()
    made = await schedule(api, audience_filter={"roles": ["client_editor"]})
    broken = {"action_type": "assign_user", "sequence": 2, "config": {"user_id": NOBODY}}
    await api.ok("POST", f"/automations/{made['automation_id']}/actions", broken, status=201)
    fired = await api.ok("POST", f"/auto-schedules/{made['id']}/fire-now")
    assert (fired["status"], fired["runs_triggered"], fired["runs_failed"]) == ("failed", 4, 4)
    await api.ok("PATCH", f"/automations/{made['automation_id']}", {"conditions": {"user.name": {"contains_text": "jack"}}})
    assert (await api.ok("POST", f"/auto-schedules/{made['id']}/fire-now"))["status"] == "partial"
    await api.ok("POST", f"/automations/{made['automation_id']}/disable")
    await at(api, "2026-06-16T00:00:00Z")
    assert (await api.get(f"/auto-schedules/{made['id']}/runs"))[0]["error"].startswith("the automation is disabled")


@pytest.mark.parametrize(
    ("audience", "wanted"),
    [
        ("contacts", {"contact_type": "referrer", "has_email": True, "limit": 7}),
        ("deals", {"status": "open", "stale_days": 30}),
        ("tasks_by_assignee", {"statuses": ["open"], "include_overdue_only": True, "max_tasks_per_user": 2}),
    ],
)
async def test_an_audience_holds_the_rows_that_its_filter_describes(audience: str, wanted: dict[str, Any]) -> None:
    api = make()
    made = await schedule(api, audience_type=audience, audience_filter=wanted)
    answer = await api.get(f"/auto-schedules/{made['id']}/audience-preview", sample=50)
    rows = answer["sample"]
    assert rows
    if audience == "contacts":
        assert len(rows) == 7
        assert {r["contact"]["contact_type"] for r in rows} == {"Referrer"}
    elif audience == "deals":
        assert {r["deal"]["status"] for r in rows} == {"open"}
        assert all((r["deal"]["last_activity_at"] or r["deal"]["updated_at"]) < "2026-05-16T03" for r in rows)
    else:
        assert all(len(r["tasks"]) <= 2 and r["overdue_count"] == r["task_count"] > 0 for r in rows)
        assert all(t["due_date"] < "2026-06-15" and t["status"] != "completed" for r in rows for t in r["tasks"])


async def test_deals_are_chosen_by_their_stages() -> None:
    api = make()
    stage = (await api.get("/pipelines"))[0]["stages"][0]
    made = await schedule(api, audience_type="deals", audience_filter={"stage_ids": [stage["id"]]})
    assert (await api.get(f"/auto-schedules/{made['id']}/audience-preview"))["total_count"] == stage["deal_count"]
