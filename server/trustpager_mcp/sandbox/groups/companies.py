"""Companies, under their legacy path /customers too."""

from __future__ import annotations

from .. import crm_events
from ..engine import Answer, Call, Handler, bulk, bulk_create, change, clear_references, contains, everything, page, sought
from ..errors import invalid
from ..phones import check_phones
from ..rules import check_metadata
from ..store import Record
from . import activities, contacts, opportunities, supplier_catalog

_SEARCHED = ("name", "email", "phone", "landline")
_WRITABLE = ("name", "email", "phone", "landline", "industry", "website", "notes", "metadata")


def _checked(fields: Record) -> Record:
    check_phones(fields)
    check_metadata(fields)
    cleaned = {k: v for k, v in fields.items() if k in _WRITABLE}
    if "name" in cleaned and not str(cleaned["name"] or "").strip():
        raise invalid("name must not be empty", field="name")
    return cleaned


def create_one(call: Call, fields: Record) -> Record:
    """One new company, checked. Raises VALIDATION_ERROR."""
    if not isinstance(fields.get("name"), str):
        raise invalid("name is required", field="name")
    record = call.fresh({**dict.fromkeys(_WRITABLE), "metadata": {}, **_checked(fields)})
    call.store.add("company", [record])
    crm_events.created(call, "company", record, fields)
    return call.store.get("company", record["id"]) or record


def _update(call: Call) -> Answer:
    before = call.must("company")
    after = change(call, "company", before, _checked(call.body))
    crm_events.updated(call, "company", before, after)
    return Answer(call.must("company"))


def _list(call: Call) -> Answer:
    text = call.query.get("search")
    return page(call, [(n, r) for n, r in call.store.numbered("company") if text is None or contains(r, text, *_SEARCHED)])


def _search(call: Call) -> Answer:
    text = sought(call)
    found = [r for r in call.store.all("company") if contains(r, text, *_SEARCHED)]
    return everything(found[: call.body.get("limit", 25)])


def _contacts(call: Call) -> Answer:
    people = (call.store.get("contact", a) for a in call.store.linking("employer", call.must("company")["id"]))
    return everything([contacts.view(p) for p in people if p])


def _delete_one(call: Call, company_id: str) -> bool:
    call.store.unlink_everywhere(company_id)
    costs = [("product_cost", "supplier_id"), ("opportunity_product_cost", "supplier_id")]
    supplier_catalog.forget_supplier(call, company_id)
    clear_references(call, company_id, ("opportunity", "customer_id"), ("activity", "customer_id"), *costs)
    return call.store.delete("company", company_id)


def _delete(call: Call) -> Answer:
    _delete_one(call, call.must("company")["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_companies": _list,
    "get_company": lambda c: Answer(c.must("company")),
    "create_company": lambda c: Answer(create_one(c, c.body), status=201),
    "update_company": _update,
    "delete_company": _delete,
    "search_companies": _search,
    "list_company_contacts": _contacts,
    "list_company_opportunities": lambda c: everything(opportunities.of_company(c, c.must("company")["id"])),
    "list_company_activities": lambda c: everything(activities.of(c, "customer_id", c.must("company")["id"])),
    "bulk_create_companies": lambda c: bulk_create(c, create_one),
    "bulk_delete_companies": lambda c: bulk(c, lambda i: _delete_one(c, i), "deleted"),
}
