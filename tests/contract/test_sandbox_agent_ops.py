"""Registered agents, runs, signals, alert rules and alerts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def register(api: Api, name: str = "scout", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok("POST", "/agent-ops/registry", {"name": name, "display_name": name, **fields}, status=201)
    return made


async def run(api: Api, status: str, agent: str = "scout", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok("POST", "/agent-ops/runs", {"agent_name": agent, "status": status, **fields}, status=201)
    return made


async def rule(api: Api, rule_type: str, threshold: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"rule_type": rule_type, "threshold": threshold, "agent_name": "scout", "notify_channel": "both", **fields}
    made: dict[str, Any] = await api.ok("POST", "/agent-ops/alert-rules", body, status=201)
    return made


async def alerts(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await api.get("/agent-ops/alerts", agent_name="scout")
    return found


async def test_an_agent_is_registered_listed_changed_and_deleted() -> None:
    api = make()
    agent = await register(api, agent_type="scheduled_task", schedule="0 7 * * *", timezone="Australia/Sydney")
    path = f"/agent-ops/registry/{agent['id']}"
    assert agent["status"] == "active"
    assert await api.get(path) == agent
    assert agent in await api.get("/agent-ops/registry", agent_type="scheduled_task")
    assert (await api.ok("PATCH", path, {"status": "paused"}))["status"] == "paused"
    assert agent["id"] in {a["id"] for a in await api.get("/agent-ops/registry", status="paused")}
    await api.error("POST", "/agent-ops/registry", {"name": "scout", "display_name": "x"}, status=409)
    for wrong in ({"timezone": "Nowhere"}, {"schedule": "0 25 * * *"}, {"schedule": "daily"}, {"display_name": " "}):
        await api.error("POST", "/agent-ops/registry", {"name": "s2", "display_name": "x", **wrong})
    assert "schedule" in (await api.error("PATCH", path, {"schedule": "daily"}))["message"]
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)


async def test_only_active_managed_agents_can_be_test_run_and_the_clock_ends_the_run() -> None:
    api = make()
    managed = next(a for a in await api.get("/agent-ops/registry") if a["runtime"] == "managed_agents")
    path = f"/agent-ops/registry/{managed['id']}"
    started = await api.ok("POST", f"{path}/test-run", {}, status=202)
    runs = await api.get("/agent-ops/runs", agent_name=managed["name"], status="started")
    assert [(r["id"], r["session_id"]) for r in runs] == [(started["run_id"], started["session_id"])]
    assert runs[0]["trigger_context"] == {"source": "api-test-run"}
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 31})
    done = (await api.get("/agent-ops/runs", agent_name=managed["name"]))[0]
    assert (done["id"], done["status"]) == (started["run_id"], "completed")
    assert (await api.get(path))["total_runs"] == managed["total_runs"] + 1
    await api.ok("PATCH", path, {"status": "paused"})
    await api.error("POST", f"{path}/test-run", {})
    external = await register(api)
    await api.error("POST", f"/agent-ops/registry/{external['id']}/test-run", {})


async def test_a_new_definition_bumps_the_version_of_a_managed_agent() -> None:
    api = make()
    agents = await api.get("/agent-ops/registry")
    managed = next(a for a in agents if a["runtime"] == "managed_agents")
    path = f"/agent-ops/registry/{managed['id']}/definition"
    first = await api.ok("POST", path, {"agent": {"system_prompt": "Be brief."}})
    second = await api.ok("POST", path, {"agent": {"model": "advanced"}})
    assert second["version"] == first["version"] + 1
    assert (second["definition"]["system_prompt"], second["definition"]["model"]) == ("Be brief.", "advanced")
    own = {"id": NOBODY, "version": 1, "created_at": "x"}
    third = await api.ok("POST", path, {"agent": own})
    assert (third["definition_id"], third["definition"]["id"], third["version"]) == (
        *[first["definition_id"]] * 2,
        second["version"] + 1,
    )
    await api.error("POST", path, {})
    external = next(a for a in agents if a["runtime"] == "external")
    await api.error("POST", f"/agent-ops/registry/{external['id']}/definition", {"agent": {}})


async def test_runs_are_logged_updated_by_either_id_and_counted_on_their_agent() -> None:
    api = make()
    agent = await register(api)
    logged = await run(api, "started", eve_id="9001")
    again = await api.ok("POST", "/agent-ops/runs", {"agent_name": "scout", "eve_id": "9001", "output_summary": "half"})
    assert (again["id"], again["output_summary"]) == (logged["id"], "half")
    ended = await api.ok("PATCH", "/agent-ops/runs/9001", {"status": "failed", "error_message": "no"})
    assert (ended["id"], ended["status"]) == (logged["id"], "failed")
    other = await run(api, "completed", duration_ms=5)
    assert other["completed_at"]
    counted = await api.get(f"/agent-ops/registry/{agent['id']}")
    assert (counted["total_runs"], counted["failed_runs"], counted["consecutive_failures"]) == (2, 1, 0)
    assert counted["last_run_status"] == "completed"
    await run(api, "skipped")
    assert await api.get(f"/agent-ops/registry/{agent['id']}") == counted
    await api.error("PATCH", f"/agent-ops/runs/{NOBODY}", {"status": "failed"}, status=404)
    await api.error("PATCH", "/agent-ops/runs/9999999", {"status": "failed"}, status=404)
    recent = await api.get("/agent-ops/runs", since="2026-06-15T00:00:00Z", agent_name="scout")
    assert [r["id"] for r in recent][1:] == [other["id"], logged["id"]]


async def test_failures_in_a_row_fire_one_alert_until_it_is_acknowledged() -> None:
    api = make()
    await rule(api, "consecutive_failures", {"max_failures": 2})
    await run(api, "failed", agent="other")
    await run(api, "failed")
    assert await alerts(api) == []
    await run(api, "failed")
    (alert,) = await alerts(api)
    sent = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    assert [m["channel"] for m in sent] == ["slack", "email"]
    (log,) = await api.get("/email/logs", email_type="agent_alert")
    assert (log["subject"], log["recipient_email"]) == ("Agent alert: scout", sent[1]["to"])
    await run(api, "failed")
    assert len([a for a in await alerts(api) if a["rule_id"] == alert["rule_id"]]) == 1
    done = await api.ok("POST", f"/agent-ops/alerts/{alert['id']}/acknowledge", {"acknowledged_by": "Mia"})
    assert (done["acknowledged_by"], bool(done["acknowledged_at"])) == ("Mia", True)
    assert await api.ok("POST", f"/agent-ops/alerts/{alert['id']}/acknowledge", {}) == done
    assert done["id"] not in {a["id"] for a in await api.get("/agent-ops/alerts", agent_name="scout", unacknowledged=True)}
    assert done["id"] in {a["id"] for a in await api.get("/agent-ops/alerts", agent_name="scout", unacknowledged=False)}
    await run(api, "failed")
    assert len([a for a in await alerts(api) if a["rule_id"] == alert["rule_id"]]) == 2


@pytest.mark.parametrize(
    ("rule_type", "threshold", "runs"),
    [
        ("duration_exceeded", {"max_duration_ms": 1000}, [("completed", 1001)]),
        ("error_rate", {"max_error_rate": 0.4, "window": 4}, [("completed", 1), ("failed", 1)]),
    ],
)
async def test_long_runs_and_error_rates_fire_alerts(
    rule_type: str, threshold: dict[str, Any], runs: list[tuple[str, int]]
) -> None:
    api = make()
    await rule(api, rule_type, threshold)
    for status, duration in runs:
        assert await alerts(api) == []
        await run(api, status, duration_ms=duration)
    assert len(await alerts(api)) == 1


async def test_an_agent_that_falls_silent_fires_an_alert_by_the_clock() -> None:
    api = make()
    await register(api)
    await rule(api, "no_run_since", {"max_hours": 2})
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 7100})
    assert await alerts(api) == []
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 200})
    (alert,) = await alerts(api)
    assert "2 h" in alert["message"]
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 86_400})
    assert len(await alerts(api)) == 1


async def test_a_disabled_rule_and_a_wrong_threshold_do_nothing() -> None:
    api = make()
    made = await rule(api, "consecutive_failures", {"max_failures": 1}, enabled=False)
    await run(api, "failed")
    assert await alerts(api) == []
    assert made in await api.get("/agent-ops/alert-rules")
    await api.error("POST", "/agent-ops/alert-rules", {"rule_type": "moon", "threshold": {}})
    await api.error("POST", "/agent-ops/alert-rules", {"rule_type": "error_rate", "threshold": {"max_error_rate": "half"}})


async def test_signals_wait_until_they_expire() -> None:
    api = make()
    body = {"for_agent": "scout", "created_by": "boss", "signal": "fix", "detail": "x", "expires_at": "2026-06-15T03:00:00Z"}
    sent = await api.ok("POST", "/agent-ops/signals", body, status=201)
    assert await api.get("/agent-ops/signals", for_agent="scout", pending=True) == [sent]
    assert await api.get("/agent-ops/signals", created_by="boss", signal="fix") == [sent]
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 3601})
    assert await api.get("/agent-ops/signals", for_agent="scout", pending=True) == []
    assert await api.get("/agent-ops/signals", for_agent="scout", pending=False) == [sent]
    assert len(await api.get("/agent-ops/signals", pending=False)) == 2


async def test_the_dashboard_counts_todays_runs_pending_signals_and_reports() -> None:
    api = make()
    await run(api, "completed")
    await run(api, "failed")
    board = await api.get("/agent-ops/dashboard")
    assert board["runs_today"]["by_status"]["failed"] >= 1
    assert board["runs_today"]["total"] == len(board["runs_today"]["runs"]) >= 2
    assert len(board["agents"]) == 3
    assert len(board["pending_signals"]) == 1
    assert [r["agent_name"] for r in board["report_status"]] == ["sales-report"]
