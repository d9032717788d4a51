"""The own company, its team, CRM settings with custom fields, the tag palette and birthday messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def outbox(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    return found


async def test_the_company_can_be_read_and_changed() -> None:
    api = make()
    changed = await api.ok("PATCH", "/company", {"name": "Brightside", "slug": "bright-side", "timezone": "Australia/Perth"})
    assert (changed["name"], changed["slug"]) == ("Brightside", "bright-side")
    assert await api.get("/company") == changed
    for wrong in (
        {"name": " "},
        {"slug": "Bright Side"},
        {"timezone": "Mars/Olympus"},
        {"contact_email": "nobody"},
        {"email_handle": "x"},
    ):
        await api.error("PATCH", "/company", wrong)


async def test_the_team_is_listed_with_roles_and_enriched_profiles() -> None:
    api = make()
    users = await api.get("/company/users")
    assert len(users) == 6
    assert {u["role"] for u in users} <= {"client_admin", "client_editor", "client_viewer"}
    assert all(u["full_name"] and u["email"] and u["status"] == "active" for u in users)
    assert await api.get(f"/company/users/{users[0]['user_id']}") == users[0]
    await api.error("GET", f"/company/users/{NOBODY}", status=404)


async def test_a_workspace_profile_goes_before_the_personal_one() -> None:
    api = make()
    user = (await api.get("/company/users"))[0]
    path = f"/company/users/{user['user_id']}"
    assert await api.get(f"{path}/workspace-user-profile") == {
        "user_id": user["user_id"], "phone": None, "job_title": None, "department": None,
    }  # fmt: skip
    await api.ok("PATCH", f"{path}/workspace-user-profile", {"job_title": "Boss"})
    assert (await api.get(path))["job_title"] == "Boss"
    assert (await api.get(path))["phone"] == user["phone"]
    assert (await api.get(f"{path}/personal-user-profile"))["job_title"] == user["job_title"]


async def test_roles_and_preferences_are_set_per_person() -> None:
    api = make()
    user, pipeline = (await api.get("/company/users"))[1], (await api.get("/pipelines"))[0]["id"]
    path = f"/company/users/{user['user_id']}"
    assert (await api.ok("PATCH", f"{path}/workspace-user-roles", {"role": "client_viewer"}))["role"] == "client_viewer"
    assert (await api.get(f"{path}/workspace-user-roles"))["role"] == "client_viewer"
    await api.error("PATCH", f"{path}/workspace-user-roles", {"role": "owner"})
    preferences = f"{path}/workspace-user-preferences"
    assert (await api.get(preferences))["default_pipeline_id"] is None
    assert (await api.ok("PATCH", preferences, {"default_pipeline_id": pipeline}))["default_pipeline_id"] == pipeline
    await api.error("PATCH", preferences, {"default_pipeline_id": NOBODY})
    await api.ok("DELETE", f"/pipelines/{pipeline}", status=204)
    assert (await api.get(preferences))["default_pipeline_id"] is None
    assert (await api.ok("PATCH", preferences, {"default_pipeline_id": None}))["default_pipeline_id"] is None


async def test_what_is_for_administrators_follows_the_role_of_the_keys_owner() -> None:
    api = make()
    owner = next(u for u in await api.get("/company/users") if u["role"] == "client_admin")["user_id"]
    assert [n["title"] for n in await api.get("/notepads", visibility="restricted")] == ["Pay review"]
    await api.ok("PATCH", f"/company/users/{owner}/workspace-user-roles", {"role": "client_viewer"})
    assert await api.get("/notepads", visibility="restricted") == []


async def test_connections_tell_the_mailbox_and_whether_the_calendar_is_synced() -> None:
    api = make()
    admin = next(u for u in await api.get("/company/users") if u["role"] == "client_admin")
    (connection,) = await api.get(f"/company/users/{admin['user_id']}/workspace-user-connections")
    assert {"platform_type", "platform_account_name", "status", "calendar_synced", "gmail_aliases"} <= set(connection)
    mailboxes = (await api.get("/email/capabilities"))["personal_gmail"]
    own = next(m for m in mailboxes if m["user_id"] == admin["user_id"])
    assert (connection["platform_account_name"], connection["gmail_aliases"]) == (own["gmail_email"], own["send_as_aliases"])


async def test_an_invitation_is_mailed_and_a_member_is_not_invited_twice() -> None:
    api = make()
    body = {"email": "new@brightside.example", "role": "client_editor", "full_name": "New Person"}
    invited = await api.ok("POST", "/company/users/invite", body, status=201)
    assert (invited["status"], invited["role"], invited["full_name"]) == ("invited", "client_editor", "New Person")
    assert [m["to"] for m in await outbox(api)] == ["new@brightside.example"]
    (log,) = await api.get("/email/logs", email_type="invitation")
    assert (log["recipient_email"], log["status"], log["subject"]) == (
        body["email"],
        "sent",
        "Join Brightside Home Energy on TrustPager",
    )
    assert invited["user_id"] in {u["user_id"] for u in await api.get("/company/users")}
    await api.error("POST", "/company/users/invite", {**body, "email": "NEW@brightside.example"}, status=409)


async def test_a_removed_person_loses_access_and_leaves_tasks_unassigned() -> None:
    api = make()
    task = next(t for t in await api.get("/tasks", limit=100) if t["assigned_to"])
    user = task["assigned_to"]
    company = (await api.get("/company"))["id"]
    portal = api.as_key(f"sandbox-portal-session:{user}")
    token = (await portal.send("POST", "/functions/v1/evie-grant", {"company_id": company})).json()["data"]["access_token"]
    await api.as_key(token).get("/contacts")
    await api.ok("DELETE", f"/company/users/{user}", status=204)
    await api.error("GET", f"/company/users/{user}/personal-user-profile", status=404)
    assert (await api.get(f"/tasks/{task['id']}"))["assigned_to"] is None
    await api.as_key(token).error("GET", "/contacts", status=401)
    for other in (await api.get("/company/users"))[1:]:
        await api.ok("DELETE", f"/company/users/{other['user_id']}", status=204)
    (last,) = await api.get("/company/users")
    assert (await api.error("DELETE", f"/company/users/{last['user_id']}", status=409))["code"] == "CONFLICT"


async def test_crm_settings_are_changed_in_part() -> None:
    api = make()
    before = await api.get("/company/crm-settings")
    after = await api.ok("PATCH", "/company/crm-settings", {"lost_reasons": ["Price"], "enable_work_orders": False})
    assert (after["lost_reasons"], after["enable_work_orders"]) == (["Price"], False)
    assert after["won_reasons"] == before["won_reasons"]
    assert await api.get("/company/crm-settings") == after


FIELD = {"id": "cf_x", "label": "X", "type": "text", "show_on_detail": True, "show_in_table": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {"automation_error_notify_phones": ["0412 345 678"]},
        {"form_completion_notify_emails": ["nobody"]},
        {"quick_links": [{"id": NOBODY, "label": "A", "icon": "rocket"}]},
        {"quick_links": [{"id": NOBODY, "label": "A", "icon": "link"}, {"id": NOBODY, "label": "B", "icon": "link"}]},
        {"custom_fields": {"deal": [{**FIELD, "type": "colour"}]}},
        {"custom_fields": {"deal": [{**FIELD, "type": "dropdown"}]}},
        {"custom_fields": {"deal": [FIELD, FIELD]}},
        {"custom_fields": {"robot": []}},
        {"custom_fields": {"deal": [{**FIELD, "conditional_logic": {"default_rules": [{"conditions": [], "action": {"type": "today_plus"}}]}}]}},
    ],
)  # fmt: skip
async def test_crm_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    assert (await make().error("PATCH", "/company/crm-settings", wrong))["code"] == "VALIDATION_ERROR"


def ruled(*rules: dict[str, Any], field_type: str = "text") -> dict[str, Any]:
    return {"custom_fields": {"deal": [{**FIELD, "type": field_type, "conditional_logic": {"default_rules": list(rules)}}]}}


async def test_the_first_matching_default_rule_fills_an_empty_custom_field_and_follows_changes() -> None:
    api = make()
    won = {
        "conditions": [{"field_id": "status", "operator": "is", "value": "won"}],
        "action": {"type": "constant", "value": "yes"},
    }
    other = {"conditions": [], "action": {"type": "constant", "value": "no"}}
    await api.ok("PATCH", "/company/crm-settings", ruled(won, other))
    deal = await api.ok("POST", "/opportunities", {"name": "A"}, status=201)
    assert deal["metadata"]["cf_x"] == "no"
    deal = await api.ok("PATCH", f"/opportunities/{deal['id']}", {"status": "won"})
    assert (deal["metadata"]["cf_x"], deal["metadata"]["_rule_managed"]) == ("yes", ["cf_x"])


async def test_a_default_rule_never_overwrites_what_a_person_wrote() -> None:
    api = make()
    await api.ok("PATCH", "/company/crm-settings", ruled({"conditions": [], "action": {"type": "constant", "value": "auto"}}))
    deal = await api.ok("POST", "/opportunities", {"name": "A", "metadata": {"cf_x": "mine"}}, status=201)
    assert deal["metadata"] == {"cf_x": "mine"}
    ruled_deal = await api.ok("POST", "/opportunities", {"name": "B"}, status=201)
    changed = await api.ok("PATCH", f"/opportunities/{ruled_deal['id']}", {"metadata": {"cf_x": "mine now"}})
    assert changed["metadata"] == {"cf_x": "mine now"}
    kept = await api.ok("PATCH", f"/opportunities/{ruled_deal['id']}", {"status": "lost"})
    assert kept["metadata"] == {"cf_x": "mine now"}
    emptied = await api.ok("PATCH", f"/opportunities/{ruled_deal['id']}", {"metadata": {}})
    assert emptied["metadata"]["cf_x"] == "auto"


async def test_dates_are_counted_from_today_or_from_another_field_and_may_skip_the_weekend() -> None:
    api = make()
    today = {"type": "today_plus", "amount": 5, "unit": "days", "skip_saturday": True, "skip_sunday": True}
    await api.ok("PATCH", "/company/crm-settings", ruled({"conditions": [], "action": today}, field_type="datetime"))
    deal = await api.ok("POST", "/opportunities", {"name": "A"}, status=201)
    assert deal["metadata"]["cf_x"].startswith("2026-06-22T02:00")
    later = {"type": "field_plus", "source_field_id": "cf_visit", "amount": 1, "unit": "months"}
    await api.ok("PATCH", "/company/crm-settings", ruled({"conditions": [], "action": later}, field_type="datetime"))
    empty = await api.ok("POST", "/opportunities", {"name": "B"}, status=201)
    assert "cf_x" not in empty["metadata"]
    body = {"name": "C", "metadata": {"cf_visit": "2026-01-31T09:00:00Z"}}
    assert (await api.ok("POST", "/opportunities", body, status=201))["metadata"]["cf_x"] == "2026-02-28T09:00:00Z"


async def test_the_tag_palette_is_replaced_whole_and_the_last_of_a_name_wins() -> None:
    api = make()
    tags = [{"name": "Hot", "color": "#ff0000"}, {"name": "Cold", "color": "#0000ff"}, {"name": "HOT", "color": "#00ff00"}]
    wanted = [{"name": "HOT", "color": "#00ff00"}, {"name": "Cold", "color": "#0000ff"}]
    assert await api.ok("PATCH", "/company/settings/tag-palette", tags) == wanted
    assert await api.ok("PATCH", "/company/settings/tag-palette", {"tags": tags[:1]}) == tags[:1]
    assert await api.get("/company/settings/tag-palette") == tags[:1]
    for wrong in ([{"name": "A", "color": "red"}], {"labels": tags}, None):
        await api.error("PATCH", "/company/settings/tag-palette", wrong)


MESSAGE = {
    "channels": ["email", "sms"], "email_subject": "Happy {age}, {first_name}", "email_body": "{last_name} at {company_name}",
    "sms_body": "Cheers {first_name}",
}  # fmt: skip


async def born(api: Api, name: str, **fields: Any) -> str:
    body = {"first_name": name, "last_name": "Doe", "date_of_birth": "1980-06-20", "email": f"{name}@a.example", **fields}
    contact_id: str = (await api.ok("POST", "/contacts", body, status=201))["id"]
    return contact_id


async def test_birthday_messages_go_out_at_nine_local_time_by_the_year_of_the_relationship() -> None:
    api = make()
    ann = await born(api, "Ann", phone="+61412345678")
    await api.ok("PUT", "/company/birthday-messages", [MESSAGE, {**MESSAGE, "channels": ["email"], "email_subject": "Again"}])
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-19T22:59:00Z"})
    assert [m for m in await outbox(api) if "Ann" in str(m)] == []
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-19T23:00:01Z"})
    mail, text = (m for m in await outbox(api) if m["to"] in ("Ann@a.example", "+61412345678"))
    assert (mail["subject"], mail["body"]) == ("Happy 46, Ann", "Doe at Brightside Home Energy")
    assert (text["channel"], text["body"]) == ("sms", "Cheers Ann")
    latest = (await api.get("/sms/conversations"))[0]
    assert (latest["contact_id"], latest["last_message"]) == (ann, "Cheers Ann")
    (send,) = await api.get(f"/contacts/{ann}/birthday-sends")
    assert (send["year"], send["channels"]) == (2026, ["email", "sms"])
    await api.ok("POST", "/__sandbox/clock", {"now": "2028-06-21T00:00:00Z"})
    assert [m["subject"] for m in await outbox(api) if m["to"] == "Ann@a.example"] == ["Happy 46, Ann", "Again"]


async def test_opted_out_people_get_no_birthday_message_and_past_days_none_later() -> None:
    api = make()
    ann = await born(api, "Ann")
    await api.ok("PATCH", f"/contacts/{ann}", {"email_unsubscribed": True})
    bob = await born(api, "Bob", date_of_birth="1980-06-14")
    await api.ok("PUT", "/company/birthday-messages", [MESSAGE])
    assert await api.get("/company/birthday-messages") == [MESSAGE]
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-21T00:00:00Z"})
    assert [m for m in await outbox(api) if m["to"] in ("Ann@a.example", "Bob@a.example")] == []
    assert await api.get(f"/contacts/{bob}/birthday-sends") == []
    await api.error("PUT", "/company/birthday-messages", [{**MESSAGE, "channels": ["pigeon"]}])
    await api.error("PUT", "/company/birthday-messages", [{**MESSAGE, "channels": []}])
    await api.error("PUT", "/company/birthday-messages", [{"channels": ["sms"]}])
