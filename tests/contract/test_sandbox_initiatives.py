"""Outreach sequences, end to end with the clock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

DAY, HOUR = 86_400, 3600
Sequence = dict[str, Any]


async def leads(api: Api, count: int) -> list[dict[str, Any]]:
    """Search results with an address and a mobile number, unknown to the CRM."""
    started = await api.ok("POST", "/lead-gen/search", {
        "query": "roofers", "location": "Hobart, TAS", "max_results": 100, "scrape_contacts": True,
    }, status=201)  # fmt: skip
    await api.advance(300)
    results = (await api.get(f"/lead-gen/searches/{started['id']}"))["results"]
    mobile = [
        r for r in results if r["phone"].startswith("+614") and not r["matched_contact_id"] and not r["matched_customer_id"]
    ]
    assert len(mobile) >= count
    return mobile[:count]


async def gmail(api: Api) -> dict[str, Any]:
    people = (await api.get("/email/capabilities"))["personal_gmail"]
    connected: dict[str, Any] = next(p for p in people if p["gmail_connected"])
    return connected


async def sequence(api: Api, **fields: Any) -> Sequence:
    """An email, after two days a text, after one more a note to the staff."""
    made: Sequence = await api.ok("POST", "/lead-gen/initiatives", {"name": "Roofers", **fields}, status=201)
    connection = (await gmail(api))["gmail_connection_id"]
    email = {
        "gmail_connection_id": connection,
        "subject": "Hi {{lead.name}}",
        "body": "<p>{{ lead.category }} in {{lead.city}}</p>",
    }
    for number, (action, days, config) in enumerate((
        ("send_gmail_email", 0, email), ("send_sms", 2, {"body": "Hello {{lead.business_name}}"}),
        ("notify_assigned_staff", 1, {"subject": "Ring {{lead.name}}", "body": "{{lead.phone}}"}),
    ), 1):  # fmt: skip
        body = {"step_number": number, "action_type": action, "delay_days": days, "config": config}
        await api.ok("POST", f"/lead-gen/initiatives/{made['id']}/steps", body, status=201)
    return made


async def enrol(api: Api, initiative: Sequence, found: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    body = {"search_result_ids": [r["id"] for r in found], **fields}
    answer: dict[str, Any] = await api.ok("POST", f"/lead-gen/initiatives/{initiative['id']}/enrol", body, status=201)
    return answer


async def states(api: Api, initiative: Sequence) -> list[tuple[int, str]]:
    enrolments = await api.get(f"/lead-gen/initiatives/{initiative['id']}/enrolments")
    return sorted((e["current_step"], e["status"]) for e in enrolments)


async def test_an_active_sequence_takes_its_leads_through_every_step_at_its_time() -> None:
    api = make()
    found = await leads(api, 3)
    initiative = await sequence(api)
    path = f"/lead-gen/initiatives/{initiative['id']}"
    assert (await enrol(api, initiative, found))["enrolled"] == 3
    await api.advance(DAY)
    assert await api.outbox("email") == []
    await api.ok("PATCH", path, {"status": "active"})
    await api.advance(HOUR)
    mails = await api.outbox("email")
    assert {m["to"] for m in mails} == {r["email"] for r in found}
    assert mails[0]["subject"] in {f"Hi {r['business_name']}" for r in found}
    assert {m["provider"] for m in mails} == {"gmail"}
    assert await states(api, initiative) == [(1, "active")] * 3
    await api.advance(DAY)
    assert await api.outbox("sms") == []
    await api.advance(DAY)
    assert {m["to"] for m in await api.outbox("sms")} == {r["phone"] for r in found}
    assert await states(api, initiative) == [(2, "active")] * 3
    await api.advance(DAY + HOUR)
    me = (await api.get("/email/capabilities"))["authenticated_user"]["email"]
    notes = (await api.outbox("email"))[3:]
    assert [(m["to"], m["provider"]) for m in notes] == [(me, "postmark")] * 3
    assert await states(api, initiative) == [(3, "completed")] * 3
    whole = await api.get(path)
    assert whole["enrolment_counts"] == {"total": 3, "active": 0, "completed": 3, "unsubscribed": 0, "failed": 0}
    assert len(await api.get("/email/logs", email_type="initiative")) == 3


async def test_a_pause_holds_the_steps_and_activation_catches_up() -> None:
    api = make()
    initiative = await sequence(api, status="active")
    path = f"/lead-gen/initiatives/{initiative['id']}"
    await enrol(api, initiative, await leads(api, 2))
    await api.ok("PATCH", path, {"status": "paused"})
    await api.advance(5 * DAY)
    assert await api.outbox("email") == []
    await api.ok("PATCH", path, {"status": "active"})
    answer = await api.ok("POST", "/lead-gen/initiatives/dispatcher/run", {})
    assert (answer["emails_sent"], answer["tasks_processed"], answer["dry_run"]) == (2, 2, False)


async def test_the_dispatcher_runs_at_once_for_one_sequence_and_a_dry_run_sends_nothing() -> None:
    api = make()
    found = await leads(api, 4)
    first, second = await sequence(api, status="active"), await sequence(api, status="active")
    await enrol(api, first, found[:2])
    await enrol(api, second, found[2:])
    run = "/lead-gen/initiatives/dispatcher/run"
    dry = await api.ok("POST", run, {"dry_run": True})
    assert (dry["tasks_processed"], dry["emails_sent"], {t["result"] for t in dry["tasks"]}) == (4, 0, {"would_send"})
    assert await api.outbox("email") == []
    only = await api.ok("POST", run, {"initiative_id": first["id"]})
    assert (only["emails_sent"], {t["initiative_id"] for t in only["tasks"]}) == (2, {first["id"]})
    assert (await api.ok("POST", run, {}))["emails_sent"] == 2
    assert (await api.ok("POST", run, {}))["tasks_processed"] == 0
    await api.error("POST", run, {"initiative_id": NOBODY}, status=404)


async def test_the_daily_cap_leaves_the_rest_for_the_next_day() -> None:
    api = make()
    found = await leads(api, 3)
    initiative = await sequence(api, daily_send_cap=2, status="active")
    await enrol(api, initiative, found)
    answer = await api.ok("POST", "/lead-gen/initiatives/dispatcher/run", {})
    assert (answer["emails_sent"], answer["deferred"]) == (2, 1)
    await api.advance(12 * HOUR)
    assert len(await api.outbox("email")) == 2
    held = await api.get(f"/lead-gen/initiatives/{initiative['id']}/enrolments", status="active")
    assert [e["next_action_at"][:16] for e in held if e["current_step"] == 0] == ["2026-06-16T00:00"]
    await api.advance(12 * HOUR)
    assert len(await api.outbox("email")) == 3
    assert (await api.ok("PATCH", f"/lead-gen/initiatives/{initiative['id']}", {"daily_send_cap": None}))[
        "daily_send_cap"
    ] is None


async def test_opted_out_leads_are_left_out_and_those_who_opt_out_later_get_no_more() -> None:
    api = make()
    found = await leads(api, 3)
    api.workspace.store.save(
        "lead_result", {**api.workspace.store.get("lead_result", found[2]["id"]), "email": "bounce@x.example"}
    )
    await api.ok("POST", "/lead-gen/import", {"result_ids": [found[0]["id"]]}, status=201)
    contact = (await api.get("/contacts", search=found[0]["email"]))[0]
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"email_unsubscribed": True})
    initiative = await sequence(api, status="active")
    answer = await enrol(api, initiative, found)
    assert (answer["enrolled"], answer["skipped"]) == (2, 0)
    again = await enrol(api, initiative, found)
    assert (again["enrolled"], again["skipped"]) == (0, 2)
    await api.advance(3 * DAY)
    assert [m["to"] for m in await api.outbox("sms")] == [found[1]["phone"]]
    assert (1, "unsubscribed") in await states(api, initiative)


async def test_a_lead_that_cannot_be_reached_fails_and_says_why() -> None:
    api = make()
    found = (await api.ok("POST", "/lead-gen/search", {"query": "plumbers", "location": "Perth, WA"}, status=201))["results"]
    initiative = await sequence(api, status="active")
    await enrol(api, initiative, found[:1])
    await api.advance(HOUR)
    (failed,) = await api.get(f"/lead-gen/initiatives/{initiative['id']}/enrolments", status="failed")
    assert (failed["last_error"], failed["next_action_at"]) == ("the lead has no email address", None)
    assert failed["lead"]["business_name"] == found[0]["business_name"]


async def test_emails_go_from_the_gmail_of_the_assigned_user() -> None:
    api = make()
    people = [p for p in (await api.get("/email/capabilities"))["personal_gmail"] if p["gmail_connected"]]
    found = await leads(api, 2)
    initiative = await sequence(api, status="active")
    await enrol(api, initiative, found[:1], assigned_user_id=people[1]["user_id"])
    await enrol(api, initiative, found[1:])
    await api.advance(HOUR)
    assert [m["from_email"] for m in await api.outbox("email")] == [people[1]["gmail_email"], people[0]["gmail_email"]]
    await api.error("POST", f"/lead-gen/initiatives/{initiative['id']}/enrol", {"search_result_ids": [NOBODY]})
    wrong = {"search_result_ids": [found[0]["id"]], "assigned_user_id": NOBODY}
    await api.error("POST", f"/lead-gen/initiatives/{initiative['id']}/enrol", wrong)


async def test_steps_are_inserted_moved_and_removed_and_the_others_renumber() -> None:
    api = make()
    initiative = await sequence(api)
    path = f"/lead-gen/initiatives/{initiative['id']}"

    async def order() -> list[str]:
        steps = (await api.get(path))["steps"]
        assert [s["step_number"] for s in steps] == list(range(1, len(steps) + 1))
        return [s["action_type"].split("_")[1] for s in steps]

    assert await order() == ["gmail", "sms", "assigned"]
    text = {"action_type": "send_sms", "config": {"body": "First"}}
    step = await api.ok("POST", f"{path}/steps", {**text, "step_number": 1}, status=201)
    assert (step["step_number"], step["delay_days"], await order()) == (1, 0, ["sms", "gmail", "sms", "assigned"])
    moved = await api.ok("PATCH", f"{path}/steps/{step['id']}", {"step_number": 3, "delay_days": 4})
    assert (moved["step_number"], moved["delay_days"], await order()) == (3, 4, ["gmail", "sms", "sms", "assigned"])
    assert (await api.ok("POST", f"{path}/steps", {**text, "step_number": 99}, status=201))["step_number"] == 5
    await api.ok("DELETE", f"{path}/steps/{step['id']}", status=204)
    assert await order() == ["gmail", "sms", "assigned", "sms"]
    other = await sequence(api)
    await api.error("DELETE", f"/lead-gen/initiatives/{other['id']}/steps/{(await api.get(path))['steps'][0]['id']}", status=404)


async def test_a_step_inserted_before_those_done_does_not_repeat_them() -> None:
    api = make()
    initiative = await sequence(api, status="active")
    await enrol(api, initiative, await leads(api, 1))
    await api.advance(HOUR)
    text = {"step_number": 1, "action_type": "send_sms", "config": {"body": "Too late"}}
    await api.ok("POST", f"/lead-gen/initiatives/{initiative['id']}/steps", text, status=201)
    assert await states(api, initiative) == [(2, "active")]
    await api.advance(3 * DAY)
    assert ["Too late" in m["body"] for m in await api.outbox("sms")] == [False]
    assert len([m for m in await api.outbox("email") if m["provider"] == "gmail"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"action_type": "send_sms", "config": {}}, {"action_type": "send_sms", "config": {"body": "x", "subject": "y"}},
        {"action_type": "send_gmail_email", "config": {"subject": "x", "body": "y"}}, {"action_type": "fax", "config": {"body": "x"}},
        {"action_type": "send_gmail_email", "config": {"gmail_connection_id": "conn", "subject": "x", "body": "y"}},
        {"action_type": "notify_assigned_staff", "config": {"body": "x"}}, {"step_number": 0, "action_type": "send_sms"},
    ],
)  # fmt: skip
async def test_a_step_needs_the_configuration_of_its_action(wrong: dict[str, Any]) -> None:
    api = make()
    initiative = await api.ok("POST", "/lead-gen/initiatives", {"name": "x"}, status=201)
    body = {"step_number": 1, **wrong}
    assert (await api.error("POST", f"/lead-gen/initiatives/{initiative['id']}/steps", body))["code"] == "VALIDATION_ERROR"


async def test_sequences_are_listed_by_status_with_their_counts_and_deleted_with_all_they_hold() -> None:
    api = make()
    initiative = await sequence(api, status="active")
    await enrol(api, initiative, await leads(api, 2))
    (listed,) = await api.get("/lead-gen/initiatives", status="active")
    assert (listed["id"], listed["step_count"], listed["enrolment_count"]) == (initiative["id"], 3, 2)
    path = f"/lead-gen/initiatives/{initiative['id']}"
    pages = await api.listed(f"{path}/enrolments", limit=1)
    rest = await api.listed(f"{path}/enrolments", limit=1, after=pages["pagination"]["next_cursor"])
    assert len({e["id"] for e in pages["data"] + rest["data"]}) == 2
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    await api.advance(DAY)
    assert await api.outbox("email") == []
    for kind in ("initiative_step", "enrolment"):
        assert api.workspace.store.all(kind, initiative_id=initiative["id"]) == []
    for wrong in ({}, {"name": ""}, {"name": " "}, {"name": "x", "status": "paused"}, {"name": "x", "daily_send_cap": 0}):
        await api.error("POST", "/lead-gen/initiatives", wrong)
