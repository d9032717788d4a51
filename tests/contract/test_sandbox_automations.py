"""Automations: what sets them off, whether their conditions hold, what their actions do, and what the runs record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make, set_up


async def automation(api: Api, *actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An enabled automation with its actions in order."""
    body = {"name": "A", "trigger_type": "api", "enabled": True, **fields}
    made = await api.ok("POST", "/automations", body, status=201)
    for sequence, action in enumerate(actions, 1):
        await api.ok("POST", f"/automations/{made['id']}/actions", {"sequence": sequence, **action}, status=201)
    result: dict[str, Any] = await api.get(f"/automations/{made['id']}")
    return result


async def triggered(api: Api, made: dict[str, Any], **data: Any) -> dict[str, Any]:
    run: dict[str, Any] = await api.ok("POST", f"/automations/{made['id']}/trigger", {"trigger_data": data})
    return run


async def outbox(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    return found


async def a_deal(api: Api, **fields: Any) -> dict[str, Any]:
    who = {"first_name": "Jane", "last_name": "Ford", "email": "jane@ford.example", "phone": "+61400000001"}
    contact = await api.ok("POST", "/contacts", who, status=201)
    deal: dict[str, Any] = await api.ok(
        "POST", "/opportunities", {"name": "Roof", "contact_id": contact["id"], **fields}, status=201
    )
    return deal


def task(title: str) -> dict[str, Any]:
    return {"action_type": "add_tasks", "config": {"tasks": [{"title": title}]}}


async def test_an_automation_starts_disabled_and_is_switched_on_and_off_and_deleted_with_its_parts() -> None:
    api = make()
    made = await api.ok("POST", "/automations", {"name": "A", "trigger_type": "sms_received"}, status=201)
    assert (made["enabled"], made["triggers"], made["actions"]) == (False, [], [])
    path = f"/automations/{made['id']}"
    assert (await api.ok("POST", f"{path}/enable"))["enabled"] is True
    assert (await api.ok("POST", f"{path}/disable"))["enabled"] is False
    assert (await api.ok("PATCH", path, {"name": "B", "conditions": {"tags": {"contains": "x"}}}))["conditions"]
    assert (await api.ok("PATCH", path, {"conditions": None}))["conditions"] is None
    assert (await api.get("/automations", limit=1))[0]["name"] == "B"
    action = await api.ok("POST", f"{path}/actions", {**task("x"), "sequence": 1}, status=201)
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    assert api.workspace.store.get("automation_action", action["id"]) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trigger_type": "form_submitted"}, "trigger_type"),
        ({"trigger_type": "moon_rises"}, "trigger_type"),
        ({"trigger_type": "stage_changed", "stage_id": NOBODY}, "stage_id"),
        ({"trigger_type": "api", "conditions": {"tags": {"resembles": "x"}}}, "conditions.tags"),
    ],
)
async def test_an_automation_with_a_wrong_trigger_stage_or_operator_is_refused(body: dict[str, Any], field: str) -> None:
    error = await make().error("POST", "/automations", {"name": "A", **body})
    assert field in error["details"]["fields"]


async def test_a_stage_changed_automation_needs_its_stage_and_takes_no_trigger_rows() -> None:
    api = make()
    assert "stage_id" in (await api.error("POST", "/automations", {"name": "A", "trigger_type": "stage_changed"}))["message"]
    stage = (await api.get("/pipelines"))[0]["stages"][1]["id"]
    made = await api.ok("POST", "/automations", {"name": "A", "trigger_type": "stage_changed", "stage_id": stage}, status=201)
    await api.error("POST", f"/automations/{made['id']}/triggers", {})


async def test_a_trigger_row_takes_its_source_type_from_the_automation() -> None:
    api = make()
    made = await automation(api, trigger_type="call_analyzed")
    path = f"/automations/{made['id']}/triggers"
    row = await api.ok("POST", path, {}, status=201)
    assert (row["source_type"], row["source_id"]) == ("voice_agent", None)
    assert (await api.ok("PATCH", f"{path}/{row['id']}", {"source_id": "agent_7"}))["source_id"] == "agent_7"
    assert [r["id"] for r in await api.get(path)] == [row["id"]]
    other = await automation(api)
    await api.error("DELETE", f"/automations/{other['id']}/triggers/{row['id']}", status=404)
    await api.ok("DELETE", f"{path}/{row['id']}", status=204)
    assert await api.get(path) == []


