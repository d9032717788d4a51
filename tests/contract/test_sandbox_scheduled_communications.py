"""Scheduled communications: what may be queued, and what the scheduler does with it minute by minute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make, set_up

EMAIL = {"to_email": "jo@field.example", "subject": "Quote", "html_body": "<p>Hi</p>"}
SMS = {"phone_number_id": NOBODY, "to_number": "+61400111222", "message_body": "Hi"}
CALL = {"voice_agent_outbound_config_id": NOBODY, "to_number": "+61400111222"}
PATH = "/scheduled-communications"


async def queued(api: Api, channel: str = "email", when: str = "2026-06-16T01:00:00Z", **fields: Any) -> dict[str, Any]:
    payload = fields.pop("payload", None) or (
        await text(api) if channel == "sms" else {"email": EMAIL, "voice_call": CALL}[channel]
    )
    body = {"channel": channel, "scheduled_for": when, "payload": payload, **fields}
    row: dict[str, Any] = await api.ok("POST", PATH, body, status=201)
    return row


async def text(api: Api) -> dict[str, Any]:
    """A text from one of the workspace's own numbers."""
    own = [n for n in await api.get("/phone/numbers") if n["capabilities"]["sms"]]
    return {**SMS, "phone_number_id": own[0]["id"]}


async def at(api: Api, now: str) -> None:
    await api.ok("POST", "/__sandbox/clock", {"now": now})


async def outbox(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    return [m for m in found if m.get("scheduled_communication_id")]


@pytest.mark.parametrize("channel", ["email", "sms", "voice_call"])
async def test_a_communication_waits_and_goes_out_when_its_minute_comes(channel: str) -> None:
    api = make()
    row = await queued(api, channel)
    assert (row["status"], row["attempt_count"], row["dispatched_at"]) == ("pending", 0, None)
    await at(api, "2026-06-16T00:59:59Z")
    assert await api.get(f"{PATH}/{row['id']}") == row
    await at(api, "2026-06-16T01:00:01Z")
    done = await api.get(f"{PATH}/{row['id']}")
    if channel == "sms":
        (conversation,) = [c for c in await api.get("/sms/conversations") if c["phone_number"] == SMS["to_number"]]
        (message,) = await api.get(f"/sms/conversations/{conversation['id']}/messages")
        assert (message["body"], message["direction"]) == ("Hi", "outbound")
    else:
        (message,) = await outbox(api)
        assert message["to"] in (EMAIL["to_email"], SMS["to_number"])
    assert (done["status"], done["attempt_count"], done["dispatched_external_id"]) == ("dispatched", 1, message["id"])
    assert done["dispatched_at"].startswith("2026-06-16T01:00:00")


async def test_the_channel_needs_its_own_scope_too() -> None:
    api = make()
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": ["dispatcher:write", "email:send"]}, status=201))["key"]
    caller = api.as_key(key)
    await queued(caller, "email")
    for channel, payload, scope in (("sms", SMS, "sms:send"), ("voice_call", CALL, "calls:initiate")):
        body = {"channel": channel, "scheduled_for": "2026-06-16T01:00:00Z", "payload": payload}
        assert (await caller.error("POST", PATH, body, status=403))["details"]["missing_scopes"] == [scope]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheduled_for": "2026-06-15T01:58:00Z"},
        {"payload": SMS},
        {"payload": {**EMAIL, "to_email": "nobody"}},
        {"payload": {**EMAIL, "mode": "personal"}},
        {"channel": "pigeon"},
        {"timezone": "AEST"},
        {"contact_id": NOBODY},
        {"channel": "voice_call", "payload": {**CALL, "follow_ups": {**CALL, "max_attempts": 3, "follow_up_delays": [2]}}},
    ],
)
async def test_what_could_not_be_dispatched_is_refused(wrong: dict[str, Any]) -> None:
    body = {"channel": "email", "scheduled_for": "2026-06-16T01:00:00Z", "payload": EMAIL, **wrong}
    assert (await make().error("POST", PATH, body))["code"] == "VALIDATION_ERROR"


