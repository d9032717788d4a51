"""Mail: conversations, sending and answering with their errors, the delivery log, sender identities."""

from __future__ import annotations

import base64

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

LETTER = {"to_email": "jo@home.example", "subject": "Roof", "html_body": "<p>Hello &amp; <b>welcome</b></p>"}


async def personal(api: Api) -> dict[str, str]:
    """A body for sending from the first user whose Gmail is connected."""
    people = (await api.get("/email/capabilities"))["personal_gmail"]
    return {"mode": "personal", "sender_user_id": next(p["user_id"] for p in people if p["gmail_connected"])}


async def test_a_sent_email_is_seen_in_the_outbox_its_thread_its_log_and_on_the_timelines() -> None:
    api = make()
    deal = (await api.get("/opportunities", status="open"))[0]
    links = {"contact_id": deal["contact_id"], "deal_id": deal["id"]}
    sent = await api.ok("POST", "/email/send", {**LETTER, **links, "cc": "a@b.example, c@d.example", "to_name": "Jo"})
    assert (sent["status"], sent["provider"], sent["from_email"]) == ("sent", "postmark", "office@mail.trustpager.net")
    (mail,) = await api.outbox("email")
    assert (mail["to"], mail["subject"], mail["cc"]) == ("jo@home.example", "Roof", ["a@b.example", "c@d.example"])
    thread = await api.get(f"/email/threads/{sent['thread_id']}")
    assert thread["participants"] == ["office@mail.trustpager.net", "jo@home.example", "a@b.example", "c@d.example"]
    assert [d["id"] for d in thread["linked_entities"]["deals"]] == [deal["id"]]
    (message,) = await api.get(f"/email/threads/{thread['id']}/messages")
    assert (message["text_body"], message["has_attachment"], message["attachment_filename"]) == ("Hello & welcome", False, None)
    log = (await api.get("/email/logs", deal_id=deal["id"]))[0]
    assert (log["recipient_email"], log["thread_id"], log["cc"]) == ("jo@home.example", thread["id"], "a@b.example, c@d.example")
    activity = (await api.get(f"/contacts/{deal['contact_id']}/activities"))[0]
    assert (activity["activity_type"], activity["subject"], activity["deal_id"]) == ("email", "Roof", deal["id"])
    assert (await api.get(f"/opportunities/{deal['id']}"))["last_activity_at"] == activity["created_at"]


async def test_an_email_that_names_no_record_leaves_no_activity() -> None:
    api = make()
    before = (await api.listed("/activities"))["total"]
    await api.ok("POST", "/email/send", {**LETTER, "customer_id": (await api.get("/companies"))[0]["id"]})
    assert (await api.listed("/activities"))["total"] == before


async def test_mail_that_was_delivered_and_not_logged_says_so_with_its_message_id() -> None:
    api = make()
    before = (await api.listed("/email/logs"))["total"]
    error = await api.error("POST", "/email/send", {**LETTER, "to_email": "log-failed@home.example"}, status=422)
    (mail,) = await api.outbox("email")
    assert (error["code"], error["details"]["message_id"]) == ("EMAIL_LOG_FAILED", mail["id"])
    assert (await api.listed("/email/logs"))["total"] == before


async def test_an_unknown_link_stops_the_email_and_names_every_missing_record() -> None:
    api = make()
    error = await api.error("POST", "/email/send", {**LETTER, "contact_id": NOBODY, "deal_id": NOBODY})
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["missing_entities"] == [{"field": f, "id": NOBODY} for f in ("contact_id", "deal_id")]
    assert await api.outbox("email") == []


