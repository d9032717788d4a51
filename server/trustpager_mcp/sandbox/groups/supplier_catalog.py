"""What suppliers offer, for the costs of products and opportunities."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, clear_references, page
from ..seed import Seeder
from ..store import Record

_FILTERS = ("supplier_id", "product_id", "is_active")


def _view(call: Call, record: Record) -> Record:
    """With the supplier's name and, for a row linked to a product, the product's."""
    supplier = call.store.get("company", record["supplier_id"]) or {}
    product = call.store.get("product", record["product_id"]) if record["product_id"] else None
    name = product["name"] if product else record["product_name"]
    return {**record, "product_name": name, "supplier_name": supplier.get("name")}


def _checked(call: Call, fields: Record) -> Record:
    call.reference("company", fields.get("supplier_id"), "supplier_id")
    call.reference("product", fields.get("product_id"), "product_id")
    return fields


def _list(call: Call) -> Answer:
    wanted = {name: call.query[name] for name in _FILTERS if name in call.query}
    return page(call, call.store.numbered("supplier_product", **wanted), lambda r: _view(call, r))


def _create(call: Call) -> Answer:
    optional = dict.fromkeys(("product_id", "product_name", "supplier_sku", "lead_time_days"))
    record = call.fresh({**optional, "minimum_order_qty": 1, "is_active": True, **_checked(call, call.body)})
    call.store.add("supplier_product", [record])
    return Answer(_view(call, record), status=201)


def _update(call: Call) -> Answer:
    record = call.must("supplier_product")
    return Answer(_view(call, change(call, "supplier_product", record, _checked(call, call.body))))


def _delete(call: Call) -> Answer:
    _delete_one(call, call.must("supplier_product")["id"])
    return Answer(status=204)


def _delete_one(call: Call, record_id: str) -> None:
    """Costs that were taken from the row keep their price and lose the link."""
    costs = ("product_cost", "opportunity_product_cost")
    clear_references(call, record_id, *((kind, "supplier_product_id") for kind in costs))
    call.store.delete("supplier_product", record_id)


def forget_supplier(call: Call, company_id: str) -> None:
    """Remove what a deleted company offered."""
    for record in call.store.all("supplier_product", supplier_id=company_id):
        _delete_one(call, record["id"])


def forget_product(call: Call, product: Record) -> None:
    """Offers for a deleted product stay, under its name."""
    for record in call.store.all("supplier_product", product_id=product["id"]):
        call.store.save("supplier_product", {**record, "product_id": None, "product_name": product["name"]})


def seed(s: Seeder) -> None:
    """One offer for the cost of every product, and a few second sources."""
    companies = s.store.all("company")
    rows = []
    for i, cost in enumerate(reversed(s.store.all("product_cost"))):
        offers = [(cost["supplier_id"], cost["cost_price"])]
        if i % 4 == 0:
            offers.append((s.rng.choice(companies)["id"], round(cost["cost_price"] * 1.08, 2)))
        for n, (supplier_id, price) in enumerate(offers):
            row = s.record(
                s.rng.uniform(10, 300), supplier_id=supplier_id, product_id=cost["product_id"], product_name=None,
                supplier_sku=f"SUP-{1000 + i * 2 + n}", supplier_price=price, lead_time_days=s.rng.choice([1, 3, 5, 10]),
                minimum_order_qty=s.rng.choice([1, 1, 5, 10]), is_active=s.rng.random() < 0.9,
            )  # fmt: skip
            rows.append(row)
            if n == 0:
                s.store.save("product_cost", {**cost, "supplier_product_id": row["id"]})
    s.store.add("supplier_product", sorted(rows, key=lambda r: r["created_at"]))


HANDLERS: dict[str, Handler] = {
    "list_supplier_products": _list,
    "get_supplier_product": lambda c: Answer(_view(c, c.must("supplier_product"))),
    "create_supplier_product": _create,
    "update_supplier_product": _update,
    "delete_supplier_product": _delete,
}
