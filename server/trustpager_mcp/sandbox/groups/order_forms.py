"""Order forms, paid by card on their page, and the log of what was paid.

The page is served without a credential: POST /functions/v1/public/order-forms/:id takes customer_name, customer_email, a
card (Stripe's test numbers) and items by product. No payment leaves the sandbox.
"""

from __future__ import annotations

import re
from typing import Any

from ..engine import Answer, Call, Handler, change, everything
from ..errors import invalid, not_found
from ..mail import notify
from ..ordered import named
from ..seed import Seeder
from ..store import Record, Store
from ..world import World

_CARDS = {
    "4242424242424242": None, "5555555555554444": None, "4000000000000002": "card_declined",
    "4000000000009995": "insufficient_funds", "4000000000000069": "expired_card",
}  # fmt: skip
_MOST_QUANTITY = 1000


def _create(call: Call) -> Answer:
    record = call.fresh({"status": "active", "currency": "AUD", **named(call.body, "name")})
    call.store.add("order_form", [record])
    return Answer(_view(call.world, record), status=201)


def _view(world: World, form: Record) -> Record:
    return {**form, "public_url": f"{world.origin}/functions/v1/public/order-forms/{form['id']}"}


def _update(call: Call) -> Answer:
    return Answer(_view(call.world, change(call, "order_form", call.must("order_form"), named(call.body, "name"))))


def _delete(call: Call) -> Answer:
    form = call.must("order_form")
    for log in call.store.all("order_form_log", order_form_id=form["id"]):
        call.store.delete("order_form_log", log["id"])
    call.store.delete("order_form", form["id"])
    return Answer(status=204)


def _logs(call: Call) -> Answer:
    return everything(call.store.all("order_form_log", order_form_id=call.must("order_form")["id"]))


def _lines(store: Store, items: Any) -> list[Record]:
    """What is bought, at today's prices. Raises VALIDATION_ERROR."""
    if not isinstance(items, list) or not items:
        raise invalid("items must be a list of {product_id, quantity?}, one at least", field="items")
    lines = []
    for i, item in enumerate(items):
        product = store.get("product", str(item.get("product_id"))) if isinstance(item, dict) else None
        if product is None or not product.get("is_active", True):
            raise invalid(f"items.{i}: there is no such product on sale", field=f"items.{i}.product_id")
        quantity = item.get("quantity", 1)
        if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= _MOST_QUANTITY:
            raise invalid(f"items.{i}: quantity must be 1 to {_MOST_QUANTITY}", field=f"items.{i}.quantity")
        price = product["price"] or 0
        lines.append({"product_id": product["id"], "name": product["name"], "quantity": quantity, "unit_price": price})
    return lines


def pay(world: World, form_id: str, body: Any) -> Answer:
    """Pay by card: logged as paid or failed, a payment is receipted and told to automations.

    Raises VALIDATION_ERROR, and 404 for a form that does not exist. A refused card is answered 402 CARD_DECLINED.
    """
    form = world.store.get("order_form", form_id)
    if form is None:
        raise not_found("order form", form_id)
    if not isinstance(body, dict):
        raise invalid("the body must be an object")
    name, email = body.get("customer_name"), body.get("customer_email")
    if not isinstance(name, str) or not name.strip():
        raise invalid("customer_name is required", field="customer_name")
    if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", email):
        raise invalid("customer_email must be a valid email", field="customer_email")
    card = re.sub(r"\D", "", str(body.get("card") or ""))
    if card not in _CARDS:
        raise invalid(f"card must be one of the test numbers {', '.join(_CARDS)}", field="card")
    lines = _lines(world.store, body.get("items"))
    reason = _CARDS[card]
    log = world.fresh({
        "order_form_id": form["id"], "customer_name": name, "customer_email": email, "items": lines,
        "amount": round(sum(line["unit_price"] * line["quantity"] for line in lines), 2), "currency": form["currency"],
        "status": "failed" if reason else "paid", "failure_reason": reason, "card_last4": card[-4:],
    })  # fmt: skip
    world.store.add("order_form_log", [log])
    if reason:
        error = {"code": "CARD_DECLINED", "message": f"the card was refused: {reason}", "details": {"payment_id": log["id"]}}
        return Answer({"status": "failed"}, status=402, extra={"error": error})
    notify(
        world, "order_form", email, f"Receipt: {form['name']}", source="order_form",
        body=f"Thank you, {name}. We received {log['amount']:.2f} {log['currency']}.", order_id=log["id"],
    )  # fmt: skip
    world.emit("checkout_completed", {
        "order_id": log["id"], "order_form_name": form["name"], "customer_name": name, "customer_email": email,
        "amount_total": log["amount"], "currency": log["currency"],
    })  # fmt: skip
    return Answer(log, status=201)


def seed(s: Seeder) -> None:
    """Two forms with the payments of the last months."""
    products = [p for p in s.store.all("product") if p["price"] and p["price"] < 2000 and p["is_active"]]
    contacts = s.store.all("contact")
    for name, count in (("Maintenance plan", 9), ("Panel cleaning", 5)):
        form = s.record(200, name=name, status="active", currency="AUD")
        s.store.add("order_form", [form])
        product, logs = s.rng.choice(products), []
        for age in sorted((s.rng.uniform(1, 190) for _ in range(count)), reverse=True):
            contact, refused = s.rng.choice(contacts), s.rng.random() < 0.2
            line = {"product_id": product["id"], "name": product["name"], "quantity": 1, "unit_price": product["price"]}
            logs.append(s.record(
                age, order_form_id=form["id"], items=[line], amount=product["price"], currency="AUD",
                customer_name=" ".join(filter(None, (contact["first_name"], contact["last_name"]))),
                customer_email=contact["email"], status="failed" if refused else "paid",
                failure_reason="card_declined" if refused else None, card_last4="0002" if refused else "4242",
            ))  # fmt: skip
        s.store.add("order_form_log", logs)


HANDLERS: dict[str, Handler] = {
    "list_order_forms": lambda c: everything([_view(c.world, f) for f in c.store.all("order_form")]),
    "get_order_form": lambda c: Answer(_view(c.world, c.must("order_form"))),
    "create_order_form": _create,
    "update_order_form": _update,
    "delete_order_form": _delete,
    "list_order_form_logs": _logs,
}