async def test_actions_are_checked_ordered_changed_and_deleted() -> None:
    api = make()
    made = await automation(api, task("one"), task("two"))
    path = f"/automations/{made['id']}/actions"
    first, second = (a["id"] for a in await api.get(path))
    missing = await api.error("POST", path, {"action_type": "send_sms", "sequence": 3, "config": {"message_body": "hi"}})
    assert "config.phone_number_id" in missing["details"]["fields"]
    assert "known are" in (await api.error("POST", path, {"action_type": "dance", "sequence": 3}))["message"]
    custom = {"phone_number_id": "n1", "message_body": "hi", "recipient_target": "custom"}
    await api.error("POST", path, {"action_type": "send_sms", "sequence": 3, "config": custom})
    await api.ok("POST", f"{path}/reorder", {"action_ids": [second, first]})
    assert [(a["id"], a["sequence"]) for a in await api.get(path)] == [(second, 1), (first, 2)]
    await api.error("POST", f"{path}/reorder", {"action_ids": [second]})
    await api.error("PATCH", f"{path}/{first}", {"config": {}})
    assert (await api.ok("PATCH", f"{path}/{first}", {"sequence": 9}))["sequence"] == 9
    await api.ok("DELETE", f"{path}/{second}", status=204)
    assert [a["id"] for a in await api.get(path)] == [first]


async def test_a_manual_run_answers_every_action_with_its_result_and_is_listed() -> None:
    api = make()
    deal = await a_deal(api)
    broken = {"action_type": "assign_user", "config": {"user_id": NOBODY}}
    made = await automation(api, task("Ring {{contact.first_name}} about {{deal.name}}"), broken)
    run = await triggered(api, made, deal_id=deal["id"])
    assert (run["status"], run["actions_total"], run["actions_executed"], run["actions_failed"]) == ("failed", 2, 1, 1)
    assert [r["status"] for r in run["action_results"]] == ["completed", "failed"]
    assert NOBODY in run["action_results"][1]["error"]
    assert set(run["action_results"][0]) >= {"action_type", "request", "response", "error", "duration_ms"}
    assert [t["title"] for t in await api.get("/tasks", deal_id=deal["id"])] == ["Ring Jane about Roof"]
    assert await api.get(f"/automations/{made['id']}/runs") == [run]
    assert await api.get(f"/automations/runs/{run['run_id']}") == run
    await api.error("POST", f"/automations/{made['id']}/trigger", {"trigger_data": {"deal_id": NOBODY}})


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"tags": {"contains": "VIP"}}, True),
        ({"tags": {"not_contains": "vip"}}, False),
        ({"tags": {"contains_any": ["x", "vip"]}}, True),
        ({"deal.value": {"gte": 5000, "lt": 5001}}, True),
        ({"deal.value": {"gt": 5000}}, False),
        ({"deal.value": {"lte": 4999}}, False),
        ({"lead_source": {"in": ["Referral", "Website"]}}, True),
        ({"lead_source": {"eq": "referral"}}, False),
        ({"deal.name": {"contains_text": "oof"}}, True),
        ({"contact.email": {"exists": True}, "contact.landline": {"not_exists": True}}, True),
        ({"contact.landline": {"exists": True}}, False),
        ({"status": {"neq": "lost"}}, True),
        ({"source_text": {"eq": "form"}, "deal.status": {"eq": "won"}}, False),
        ({"when": {"gt": "2026-01-01"}}, True),
    ],
)
async def test_every_operator_of_a_condition_decides_after_the_records_are_known(condition: dict[str, Any], met: bool) -> None:
    api = CONDITIONS
    if not api.workspace.store.all("opportunity", name="Roof"):
        deal = await a_deal(api, tags=["vip"], lead_source="website")
        product = await api.ok("POST", "/products", {"name": "Panel", "price": 5000}, status=201)
        await api.ok("POST", f"/opportunities/{deal['id']}/products", {"product_id": product["id"]}, status=201)
    deal = api.workspace.store.all("opportunity", name="Roof")[0]
    made = await automation(api, task("x"), conditions=condition)
    run = await triggered(api, made, deal_id=deal["id"], source_text="form", when="2026-05-05")
    assert run["status"] == ("completed" if met else "skipped")
    assert run["actions_executed"] == int(met)
    assert bool(run["unmet_conditions"]) is not met


CONDITIONS = make()


async def test_a_moved_opportunity_fires_the_automations_of_the_new_stage_only_and_once() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[0]
    first, second = (s["id"] for s in pipeline["stages"][:2])
    made = await automation(api, task("entered"), trigger_type="stage_changed", stage_id=second)
    deal = await a_deal(api)
    for stage in (first, second, second):
        await api.ok("POST", f"/opportunities/{deal['id']}/move", {"pipeline_id": pipeline["id"], "stage_id": stage})
    assert len(await api.get(f"/automations/{made['id']}/runs")) == 1
    assert len(await api.get("/tasks", deal_id=deal["id"])) == 1


