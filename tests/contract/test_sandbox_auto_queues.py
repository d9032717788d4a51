"""Auto queues: their steps, whom they take in, and what the clock makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

EMAIL = {"action_type": "send_custom_email", "config": {"greeting": "Hi", "customMessage": "Hello"}}


async def queue(api: Api, *steps: dict[str, Any]) -> str:
    """The path of a new queue with the steps."""
    made = await api.ok("POST", "/auto-queues", {"name": "Q"}, status=201)
    path = f"/auto-queues/{made['id']}"
    for step in steps:
        await api.ok("POST", f"{path}/steps", step, status=201)
    return path


async def people(api: Api, count: int, **fields: Any) -> list[str]:
    records = [{"first_name": "Q", "email": f"q{i}@queue.example", **fields} for i in range(count)]
    answer = await api.ok("POST", "/contacts/bulk-create", {"records": records}, status=201)
    return [c["id"] for c in answer["created"]]


async def test_a_queue_is_the_same_under_both_paths_and_goes_with_its_steps_and_timers() -> None:
    api = make()
    path = await queue(api, {**EMAIL, "delay_days": 1})
    assert (await api.get(path.replace("auto", "event")))["steps"][0]["delay_minutes"] == 1440
    assert (await api.ok("PATCH", path, {"name": "R"}))["name"] == "R"
    assert path.split("/")[-1] in [q["id"] for q in await api.get("/event-queues")]
    await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": await people(api, 1)})
    await api.ok("DELETE", path, status=204)
    assert api.workspace.store.all("auto_queue_enrollment", queue_id=path.split("/")[-1]) == []


async def test_steps_are_added_changed_and_deleted_with_what_waits_for_them() -> None:
    api = make()
    path = await queue(api, {**EMAIL, "delay_hours": 2}, {**EMAIL, "name": "Second"})
    first, second = (await api.get(path))["steps"]
    assert (first["name"], first["delay_minutes"], first["position"], second["position"]) == ("Step 1", 120, 0, 1)
    await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": await people(api, 1)})
    changed = await api.ok("PATCH", f"{path}/steps/{first['id']}", {"position": 7, "delay_minutes": 5})
    assert (changed["position"], changed["delay_minutes"]) == (7, 5)
    await api.ok("DELETE", f"{path}/steps/{first['id']}", status=204)
    assert [t["step_id"] for t in await api.get(f"{path}/enrollments", status="cancelled")] == [first["id"]]
    other = await queue(api)
    await api.error("PATCH", f"{other}/steps/{second['id']}", {"position": 1}, status=404)


@pytest.mark.parametrize(
    "step",
    [
        {"config": {"customMessage": "Hello"}},
        {"action_type": "dance"},
        {**EMAIL, "automation_id": NOBODY},
        {"automation_id": NOBODY},
        {**EMAIL, "delay_days": -1},
        {**EMAIL, "delay_days": 1, "delay_hours": 1},
        {**EMAIL, "colour": "red"},
        {**EMAIL, "position": "first"},
        {"action_type": "send_sms", "config": {}},
    ],
)
async def test_a_step_that_could_not_be_done_is_refused(step: dict[str, Any]) -> None:
    api = make()
    assert (await api.error("POST", f"{await queue(api)}/steps", step))["code"] == "VALIDATION_ERROR"


async def test_a_step_without_a_body_does_nothing_until_it_is_told_what() -> None:
    api = make()
    path = await queue(api)
    step = await api.ok("POST", f"{path}/steps", status=201)
    assert (step["name"], step["delay_minutes"], step["action_type"], step["automation_id"]) == ("Step 1", 0, None, None)
    await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": await people(api, 1)})
    await api.advance(60)
    assert [e["status"] for e in await api.get(f"{path}/enrollments")] == ["completed"]
    assert await api.outbox("email") == []
    await api.ok("PATCH", f"{path}/steps/{step['id']}", EMAIL)
    await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": await people(api, 1), "skip_if_already_enrolled": False})
    await api.advance(60)
    assert len(await api.outbox("email")) == 1


async def test_enrolling_needs_exactly_one_way_of_naming_people_and_a_queue_with_steps() -> None:
    api = make()
    ids = await people(api, 1)
    assert "no steps" in (await api.error("POST", f"{await queue(api)}/bulk-enroll", {"contact_ids": ids}))["message"]
    path = await queue(api, EMAIL)
    for body in (
        {},
        {"contact_ids": ids, "deal_ids": ids},
        {"contact_filter": {"shoe_size": "9"}},
        {"contact_ids": [NOBODY] * 501},
    ):
        await api.error("POST", f"{path}/bulk-enroll", body)


async def test_every_filter_reaches_the_people_and_companies_that_it_describes() -> None:
    api = make()
    store, path = api.workspace.store, await queue(api, {**EMAIL, "delay_days": 1})
    people = ("contact_type", "source", "email", "first_name", "last_name", "job_title", "city", "state", "country")
    firms = ("account_type", "industry", "is_customer", "is_supplier", "city", "state", "country")
    for mode, kind, fields in (("contact_filter", "contact", people), ("customer_filter", "company", firms)):
        for field in fields:
            value = next(r[field] for r in store.all(kind) if r.get(field))
            found = {r["id"] for r in store.all(kind) if r.get(field) == value}
            wanted = found if kind == "contact" else {c for firm in found for c in store.linking("employer", firm)}
            body = {mode: {field: value}, "skip_if_already_enrolled": False, "enrollment_time": "2026-07-01T00:00:00Z"}
            assert (await api.ok("POST", f"{path}/bulk-enroll", body))["total_matched"] == len(wanted), field


async def test_enrolling_twice_skips_those_who_wait_unless_it_is_forced() -> None:
    api = make()
    path, ids = await queue(api, {**EMAIL, "delay_days": 1}), await people(api, 3)
    first = await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": [*ids[:2], NOBODY]})
    assert (first["enrolled"], first["skipped"], first["not_found"], first["has_more"]) == (2, 0, [NOBODY], False)
    assert (await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": ids}))["enrolled"] == 1
    again = await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": ids, "skip_if_already_enrolled": False})
    assert again["enrolled"] == 3
    assert (await api.listed(f"{path}/enrollments", limit=2))["total"] == 6


async def test_more_than_500_people_are_enrolled_by_calling_again() -> None:
    api = make()
    for _ in range(2):
        await people(api, 60)
    path = await queue(api, {**EMAIL, "delay_days": 1})
    # Every person of the workspace is in Australia, as far as the records say.
    wanted = {"contact_filter": {"country": ["Australia"]}}
    first, second = [await api.ok("POST", f"{path}/bulk-enroll", wanted) for _ in range(2)]
    assert (first["enrolled"], first["has_more"], first["total_matched"]) == (500, True, 520)
    assert (second["enrolled"], second["skipped"], second["has_more"]) == (20, 500, False)


async def test_opportunities_bring_their_people_and_companies_theirs() -> None:
    api = make()
    a, b = await people(api, 2, last_name="Deal")
    deal = await api.ok("POST", "/opportunities", {"name": "D", "contact_id": a}, status=201)
    await api.ok("POST", f"/opportunities/{deal['id']}/contacts/{b}", status=201)
    about = {"action_type": "add_tasks", "config": {"tasks": [{"title": "About {{deal.name}}"}]}}
    path = await queue(api, {**about, "delay_days": 1})
    assert (await api.ok("POST", f"{path}/bulk-enroll", {"deal_ids": [deal["id"]]}))["enrolled"] == 2
    timers = await api.get(f"{path}/enrollments")
    assert {t["contact_id"] for t in timers} == {a, b}
    assert {t["deal_id"] for t in timers} == {t["trigger_data"]["deal_id"] for t in timers} == {deal["id"]}
    await api.advance(86_401)
    assert [t["title"] for t in await api.get("/tasks", deal_id=deal["id"])] == ["About D"] * 2
    firm = await api.ok("POST", "/companies", {"name": "F", "industry": "Beekeeping"}, status=201)
    await api.ok("POST", f"/contacts/{a}/employers/{firm['id']}", status=201)
    other = await queue(api, EMAIL)
    await api.ok("POST", f"{other}/bulk-enroll", {"customer_filter": {"industry": "beekeeping"}})
    assert [(t["contact_id"], t["customer_id"]) for t in await api.get(f"{other}/enrollments")] == [(a, firm["id"])]


async def test_steps_are_done_when_their_time_has_come_counted_from_the_anchor() -> None:
    api = make()
    path = await queue(api, {**EMAIL, "delay_hours": 1}, {**EMAIL, "delay_days": 3})
    (person,) = await people(api, 1)
    body = {"contact_ids": [person], "enrollment_time": "2026-06-14T00:00:00Z"}
    await api.ok("POST", f"{path}/bulk-enroll", body)
    late, waiting = sorted(await api.get(f"{path}/enrollments"), key=lambda t: t["scheduled_for"])
    assert (late["status"], late["scheduled_for"][:13]) == ("completed", "2026-06-14T01")
    assert late["executed_at"] >= "2026-06-15T02:00"
    assert (waiting["status"], waiting["enrollment_time"][:13]) == ("pending", "2026-06-14T00")
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-17T00:00:01Z"})
    assert await api.get(f"{path}/enrollments", status="pending") == []
    sent = [m for m in (await api.ok("GET", "/__sandbox/outbox"))["outbox"] if m["channel"] == "email"]
    assert [m["to"] for m in sent] == ["q0@queue.example"] * 2
    assert sent[1]["sent_at"].startswith("2026-06-17T00:00:00")


async def test_a_step_that_fails_says_why_and_one_whose_person_is_gone_is_cancelled() -> None:
    api = make()
    path = await queue(api, {"action_type": "send_sms", "config": {"phone_number_id": "n", "message_body": "x"}, "delay_days": 1})
    ids = await people(api, 2)
    await api.ok("POST", f"{path}/bulk-enroll", {"contact_ids": ids})
    await api.ok("DELETE", f"/contacts/{ids[1]}", status=204)
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 86_401})
    timers = {t["contact_id"]: t for t in await api.get(f"{path}/enrollments")}
    assert timers[ids[0]]["status"] == "failed"
    assert "phone number" in timers[ids[0]]["last_error"]
    assert timers[ids[1]]["status"] == "cancelled"


async def test_automations_attach_people_to_queues_run_as_steps_and_remove_them() -> None:
    api = make()
    (person,) = await people(api, 1)
    stepped = await api.ok("POST", "/automations", {"name": "S", "trigger_type": "api"}, status=201)
    task = {"action_type": "add_tasks", "sequence": 1, "config": {"tasks": [{"title": "from the queue"}]}}
    await api.ok("POST", f"/automations/{stepped['id']}/actions", task, status=201)
    path = await queue(api, {"automation_id": stepped["id"], "delay_hours": 1}, {**EMAIL, "delay_days": 2})
    made = await api.ok("POST", "/automations", {"name": "A", "trigger_type": "api"}, status=201)
    actions = f"/automations/{made['id']}/actions"
    config = {"event_queue_id": path.split("/")[-1], "enrollment_time": "{{visit.at}}"}
    attach = await api.ok("POST", actions, {"action_type": "attach_to_event_queue", "sequence": 1, "config": config}, status=201)
    detach = await api.ok(
        "POST", actions, {"action_type": "remove_from_event_queue", "sequence": 2, "config": config}, status=201
    )
    data = {"trigger_data": {"contact_id": person, "visit": {"at": "2026-06-15T12:00:00+10:00"}}}
    never = await api.ok(
        "POST", f"{actions}/{attach['id']}/execute", {"trigger_data": {**data["trigger_data"], "visit": {"at": "noon"}}}
    )
    assert "enrollment_time" in never["error"]
    await api.ok("POST", f"{actions}/{attach['id']}/execute", data)
    assert {t["enrollment_time"][:16] for t in await api.get(f"{path}/enrollments")} == {"2026-06-15T02:00"}
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 3601})
    assert [t["title"] for t in await api.get("/tasks", contact_id=person)] == ["from the queue"]
    (run,) = await api.get(f"/automations/{stepped['id']}/runs")
    assert [t["run_id"] for t in await api.get(f"{path}/enrollments", status="completed")] == [run["run_id"]]
    result = await api.ok("POST", f"{actions}/{detach['id']}/execute", data)
    assert result["response"] == {"cancelled": 1}
    assert len(await api.get(f"{path}/enrollments", status="cancelled")) == 1
