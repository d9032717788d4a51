"""Work orders: jobs for the line items of opportunities, on the calendar and assigned to the team.

The client's portal is served without a credential below /functions/v1/public/work-status/: GET tells whom it is for, POST
takes `{"pin"}` and shows the work orders.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

from .. import seed_texts as texts
from .. import seed_words as words
from ..checks import moment
from ..company import setting
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid
from ..mail import company_sender, notify
from ..seed import Seeder
from ..store import Record, Store
from ..world import World
from ..zones import must_find

STATUSES = (("Pending", "#eab308"), ("In Progress", "#3b82f6"), ("Complete", "#22c55e"))
_FILTERS = ("deal_product_id", "status_id", "assigned_to", "schedule_date")
_MOST_DAYS = 3650
_SHOWN_TO_CLIENTS = ("title", "status", "schedule_date", "schedule_time")


def _view(store: Store, order: Record) -> Record:
    """With the label of its status."""
    status = store.get("work_order_status", order["status_id"]) or {}
    return {**order, "status": status.get("label")}


def of(store: Store, deal_id: str) -> list[Record]:
    """The work orders of an opportunity, in their order; of those at one place the oldest leads."""
    orders = reversed(store.all("work_order", deal_id=deal_id))
    return [_view(store, order) for order in sorted(orders, key=lambda o: o["sort_order"])]


def _status_id(call: Call, fields: Record) -> str | None:
    """The status that a label or id means; None when the body names none. Raises VALIDATION_ERROR."""
    if fields.get("status_id") is not None:
        call.reference("work_order_status", fields["status_id"], "status_id")
        return str(fields["status_id"])
    if fields.get("status") is None:
        return None
    statuses = list(reversed(call.store.all("work_order_status")))
    wanted = fields["status"].strip().lower()
    found = next((s["id"] for s in statuses if s["label"].lower() == wanted), None)
    if found is None:
        labels = ", ".join(s["label"] for s in statuses)
        raise invalid(f"status: no work order status is called {fields['status']}; there are {labels}", field="status")
    return str(found)


def _checked(call: Call) -> Record:
    fields = {k: v for k, v in call.body.items() if k not in ("status", "status_id")}
    if (status_id := _status_id(call, call.body)) is not None:
        fields["status_id"] = status_id
    if fields.get("assigned_to") is not None and call.store.get("user", fields["assigned_to"]) is None:
        raise invalid("assigned_to: this user is no member of the company", field="assigned_to")
    return fields


def _create(call: Call) -> Answer:
    line = call.store.get("opportunity_product", call.body["deal_product_id"])
    if line is None:
        raise invalid(f"deal_product_id: no opportunity has a line item {call.body['deal_product_id']}", field="deal_product_id")
    today = call.clock.now().astimezone(must_find(setting(call.store, "timezone")))
    first = call.store.all("work_order_status")[-1]["id"]
    defaults = {
        "deal_id": line["opportunity_id"], "title": line["name"], "status_id": first, "schedule_date": f"{today:%Y-%m-%d}",
        "schedule_time": None, "assigned_to": None, "data": {}, "sort_order": len(of(call.store, line["opportunity_id"])),
    }  # fmt: skip
    record = call.fresh({**defaults, **_checked(call)})
    call.store.add("work_order", [record])
    return Answer(_view(call.store, record), status=201)


def _delete(call: Call) -> Answer:
    call.store.delete("work_order", call.must("work_order")["id"])
    return Answer(status=204)


def _list(call: Call) -> Answer:
    wanted = {k: call.query[k] for k in _FILTERS if k in call.query}
    return page(call, call.store.numbered("work_order", **wanted), lambda order: _view(call.store, order))


def _send_status(call: Call) -> Answer:
    """A portal for all work orders of the opportunity; its PIN goes to the client only."""
    deal = call.must("opportunity", call.body["deal_id"])
    if not of(call.store, deal["id"]):
        raise invalid("the opportunity has no work orders to show", field="deal_id")
    sender = company_sender(call.store)["from_email"]
    if (days := call.body.get("expires_in_days", 30)) > _MOST_DAYS:
        raise invalid(f"expires_in_days must be at most {_MOST_DAYS}", field="expires_in_days")
    expires = call.clock.now() + timedelta(days=days)
    token, pin = str(uuid4()), f"{secrets.randbelow(10_000):04d}"
    portal = call.fresh(
        {
            "deal_id": deal["id"], "recipient_email": call.body["recipient_email"], "pin": pin, "token": token,
            "recipient_name": call.body["recipient_name"], "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )  # fmt: skip
    call.store.add("work_status_portal", [portal])
    url = f"{call.world.origin}/functions/v1/public/work-status/{token}"
    lines = [f"Hi {call.body['recipient_name']},", call.body.get("personal_message"), url, f"Your PIN: {pin}"]
    subject = f"The progress of {deal['name']}"
    body = "\n\n".join(line for line in lines if line)
    about = {"deal_id": deal["id"], "url": url, "from": sender}
    notify(call.world, "work_status", portal["recipient_email"], subject, body, **about)
    return Answer({"success": True, "portal_id": portal["id"], "token": token, "expires_at": portal["expires_at"]})


def _portal(world: World, token: str) -> Record:
    """The portal of a link. Raises 404, and 409 when it has expired."""
    portal = next(iter(world.store.all("work_status_portal", token=token)), None)
    if portal is None:
        raise ApiError(404, "NOT_FOUND", "there is no such portal")
    expires = moment(portal["expires_at"])
    if expires is not None and expires <= world.clock.now():
        raise ApiError(409, "CONFLICT", "the link has expired; ask for another one")
    return portal


def show_portal(world: World, token: str) -> Answer:
    """What a visitor sees before the PIN."""
    portal = _portal(world, token)
    return Answer({name: portal[name] for name in ("recipient_name", "expires_at")})


def open_portal(world: World, token: str, body: Any) -> Answer:
    """The progress of the opportunity's work orders. Raises 403 for a wrong PIN."""
    portal = _portal(world, token)
    if not isinstance(body, dict) or str(body.get("pin")) != portal["pin"]:
        raise ApiError(403, "FORBIDDEN", "the PIN is wrong; it stands in the mail with the link")
    deal = world.store.get("opportunity", portal["deal_id"]) or {}
    orders = [{name: order[name] for name in _SHOWN_TO_CLIENTS} for order in of(world.store, portal["deal_id"])]
    return Answer({"deal_name": deal.get("name"), "work_orders": orders})


