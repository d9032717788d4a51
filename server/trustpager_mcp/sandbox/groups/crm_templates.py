"""Stored wording for emails and messages."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, everything
from ..errors import invalid
from ..seed import Seeder
from ..store import Record


def _named(fields: Record) -> Record:
    if "name" in fields and not fields["name"].strip():
        raise invalid("name must not be empty", field="name")
    return fields


def _create(call: Call) -> Answer:
    record = call.fresh({"type": "email", "category": None, "content": {}, **_named(call.body)})
    call.store.add("crm_template", [record])
    return Answer(record, status=201)


def _delete(call: Call) -> Answer:
    call.store.delete("crm_template", call.must("crm_template")["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_crm_templates": lambda c: everything(c.store.all("crm_template")),
    "get_crm_template": lambda c: Answer(c.must("crm_template")),
    "create_crm_template": _create,
    "update_crm_template": lambda c: Answer(change(c, "crm_template", c.must("crm_template"), _named(c.body))),
    "delete_crm_template": _delete,
}

_TEMPLATES = (
    ("Quote follow-up", "email", "sales", "Your quote", "<p>Hi {{first_name}}, did you have time to read the quote?</p>"),
    ("Site visit reminder", "sms", "scheduling", None, "Hi {{first_name}}, we visit you tomorrow at {{time}}."),
    ("Deposit received", "email", "billing", "Thank you", "<p>Your deposit is here. We order the materials today.</p>"),
    ("Installation complete", "email", "service", "All done", "<p>Your system is running. The handover pack is attached.</p>"),
    ("Review request", "sms", "service", None, "Hi {{first_name}}, would you leave us a short review?"),
    ("Rebate explained", "email", "sales", "What the rebate pays", "<p>The rebate covers part of the battery.</p>"),
)


def seed(s: Seeder) -> None:
    rows = []
    for i, (name, kind, category, subject, body) in enumerate(_TEMPLATES):
        content = {"subject": subject, "body_html": body} if kind == "email" else {"body": body}
        rows.append(s.record(240 - i * 20, name=name, type=kind, category=category, content=content))
    s.store.add("crm_template", rows)
