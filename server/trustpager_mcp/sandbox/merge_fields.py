"""Variables like {{contact.first_name}} in texts, from an opportunity and its people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from .store import Record, Store

_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def context_of(store: Store, now: datetime, deal_id: str | None) -> Record:
    """What variables may name: deal, contact and account (the company of the deal), today."""
    deal = store.get("opportunity", deal_id) if deal_id else None
    contact = _linked(store, "contact", deal, "contact_id")
    account = _linked(store, "company", deal, "customer_id")
    name = " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))
    return {
        "deal": deal or {}, "account": account, "customer": account,
        "contact": {**contact, "full_name": name, "display_name": name}, "today": f"{now:%d/%m/%Y}",
    }  # fmt: skip


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