def seed(s: Seeder) -> None:
    statuses = [s.record(365, label=label, color=color, position=i) for i, (label, color) in enumerate(STATUSES)]
    s.store.add("work_order_status", statuses)
    users = [u["id"] for u in s.store.all("user") if u["role"] in ("installer", "operations")]
    orders = []
    for deal in [d for d in s.store.all("opportunity") if d["status"] == "won"][:40]:
        lines = s.store.all("opportunity_product", opportunity_id=deal["id"])
        for i, line in enumerate(lines[: s.rng.choice([1, 1, 2])]):
            age = s.rng.uniform(1, 150)
            away = s.rng.randint(-60, 30)
            done = statuses[2] if away < -3 else statuses[1] if away < 1 else statuses[0]
            order = s.record(
                age, deal_id=deal["id"], deal_product_id=line["id"], title=line["name"], status_id=done["id"],
                schedule_date=s.time(-away)[:10], schedule_time=s.rng.choice([None, "07:30:00", "09:00:00", "13:00:00"]),
                assigned_to=s.rng.choice([*users, None]), data=texts.site_fields(s.rng, s.rng.choice(words.ACCESS)), sort_order=i,
            )  # fmt: skip
            orders.append(order)
    s.store.add("work_order", sorted(orders, key=lambda o: o["created_at"]))


HANDLERS: dict[str, Handler] = {
    "list_work_orders": _list,
    "get_work_order": lambda c: Answer(_view(c.store, c.must("work_order"))),
    "create_work_order": _create,
    "update_work_order": lambda c: Answer(_view(c.store, change(c, "work_order", c.must("work_order"), _checked(c)))),
    "delete_work_order": _delete,
    "send_work_order_status": _send_status,
}
