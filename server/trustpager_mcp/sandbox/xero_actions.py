"""What can be done in the accounting: contacts, invoices with their email, repeating invoices."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from . import xero
from .checks import is_uuid
from .engine import Call
from .errors import ApiError, invalid, not_found
from .mail import notify
from .people import name_of
from .store import Record
from .world import World

_DUE_IN = timedelta(days=14)
_UPDATABLE = ("status", "due_date", "total", "reference", "line_items")
_STATUSES = ("draft", "sent", "paid", "overdue", "void")
_SUBJECT = "Invoice {{xero.invoice_number}} from {{company.name}}"
_BODY = "Hi {{contact.first_name}}, invoice {{xero.invoice_number}} over {{xero.total}} is due on {{xero.due_date}}."


def deal_of(call: Call, params: Record) -> Record:
    """The deal that the action is about. Raises VALIDATION_ERROR and NOT_FOUND."""
    deal_id = ((call.body.get("data") or {}).get("deal") or {}).get("id") or params.get("deal_id")
    if not deal_id:
        raise invalid("data.deal.id is required: an invoice belongs to a deal", field="data.deal.id")
    return call.must("opportunity", str(deal_id))


def _lines(call: Call, deal: Record, params: Record) -> list[Record]:
    if params.get("line_items"):
        return _written(params["line_items"])
    wanted = given_ids(call, params, "deal_product_ids")
    lines = call.store.all("opportunity_product", opportunity_id=deal["id"])[::-1]
    if wanted:
        if missing := set(wanted) - {line["id"] for line in lines}:
            raise invalid(f"the deal has no products {', '.join(sorted(missing))}", field="params.deal_product_ids")
        lines = [line for line in lines if line["id"] in wanted]
    return [line_of(line["name"], line["quantity"], line["unit_price"], line.get("discount_percent") or 0) for line in lines]


def _written(lines: list[Record]) -> list[Record]:
    """Lines as the caller wrote them, in either spelling."""
    return [{
        "description": line.get("description", line.get("Description", "")),
        "quantity": line.get("quantity", line.get("Quantity", 1)),
        "unit_amount": line.get("unit_amount", line.get("UnitAmount")),
    } for line in lines]  # fmt: skip


def line_of(name: str, quantity: float, price: float, discount: float) -> Record:
    """An invoice's line; the discount in percent is taken off the price."""
    return {"description": name, "quantity": quantity, "unit_amount": round(price * (1 - discount / 100), 2)}


def given_ids(call: Call, params: Record, name: str) -> list[str]:
    """Ids of the given name, inside params or beside it under its dotted name."""
    ids = params.get(name) or call.body.get(f"params.{name}") or []
    if not isinstance(ids, list) or not all(is_uuid(i) for i in ids):
        raise invalid(f"{name} must be a list of UUIDs", field=f"params.{name}")
    return ids


def given(call: Call, params: Record, name: str, default: object = None) -> object:
    """A parameter, inside params or beside it under its dotted name."""
    return params.get(name, call.body.get(f"params.{name}", default))


def create_contact(call: Call, params: Record) -> Record:
    """A contact that only Xero has."""
    name = params.get("name") or params.get("Name")
    if not name:
        raise invalid("params.name is required", field="params.name")
    contact = {
        "id": str(uuid4()), "Name": name, "EmailAddress": params.get("email", params.get("EmailAddress")),
        "ContactStatus": "ACTIVE", "IsCustomer": True, "IsSupplier": False, "trustpager_id": None,
    }  # fmt: skip
    contact["ContactID"] = contact["id"]
    call.store.add("xero_contact", [contact])
    _tell_of_contact(call.world, contact["ContactID"], name, contact["EmailAddress"])
    return contact


def create_invoice(call: Call, params: Record) -> Record:
    """An invoice of a deal's products; the Xero contact is found or made from the deal's company or contact."""
    deal = deal_of(call, params)
    payer = xero.payer(call.world, deal)
    if payer is None:
        raise invalid("the deal has neither a company nor a contact to invoice", field="data.deal.id")
    lines = _lines(call, deal, params)
    if not lines:
        raise invalid("there is nothing to invoice: the deal has no products; give params.line_items", field="params.line_items")
    contact_id = xero.contact_id(payer["id"])
    if all(c["ContactID"] != contact_id for c in xero.contacts(call.world)):
        _tell_of_contact(call.world, contact_id, payer.get("name") or name_of(payer), payer.get("email"))
    invoice = raise_invoice(call.world, contact_id, lines, params.get("due_date"), trustpager_deal_id=deal["id"])
    emailed = _email(call, params, deal, payer, invoice)
    return {**invoice, "invoice_id": invoice["id"], "email": emailed}


def raise_invoice(world: World, contact_id: str, lines: list[Record], due: str | None = None, **links: Any) -> Record:
    """An invoice to a Xero contact, approved, and due in two weeks unless it says when."""
    deal = world.store.get("opportunity", links.get("trustpager_deal_id") or "") or {}
    invoice = world.fresh({
        **links, "number": _next_number(world), "currency": deal.get("currency") or "AUD",
        "due_date": due or (world.clock.now() + _DUE_IN).date().isoformat(), "status": "sent", "total": _total(lines),
        "line_items": lines, "xero_contact_id": contact_id, "online_invoice_url": None,
    })  # fmt: skip
    invoice["online_invoice_url"] = f"https://in.xero.example/{invoice['id'][:8]}"
    world.store.add("invoice", [invoice])
    _tell(world, "xero_invoice_created", invoice)
    return invoice