async def test_half_a_minute_late_is_still_in_time() -> None:
    api = make()
    row = await queued(api, when="2026-06-15T01:59:30Z")
    await at(api, "2026-06-15T02:02:00Z")
    assert (await api.get(f"{PATH}/{row['id']}"))["status"] == "dispatched"


async def test_communications_are_listed_by_status_channel_and_link() -> None:
    api = make()
    contact = (await api.get("/contacts"))[0]["id"]
    row = await queued(api, "sms", contact_id=contact)
    assert [r["id"] for r in await api.get(PATH, status="pending", channel="sms", contact_id=contact)] == [row["id"]]
    assert row["id"] not in [r["id"] for r in await api.get(PATH, channel="email", limit=100)]
    assert (await api.listed(PATH, limit=1))["pagination"]["has_more"] is True
    await api.error("GET", f"{PATH}/{NOBODY}", status=404)


async def test_only_pending_ones_can_be_changed_cancelled_or_flushed() -> None:
    api = make()
    row = await queued(api)
    path = f"{PATH}/{row['id']}"
    changed = await api.ok("PATCH", path, {"payload": {**EMAIL, "subject": "New"}, "scheduled_for": "2026-06-17T01:00:00+10:00"})
    assert (changed["payload"]["subject"], changed["scheduled_for"]) == ("New", "2026-06-16T15:00:00Z")
    await api.error("PATCH", path, {"payload": SMS})
    await api.error("PATCH", path, {"scheduled_for": "2026-06-01T00:00:00Z"})
    await api.ok("DELETE", path, status=204)
    assert (await api.get(path))["status"] == "cancelled"
    for method, end in (("PATCH", ""), ("DELETE", ""), ("POST", "/dispatch-now")):
        assert (await api.error(method, path + end, {}))["code"] == "VALIDATION_ERROR"
    await at(api, "2026-06-18T00:00:00Z")
    assert await outbox(api) == []


async def test_business_hours_hold_a_message_until_the_window_of_the_callee_opens() -> None:
    api = make(now="2026-06-12T09:00:00Z")  # Friday 19:00 in Sydney, 17:00 in Perth.
    sydney = await queued(api, "voice_call", "2026-06-12T09:30:00Z", respect_business_hours=True, timezone="Australia/Sydney")
    body = {"first_name": "P", "phone": "+61400555666"}
    contact = await api.ok("POST", "/contacts", body, status=201)
    store = api.workspace.store
    store.save("contact", {**store.get("contact", contact["id"]), "timezone": "Australia/Perth"})
    perth = await queued(api, "voice_call", "2026-06-12T09:30:00Z", respect_business_hours=True, contact_id=contact["id"])
    await at(api, "2026-06-12T10:00:00Z")
    held = [(await api.get(f"{PATH}/{r['id']}")) for r in (sydney, perth)]
    # The company opens at half past eight: Monday 15 June, there and there.
    assert [(r["status"], r["scheduled_for"]) for r in held] == [
        ("pending", "2026-06-14T22:30:00Z"), ("pending", "2026-06-15T00:30:00Z"),
    ]  # fmt: skip
    await at(api, "2026-06-15T00:31:00Z")
    assert [m["sent_at"][:16] for m in await outbox(api)] == ["2026-06-14T22:30", "2026-06-15T00:30"]


async def test_dispatch_now_ignores_business_hours_and_waits_for_the_next_tick_only() -> None:
    api = make(now="2026-06-13T00:00:10Z")
    row = await queued(api, "sms", "2026-06-20T00:00:00Z", respect_business_hours=True)
    flushed = await api.ok("POST", f"{PATH}/{row['id']}/dispatch-now")
    assert (flushed["status"], flushed["respect_business_hours"], flushed["scheduled_for"][:16]) == (
        "pending", False, "2026-06-13T00:00",
    )  # fmt: skip
    await at(api, "2026-06-13T00:01:01Z")
    assert (await api.get(f"{PATH}/{row['id']}"))["status"] == "dispatched"