async def test_delivery_is_settled_by_the_clock_and_a_bounce_ends_mailings_to_the_address() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "B", "email": "Bounce.me@home.example"}, status=201)
    for address in ("jo@home.example", "bounce.me@home.example", "complaint@home.example"):
        await api.ok("POST", "/email/send", {**LETTER, "to_email": address})
    assert [log["status"] for log in (await api.get("/email/logs"))[:3]] == ["sent"] * 3
    await api.advance(60)
    logs = (await api.get("/email/logs"))[:3]
    assert [log["status"] for log in logs] == ["spam_complaint", "bounced", "delivered"]
    assert [log["recipient_email"] for log in await api.get("/email/logs", status="spam_complaint")] == ["complaint@home.example"]
    gone = {u["email"]: u["reason"] for u in await api.get("/email-campaigns/unsubscribes")}
    assert (gone["bounce.me@home.example"], gone["complaint@home.example"]) == ("hard_bounce", "complaint")
    assert (await api.get(f"/contacts/{contact['id']}"))["email_unsubscribed"] is True


async def test_personal_mail_goes_from_a_connected_gmail_with_one_of_its_aliases() -> None:
    api = make()
    capabilities = await api.get("/email/capabilities")
    me = capabilities["authenticated_user"]
    mine = next(p for p in capabilities["personal_gmail"] if p["user_id"] == me["user_id"])
    body = {**LETTER, "mode": "personal", "sender_user_id": me["user_id"]}
    sent = await api.ok("POST", "/email/send", body)
    assert (sent["provider"], sent["from_email"]) == ("gmail", me["email"])
    alias = mine["send_as_aliases"][1]
    assert (await api.ok("POST", "/email/send", {**body, "from_email": alias}))["from_email"] == alias
    error = await api.error("POST", "/email/send", {**body, "from_email": "boss@else.example"})
    assert (error["code"], error["details"]["send_as_aliases"][1:]) == ("ALIAS_NOT_CONNECTED", mine["send_as_aliases"])
    offline = next(p["user_id"] for p in capabilities["personal_gmail"] if not p["gmail_connected"])
    assert (await api.error("POST", "/email/send", {**body, "sender_user_id": offline}))["code"] == "GMAIL_NOT_CONNECTED"
    assert (await api.error("POST", "/email/send", {**LETTER, "mode": "personal"}))["code"] == "VALIDATION_ERROR"
    await api.error("POST", "/email/send", {**LETTER, "from_email": alias})
    assert len(await api.get("/email/logs", provider="gmail")) == 2


async def test_attachments_go_by_gmail_only_must_be_base64_and_stay_below_25_mb() -> None:
    api = make()
    file = {"filename": "report.pdf", "mime_type": "application/pdf", "content": base64.b64encode(b"%PDF").decode()}
    assert "Gmail only" in (await api.error("POST", "/email/send", {**LETTER, "attachments": [file]}))["message"]
    body = {**LETTER, **await personal(api)}
    sent = await api.ok("POST", "/email/send", {**body, "attachments": [file]})
    (message,) = await api.get(f"/email/threads/{sent['thread_id']}/messages")
    assert (message["has_attachment"], message["attachment_filename"]) == (True, "report.pdf")
    await api.error("POST", "/email/send", {**body, "attachments": [{**file, "content": "not base64!"}]})
    large = {**file, "content": base64.b64encode(b"x" * (25 * 1024 * 1024 + 1)).decode()}
    assert "25 MB" in (await api.error("POST", "/email/send", {**body, "attachments": [large]}))["message"]


@pytest.mark.parametrize(
    "wrong", [{"to_email": "jo"}, {"cc": "a@b.example; c@d.example"}, {"email_config_id": NOBODY}, {"subject": 1}]
)
async def test_a_wrong_field_sends_nothing(wrong: dict[str, object]) -> None:
    api = make()
    assert (await api.error("POST", "/email/send", {**LETTER, **wrong}))["code"] == "VALIDATION_ERROR"
    assert await api.outbox("email") == []


