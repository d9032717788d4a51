"""What can be exported: the records of each root entity with their fields, and the records related to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..automation.context import deal_values
from ..company import setting
from ..people import name_of
from ..store import Record, Store
from ..world import World

Related = Callable[[Store, Record], list[Record]]


@dataclass(frozen=True)
class Relation:
    """Records that belong to a root record, the main one first, and which of their fields may be shown."""

    label: str
    fields: tuple[str, ...]
    of: Related


@dataclass(frozen=True)
class Entity:
    """A root of exports: where its records are, its fields with their types, and its relations."""

    name: str
    kind: str
    custom: str | None
    """How the workspace's custom fields call it."""
    fields: dict[str, str]
    relations: dict[str, Relation]


def _found(store: Store, kind: str, ids: list[str | None]) -> list[Record]:
    return [r for i in dict.fromkeys(ids) if i and (r := store.get(kind, i))]


def _deal_contacts(store: Store, deal: Record) -> list[Record]:
    ids = [deal.get("contact_id"), *(i for i, _ in store.linked("opportunity_contact", deal["id"]))]
    return [_person(c) for c in _found(store, "contact", ids)]


def _person(contact: Record) -> Record:
    return {**contact, "name": name_of(contact)}


def _contact_deals(store: Store, contact: Record) -> list[Record]:
    further = set(store.linking("opportunity_contact", contact["id"]))
    return [d for d in store.all("opportunity") if d.get("contact_id") == contact["id"] or d["id"] in further]


def _cards(kind: str) -> Related:
    def of(store: Store, deal: Record) -> list[Record]:
        cards = store.linked("card", deal["id"])
        return _found(store, kind, [p if kind == "pipeline" else card["stage_id"] for p, card in cards])

    return of


def _linked(link: str, kind: str) -> Related:
    return lambda store, record: _found(store, kind, [i for i, _ in store.linked(link, record["id"])])


def _named(name: str, kind: str) -> Related:
    return lambda store, record: _found(store, kind, [record.get(name)])


_CONTACT_FIELDS = ("id", "name", "first_name", "last_name", "email", "phone", "landline", "job_title", "city", "state")
_COMPANY_FIELDS = ("id", "name", "email", "phone", "landline", "industry", "website")
_DEAL_FIELDS = ("id", "name", "status", "value", "currency", "lead_source", "created_at")
_USER_FIELDS = ("id", "name", "email")
_ADDRESS = ("address_line1", "city", "state", "postal_code", "country", "timezone")
_TIMES = {"created_at": "datetime", "updated_at": "datetime"}

