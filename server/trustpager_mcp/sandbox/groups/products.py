"""Products and what they cost."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, clear_references, contains, everything, page
from ..errors import ApiError
from ..store import Record
from . import supplier_catalog


def _list(call: Call) -> Answer:
    q = call.query
    rows = [
        (n, r)
        for n, r in call.store.numbered("product")
        if ("search" not in q or contains(r, q["search"], "name", "sku", "category"))
        and ("is_active" not in q or r["is_active"] == q["is_active"])
    ]
    return page(call, rows)


def _create(call: Call) -> Answer:
    unset: Record = dict.fromkeys(("sku", "category", "description", "unit", "work_order_config"))
    defaults: Record = {**unset, "currency": "AUD", "is_active": True, "images": [], "metadata": {}}
    record = call.fresh({**defaults, **call.body})
    call.store.add("product", [record])
    return Answer(record, status=201)


def _delete(call: Call) -> Answer:
    product = call.must("product")
    for cost in call.store.all("product_cost", product_id=product["id"]):
        call.store.delete("product_cost", cost["id"])
    # What was sold or is offered under its name stays.
    clear_references(call, product["id"], ("opportunity_product", "product_id"))
    supplier_catalog.forget_product(call, product)
    call.store.delete("product", product["id"])
    return Answer(status=204)


def checked_cost(call: Call) -> Record:
    """The fields of a cost, of a product or of an opportunity's line item; what it names exists. Raises VALIDATION_ERROR."""
    for name, kind in (("supplier_id", "company"), ("supplier_product_id", "supplier_product")):
        call.reference(kind, call.body.get(name), name)
    fields: Record = call.body
    return fields


def _add_cost(call: Call) -> Answer:
    product = call.must("product")
    cost = call.fresh({"product_id": product["id"], "quantity": 1, **checked_cost(call)})
    call.store.add("product_cost", [cost])
    return Answer(cost, status=201)


def _cost(call: Call) -> Record:
    cost = call.must("product_cost", call.ids["costId"])
    if cost["product_id"] != call.must("product")["id"]:
        raise ApiError(404, "NOT_FOUND", "the product has no such cost")
    return cost


def _delete_cost(call: Call) -> Answer:
    call.store.delete("product_cost", _cost(call)["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_products": _list,
    "get_product": lambda c: Answer(c.must("product")),
    "create_product": _create,
    "update_product": lambda c: Answer(change(c, "product", c.must("product"), c.body)),
    "delete_product": _delete,
    "list_product_costs": lambda c: everything(c.store.all("product_cost", product_id=c.must("product")["id"])),
    "create_product_cost": _add_cost,
    "update_product_cost": lambda c: Answer(change(c, "product_cost", _cost(c), checked_cost(c))),
    "delete_product_cost": _delete_cost,
}