async def test_skip_automations_silences_a_move_and_skip_action_ids_one_action_of_it() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[0]
    first, second = (s["id"] for s in pipeline["stages"][:2])
    made = await automation(api, task("a"), task("b"), trigger_type="stage_changed", stage_id=second)
    unwanted = made["actions"][0]["id"]
    deal = await a_deal(api)
    there = {"pipeline_id": pipeline["id"], "stage_id": second}
    await api.ok("POST", f"/opportunities/{deal['id']}/move", {**there, "skip_automations": True})
    assert await api.get(f"/automations/{made['id']}/runs") == []
    await api.ok("POST", f"/opportunities/{deal['id']}/move", {**there, "stage_id": first})
    await api.ok("POST", "/opportunities/bulk-move", {"ids": [deal["id"]], **there, "skip_action_ids": [unwanted]})
    (run,) = await api.get(f"/automations/{made['id']}/runs")
    assert (run["status"], run["actions_skipped"], run["skipped_action_ids"]) == ("completed", 1, [unwanted])
    assert [t["title"] for t in await api.get("/tasks", deal_id=deal["id"])] == ["b"]


async def test_created_and_updated_records_fire_their_triggers_with_what_changed() -> None:
    api = make()
    made = await automation(api, trigger_type="contact_updated", conditions={"_changed_fields": {"contains": "email"}})
    new = await automation(api, trigger_type="contact_created")
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "email": "jo@old.example"}, status=201)
    await api.ok("POST", "/contacts", {"first_name": "Import", "skip_automations": True}, status=201)
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"email": "jo@new.example"})
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"city": "Perth"})
    skipped, run = await api.get(f"/automations/{made['id']}/runs")
    assert (skipped["status"], run["status"]) == ("skipped", "completed")
    assert run["trigger_data"]["_previous_values"] == {"email": "jo@old.example"}
    assert (run["trigger_data"]["_trigger_entity_kind"], run["trigger_data"]["_trigger_entity_id"]) == ("contact", contact["id"])
    assert [r["trigger_data"]["contact_id"] for r in await api.get(f"/automations/{new['id']}/runs")] == [contact["id"]]


async def test_a_disabled_automation_does_not_fire() -> None:
    api = make()
    made = await automation(api, task("x"), trigger_type="deal_created", enabled=False)
    await a_deal(api)
    assert await api.get(f"/automations/{made['id']}/runs") == []


async def test_messages_fill_their_variables_and_respect_opt_outs() -> None:
    api = make()
    deal = await a_deal(api)
    email = {"subject": "About {{deal.name}}", "body": "{{contact.greeting}} {{nothing.known}}!", "recipient_target": "contact"}
    sms = {"phone_number_id": "n1", "message_body": "For {{contact.display_name}}"}
    other = {**sms, "recipient_target": "custom", "custom_recipient_phone": "+61400999888"}
    made = await automation(
        api,
        {"action_type": "send_gmail_email", "config": email},
        {"action_type": "send_sms", "config": sms},
        {"action_type": "send_sms", "config": other},
    )
    assert (await triggered(api, made, deal_id=deal["id"]))["status"] == "completed"
    sent = await outbox(api)
    assert [(m["channel"], m["to"]) for m in sent] == [
        ("email", "jane@ford.example"), ("sms", "+61400000001"), ("sms", "+61400999888"),
    ]  # fmt: skip
    assert (sent[0]["subject"], sent[0]["body"], sent[1]["body"]) == ("About Roof", "Hi Jane !", "For Jane Ford")
    await api.ok("PATCH", f"/contacts/{deal['contact_id']}", {"email_unsubscribed": True, "sms_unsubscribed": True})
    again = await triggered(api, made, deal_id=deal["id"])
    assert [r["status"] for r in again["action_results"]] == ["skipped", "skipped", "completed"]