async def test_a_dispatch_that_fails_is_tried_again_ever_later_and_then_given_up() -> None:
    api = make()
    row = await queued(api, payload={**EMAIL, "sender_user_id": NOBODY})
    path = f"{PATH}/{row['id']}"
    await at(api, "2026-06-16T01:01:30Z")
    tried = await api.get(path)
    assert (tried["status"], tried["attempt_count"]) == ("pending", 2)
    assert NOBODY in tried["last_error"]
    await at(api, "2026-06-16T01:14:59Z")
    assert (await api.get(path))["attempt_count"] == 4
    await at(api, "2026-06-16T01:15:01Z")
    assert [(await api.get(path))[k] for k in ("status", "attempt_count")] == ["failed", 5]
    set_up(api, "own_company", contact_email=None)
    late = await queued(api, when="2026-06-16T02:00:00Z")
    await at(api, "2026-06-16T02:00:01Z")
    set_up(api, "own_company", contact_email="hi@brightside.example")
    await at(api, "2026-06-16T02:01:01Z")
    assert [(await api.get(f"{PATH}/{late['id']}"))[k] for k in ("status", "attempt_count", "last_error")] == [
        "dispatched",
        2,
        None,
    ]


async def test_those_who_unsubscribed_are_skipped() -> None:
    api = make()
    body = {"first_name": "Jo", "email": EMAIL["to_email"], "phone": SMS["to_number"]}
    contact = await api.ok("POST", "/contacts", body, status=201)
    rows = [await queued(api, channel) for channel in ("email", "sms")]
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"email_unsubscribed": True, "sms_unsubscribed": True})
    await at(api, "2026-06-16T01:00:01Z")
    assert [(await api.get(f"{PATH}/{r['id']}"))["status"] for r in rows] == ["skipped", "skipped"]
    assert await outbox(api) == []


async def test_what_went_out_stands_on_the_timeline_of_its_contact() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo"}, status=201)
    for channel in ("email", "voice_call"):
        await queued(api, channel, contact_id=contact["id"])
    await at(api, "2026-06-16T01:00:01Z")
    found = await api.get(f"/contacts/{contact['id']}/activities")
    assert {(a["activity_type"], a["subject"]) for a in found} == {("note", "Email sent: Quote"), ("call", "AI call placed")}
    (log,) = await api.get("/email/logs", email_type="scheduled")
    assert (log["recipient_email"], log["contact_id"]) == (EMAIL["to_email"], contact["id"])


async def test_a_personal_email_goes_from_the_senders_gmail_and_a_text_from_an_own_number_or_not_at_all() -> None:
    api = make()
    people = (await api.get("/email/capabilities"))["personal_gmail"]
    on, off = (next(p for p in people if p["gmail_connected"] is connected) for connected in (True, False))
    personal = {**EMAIL, "mode": "personal"}
    await queued(api, payload={**personal, "sender_user_id": on["user_id"]})
    rows = [await queued(api, payload={**personal, "sender_user_id": off["user_id"]}), await queued(api, "sms", payload=SMS)]
    await at(api, "2026-06-16T01:00:01Z")
    assert [m["from"] for m in await outbox(api)] == [on["gmail_email"]]
    failed = [await api.get(f"{PATH}/{row['id']}") for row in rows]
    assert [(r["status"], r["attempt_count"]) for r in failed] == [("pending", 1)] * 2
    assert ["Gmail" in failed[0]["last_error"], SMS["phone_number_id"] in failed[1]["last_error"]] == [True, True]


async def test_a_call_cadence_makes_every_attempt_at_its_delay() -> None:
    api = make()
    follow_ups = {**CALL, "max_attempts": 3, "follow_up_delays": [0.5, 24]}
    row = await queued(api, "voice_call", payload={**CALL, "follow_ups": follow_ups, "dynamic_variables": {"name": "Jo"}})
    await at(api, "2026-06-20T00:00:00Z")
    calls = await outbox(api)
    assert [c["sent_at"][:16] for c in calls] == ["2026-06-16T01:00", "2026-06-16T01:30", "2026-06-17T01:30"]
    assert {c["dynamic_variables"]["name"] for c in calls} == {"Jo"}
    assert calls[0]["scheduled_communication_id"] == row["id"]