async def test_a_reply_continues_its_thread_and_follows_the_last_message() -> None:
    api = make()
    thread = (await api.get("/email/threads", direction="inbound", is_read="false"))[0]
    before = await api.get(f"/email/threads/{thread['id']}/messages")
    body = {"thread_id": thread["id"], "reply_html": "<p>Yes</p>", "to_email": before[-1]["from_email"], "cc": "x@y.example"}
    sent = await api.ok("POST", "/email/reply", body)
    after = await api.get(f"/email/threads/{thread['id']}/messages")
    assert [m["id"] for m in after] == [*(m["id"] for m in before), sent["id"]]
    assert (after[-1]["in_reply_to"], after[-1]["subject"]) == (before[-1]["message_id"], f"Re: {thread['subject']}")
    again = await api.get(f"/email/threads/{thread['id']}")
    assert (again["last_message_direction"], again["is_read"]) == ("outbound", True)
    assert again["participants"] == [*thread["participants"], "x@y.example"]
    assert (await api.get("/email/threads"))[0]["id"] == thread["id"]
    await api.error("POST", "/email/reply", {**body, "thread_id": NOBODY}, status=404)
    path = f"/email/threads/{thread['id']}/messages"
    assert [m["id"] for m in await api.get(path, limit=1)] == [before[0]["id"]]
    for _ in range(30):
        await api.ok("POST", "/email/reply", body)
    assert len(await api.get(path)) == len(before) + 31
    assert "limit" in (await api.error("GET", path, params={"limit": 0}))["details"]["fields"]


async def test_threads_are_filtered_by_state_subject_person_and_record() -> None:
    api = make()
    everything = await api.get("/email/threads", limit=100)
    some = next(t for t in everything if t["linked_entities"]["deals"])
    assert {t["status"] for t in await api.get("/email/threads", status="closed")} == {"archived"}
    assert {t["status"] for t in await api.get("/email/threads", status="open")} == {"active"}
    assert {t["is_automated"] for t in await api.get("/email/threads", is_automated="true")} == {True}
    assert {t["subject"] for t in await api.get("/email/threads", search="BROCHURE")} == {"Battery brochure"}
    deal, contact = some["linked_entities"]["deals"][0], some["linked_entities"]["contacts"][0]
    assert some["id"] in {t["id"] for t in await api.get("/email/threads", deal_id=deal["id"])}
    assert some["id"] in {t["id"] for t in await api.get("/email/threads", contact_id=contact["id"])}
    assert some["id"] in {t["id"] for t in await api.get("/email/threads", participant=contact["email"].upper())}
    assert await api.get("/email/threads", customer_id=NOBODY) == []
    first = await api.listed("/email/threads", limit=20)
    second = await api.listed("/email/threads", limit=20, cursor=first["pagination"]["next_cursor"])
    assert [t["id"] for t in first["data"] + second["data"]] == [t["id"] for t in everything[:40]]


async def test_threads_are_read_archived_and_marked_in_bulk() -> None:
    api = make()
    unread = await api.get("/email/threads", is_read="false")
    path = f"/email/threads/{unread[0]['id']}"
    assert (await api.ok("PATCH", path, {"status": "archived"}))["status"] == "archived"
    await api.error("PATCH", path, {"status": "closed"})
    assert await api.ok("POST", "/email/threads/mark-read", {"thread_ids": [unread[1]["id"], NOBODY]}) == {"updated": 1}
    assert await api.ok("POST", "/email/threads/mark-read", {"all": True}) == {"updated": len(unread) - 1}
    assert await api.get("/email/threads", is_read="false") == []
    assert (await api.ok("PATCH", path, {"is_read": False}))["is_read"] is False
    for wrong in ({}, {"all": False}, {"all": True, "thread_ids": [NOBODY]}, {"thread_ids": [NOBODY] * 101}):
        await api.error("POST", "/email/threads/mark-read", wrong)


async def test_the_logs_are_filtered_by_type_status_and_contact() -> None:
    api = make()
    log = (await api.get("/email/logs", email_type="automation"))[0]
    assert log["id"] in {one["id"] for one in await api.get("/email/logs", contact_id=log["contact_id"])}
    assert {one["status"] for one in await api.get("/email/logs", status="bounced")} == {"bounced"}
    await api.error("GET", "/email/logs", params={"status": "lost"})