async def test_a_call_outside_business_hours_waits_for_the_next_window_and_then_goes_out() -> None:
    api = make(now="2026-06-13T02:00:00Z")  # A Saturday.
    deal = await a_deal(api)
    config = {
        "voice_agent_outbound_config_id": "v1",
        "variable_mappings": {"who": "{{contact.first_name}}"},
        "respect_business_hours": True,
    }
    made = await automation(api, {"action_type": "voice_outbound_call", "config": config})
    run = await triggered(api, made, deal_id=deal["id"])
    waiting = await api.get(f"/scheduled-communications/{run['action_results'][0]['response']['scheduled_communication_id']}")
    assert (waiting["status"], waiting["scheduled_for"], waiting["deal_id"]) == ("pending", "2026-06-14T22:30:00Z", deal["id"])
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-14T22:31:00Z"})
    calls = [m for m in await outbox(api) if m["channel"] == "call"]
    assert [(c["to"], c["dynamic_variables"]) for c in calls] == [("+61400000001", {"who": "Jane"})]
    now = await api.ok(
        "PATCH",
        f"/automations/{made['id']}/actions/{made['actions'][0]['id']}",
        {"config": {**config, "respect_business_hours": False}},
    )
    assert now["config"]["respect_business_hours"] is False
    await triggered(api, made, deal_id=deal["id"])
    assert len([m for m in await outbox(api) if m["channel"] == "call"]) == 2


async def test_emails_go_to_companies_come_from_the_assignee_and_carry_at_most_25_mb() -> None:
    api = make()
    firm = await api.ok("POST", "/companies", {"name": "F", "email": "office@f.example"}, status=201)
    deal = await a_deal(api, customer_id=firm["id"])
    user = api.workspace.store.all("user")[0]
    files = [
        api.workspace.store.all("file")[0],
        {**api.workspace.store.all("file")[0], "id": NOBODY, "file_size": 26 * 1024 * 1024},
    ]
    api.workspace.store.add("file", files[1:])
    email = {"subject": "s", "body": "b", "recipient_target": "account_customer", "sender_mode": "assignee"}
    made = await automation(
        api,
        {"action_type": "send_gmail_email", "config": {**email, "attachment_ids": [files[0]["id"]]}},
        {"action_type": "send_gmail_email", "config": {**email, "attachment_ids": [NOBODY]}},
        {"action_type": "send_gmail_email", "config": {**email, "recipient_target": "account_supplier"}},
        {"action_type": "call_webhook", "config": {"url": "https://hooks.example/x"}},
    )
    nobody = await triggered(api, made, deal_id=deal["id"])
    assert "assigned team member" in nobody["action_results"][0]["error"]
    await api.ok("POST", f"/opportunities/{deal['id']}/users/{user['id']}", status=201)
    run = await triggered(api, made, deal_id=deal["id"])
    assert [r["status"] for r in run["action_results"]] == ["completed", "failed", "failed", "completed"]
    assert "25 MB" in run["action_results"][1]["error"]
    assert "account_supplier" in run["action_results"][2]["error"]
    mail = next(m for m in await outbox(api) if m["channel"] == "email")
    assert (mail["to"], mail["from"], mail["attachments"]) == ("office@f.example", user["email"], [files[0]["name"]])
    assert [m["to"] for m in await outbox(api) if m["channel"] == "webhook"] == ["https://hooks.example/x"] * 2


async def test_crm_actions_tag_move_assign_and_write_fields() -> None:
    api = make()
    deal = await a_deal(api, tags=["old"])
    pipeline = (await api.get("/pipelines"))[1]
    user = api.workspace.store.all("user")[0]["id"]
    writes = [
        {"target_entity": "contact", "crm_variable": "contact.timezone", "value": "Australia/Perth"},
        {"target_entity": "contact", "crm_variable": "contact.email", "value": "lost@x.example", "mode": "write"},
        {"target_entity": "deal", "crm_variable": "deal.metadata.cf_won", "value": "{{today}}", "mode": "overwrite"},
    ]
    made = await automation(
        api,
        {"action_type": "apply_tags", "config": {"tags": [{"name": "new"}, {"name": "OLD"}]}},
        {"action_type": "move_deal", "config": {"pipeline_id": pipeline["id"], "stage_id": pipeline["stages"][0]["id"]}},
        {"action_type": "set_deal_owner", "config": {"user_id": user}},
        {"action_type": "set_custom_field", "config": {"writes": writes}},
        {"action_type": "remove_tags", "config": {"tags": [{"name": "Old"}]}},
    )
    run = await triggered(api, made, deal_id=deal["id"])
    assert run["status"] == "completed", run
    now = await api.get(f"/opportunities/{deal['id']}", expand="assigned_users")
    assert [t["name"] for t in now["tags"]] == ["new"]
    assert now["tags"][0]["color"] == "#6b7280"
    assert now["placements"][0]["stage_id"] == pipeline["stages"][0]["id"]
    assert [u["id"] for u in now["assigned_users"]] == [user]
    assert now["metadata"] == {"cf_won": "2026-06-15"}
    contact = await api.get(f"/contacts/{deal['contact_id']}")
    assert (contact["timezone"], contact["email"]) == ("Australia/Perth", "jane@ford.example")
    assert run["action_results"][3]["response"]["kept"] == ["contact.email"]


