"""Webhooks that leave the workspace: queued with what happened, signed, posted to local addresses only, and logged."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from .checks import moment
from .store import Record
from .world import World

_RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
_TIMEOUT = 3.0
_SHOWN_ANSWER = 500
# Deliveries on their way, so that two requests at once do not send one twice. Not kept: what was on its way when the process
# died is sent again, with the same id.
_in_flight: set[str] = set()


def is_local(url: str) -> bool:
    """Whether the address is of this machine. No name is looked up: only localhost and loopback numbers count."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def sign(secret: str, content: bytes) -> str:
    """The signature that goes with a delivery: sha256= and the hexadecimal HMAC-SHA256 of the body."""
    return "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def queue(world: World, kind: str, hook: Record, event: str, data: Any, method: str = "POST") -> Record:
    """Log a delivery that waits to be sent. `kind` is the kind of `hook`, which has an id and a url: outgoing_webhook,
    webhook_subscription, or what calls a webhook in an automation or queue.
    """
    delivery = world.fresh({
        "webhook_kind": kind, "webhook_id": hook["id"], "event": event, "url": hook["url"], "method": method, "status": "pending",
        "attempts": 0, "response_status": None, "response_body": None, "error": None, "duration_ms": None,
        "next_attempt_at": world.clock.iso(), "payload": {"event": event, "data": data, "created_at": world.clock.iso()},
    })  # fmt: skip
    world.store.add("webhook_delivery", [delivery])
    return delivery


async def deliver(world: World) -> None:
    """Send what is due. Addresses elsewhere are not called: their posts go to the outbox."""
    now = world.clock.now()
    for delivery in reversed(world.store.all("webhook_delivery", status="pending")):
        if (due := moment(delivery["next_attempt_at"])) is None or due > now or delivery["id"] in _in_flight:
            continue
        hook = world.store.get(delivery["webhook_kind"], delivery["webhook_id"])
        if hook is None:
            _log(world, delivery, status="failed", error="the webhook was deleted")
        elif not is_local(delivery["url"]):
            world.send("webhook", delivery["url"], event=delivery["event"], payload=delivery["payload"])
            _log(world, delivery, status="not_sent", error="the sandbox posts to local addresses only; see the outbox")
        else:
            _in_flight.add(delivery["id"])
            try:
                await _post(world, delivery, hook.get("secret") or "")
            finally:
                _in_flight.discard(delivery["id"])


async def _post(world: World, delivery: Record, secret: str) -> None:
    import httpx

    content = json.dumps({"id": delivery["id"], **delivery["payload"]}).encode()
    headers = {
        "content-type": "application/json", "x-trustpager-event": delivery["event"], "x-trustpager-delivery": delivery["id"],
    }  # fmt: skip
    if secret:
        headers["x-trustpager-signature"] = sign(secret, content)
    started = time.perf_counter()
    outcome: Record
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            answer = await client.request(delivery.get("method", "POST"), delivery["url"], content=content, headers=headers)
        outcome = {"response_status": answer.status_code, "response_body": answer.text[:_SHOWN_ANSWER], "error": None}
    except httpx.HTTPError as error:
        outcome = {"response_status": None, "error": str(error) or type(error).__name__}
    outcome["duration_ms"] = round((time.perf_counter() - started) * 1000)
    attempts = delivery["attempts"] + 1
    if outcome["response_status"] is not None and 200 <= outcome["response_status"] < 300:
        _log(world, delivery, attempts=attempts, status="delivered", next_attempt_at=None, **outcome)
    elif attempts > len(_RETRY_AFTER):
        _log(world, delivery, attempts=attempts, status="failed", next_attempt_at=None, **outcome)
    else:
        again = (world.clock.now() + _RETRY_AFTER[attempts - 1]).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        _log(world, delivery, attempts=attempts, status="pending", next_attempt_at=again, **outcome)


def _log(world: World, delivery: Record, **changes: Any) -> None:
    current = world.store.get("webhook_delivery", delivery["id"])
    if current is not None:
        world.store.save("webhook_delivery", {**current, **changes, "updated_at": world.clock.iso()})