async def test_sender_identities_compose_their_address_and_keep_one_default() -> None:
    api = make()
    body = {"from_email_handle": "support", "from_name": "Support", "staff_email": "s@b.example", "is_default": True}
    config = await api.ok("POST", "/email/configs", body, status=201)
    assert (config["from_email"], config["config_name"]) == ("support@mail.trustpager.net", "Support")
    assert [c["id"] for c in await api.get("/email/configs") if c["is_default"]] == [config["id"]]
    assert (await api.ok("POST", "/email/send", LETTER))["from_email"] == "support@mail.trustpager.net"
    path = f"/email/configs/{config['id']}"
    assert (await api.ok("PATCH", path, {"from_email_handle": "help.desk"}))["from_email"] == "help.desk@mail.trustpager.net"
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    assert [c["from_email_handle"] for c in await api.get("/email/configs") if c["is_default"]] == ["office"]


async def test_sender_identities_refuse_with_the_codes_of_the_reference() -> None:
    api = make()
    body = {"from_email_handle": "support", "from_name": "Support", "staff_email": "s@b.example"}
    people = (await api.get("/email/capabilities"))["personal_gmail"]
    online, offline = (next(p for p in people if p["gmail_connected"] is state) for state in (True, False))
    alias = {"gmail_sender_alias": online["send_as_aliases"][0]}
    for wrong, code in (
        ({"from_email": "a@b.example"}, "FROM_EMAIL_NOT_WRITABLE"),
        ({"from_email_handle": "Has Blank"}, "INVALID_FROM_EMAIL_HANDLE"),
        ({"from_email_handle": "-x"}, "INVALID_FROM_EMAIL_HANDLE"),
        (alias, "GMAIL_USER_REQUIRED"),
        ({**alias, "gmail_sender_user_id": offline["user_id"]}, "GMAIL_NOT_CONNECTED"),
        ({"gmail_sender_alias": "x@y.example", "gmail_sender_user_id": online["user_id"]}, "ALIAS_NOT_CONNECTED"),
        ({"staff_email": "none"}, "VALIDATION_ERROR"),
    ):
        assert (await api.error("POST", "/email/configs", {**body, **wrong}))["code"] == code
    config = await api.ok("POST", "/email/configs", {**body, **alias, "gmail_sender_user_id": online["user_id"]}, status=201)
    path = f"/email/configs/{config['id']}"
    assert (await api.get(path))["gmail_sender_alias"] == alias["gmail_sender_alias"]
    assert (await api.error("PATCH", path, {"from_email": "a@b.example"}))["code"] == "FROM_EMAIL_NOT_WRITABLE"
    assert (await api.error("PATCH", path, {"gmail_sender_alias": "x@y.example"}))["code"] == "ALIAS_NOT_CONNECTED"


async def test_what_the_workspace_writes_by_itself_stands_in_the_log_under_its_type() -> None:
    api = make()
    template = (await api.get("/forms/templates"))[0]
    deal = next(d for d in await api.get("/opportunities") if d["contact_id"])
    invited = {
        "template_id": template["id"],
        "recipient_email": "ann@mail.example",
        "recipient_name": "Ann",
        "deal_id": deal["id"],
    }
    await api.ok("POST", "/forms/send", invited, status=201)
    written = (await api.get("/email/logs", email_type="form_submission"))[0]
    assert (written["recipient_email"], written["subject"], written["status"]) == ("ann@mail.example", template["name"], "sent")
    automation = (await api.ok("POST", "/automations", {"name": "Hello", "trigger_type": "deal_updated"}, status=201))["id"]
    action = {"action_type": "send_custom_email", "sequence": 1, "config": {"greeting": "Hi", "customMessage": "All is well."}}
    action = await api.ok("POST", f"/automations/{automation}/actions", action, status=201)
    data = {"trigger_data": {"contact": {"email": "bounce@mail.example"}}}
    await api.ok("POST", f"/automations/{automation}/actions/{action['id']}/execute", data)
    assert [log["recipient_email"] for log in await api.get("/email/logs", email_type="automation", status="sent")][:1] == [
        "bounce@mail.example"
    ]
    await api.advance(60)
    assert (await api.get("/email/logs", email_type="automation", status="bounced"))[0][
        "recipient_email"
    ] == "bounce@mail.example"