async def test_a_lead_is_created_in_its_stage_for_a_person_known_by_email_only() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[0]
    place = {"pipeline_id": pipeline["id"], "stage_id": pipeline["stages"][0]["id"]}
    made = await automation(
        api, {"action_type": "crm_integration", "config": {"mode": "create"}}, {"action_type": "create_lead", "config": place}
    )
    run = await triggered(api, made, email="new@lead.example", first_name="Nia", phone="+61400777666")
    assert run["status"] == "completed", run
    deal = await api.get(f"/opportunities/{run['action_results'][1]['response']['deal_id']}")
    assert (deal["contact_name"], deal["stage_name"]) == ("Nia", pipeline["stages"][0]["name"])


async def test_an_action_that_fails_half_way_leaves_nothing_behind_and_the_next_one_is_done() -> None:
    api = make()
    deal = await a_deal(api)
    half = {"action_type": "add_tasks", "config": {"tasks": [{"title": "first"}, {"title": "second", "due_offset_days": 1e12}]}}
    run = await triggered(api, await automation(api, half, task("third")), deal_id=deal["id"])
    assert [r["status"] for r in run["action_results"]] == ["failed", "completed"]
    assert [t["title"] for t in await api.get("/tasks", deal_id=deal["id"])] == ["third"]


async def test_one_action_runs_alone_and_needs_the_scope_of_triggering() -> None:
    api = make()
    made = await automation(api, task("alone"), task("not me"))
    path = f"/automations/{made['id']}/actions/{made['actions'][0]['id']}/execute"
    result = await api.ok("POST", path, {"trigger_data": {"contact": {"first_name": "Jane"}}})
    assert (result["status"], result["action_type"]) == ("completed", "add_tasks")
    assert (await api.get("/tasks", limit=2))[0]["title"] == "alone"
    assert await api.get(f"/automations/{made['id']}/runs") == []
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": ["automations:write"]}, status=201))["key"]
    error = await api.as_key(key).error("POST", path, {}, status=403)
    assert error["details"]["missing_scopes"] == ["automations-trigger:trigger"]


async def test_automations_that_start_each_other_come_to_an_end() -> None:
    api = make()
    one, two = await automation(api), await automation(api)
    for here, there in ((one, two), (two, one)):
        body = {"action_type": "trigger_automation", "sequence": 1, "config": {"automation_id": there["id"]}}
        await api.ok("POST", f"/automations/{here['id']}/actions", body, status=201)
    assert (await triggered(api, one))["status"] == "completed"
    runs = [*await api.get(f"/automations/{one['id']}/runs"), *await api.get(f"/automations/{two['id']}/runs")]
    assert len(runs) == 6
    assert [r["status"] for r in runs].count("failed") == 1


async def test_those_named_in_the_settings_hear_of_a_failed_action_once_an_hour() -> None:
    api = make()
    set_up(api, "company_settings", automation_error_notify_emails=["ops@brightside.example"])
    set_up(api, "company_settings", automation_error_notify_phones=["+61431377068"])
    made = await automation(api, {"action_type": "assign_user", "config": {"user_id": NOBODY}})
    deal = await a_deal(api)
    for advance in (0, 60, 3600):
        await api.ok("POST", "/__sandbox/clock", {"advance_seconds": advance})
        await triggered(api, made, deal_id=deal["id"])
    assert [m["to"] for m in await outbox(api)] == ["ops@brightside.example", "+61431377068"] * 2
    for number in api.workspace.store.all("phone_number"):
        api.workspace.store.delete("phone_number", number["id"])
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 3600})
    await triggered(api, made, deal_id=deal["id"])
    assert [m["to"] for m in await outbox(api)][4:] == ["ops@brightside.example"]


async def test_the_43_trigger_types_are_described_with_a_sample_and_its_variables() -> None:
    api = make()
    envelope = await api.listed("/schemas/triggers")
    assert len(envelope["data"]) == 43
    assert envelope["enriched_variables"]["contact"][0] == "contact.id"
    lead = await api.get("/schemas/triggers/facebook_lead_ad")
    assert "email" in lead["available_variables"]
    assert lead["sample_trigger_data"]["email"].endswith(".example")
    assert "deal.name" in (await api.get("/schemas/triggers/deal_updated"))["available_variables"]
    await api.error("GET", "/schemas/triggers/moon_rises", status=404)
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": []}, status=201))["key"]
    assert len(await api.as_key(key).get("/schemas/triggers")) == 43