ENTITIES = {
    "opportunity": Entity(
        "opportunity", "opportunity", "deal",
        {
            "id": "text", "name": "text", "status": "reference", "value": "number", "currency": "text", "lead_source": "text",
            "opportunity_type": "text", "notes": "text", "tags": "tags", "contact_id": "reference",
            "customer_id": "reference", "pipeline_id": "reference",
            "stage_id": "reference", "assigned_to": "reference", "won_at": "datetime", "lost_at": "datetime",
            "actual_close_date": "date", "last_activity_at": "datetime", "primary_referrer_category": "text", **_TIMES,
        },
        {
            "primary_contact": Relation("Primary contact", _CONTACT_FIELDS, lambda s, d: _deal_contacts(s, d)[:1]),
            "contacts": Relation("Contacts", _CONTACT_FIELDS, _deal_contacts),
            "account": Relation("Company", _COMPANY_FIELDS, _named("customer_id", "company")),
            "pipeline": Relation("Pipeline", ("id", "name"), _cards("pipeline")),
            "stage": Relation("Stage", ("id", "name", "color"), _cards("stage")),
            "assigned_users": Relation("Team", _USER_FIELDS, _linked("opportunity_user", "user")),
            "products": Relation(
                "Products", ("id", "name", "quantity", "unit_price", "discount_percent"),
                lambda s, d: sorted(s.all("opportunity_product", opportunity_id=d["id"]), key=lambda line: line["position"]),
            ),
        },
    ),
    "contact": Entity(
        "contact", "contact", "contact",
        {
            **dict.fromkeys(
                ("id", "display_name", "first_name", "last_name", "email", "phone", "landline", "job_title", "contact_type",
                 "source", "notes", *_ADDRESS), "text",
            ),
            "tags": "tags",
            "date_of_birth": "date", "email_unsubscribed": "boolean", "sms_unsubscribed": "boolean", **_TIMES,
        },
        {
            "account": Relation("Companies", _COMPANY_FIELDS, _linked("employer", "company")),
            "opportunities": Relation("Opportunities", _DEAL_FIELDS, _contact_deals),
        },
    ),
    "account": Entity(
        "account", "company", "account",
        {**dict.fromkeys(
            ("id", "name", "email", "phone", "landline", "industry", "account_type", "tax_number", "website", "notes", *_ADDRESS),
            "text"), "tags": "tags",
         "is_customer": "boolean", "is_supplier": "boolean", **_TIMES},
        {
            "contacts": Relation("Contacts", _CONTACT_FIELDS,
                                 lambda s, a: [_person(c) for c in _found(s, "contact", [*s.linking("employer", a["id"])])]),
            "opportunities": Relation("Opportunities", _DEAL_FIELDS, lambda s, a: s.all("opportunity", customer_id=a["id"])),
        },
    ),
    "work_order": Entity(
        "work_order", "work_order", None,
        {
            "id": "text", "title": "text", "status_id": "reference", "deal_id": "reference", "deal_product_id": "reference",
            "assigned_to": "reference", "schedule_date": "date", "schedule_time": "text", **_TIMES,
        },
        {
            "status": Relation("Status", ("id", "label", "color"), _named("status_id", "work_order_status")),
            "opportunity": Relation("Opportunity", _DEAL_FIELDS, _named("deal_id", "opportunity")),
            "product": Relation("Product", ("id", "name", "quantity"), _named("deal_product_id", "opportunity_product")),
            "assigned_user": Relation("Assigned to", _USER_FIELDS, _named("assigned_to", "user")),
        },
    ),
}  # fmt: skip


def records_of(world: World, entity: Entity) -> list[Record]:
    """Every record with the values that are not stored in it; references may be lists. Newest first."""
    store = world.store
    records = store.all(entity.kind)
    match entity.name:
        case "opportunity":
            return [_deal(world, deal) for deal in records]
        case "contact":
            return [{**c, "display_name": name_of(c)} for c in records]
        case "account":
            suppliers = {c.get("supplier_id") for c in store.all("product_cost")}
            buyers = {d.get("customer_id") for d in store.all("opportunity")}
            return [{"is_customer": c["id"] in buyers, "is_supplier": c["id"] in suppliers, **c} for c in records]
    return records


def _deal(world: World, deal: Record) -> Record:
    cards = world.store.linked("card", deal["id"])
    return {
        **deal, "value": deal_values(world, deal)["value"], "pipeline_id": [p for p, _ in cards],
        "stage_id": [card["stage_id"] for _, card in cards],
        "assigned_to": [i for i, _ in world.store.linked("opportunity_user", deal["id"])],
    }  # fmt: skip


def custom_fields(store: Store, entity: Entity) -> list[tuple[str, str]]:
    """The workspace's own fields as dotted paths with their labels."""
    if entity.custom:
        defined = (setting(store, "custom_fields") or {}).get(entity.custom) or []
        return [(f"metadata.{f['id']}", f["label"]) for f in defined if not f.get("hidden")]
    defined = store.all("work_order_field")
    keys = {str(f["key"]): str(f["label"]) for f in reversed(defined)}
    for order in reversed(store.all("work_order")):
        keys.update({k: k.replace("_", " ").capitalize() for k in order.get("data") or {} if k not in keys})
    return [(f"data.{key}", label) for key, label in keys.items()]


def value_at(record: Record, path: str) -> Any:
    """The value of a dotted path; None where it ends early."""
    value: Any = record
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def field_type(entity: Entity, path: str) -> str | None:
    """A field's type; what lies in metadata or a work order's data is text. None for an unknown field."""
    if path in entity.fields:
        return entity.fields[path]
    prefix, _, rest = path.partition(".")
    return "text" if rest and prefix == ("metadata" if entity.custom else "data") else None
