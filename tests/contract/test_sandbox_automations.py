"""Automations: what sets them off, whether their conditions hold, what their actions do, and what the runs record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make, set_up


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
        ({"trigger_type": "api", "stage_id": NOBODY}, "stage_id"),
        ({"trigger_type": "api", "conditions": {"tags": {"resembles": "x"}}}, "conditions.tags"),
    ],
)
async def test_an_automation_with_a_wrong_trigger_stage_or_operator_is_refused(body: dict[str, Any], field: str) -> None:
    error = await make().error("POST", "/automations", {"name": "A", **body})
    assert field in error["details"]["fields"]


async def test_a_stage_changed_automation_needs_its_stage_and_takes_no_trigger_rows() -> None:
    api = make()
    assert "stage_id" in (await api.error("POST", "/automations", {"name": "A", "trigger_type": "stage_changed"}))["message"]
    old = await api.error("POST", "/automations", {"name": "A", "trigger_type": "form_submitted"})
    assert "form_completed" in old["message"]
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
    assert (await api.ok("PATCH", f"{path}/{row['id']}", {"source_id": None}))["source_id"] is None
    assert [r["id"] for r in await api.get(path)] == [row["id"]]
    other = await automation(api)
    await api.error("DELETE", f"/automations/{other['id']}/triggers/{row['id']}", status=404)
    await api.ok("DELETE", f"{path}/{row['id']}", status=204)
    assert await api.get(path) == []


SOURCES = {
    "any": "deal_created contact_created contact_updated customer_created customer_updated api trustpager_signup",
    "form_template": "form_completed form_sent", "sms": "sms_received", "email": "email_received email_bounced",
    "voice_agent": "call_started call_ended call_analyzed", "document_template": "document_sent",
    "signature_template": "signature_sent signature_viewed signature_completed signature_declined",
    "webhook": "webhook zapier typeform generic_webhook",
    "platform_integration": "xero_invoice_paid zoom_meeting_ended calcom_booking_created facebook_lead_ad booking_created",
}  # fmt: skip


async def test_every_trigger_type_has_the_source_type_that_the_reference_gives_it() -> None:
    schemas = {s["trigger_type"]: s["source_type"] for s in await make().get("/schemas/triggers")}
    assert {schemas[name] for name in SOURCES["any"].split()} == {"any"}
    for source, names in SOURCES.items():
        assert [(name, schemas[name]) for name in names.split() if schemas[name] != source] == []


async def test_an_automation_is_set_off_by_the_source_it_names_only() -> None:
    api = make()
    number = next(n["id"] for n in await api.get("/phone/numbers") if n["is_default"])
    made = await automation(api, trigger_type="sms_received")
    row = await api.ok("POST", f"/automations/{made['id']}/triggers", {"source_id": NOBODY}, status=201)
    text = {"channel": "sms", "from": "+61400000009", "body": "Hi"}
    await api.ok("POST", "/__sandbox/inbound", text, status=201)
    assert await api.get(f"/automations/{made['id']}/runs") == []
    await api.ok("PATCH", f"/automations/{made['id']}/triggers/{row['id']}", {"source_id": number})
    await api.ok("POST", "/__sandbox/inbound", text, status=201)
    assert len(await api.get(f"/automations/{made['id']}/runs")) == 1
    formed = await automation(api, trigger_type="form_completed")
    only = {"config": {"form_template_id": NOBODY}}
    assert (await api.ok("POST", f"/automations/{formed['id']}/triggers", only, status=201))["source_type"] == "form_template"
    for form in (made["id"], NOBODY):
        api.workspace.world.emit("form_completed", {"form_template_id": form})
    assert [r["trigger_data"]["form_template_id"] for r in await api.get(f"/automations/{formed['id']}/runs")] == [NOBODY]
    hook = await api.ok("POST", "/webhooks/incoming", {"service_name": "Site"}, status=201)
    mapped = await api.ok("POST", "/webhooks/incoming", {"service_type": "zapier"}, status=201)
    for trigger, url, wanted in (
        ("webhook", hook["url"], {"body": {"email": "a@b.example"}}), ("zapier", mapped["url"], {"email": "a@b.example"}),
    ):  # fmt: skip
        listening = await automation(api, trigger_type=trigger)
        assert (await api.send("POST", url.removeprefix(ORIGIN), {"email": "a@b.example"})).status_code == 200
        (run,) = await api.get(f"/automations/{listening['id']}/runs")
        assert run["trigger_data"].items() >= wanted.items()


async def test_actions_are_checked_ordered_changed_and_deleted() -> None:
    api = make()
    made = await automation(api, task("one"), task("two"))
    path = f"/automations/{made['id']}/actions"
    first, second = (a["id"] for a in await api.get(path))
    missing = await api.error("POST", path, {"action_type": "send_sms", "sequence": 3, "config": {"message_body": "hi"}})
    assert "config.phone_number_id" in missing["details"]["fields"]
    assert "known are" in (await api.error("POST", path, {"action_type": "dance", "sequence": 3}))["message"]
    for kind, config in (
        ("send_custom_email", {"customMessage": "x"}),
        ("send_gmail_email", {"subject": "x", "body": "y"}),
        ("set_custom_field", {"writes": [{"target_entity": "contact", "crm_variable": "contact.shoe_size", "value": 9}]}),
        ("set_custom_field", {"writes": [{"target_entity": "deal", "crm_variable": "contact.notes", "value": "x"}]}),
        ("set_custom_field", {"writes": [{"target_entity": "deal", "crm_variable": "deal.metadata", "value": {}}]}),
    ):
        await api.error("POST", path, {"action_type": kind, "sequence": 3, "config": config})
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
    category = await api.ok("POST", "/tasks/categories", {"name": "Calls"}, status=201)
    ring = {"title": "Ring {{contact.first_name}} about {{deal.name}}", "category": "calls", "due_offset_days": 2}
    made = await automation(api, {"action_type": "add_tasks", "config": {"tasks": [ring]}}, broken)
    run = await triggered(api, made, deal_id=deal["id"])
    assert (run["status"], run["actions_total"], run["actions_executed"], run["actions_failed"]) == ("failed", 2, 1, 1)
    assert [r["status"] for r in run["action_results"]] == ["completed", "failed"]
    assert NOBODY in run["action_results"][1]["error"]
    assert set(run["action_results"][0]) >= {"action_type", "request", "response", "error", "duration_ms"}
    (made_task,) = await api.get("/tasks", deal_id=deal["id"])
    assert (made_task["title"], made_task["category_id"], made_task["due_date"][:10]) == (
        "Ring Jane about Roof", category["id"], "2026-06-17",
    )  # fmt: skip
    assert run["truncated"] is False
    long = {"action_type": "slack_send_message", "config": {"message": "x" * 3000}}
    assert (await triggered(api, await automation(api, long)))["truncated"] is True
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
    there = {"pipeline_id": pipeline["id"], "stage_id": second}
    silent, loud = await a_deal(api), await a_deal(api)
    await api.ok("POST", f"/opportunities/{silent['id']}/add-card", {**there, "skip_automations": True})
    for _ in range(2):
        await api.ok("POST", f"/opportunities/{loud['id']}/add-card", there)
    runs = await api.get(f"/automations/{made['id']}/runs")
    assert [r["trigger_data"]["deal_id"] for r in runs] == [loud["id"], deal["id"]]


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


async def test_new_and_changed_companies_and_deals_fire_too_unless_all_or_one_of_a_batch_are_skipped() -> None:
    api = make()
    for path, entity, fields in (("/companies", "customer", {"name": "Acme"}), ("/opportunities", "deal", {"name": "Roof"})):
        created = await automation(api, trigger_type=f"{entity}_created")
        updated = await automation(api, trigger_type=f"{entity}_updated")
        record = await api.ok("POST", path, fields, status=201)
        quiet = {"skip_automations": True}
        await api.ok("POST", path, {**fields, **quiet}, status=201)
        batch = await api.ok("POST", f"{path}/bulk-create", {"records": [fields, {**fields, **quiet}]}, status=201)
        await api.ok("POST", f"{path}/bulk-create", {"records": [fields], **quiet}, status=201)
        runs = await api.get(f"/automations/{created['id']}/runs")
        assert [r["trigger_data"]["_trigger_entity_id"] for r in runs] == [batch["created"][0]["id"], record["id"]]
        assert "skip_automations" not in batch["created"][1]
        await api.ok("PATCH", f"{path}/{record['id']}", {"notes": "n"})
        (run,) = await api.get(f"/automations/{updated['id']}/runs")
        told = {"_trigger_entity_kind": entity, "_trigger_entity_id": record["id"], "_previous_values": {"notes": None}}
        assert told.items() <= run["trigger_data"].items()


async def test_every_entity_trigger_names_the_row_and_higher_priority_goes_first() -> None:
    api = make()
    made = {
        f"{entity}_{happened}": await automation(api, trigger_type=f"{entity}_{happened}")
        for entity in ("contact", "customer", "deal") for happened in ("created", "updated")
    }  # fmt: skip
    for entity, path, name in (
        ("contact", "contacts", "first_name"),
        ("customer", "companies", "name"),
        ("deal", "opportunities", "name"),
    ):
        row = await api.ok("POST", f"/{path}", {name: "One"}, status=201)
        await api.ok("PATCH", f"/{path}/{row['id']}", {name: "Two"})
        for happened in ("created", "updated"):
            (run,) = await api.get(f"/automations/{made[f'{entity}_{happened}']['id']}/runs")
            data = run["trigger_data"]
            assert (data["_trigger_entity_kind"], data["_trigger_entity_id"]) == (entity, row["id"])
        assert (data["_changed_fields"], data["_previous_values"]) == ([name], {name: "One"})
    for priority in (1, 9, 5):
        await automation(api, task(f"priority {priority}"), trigger_type="deal_created", priority=priority)
    deal = await a_deal(api)
    assert [t["title"] for t in await api.get("/tasks", deal_id=deal["id"])] == [f"priority {n}" for n in (1, 5, 9)]


async def test_a_disabled_automation_does_not_fire() -> None:
    api = make()
    made = await automation(api, task("x"), trigger_type="deal_created", enabled=False)
    await a_deal(api)
    assert await api.get(f"/automations/{made['id']}/runs") == []


async def test_messages_fill_their_variables_and_respect_opt_outs() -> None:
    api = make()
    deal = await a_deal(api)
    email = {"subject": "About {{deal.name}}", "body": "{{contact.greeting}} {{nothing.known}}!", "recipient_target": "contact"}
    number = next(n for n in await api.get("/phone/numbers") if n["is_default"])
    sms = {"phone_number_id": number["id"], "message_body": "For {{contact.display_name}}"}
    other = {**sms, "to_number_source": "custom", "custom_recipient_phone": "+61400999888"}
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
    assert (sent[0]["subject"], sent[0]["body"].split("\n\n--\n")[0], sent[1]["body"]) == (
        "About Roof",
        "Hi Jane !",
        "For Jane Ford",
    )
    texts = {c["phone_number"]: c["last_message"] for c in (await api.get("/sms/conversations"))[:2]}
    assert texts == {"+61400000001": "For Jane Ford", "+61400999888": "For Jane Ford"}
    await api.ok("PATCH", f"/contacts/{deal['contact_id']}", {"email_unsubscribed": True, "sms_unsubscribed": True})
    again = await triggered(api, made, deal_id=deal["id"])
    assert [r["status"] for r in again["action_results"]] == ["skipped", "skipped", "completed"]
    unknown = {"action_type": "send_sms", "config": {**sms, "phone_number_id": NOBODY}}
    run = await triggered(api, await automation(api, unknown), contact={"phone": "+61400999888"})
    assert "phone_number_id" in run["action_results"][0]["error"]


async def test_a_call_outside_business_hours_waits_for_the_next_window_and_then_goes_out() -> None:
    api = make(now="2026-06-13T02:00:00Z")  # A Saturday.
    deal = await a_deal(api)
    agent = next(a for a in await api.get("/agents", type="voice") if a["phone_numbers"]["outbound"])
    outbound = await api.get(f"/agents/{agent['id']}/outbound-config")
    config = {
        "voice_agent_outbound_config_id": outbound[0]["id"],
        "variable_mappings": {"who": "{{contact.first_name}}"},
        "respect_business_hours": True,
    }
    made = await automation(api, {"action_type": "voice_outbound_call", "config": config})
    run = await triggered(api, made, deal_id=deal["id"])
    waiting = await api.get(f"/scheduled-communications/{run['action_results'][0]['response']['scheduled_communication_id']}")
    assert (waiting["status"], waiting["scheduled_for"], waiting["deal_id"]) == ("pending", "2026-06-14T22:30:00Z", deal["id"])
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-14T22:31:00Z"})
    (call,) = [m for m in await outbox(api) if m["channel"] == "call"]
    logged = next(c for c in await api.get(f"/agents/{agent['id']}/calls") if c["call_id"] == call["call_id"])
    assert (call["to"], logged["to_number"], logged["dynamic_variables"]["who"]) == ("+61400000001", "+61400000001", "Jane")
    now = await api.ok(
        "PATCH",
        f"/automations/{made['id']}/actions/{made['actions'][0]['id']}",
        {"config": {**config, "respect_business_hours": False}},
    )
    assert now["config"]["respect_business_hours"] is False
    await api.advance(3600)
    before = (await api.ok("GET", "/__sandbox/credits"))["balance"]
    placed = (await triggered(api, made, deal_id=deal["id"]))["action_results"][0]["response"]
    await api.advance(3600)
    call = await api.get(f"/agents/calls/{placed['agent_call_id']}")
    assert call["ended_at"]
    assert before - (await api.ok("GET", "/__sandbox/credits"))["balance"] == call["credits_charged"]
    await api.ok("POST", "/__sandbox/credits", {"balance": 5})
    poor = await triggered(api, made, deal_id=deal["id"])
    assert poor["action_results"][0]["error"].startswith("INSUFFICIENT_CREDITS")
    nobody = {"action_type": "voice_outbound_call", "config": {"voice_agent_outbound_config_id": NOBODY}}
    run = await triggered(api, await automation(api, nobody), deal_id=deal["id"])
    assert "no voice agent" in run["action_results"][0]["error"]


async def test_emails_go_to_companies_come_from_the_assignee_and_carry_at_most_25_mb() -> None:
    api = make()
    firm = await api.ok("POST", "/companies", {"name": "F", "email": "office@f.example"}, status=201)
    deal = await a_deal(api, customer_id=firm["id"])
    user = api.workspace.store.all("user")[-1]
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
    assert mail["body"].startswith("b\n\n--\n" + user["name"])
    assert (await api.get("/email/logs", provider="gmail"))[0]["sender_user_id"] == user["id"]
    plain, gmail = (await api.get("/email/configs"))[:2]
    alias = (await api.get("/email/capabilities"))["personal_gmail"][0]["send_as_aliases"][1]
    gmail = await api.ok(
        "PATCH", f"/email/configs/{gmail['id']}", {"gmail_sender_user_id": user["id"], "gmail_sender_alias": alias}
    )
    company = {**email, "sender_mode": "company", "body": "<p>b</p>"}
    made = await automation(
        api,
        {"action_type": "send_gmail_email", "config": {**company, "email_config_id": plain["id"]}},
        {"action_type": "send_gmail_email", "config": {**company, "email_config_id": gmail["id"]}},
    )
    refused, sent = (await triggered(api, made, deal_id=deal["id"]))["action_results"]
    assert "through Gmail" in refused["error"]
    assert sent["response"]["from"] == alias
    assert (await outbox(api))[-1]["body"].startswith("<p>b</p><br><br>--<br>")
    assert [m["to"] for m in await outbox(api) if m["channel"] == "webhook"] == ["https://hooks.example/x"] * 2


async def test_crm_actions_tag_move_assign_and_write_fields() -> None:
    api = make()
    deal = await a_deal(api, tags=["old"])
    pipeline = (await api.get("/pipelines"))[1]
    user, other = (u["id"] for u in api.workspace.store.all("user")[:2])
    palette = (await api.get("/company/settings/tag-palette"))[0]
    writes = [
        {"target_entity": "contact", "crm_variable": "contact.timezone", "value": "Australia/Perth"},
        {"target_entity": "contact", "crm_variable": "contact.email", "value": "lost@x.example", "mode": "write"},
        {"target_entity": "deal", "crm_variable": "deal.metadata.cf_won", "value": "{{today}}", "mode": "overwrite"},
    ]
    older = {"target_entity": "deal", "crm_variable": "deal.actual_close_date", "value": "{{today}}", "mode": "write"}
    made = await automation(
        api,
        {"action_type": "apply_tags", "config": {"tags": [{"name": "new"}, {"name": "OLD"}, {"name": palette["name"]}]}},
        {"action_type": "move_deal", "config": {"pipeline_id": pipeline["id"], "stage_id": pipeline["stages"][0]["id"]}},
        {"action_type": "assign_user", "config": {"user_id": other}},
        {"action_type": "set_deal_owner", "config": {"user_id": user}},
        {"action_type": "set_custom_field", "config": {"writes": writes}},
        {"action_type": "set_custom_field", "config": older},
        {"action_type": "set_custom_field", "config": {"target_entity": "deal", "field_id": "cf_old", "value": "{{now}}"}},
        {"action_type": "remove_tags", "config": {"tags": [{"name": "Old"}]}},
    )
    run = await triggered(api, made, deal_id=deal["id"])
    assert run["status"] == "completed", run
    now = await api.get(f"/opportunities/{deal['id']}", expand="assigned_users")
    assert [(t["name"], t["color"]) for t in now["tags"]] == [("new", "#6b7280"), (palette["name"], palette["color"])]
    assert now["placements"][0]["stage_id"] == pipeline["stages"][0]["id"]
    assert [(u["id"], u["is_primary"]) for u in now["assigned_users"]] == [(user, True), (other, False)]
    assert now["metadata"].pop("cf_old").startswith("2026-06-15T02:00")
    assert (now["metadata"], now["actual_close_date"]) == ({"cf_won": "2026-06-15"}, "2026-06-15")
    contact = await api.get(f"/contacts/{deal['contact_id']}")
    assert (contact["timezone"], contact["email"]) == ("Australia/Perth", "jane@ford.example")
    assert run["action_results"][4]["response"]["kept"] == ["contact.email"]


async def test_a_field_of_another_entity_than_the_triggers_needs_a_crm_integration_that_finds_it_by_id() -> None:
    api = make()
    deal = await a_deal(api)
    write = {"target_entity": "deal", "crm_variable": "deal.notes", "value": "Moved to {{contact.city}}", "mode": "overwrite"}
    made = await automation(
        api, {"action_type": "set_custom_field", "config": {"writes": [write]}}, trigger_type="contact_updated"
    )
    for city, match, status in (("Perth", None, "failed"), ("Hobart", ["email"], "failed"), ("Darwin", ["id"], "completed")):
        if match:
            config = {"mode": "find", "find_match_fields": match}
            action = {"action_type": "crm_integration", "sequence": 0, "config": config}
            await api.ok("POST", f"/automations/{made['id']}/actions", action, status=201)
        await api.ok("PATCH", f"/contacts/{deal['contact_id']}", {"city": city})
        run = (await api.get(f"/automations/{made['id']}/runs"))[0]
        assert run["action_results"][-1]["status"] == status
    assert (await api.get(f"/opportunities/{deal['id']}"))["notes"] == "Moved to Darwin"
    assert [r["status"] for r in run["action_results"]] == ["failed", "completed", "completed"]


async def test_a_document_that_is_sent_sets_off_what_waits_for_it() -> None:
    api = make()
    deal = await a_deal(api)
    document = (await api.get("/documents"))[0]
    made = await automation(api, {"action_type": "send_document", "config": {"document_id": document["id"]}})
    waiting = await automation(api, trigger_type="document_sent")
    await triggered(api, made, deal_id=deal["id"])
    (run,) = await api.get(f"/automations/{waiting['id']}/runs")
    assert (run["trigger_data"]["document_id"], run["trigger_data"]["deal_id"]) == (document["id"], deal["id"])


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