def _total(lines: list[Record]) -> float:
    return round(sum(float(line["quantity"] * line["unit_amount"]) for line in lines), 2)


def _tell(world: World, trigger: str, invoice: Record) -> None:
    """What automations hear of an invoice: Xero's words for it, and the deal that it belongs to."""
    shown = next(i for i in xero.sales(world) if i["InvoiceID"] == invoice["id"])
    links = {"deal_id": invoice["trustpager_deal_id"]} if invoice["trustpager_deal_id"] else {}
    world.emit(trigger, {
        "invoice_id": invoice["id"], "invoice_number": invoice["number"], "contact_name": shown["Contact"]["Name"],
        "total": shown["Total"], "amount_due": shown["AmountDue"], "currency": shown["CurrencyCode"], **links,
    })  # fmt: skip


def _tell_of_contact(world: World, contact_id: str, name: str, email: str | None) -> None:
    world.emit("xero_contact_created", {"xero_contact_id": contact_id, "name": name, "email": email})


def _next_number(world: World) -> str:
    numbers = [int(m[1]) for i in world.store.all("invoice") if (m := re.fullmatch(r"INV-(\d+)", str(i.get("number"))))]
    return f"INV-{max(numbers, default=999) + 1}"


def _email(call: Call, params: Record, deal: Record, payer: Record, invoice: Record) -> Record | None:
    mode = params.get("email_mode", "none")
    if mode == "none":
        return None
    if mode == "trustpager" and not call.store.all("email_config", is_default=True):
        raise ApiError(
            400, "VALIDATION_ERROR", "email_mode trustpager needs a default email config; make one with POST /email/configs",
            {"fields": {"params.email_mode": "needs a default email config"}},
        )  # fmt: skip
    contact = _recipient(call, params, deal, payer)
    to = params.get("email_recipient") or contact.get("email")
    if not to:
        raise invalid("the recipient has no email address; give params.email_recipient", field="params.email_recipient")
    if mode == "xero":
        message = call.world.send("email", str(to), via="xero", subject=f"Invoice {invoice['number']}", body="Sent by Xero.")
        return {"mode": mode, "to": to, "message_id": message["id"]}
    tags = {
        "xero.invoice_number": invoice["number"], "xero.due_date": invoice["due_date"], "xero.total": f"{invoice['total']:.2f}",
        "company.name": call.store.all("own_company")[0]["name"],
        "contact.first_name": contact.get("first_name") or contact.get("name") or "",
    }  # fmt: skip
    subject, body = (
        _filled(str(params.get(k) or text), tags) for k, text in (("email_subject", _SUBJECT), ("email_body", _BODY))
    )
    attached = [f"{invoice['number']}.pdf"] if params.get("email_attach_pdf", True) else []
    person = contact["id"] if call.store.get("contact", contact["id"]) else None
    message = notify(
        call.world, "invoice", str(to), subject, body, via="trustpager", pay_now_url=invoice.get("online_invoice_url"),
        attachments=attached, deal_id=deal["id"], contact_id=person,
    )  # fmt: skip
    return {"mode": mode, "to": to, "subject": subject, "message_id": message["id"]}


def _filled(text: str, tags: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda m: tags.get(m[1], m[0]), text)


def _recipient(call: Call, params: Record, deal: Record, payer: Record) -> Record:
    match given(call, params, "email_recipient_source", "primary_contact"):
        case "xero_contact":
            return payer
        case "secondary_contact":
            contact_id = given(call, params, "email_recipient_contact_id")
            if not contact_id:
                raise invalid(
                    "email_recipient_contact_id is required for secondary_contact", field="params.email_recipient_contact_id"
                )
            return call.must("contact", str(contact_id))
        case "primary_contact":
            return call.store.get("contact", deal.get("contact_id") or "") or payer
    raise invalid(
        "email_recipient_source must be primary_contact, xero_contact or secondary_contact", field="params.email_recipient_source"
    )


def _is_paid(invoice: Record) -> bool:
    return str(invoice["status"]).lower() == "paid"


def update_invoice(call: Call, params: Record) -> Record:
    """Change an invoice and, where wanted, send it again."""
    invoice_id = params.get("invoice_id") or params.get("InvoiceID")
    if not invoice_id:
        raise invalid("params.invoice_id is required", field="params.invoice_id")
    invoice = call.store.get("invoice", str(invoice_id))
    if invoice is None:
        raise not_found("invoice", str(invoice_id))
    changes = {k: params[k] for k in _UPDATABLE if k in params}
    if str(changes.get("status", "draft")).lower() not in _STATUSES:
        raise invalid(f"status must be one of {', '.join(_STATUSES)}", field="params.status")
    if "line_items" in changes:
        changes["line_items"] = _written(changes["line_items"])
        changes.setdefault("total", _total(changes["line_items"]))
    updated = {**invoice, **changes, "updated_at": call.clock.iso()}
    call.store.save("invoice", updated)
    if _is_paid(updated) and not _is_paid(invoice):
        _tell(call.world, "xero_invoice_paid", updated)
    deal = call.store.get("opportunity", invoice.get("trustpager_deal_id") or "")
    payer = xero.payer(call.world, deal) if deal else None
    emailed = _email(call, params, deal, payer, updated) if deal and payer else None
    return {**updated, "invoice_id": updated["id"], "email": emailed}


ACTIONS: dict[str, Callable[[Call, Record], Record]] = {
    "xero_create_contact": create_contact,
    "xero_create_invoice": create_invoice,
    "xero_create_contact_and_invoice": create_invoice,
    "xero_update_invoice": update_invoice,
}
