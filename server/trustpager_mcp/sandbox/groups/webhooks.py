"""Webhooks: addresses that take posts from elsewhere, and posts that leave when something happens."""

from __future__ import annotations

import secrets
from typing import Any

from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError
from ..seed import Seeder
from ..store import Record
from ..webhook_delivery import queue
from ..world import Event, World

_ENTITIES = {"company": "customer", "opportunity": "deal"}
_SERVICES = ("generic_webhook", "zapier", "typeform")
_OUTGOING = ("outgoing_webhook", "webhook_subscription")


def _create_incoming(call: Call) -> Answer:
    token = secrets.token_urlsafe(18)
    defaults = {"service_type": "custom", "service_name": None, "is_active": True, "last_received_at": None, "received_count": 0}
    url = f"{call.world.origin}/functions/v1/public/hooks/{token}"
    record = call.fresh({**defaults, **call.body, "url": url, "token": token})
    call.store.add("incoming_webhook", [record])
    return Answer(record, status=201)


def receive(world: World, token: str, body: Any) -> Answer:
    """A post to an incoming webhook's address: counted, kept, and told to those who listen. Raises 404 NOT_FOUND."""
    found = world.store.all("incoming_webhook", token=token)
    if not found:
        raise ApiError(404, "NOT_FOUND", "there is no incoming webhook at this address")
    hook = {**found[0], "last_received_at": world.clock.iso(), "received_count": found[0]["received_count"] + 1}
    with world.store.transaction():
        world.store.save("incoming_webhook", hook)
        world.store.add("webhook_receipt", [world.fresh({"webhook_id": hook["id"], "payload": body})])
        world.emit(*_told(hook, body))
    return Answer({"received": True})


def _told(hook: Record, body: Any) -> tuple[str, Record]:
    """The trigger that a post sets off: that of the service it comes from, with the post's fields, or the webhook's own."""
    if hook["service_type"] in _SERVICES and isinstance(body, dict):
        return hook["service_type"], {**body, "webhook_id": hook["id"]}
    return "webhook", {"webhook_id": hook["id"], "body": body}


def _create_outgoing(call: Call) -> Answer:
    defaults: Record = {"name": None, "url": None, "events": [], "is_active": True, "secret": "whsec_" + secrets.token_hex(16)}
    record = call.fresh({**defaults, **call.body})
    call.store.add("outgoing_webhook", [record])
    return Answer(record, status=201)


def _test(call: Call) -> Answer:
    """A test event goes out at once, whatever the webhook listens to."""
    hook = call.must("outgoing_webhook")
    if not hook["url"]:
        raise ApiError(400, "VALIDATION_ERROR", "the webhook has no url to send to; set one with PATCH first")
    delivery = queue(call.world, "outgoing_webhook", hook, "test", {"message": "A test event of this webhook."})
    return Answer({"success": True, "delivery_id": delivery["id"], "event": "test", "url": hook["url"]})


def _subscribe(call: Call) -> Answer:
    record = call.fresh({"is_active": True, **call.body})
    call.store.add("webhook_subscription", [record])
    return Answer(_without_secret(record), status=201)


def _without_secret(record: Record) -> Record:
    return {k: v for k, v in record.items() if k != "secret"}


def _deleted(kind: str) -> Handler:
    def delete(call: Call) -> Answer:
        call.store.delete(kind, call.must(kind)["id"])
        return Answer(status=204)

    return delete


def _logs(kind: str) -> Handler:
    def logs(call: Call) -> Answer:
        return everything(call.store.all("webhook_delivery", webhook_id=call.must(kind)["id"]))

    return logs


def _event_name(name: str) -> str:
    """A company is a customer and an opportunity a deal in the names of events."""
    entity, _, happened = name.replace(".", "_", 1).partition("_")
    return f"{_ENTITIES.get(entity, entity)}_{happened}" if happened else entity


def _listens(hook: Record, event: str) -> bool:
    """Whether the hook names the event; contact.created and contact_created are the same, * is all."""
    wanted = {_event_name(str(name)) for name in hook["events"]}
    return bool(hook["is_active"] and hook["url"] and wanted & {"*", event})


def _on_event(world: World, event: Event) -> None:
    data = {k: v for k, v in event.data.items() if not k.startswith("_trigger")}
    for kind in _OUTGOING:
        for hook in reversed(world.store.all(kind)):
            if _listens(hook, event.name):
                queue(world, kind, hook, event.name, data)


def seed(s: Seeder) -> None:
    """One address for the website's leads, one post to the accountant's system, one subscription."""
    token = f"{s.rng.getrandbits(96):024x}"
    url = f"http://sandbox.local/functions/v1/public/hooks/{token}"
    incoming = {"service_type": "website", "service_name": "Website leads", "is_active": True, "url": url, "token": token}
    s.store.add("incoming_webhook", [s.record(120, **incoming, last_received_at=s.time(1), received_count=48)])
    outgoing = {"name": "Paid invoices to bookkeeping", "url": "https://books.example/hooks/trustpager", "is_active": True}
    secret = f"whsec_{s.rng.getrandbits(128):032x}"
    s.store.add("outgoing_webhook", [s.record(90, **outgoing, events=["invoice_paid"], secret=secret)])
    subscription = {
        "url": "https://reports.example/trustpager",
        "events": ["referral_converted"],
        "secret": secret,
        "is_active": True,
    }
    s.store.add("webhook_subscription", [s.record(60, **subscription)])


LISTENERS = (_on_event,)
HANDLERS: dict[str, Handler] = {
    "list_incoming_webhooks": lambda c: page(c, c.store.numbered("incoming_webhook")),
    "get_incoming_webhook": lambda c: Answer(c.must("incoming_webhook")),
    "create_incoming_webhook": _create_incoming,
    "update_incoming_webhook": lambda c: Answer(change(c, "incoming_webhook", c.must("incoming_webhook"), c.body)),
    "delete_incoming_webhook": _deleted("incoming_webhook"),
    "list_outgoing_webhooks": lambda c: page(c, c.store.numbered("outgoing_webhook")),
    "get_outgoing_webhook": lambda c: Answer(c.must("outgoing_webhook")),
    "create_outgoing_webhook": _create_outgoing,
    "update_outgoing_webhook": lambda c: Answer(change(c, "outgoing_webhook", c.must("outgoing_webhook"), c.body)),
    "delete_outgoing_webhook": _deleted("outgoing_webhook"),
    "test_outgoing_webhook": _test,
    "list_outgoing_webhook_logs": _logs("outgoing_webhook"),
    "list_webhook_subscriptions": lambda c: page(c, c.store.numbered("webhook_subscription"), _without_secret),
    "create_webhook_subscription": _subscribe,
    "update_webhook_subscription": lambda c: Answer(
        _without_secret(change(c, "webhook_subscription", c.must("webhook_subscription"), c.body))
    ),
    "delete_webhook_subscription": _deleted("webhook_subscription"),
    "list_webhook_subscription_logs": _logs("webhook_subscription"),
}
