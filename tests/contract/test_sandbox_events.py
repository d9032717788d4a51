"""What happens outside reaches the automations: mail, texts, calls and bounces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import Api, make

CALLER = "+61412345678"


async def watcher(api: Api, trigger: str) -> str:
    """An automation that notes the event as a task; its path."""
    made = await api.ok("POST", "/automations", {"name": "Watch", "trigger_type": trigger, "enabled": True}, status=201)
    action = {"action_type": "add_tasks", "sequence": 1, "config": {"tasks": [{"title": f"Saw {trigger}"}]}}
    await api.ok("POST", f"/automations/{made['id']}/actions", action, status=201)
    return f"/automations/{made['id']}"


async def an_agent_answers(api: Api) -> str:
    """A number that a published voice agent answers."""
    agent = next(a for a in await api.get("/agents", type="voice") if a["phone_numbers"]["inbound"])
    number: str = agent["phone_numbers"]["inbound"][0]
    return number


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("sms_received", {"channel": "sms", "from": CALLER, "body": "Yes please"}),
        ("email_received", {"channel": "email", "from": "jo@home.example", "subject": "Hi", "html_body": "<p>Hello</p>"}),
        ("call_started", {"channel": "call", "from": CALLER}),
        ("call_ended", {"channel": "call", "from": CALLER}),
        ("call_analyzed", {"channel": "call", "from": CALLER}),
    ],
)
async def test_what_comes_from_outside_sets_off_its_automations(trigger: str, message: dict[str, Any]) -> None:
    api = make()
    path = await watcher(api, trigger)
    if message["channel"] == "call":
        message = {**message, "to": await an_agent_answers(api)}
    await api.ok("POST", "/__sandbox/inbound", message, status=201)
    await api.advance(3600)
    (run,) = await api.get(f"{path}/runs")
    assert run["trigger_data"].get("from_number", run["trigger_data"].get("from_email")) == message["from"]


async def test_a_bounce_sets_off_its_automations() -> None:
    api = make()
    path = await watcher(api, "email_bounced")
    await api.ok("POST", "/email/send", {"to_email": "bounce@home.example", "subject": "Hi", "html_body": "x"})
    await api.advance(60)
    (run,) = await api.get(f"{path}/runs")
    assert run["trigger_data"]["recipient_email"] == "bounce@home.example"


async def test_mail_that_fails_opts_its_contact_out_until_somebody_subscribes_them_again() -> None:
    api = make()
    for who, reason in (("bounce", "hard_bounce"), ("complain", "complaint")):
        address = f"{who}@home.example"
        contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "email": address}, status=201)
        await api.ok("POST", "/email/send", {"to_email": address, "subject": "Hi", "html_body": "x"})
        await api.advance(60)
        out = {u["email"]: u["reason"] for u in await api.get("/email-campaigns/unsubscribes")}
        path = f"/contacts/{contact['id']}"
        assert ((await api.get(path))["email_unsubscribed"], out[address]) == (True, reason)
        assert (await api.ok("PATCH", path, {"email_unsubscribed": False}))["email_unsubscribed"] is False
        assert address not in {u["email"] for u in await api.get("/email-campaigns/unsubscribes")}


async def test_a_call_that_comes_in_is_answered_logged_and_transcribed() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "phone": CALLER}, status=201)
    own = await an_agent_answers(api)
    ringing = (await api.ok("POST", "/__sandbox/inbound", {"channel": "call", "from": CALLER, "to": own}, status=201))["message"]
    assert (ringing["direction"], ringing["call_status"], ringing["contact_id"]) == ("inbound", "registered", contact["id"])
    await api.advance(3600)
    ended = await api.get(f"/agents/calls/{ringing['id']}")
    assert (ended["call_status"], ended["to_number"], "How can I help" in ended["transcript"]) == ("ended", own, True)
    log = next(c for c in await api.get("/phone/call-logs") if c["agent_call_id"] == ringing["id"])
    assert (log["direction"], log["from_number"]) == ("inbound", CALLER)
    (transcript,) = [t for t in await api.get("/transcripts", source="retell") if t["metadata"]["agent_call_id"] == ringing["id"]]
    assert (transcript["title"], transcript["participants"][0]["role"]) == ("Inbound call - Jo", "caller")
    assert await api.outbox("call") == []


async def test_nobody_answers_a_number_without_a_published_agent() -> None:
    api = make()
    free = next(n for n in await api.get("/phone/numbers") if not n["inbound_voice_agent_config_id"])
    error = await api.error("POST", "/__sandbox/inbound", {"channel": "call", "from": CALLER, "to": free["phone_number"]})
    assert "no published voice agent" in error["message"]
