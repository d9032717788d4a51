"""Logged calls, meetings and notes."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, page
from ..store import Record

_FILTERS = ("activity_type", "contact_id", "deal_id", "customer_id")


def of(call: Call, link: str, record_id: str) -> list[Record]:
    """The activities of a record, newest first."""
    return call.store.all("activity", **{link: record_id})


def _create(call: Call) -> Answer:
    body = call.body
    call.reference("contact", body.get("contact_id"), "contact_id")
    call.reference("opportunity", body.get("deal_id"), "deal_id")
    call.reference("company", body.get("customer_id"), "customer_id")
    defaults = dict.fromkeys(("description", "contact_id", "deal_id", "customer_id"))
    record = call.fresh({**defaults, **body})
    call.store.add("activity", [record])
    if deal := call.store.get("opportunity", body.get("deal_id") or ""):
        call.store.save("opportunity", {**deal, "last_activity_at": record["created_at"]})
    return Answer(record, status=201)


def _delete(call: Call) -> Answer:
    call.store.delete("activity", call.must("activity")["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_activities": lambda c: page(c, c.store.numbered("activity", **{k: c.query[k] for k in _FILTERS if k in c.query})),
    "get_activity": lambda c: Answer(c.must("activity")),
    "create_activity": _create,
    "update_activity": lambda c: Answer(change(c, "activity", c.must("activity"), c.body)),
    "delete_activity": _delete,
}
