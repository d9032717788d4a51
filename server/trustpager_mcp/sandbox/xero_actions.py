"""What can be done in the accounting: contacts, invoices with their email, repeating invoices."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from uuid import uuid4

from . import xero
from .checks import is_uuid
from .engine import Call
from .errors import ApiError, invalid, not_found
from .mail import notify
from .store import Record

_DUE_IN = timedelta(days=14)
_UPDATABLE = ("status", "due_date", "total", "reference", "line_items")
_STATUSES = ("draft", "sent", "paid", "overdue", "void")
_SUBJECT = "Invoice {{xero.invoice_number}} from {{company.name}}"
_BODY = "Hi {{contact.first_name}}, invoice {{xero.invoice_number}} over {{xero.total}} is due on {{xero.due_date}}."


def _deal(call: Call, params: Record) -> Record:
    deal_id = ((call.body.get("data") or {}).get("deal") or {}).get("id") or params.get("deal_id")
    if not deal_id:
        raise invalid("data.deal.id is required: an invoice belongs to a deal", field="data.deal.id")
    return call.must("opportunity", str(deal_id))


def _lines(call: Call, deal: Record, params: Record) -> list[Record]:
    if given := params.get("line_items"):
        return [{
            "description": line.get("description", line.get("Description", "")),
            "quantity": line.get("quantity", line.get("Quantity", 1)),
            "unit_amount": line.get("unit_amount", line.get("UnitAmount")),
        } for line in given]  # fmt: skip
    wanted = _param_ids(call, params, "deal_product_ids")
    lines = call.store.all("opportunity_product", opportunity_id=deal["id"])[::-1]
    if wanted:
        if missing := set(wanted) - {line["id"] for line in lines}:
            raise invalid(f"the deal has no products {', '.join(sorted(missing))}", field="params.deal_product_ids")
        lines = [line for line in lines if line["id"] in wanted]
    return [_line(line["name"], line["quantity"], line["unit_price"], line.get("discount_percent") or 0) for line in lines]


def _line(name: str, quantity: float, price: float, discount: float) -> Record:
    return {"description": name, "quantity": quantity, "unit_amount": round(price * (1 - discount / 100), 2)}


def _param_ids(call: Call, params: Record, name: str) -> list[str]:
    """Ids of the given name, inside params or beside it under its dotted name."""
    ids = params.get(name) or call.body.get(f"params.{name}") or []
    if not isinstance(ids, list) or not all(is_uuid(i) for i in ids):
        raise invalid(f"{name} must be a list of UUIDs", field=f"params.{name}")
    return ids


def _param(call: Call, params: Record, name: str, default: object = None) -> object:
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
    return contact


def create_invoice(call: Call, params: Record) -> Record:
    """An invoice of a deal's products; the Xero contact is found or made from the deal's company or contact."""
    deal = _deal(call, params)
    payer = xero.payer(call.world, deal)
    if payer is None:
        raise invalid("the deal has neither a company nor a contact to invoice", field="data.deal.id")
    lines = _lines(call, deal, params)
    if not lines:
        raise invalid("there is nothing to invoice: the deal has no products; give params.line_items", field="params.line_items")
    total = round(sum(line["quantity"] * line["unit_amount"] for line in lines), 2)
    due = params.get("due_date") or (call.clock.now() + _DUE_IN).date().isoformat()
    invoice = call.fresh({
        "trustpager_deal_id": deal["id"], "number": _next_number(call), "currency": deal.get("currency") or "AUD",
        "due_date": due, "status": "sent", "total": total, "line_items": lines, "xero_contact_id": xero.contact_id(payer["id"]),
        "online_invoice_url": None,
    })  # fmt: skip
    invoice["online_invoice_url"] = f"https://in.xero.example/{invoice['id'][:8]}"
    call.store.add("invoice", [invoice])
    emailed = _email(call, params, deal, payer, invoice)
    return {**invoice, "invoice_id": invoice["id"], "email": emailed}


def _next_number(call: Call) -> str:
    numbers = [int(m[1]) for i in call.store.all("invoice") if (m := re.fullmatch(r"INV-(\d+)", str(i.get("number"))))]
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
    attached = [f"{invoice['number']}.pdf"] if params.get("email_attach_pdf") else []
    link = invoice.get("online_invoice_url")
    message = notify(call.world, "invoice", str(to), subject, body, via="trustpager", pay_now_url=link, attachments=attached)
    return {"mode": mode, "to": to, "subject": subject, "message_id": message["id"]}


def _filled(text: str, tags: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda m: tags.get(m[1], m[0]), text)


def _recipient(call: Call, params: Record, deal: Record, payer: Record) -> Record:
    match _param(call, params, "email_recipient_source", "primary_contact"):
        case "xero_contact":
            return payer
        case "secondary_contact":
            contact_id = _param(call, params, "email_recipient_contact_id")
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
    updated = {**invoice, **changes, "updated_at": call.clock.iso()}
    call.store.save("invoice", updated)
    deal = call.store.get("opportunity", invoice.get("trustpager_deal_id") or "")
    payer = xero.payer(call.world, deal) if deal else None
    emailed = _email(call, params, deal, payer, updated) if deal and payer else None
    return {**updated, "invoice_id": updated["id"], "email": emailed}


def create_repeating(call: Call, params: Record) -> Record:
    """A schedule of invoices, of the deal's products or of catalogue products. Usage-based ones are left out."""
    required = ("contact_id", "schedule_period", "schedule_unit", "account_code", "tax_type")
    if missing := [n for n in required if not params.get(n)]:
        raise invalid(f"params.{missing[0]} is required", fields={f"params.{n}": "is required" for n in missing})
    deal_ids, product_ids = _param_ids(call, params, "deal_product_ids"), _param_ids(call, params, "product_ids")
    if bool(deal_ids) == bool(product_ids):
        raise invalid("give exactly one of deal_product_ids and product_ids", field="params.deal_product_ids")
    lines, skipped = [], []
    deal = _deal(call, params) if deal_ids else None
    for record_id in deal_ids or product_ids:
        line = call.must("opportunity_product" if deal else "product", record_id)
        if deal and line["opportunity_id"] != deal["id"]:
            raise invalid(f"the deal has no product {record_id}", field="params.deal_product_ids")
        product = call.store.get("product", line["product_id"] or "") if deal else line
        if str((product or {}).get("category") or "").lower().replace(" ", "-") == "usage-based":
            skipped.append(record_id)
        else:
            lines.append(_line(line["name"], line.get("quantity", 1), line.get("unit_price", line.get("price")) or 0, 0))
    if not lines:
        raise invalid("all products are usage-based: nothing is left to invoice", field="params.deal_product_ids")
    repeating = call.fresh({
        "contact_id": params["contact_id"], "schedule": {"period": params["schedule_period"], "unit": params["schedule_unit"]},
        "account_code": params["account_code"], "tax_type": params["tax_type"], "line_items": lines, "skipped_products": skipped,
        "approve_for_sending": _param(call, params, "approve_for_sending", True), "sent_to_contact": True,
        "next_date": _next_date(call.clock.now().date(), params["schedule_unit"]), "status": "AUTHORISED",
    })  # fmt: skip
    call.store.add("xero_repeating_invoice", [repeating])
    return repeating


def _next_date(today: date, unit: str) -> str:
    days = {"WEEKLY": 7, "MONTHLY": 30, "YEARLY": 365}
    return (today + timedelta(days=days[unit])).isoformat()


ACTIONS: dict[str, Callable[[Call, Record], Record]] = {
    "xero_create_contact": create_contact,
    "xero_create_invoice": create_invoice,
    "xero_create_contact_and_invoice": create_invoice,
    "xero_update_invoice": update_invoice,
    "xero_create_repeating_invoice": create_repeating,
}
