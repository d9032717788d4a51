"""Webhooks over a real socket: delivered, signed, logged, tried again; and posts that come in."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.contract.test_sandbox_support import Api, make


class Receiver:
    """A server on this machine that keeps what is posted to it and answers with `status`."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


async def subscribe(api: Api, url: str, *events: str) -> str:
    body = {"url": url, "events": list(events), "secret": "s3cret"}
    made = await api.ok("POST", "/webhooks/subscriptions", body, status=201)
    assert "secret" not in made
    subscription_id: str = made["id"]
    return subscription_id


async def test_an_event_is_posted_signed_to_those_who_subscribed(receiver: Receiver) -> None:
    api = make()
    subscription = await subscribe(api, receiver.url, "contact.created")
    contact = await api.ok("POST", "/contacts", {"first_name": "Hook"}, status=201)
    await api.ok("POST", "/companies", {"name": "Not this"}, status=201)
    ((headers, body),) = receiver.posts
    sent = json.loads(body)
    assert (sent["event"], sent["data"]["contact_id"]) == ("contact_created", contact["id"])
    assert headers["x-trustpager-signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    (log,) = await api.get(f"/webhooks/subscriptions/{subscription}/logs")
    assert (log["status"], log["response_status"], log["response_body"], log["attempts"]) == ("delivered", 200, "thanks", 1)
    assert headers["x-trustpager-delivery"] == log["id"] == sent["id"]


async def test_an_automation_and_a_queue_call_a_webhook_of_this_machine(receiver: Receiver) -> None:
    api = make()
    call = {"action_type": "call_webhook", "config": {"url": receiver.url}}
    automation = (await api.ok("POST", "/automations", {"name": "A", "trigger_type": "api"}, status=201))["id"]
    await api.ok("POST", f"/automations/{automation}/actions", {**call, "sequence": 1}, status=201)
    await api.ok("POST", f"/automations/{automation}/trigger", {"trigger_data": {"job": 7}})
    queue = (await api.ok("POST", "/auto-queues", {"name": "Q"}, status=201))["id"]
    await api.ok("POST", f"/auto-queues/{queue}/steps", call, status=201)
    contact = (await api.get("/contacts", limit=1))[0]["id"]
    await api.ok("POST", f"/auto-queues/{queue}/bulk-enroll", {"contact_ids": [contact]})
    await api.advance(1)
    first, second = (json.loads(body)["data"] for _, body in receiver.posts)
    assert (first, second["contact_id"]) == ({"job": 7}, contact)


async def test_skip_automations_and_failed_writes_post_nothing(receiver: Receiver) -> None:
    api = make()
    await subscribe(api, receiver.url, "*")
    await api.ok("POST", "/contacts", {"first_name": "Quiet", "skip_automations": True}, status=201)
    await api.error("POST", "/contacts", {"first_name": "Bad", "phone": "0412"})
    assert receiver.posts == []


async def test_a_refused_delivery_is_tried_again_by_the_clock_and_then_given_up(receiver: Receiver) -> None:
    api = make()
    subscription = await subscribe(api, receiver.url, "company_created")
    receiver.status = 500
    await api.ok("POST", "/companies", {"name": "A"}, status=201)
    for seconds in (61, 301, 1801):
        await api.ok("POST", "/__sandbox/clock", {"advance_seconds": seconds})
    (log,) = await api.get(f"/webhooks/subscriptions/{subscription}/logs")
    assert (log["status"], log["attempts"], log["response_status"]) == ("failed", 4, 500)
    assert len({h["x-trustpager-delivery"] for h, _ in receiver.posts}) == 1
    assert len(receiver.posts) == 4


async def test_a_delivery_that_succeeds_on_the_second_try_is_delivered(receiver: Receiver) -> None:
    api = make()
    subscription = await subscribe(api, receiver.url, "company_created")
    receiver.status = 503
    await api.ok("POST", "/companies", {"name": "A"}, status=201)
    receiver.status = 200
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 61})
    (log,) = await api.get(f"/webhooks/subscriptions/{subscription}/logs")
    assert (log["status"], log["attempts"]) == ("delivered", 2)


async def test_an_address_elsewhere_is_never_called_and_its_post_goes_to_the_outbox() -> None:
    api = make()
    subscription = await subscribe(api, "https://hooks.elsewhere.example/x", "company_created")
    await api.ok("POST", "/companies", {"name": "A"}, status=201)
    (log,) = await api.get(f"/webhooks/subscriptions/{subscription}/logs")
    assert (log["status"], log["attempts"]) == ("not_sent", 0)
    (message,) = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    assert (message["channel"], message["to"]) == ("webhook", "https://hooks.elsewhere.example/x")


