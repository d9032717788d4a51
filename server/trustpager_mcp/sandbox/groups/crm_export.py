"""One-off exports of contacts, companies, opportunities and work orders."""

from __future__ import annotations

from typing import Any

from ..checks import moment
from ..engine import Answer, Call, Handler, contains
from ..errors import forbidden, invalid
from ..exports.entities import ENTITIES, Entity, custom_fields, records_of, value_at
from ..exports.files import table_file
from ..store import Record, Store

MOST_ROWS = 50_000
_ANY = ("type", "format", "created_after", "created_before")
# type: its entity, the scope that it needs, its own filters, and what search looks into
_TYPES: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "contacts": (
        "contact", "contacts:read", ("search", "source", "customer_id", "email_unsubscribed", "sms_unsubscribed"),
        ("first_name", "last_name", "email", "phone", "landline"),
    ),
    "customers": (
        "account", "companies:read", ("search", "is_customer", "is_supplier", "industry"), ("name", "email", "phone", "landline"),
    ),
    "deals": (
        "opportunity", "opportunities:read",
        ("search", "status", "pipeline_id", "stage_id", "contact_id", "customer_id", "assigned_to"), ("name",),
    ),
    "work-orders": ("work_order", "work-orders:read", ("assigned_to", "status_id", "deal_product_id", "schedule_date"), ()),
}  # fmt: skip
# Columns that name what a record refers to: relation and its field.
_NAMES = {
    "contact": (("Companies", "account", "name"),), "account": (),
    "opportunity": (("Contact", "primary_contact", "name"), ("Company", "account", "name"), ("Pipeline", "pipeline", "name"),
                    ("Stage", "stage", "name"), ("Assigned to", "assigned_users", "name")),
    "work_order": (("Status", "status", "label"), ("Opportunity", "opportunity", "name"), ("Product", "product", "name"),
                   ("Assigned to", "assigned_user", "name")),
}  # fmt: skip


def _export(call: Call) -> Answer:
    q = call.query
    name, scope, own, searched = _TYPES[q["type"]]
    if scope not in call.key.scopes:
        raise forbidden(scope)
    if foreign := sorted(k for k in q if k not in (*_ANY, *own)):
        raise invalid(
            f"{foreign[0]} does not filter {q['type']}; their filters are {', '.join((*_ANY[2:], *own))}", field=foreign[0]
        )
    entity = ENTITIES[name]
    records = [r for r in records_of(call.world, entity) if _kept(call.store, r, entity, q, searched)]
    headers, paths = _columns(call.store, entity)
    lines = (_line(call.store, entity, record, paths) for record in records)
    file_name = f"{q['type']}-{call.clock.iso()[:10]}"
    return table_file(headers, lines, q.get("format", "xlsx"), file_name, MOST_ROWS)


def _columns(store: Store, entity: Entity) -> tuple[list[str], list[tuple[str, str]]]:
    """Headers, and each column's path with its type: fields, custom fields behind them."""
    references = {
        "contact_id",
        "customer_id",
        "pipeline_id",
        "stage_id",
        "assigned_to",
        "status_id",
        "deal_id",
        "deal_product_id",
    }
    fields = [(f, t) for f, t in entity.fields.items() if f not in references]
    own = custom_fields(store, entity)
    headers = [f.replace("_", " ").capitalize() for f, _ in fields]
    headers[0] = "ID"
    headers += [header for header, _, _ in _NAMES[entity.name]] + [label for _, label in own]
    return headers, [*fields, *((path, "text") for path, _ in own)]


def _line(store: Store, entity: Entity, record: Record, paths: list[tuple[str, str]]) -> list[Any]:
    names = [
        ", ".join(str(r[field]) for r in entity.relations[relation].of(store, record)) or None
        for _, relation, field in _NAMES[entity.name]
    ]
    fixed = [_cell(value_at(record, path), kind) for path, kind in paths if path in entity.fields]
    return [*fixed, *names, *(_cell(value_at(record, path), kind) for path, kind in paths if path not in entity.fields)]


def _cell(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return ", ".join(str(v["name"] if isinstance(v, dict) and "name" in v else v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items())
    if kind in ("date", "datetime") and (at := moment(value)) is not None:
        return at.date() if kind == "date" else at
    return value


def _kept(store: Store, record: Record, entity: Entity, q: dict[str, Any], searched: tuple[str, ...]) -> bool:
    at, after, before = moment(record["created_at"]), moment(q.get("created_after")), moment(q.get("created_before"))
    if (after and (at is None or at < after)) or (before and (at is None or at > before)):
        return False
    if "search" in q and not contains(record, q["search"], *searched):
        return False
    return all(_matches(store, record, entity, k, v) for k, v in q.items() if k not in (*_ANY, "search"))


def _matches(store: Store, record: Record, entity: Entity, name: str, value: Any) -> bool:
    if name == "customer_id" and entity.name == "contact":
        return value in [i for i, _ in store.linked("employer", record["id"])]
    if name == "contact_id":
        return any(c["id"] == value for c in entity.relations["contacts"].of(store, record))
    held = record.get(name)
    if entity.fields.get(name) == "boolean":
        return bool(held) == (value in (True, "true"))
    return value in held if isinstance(held, list) else held == value


HANDLERS: dict[str, Handler] = {"export_crm_data": _export}
