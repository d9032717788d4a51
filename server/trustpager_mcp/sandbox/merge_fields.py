"""Variables like {{contact.first_name}} in texts, from an opportunity and its people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from .people import greeting_of, name_of
from .store import Record, Store

_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def context_of(store: Store, now: datetime, deal_id: str | None) -> Record:
    """What variables may name: deal, contact, account (the company of the deal), company (one's own), today."""
    deal = store.get("opportunity", deal_id) if deal_id else None
    contact = _linked(store, "contact", deal, "contact_id")
    account = _linked(store, "company", deal, "customer_id")
    name = name_of(contact)
    return {
        "deal": {**deal, "value": value_of(store, deal)} if deal else {}, "company": next(iter(store.all("own_company")), {}),
        "account": account, "customer": account,
        "contact": {**contact, "full_name": name, "display_name": name, "greeting": greeting_of(contact)},
        "today": f"{now:%d/%m/%Y}",
    }  # fmt: skip


def value_of(store: Store, deal: Record) -> float:
    """The value that was set, else the sum of the line items after discounts."""
    if deal.get("value") is not None:
        return float(deal["value"])
    return round(sum(map(line_total, store.all("opportunity_product", opportunity_id=deal["id"]))), 2)


def line_total(line: Record) -> float:
    """Price of a line item after its discount."""
    return float((line["unit_price"] or 0) * (line["quantity"] or 0) * (1 - (line["discount_percent"] or 0) / 100))


def _linked(store: Store, kind: str, record: Record | None, name: str) -> Record:
    return (store.get(kind, record[name]) if record and record.get(name) else None) or {}


def filled(text: str, context: Record) -> str:
    """The text with its variables; what has no value becomes empty."""
    return _VARIABLE.sub(lambda match: _value(match[1], context), text)


def _value(path: str, context: Record) -> str:
    value: Any = context
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, (dict, list)) else str(value)