async def test_a_local_address_where_nobody_listens_is_logged_with_the_reason(receiver: Receiver) -> None:
    api = make()
    url = receiver.url
    receiver.server.server_close()
    subscription = await subscribe(api, url, "company_created")
    await api.ok("POST", "/companies", {"name": "A"}, status=201)
    (log,) = await api.get(f"/webhooks/subscriptions/{subscription}/logs")
    assert (log["status"], log["response_status"]) == ("pending", None)
    assert log["error"]


async def test_an_outgoing_webhook_is_made_changed_tested_and_deleted(receiver: Receiver) -> None:
    api = make()
    hook = await api.ok("POST", "/webhooks/outgoing", {"name": "Mine", "events": ["deal_created"]}, status=201)
    path = f"/webhooks/outgoing/{hook['id']}"
    await api.error("POST", f"{path}/test")
    changed = await api.ok("PATCH", path, {"url": receiver.url})
    assert await api.get(path) == changed
    tested = await api.ok("POST", f"{path}/test")
    ((headers, body),) = receiver.posts
    assert json.loads(body)["event"] == "test"
    expected = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-trustpager-signature"] == f"sha256={expected}"
    await api.ok("POST", "/opportunities", {"name": "Deal"}, status=201)
    logs = await api.get(f"{path}/logs")
    assert [log["event"] for log in logs] == ["deal_created", "test"]
    assert logs[1]["id"] == tested["delivery_id"]
    assert hook["id"] in {h["id"] for h in await api.get("/webhooks/outgoing")}
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    await api.error("PATCH", path, {"url": "ftp://x"}, status=400)


async def test_a_subscription_is_listed_changed_and_deleted(receiver: Receiver) -> None:
    api = make()
    subscription = await subscribe(api, receiver.url, "deal_created")
    path = f"/webhooks/subscriptions/{subscription}"
    changed = await api.ok("PATCH", path, {"events": ["company_created"], "secret": "other"})
    assert changed["events"] == ["company_created"]
    assert "secret" not in changed
    await api.ok("POST", "/companies", {"name": "A"}, status=201)
    ((headers, body),) = receiver.posts
    assert headers["x-trustpager-signature"] == "sha256=" + hmac.new(b"other", body, hashlib.sha256).hexdigest()
    assert subscription in {s["id"] for s in await api.get("/webhooks/subscriptions")}
    await api.ok("DELETE", path, status=204)
    await api.ok("POST", "/companies", {"name": "B"}, status=201)
    assert len(receiver.posts) == 1
    for missing in ("url", "events", "secret"):
        body_without = {k: v for k, v in {"url": receiver.url, "events": ["x"], "secret": "s"}.items() if k != missing}
        assert missing in (await api.error("POST", "/webhooks/subscriptions", body_without))["details"]["fields"]


async def test_an_incoming_webhook_has_an_address_that_takes_posts_without_a_key() -> None:
    api = make()
    hook = await api.ok("POST", "/webhooks/incoming", {"service_name": "Form", "service_type": "website"}, status=201)
    path = f"/webhooks/incoming/{hook['id']}"
    posted = await api.as_key(None).client.post(hook["url"], json={"lead": "Ann"})
    assert posted.status_code == 200
    received = await api.get(path)
    assert received["received_count"] == 1
    zap = await api.ok("POST", "/webhooks/incoming", {"service_type": "zapier"}, status=201)
    for trigger_type, source in (("webhook", hook), ("zapier", zap), ("webhook", zap)):
        body = {"name": trigger_type, "trigger_type": trigger_type, "enabled": True}
        automation = await api.ok("POST", "/automations", body, status=201)
        trigger = {"source_type": "webhook", "source_id": source["id"]}
        await api.ok("POST", f"/automations/{automation['id']}/triggers", trigger, status=201)
    for address in (hook, zap):
        await api.as_key(None).client.post(address["url"], json={"email": "ann@lee.example"})
    runs = {run["trigger_type"]: run["trigger_data"] for run in api.workspace.store.all("automation_run")}
    assert runs == {
        "webhook": {"webhook_id": hook["id"], "body": {"email": "ann@lee.example"}},
        "zapier": {"webhook_id": zap["id"], "email": "ann@lee.example"},
    }
    assert received["last_received_at"]
    assert (await api.ok("PATCH", path, {"service_name": "Website form"}))["service_name"] == "Website form"
    assert hook["id"] in {h["id"] for h in await api.get("/webhooks/incoming")}
    await api.ok("DELETE", path, status=204)
    assert (await api.as_key(None).client.post(hook["url"], json={})).status_code == 404
