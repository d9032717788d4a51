"""Text messages: sending, suppression, delivery, conversations, and what comes in."""

from __future__ import annotations

import pytest

from tests.contract.test_sandbox_support import NOBODY, make
from trustpager_mcp.sandbox.texting import segments

TEXT = {"to_number": "+61412345678", "message": "See you at nine"}


async def test_a_sent_text_is_in_the_outbox_and_its_conversation_and_is_delivered_in_time() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "phone": TEXT["to_number"]}, status=201)
    sent = await api.ok("POST", "/sms/send", TEXT)
    assert (sent["status"], sent["segments"], sent["from_number"]) == ("sent", 1, "+61491580001")
    assert [(m["to"], m["body"]) for m in await api.outbox("sms")] == [(TEXT["to_number"], TEXT["message"])]
    conversation = (await api.get("/sms/conversations"))[0]
    assert (conversation["phone_number"], conversation["last_message"]) == (TEXT["to_number"], TEXT["message"])
    assert conversation["linked_entities"]["contacts"] == [{"id": contact["id"], "name": "Jo"}]
    me = (await api.get("/email/capabilities"))["authenticated_user"]["user_id"]
    assert conversation["involved_user_ids"] == [me]
    await api.ok("POST", "/sms/send", {**TEXT, "message": "Or ten"})
    await api.advance(10)
    messages = await api.get(f"/sms/conversations/{conversation['id']}/messages")
    assert [(m["body"], m["status"]) for m in messages] == [("See you at nine", "delivered"), ("Or ten", "delivered")]


async def test_a_text_to_somebody_who_opted_out_is_suppressed_without_a_trace() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "phone": TEXT["to_number"]}, status=201)
    await api.ok("PATCH", f"/contacts/{contact['id']}", {"sms_unsubscribed": True})
    before = await api.get("/sms/conversations")
    assert (await api.ok("POST", "/sms/send", TEXT))["status"] == "suppressed"
    assert await api.outbox("sms") == []
    assert await api.get("/sms/conversations") == before


async def test_a_fixed_line_takes_no_text_and_only_able_numbers_send() -> None:
    api = make()
    sent = await api.ok("POST", "/sms/send", {**TEXT, "to_number": "+61290001234"})
    await api.advance(10)
    (message,) = await api.get(f"/sms/conversations/{sent['conversation_id']}/messages")
    assert message["status"] == "undelivered"
    numbers = await api.get("/phone/numbers")
    deaf, able = (next(n["id"] for n in numbers if n["capabilities"]["sms"] is state) for state in (False, True))
    assert "cannot send" in (await api.error("POST", "/sms/send", {**TEXT, "phone_number_id": deaf}))["message"]
    await api.ok("POST", "/sms/send", {**TEXT, "phone_number_id": able})
    for wrong in ({"phone_number_id": NOBODY}, {"to_number": "0412345678"}, {"message": ""}):
        await api.error("POST", "/sms/send", {**TEXT, **wrong})


async def test_what_comes_in_is_unread_until_marked_and_stop_opts_out() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "phone": TEXT["to_number"]}, status=201)
    incoming = {"channel": "sms", "from": TEXT["to_number"]}
    for text in ("Hello", "Stop"):
        await api.ok("POST", "/__sandbox/inbound", {**incoming, "body": text}, status=201)
    conversation = (await api.get("/sms/conversations"))[0]
    assert (conversation["unread_count"], conversation["last_message_direction"]) == (2, "inbound")
    assert (await api.get(f"/contacts/{contact['id']}"))["sms_unsubscribed"] is True
    assert (await api.ok("POST", "/sms/send", TEXT))["status"] == "suppressed"
    path = f"/sms/conversations/{conversation['id']}"
    assert (await api.ok("PATCH", path, {"unread_count": 0, "status": "archived"}))["status"] == "archived"
    assert (await api.get(path))["unread_count"] == 0
    await api.error("PATCH", path, {"unread_count": -1})
    for wrong in ({"channel": "fax"}, {**incoming, "body": ""}, {**incoming, "body": "x", "to": "+61200000000"}):
        await api.error("POST", "/__sandbox/inbound", wrong)


async def test_conversations_are_marked_read_one_by_one_or_all() -> None:
    api = make()
    unread = [c["id"] for c in await api.get("/sms/conversations") if c["unread_count"]]
    assert await api.ok("POST", "/sms/conversations/mark-read", {"conversation_ids": [unread[0], NOBODY]}) == {"updated": 1}
    assert await api.ok("POST", "/sms/conversations/mark-read", {"all": True}) == {"updated": len(unread) - 1}
    assert not any(c["unread_count"] for c in await api.get("/sms/conversations"))
    for wrong in ({}, {"all": False}, {"all": True, "conversation_ids": [NOBODY]}):
        await api.error("POST", "/sms/conversations/mark-read", wrong)
    await api.error("GET", f"/sms/conversations/{NOBODY}/messages", status=404)


async def test_an_incoming_email_joins_its_thread_and_is_unread() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "email": "jo@home.example"}, status=201)
    sent = await api.ok("POST", "/email/send", {"to_email": "jo@home.example", "subject": "Roof", "html_body": "<p>Hi</p>"})
    incoming = {"channel": "email", "from": "Jo@home.example", "subject": "Re: Roof", "html_body": "<p>Yes</p>"}
    file = {"name": "roof.jpg", "mimeType": "image/jpeg", "size": 12}
    await api.ok("POST", "/__sandbox/inbound", {**incoming, "attachments": [file]}, status=201)
    thread = (await api.get("/email/threads", contact_id=contact["id"]))[0]
    assert (thread["id"], thread["is_read"], thread["last_message_direction"]) == (sent["thread_id"], False, "inbound")
    messages = await api.get(f"/email/threads/{thread['id']}/messages")
    assert (messages[-1]["text_body"], messages[-1]["attachments"]) == ("Yes", [file])
    await api.ok("POST", "/__sandbox/inbound", {**incoming, "subject": "Something else"}, status=201)
    assert len(await api.get("/email/threads", contact_id=contact["id"])) == 2


@pytest.mark.parametrize(
    ("text", "count"), [("a" * 160, 1), ("a" * 161, 2), ("ä" * 160, 1), ("😀" * 35, 1), ("😀" * 36, 2), ("ж" * 71, 2)]
)
def test_texts_are_counted_in_the_segments_of_the_networks(text: str, count: int) -> None:
    assert segments(text) == count
