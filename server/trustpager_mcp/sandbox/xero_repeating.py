"""Repeating invoices: a schedule of invoices that Xero raises, and emails where that is wanted, as the clock comes round."""

from __future__ import annotations

from datetime import date, timedelta

from . import xero
from .clock import months_later
from .engine import Call
from .errors import invalid, not_found
from .store import Record
from .world import Job, World, earliest, take_due
from .xero_actions import deal_of, given, given_ids, line_of, raise_invoice

_KIND = "xero_repeating_invoice"
_REQUIRED = ("contact_id", "schedule_period", "schedule_unit", "account_code", "tax_type")


def create(call: Call, params: Record) -> Record:
    """A schedule of invoices, of the deal's products or of catalogue products. Usage-based ones are left out."""
    if missing := [n for n in _REQUIRED if not params.get(n)]:
        raise invalid(f"params.{missing[0]} is required", fields={f"params.{n}": "is required" for n in missing})
    deal_ids, product_ids = given_ids(call, params, "deal_product_ids"), given_ids(call, params, "product_ids")
    if bool(deal_ids) == bool(product_ids):
        raise invalid("give exactly one of deal_product_ids and product_ids", field="params.deal_product_ids")
    deal = deal_of(call, params) if deal_ids else None
    contact = xero.find_contact(call.world, str(params["contact_id"]))
    if contact is None:
        raise not_found("Xero contact", str(params["contact_id"]))
    lines, skipped = [], []
    for record_id in deal_ids or product_ids:
        line = call.must("opportunity_product" if deal else "product", record_id)
        if deal and line["opportunity_id"] != deal["id"]:
            raise invalid(f"the deal has no product {record_id}", field="params.deal_product_ids")
        product = call.store.get("product", line["product_id"] or "") if deal else line
        if str((product or {}).get("category") or "").lower().replace(" ", "-") == "usage-based":
            skipped.append(record_id)
        else:
            price = line.get("unit_price", line.get("price")) or 0
            lines.append(line_of(line["name"], line.get("quantity", 1), price, line.get("discount_percent") or 0))
    if not lines:
        raise invalid("all products are usage-based: nothing is left to invoice", field="params.deal_product_ids")
    schedule = {"period": params["schedule_period"], "unit": params["schedule_unit"]}
    repeating = call.fresh({
        "contact_id": contact["ContactID"], "trustpager_deal_id": deal["id"] if deal else None, "schedule": schedule,
        "account_code": params["account_code"], "tax_type": params["tax_type"], "line_items": lines, "skipped_products": skipped,
        "approve_for_sending": given(call, params, "approve_for_sending", True), "sent_to_contact": True,
        "next_date": _after(call.clock.now().date(), schedule), "status": "AUTHORISED",
    })  # fmt: skip
    call.store.add(_KIND, [repeating])
    return repeating


def _after(day: date, schedule: Record) -> str:
    """The schedule's next day."""
    count = schedule["period"]
    if schedule["unit"] == "WEEKLY":
        return (day + timedelta(weeks=count)).isoformat()
    return months_later(day, count * (12 if schedule["unit"] == "YEARLY" else 1)).isoformat()


def _raise_due(world: World) -> None:
    for repeating in take_due(world, _KIND, "next_date"):
        links = {"trustpager_deal_id": repeating["trustpager_deal_id"], "repeating_invoice_id": repeating["id"]}
        invoice = raise_invoice(world, repeating["contact_id"], repeating["line_items"], **links)
        contact = xero.find_contact(world, repeating["contact_id"])
        if repeating["approve_for_sending"] and contact and contact["EmailAddress"]:
            subject = f"Invoice {invoice['number']}"
            world.send("email", contact["EmailAddress"], via="xero", subject=subject, body="Sent by Xero.")
        following = _after(date.fromisoformat(repeating["next_date"]), repeating["schedule"])
        world.store.save(_KIND, {**repeating, "next_date": following, "updated_at": world.clock.iso()})


JOBS = (Job(lambda world: earliest(world, _KIND, "next_date"), _raise_due),)
