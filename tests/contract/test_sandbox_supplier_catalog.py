"""The supplier catalogue."""

from __future__ import annotations

from tests.contract.test_sandbox_support import NOBODY, make

CALLER = make()
"""Its workspace is only read."""


async def test_an_offer_takes_the_names_of_its_supplier_and_product_and_is_changed_and_deleted() -> None:
    api = make()
    company, product = (await api.get("/companies"))[0], (await api.get("/products"))[0]
    body = {"supplier_id": company["id"], "supplier_price": 120.5, "product_id": product["id"], "supplier_sku": "X1"}
    offer = await api.ok("POST", "/supplier-catalog", {**body, "lead_time_days": 3, "minimum_order_qty": 2}, status=201)
    assert (offer["supplier_name"], offer["product_name"], offer["is_active"]) == (company["name"], product["name"], True)
    path = f"/supplier-catalog/{offer['id']}"
    assert await api.get(path) == offer
    changed = await api.ok("PATCH", path, {"supplier_price": 99, "is_active": False})
    assert (changed["supplier_price"], changed["is_active"], changed["supplier_sku"]) == (99, False, "X1")
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)


async def test_an_offer_may_name_a_product_that_the_workspace_does_not_have() -> None:
    api = make()
    company = (await api.get("/companies"))[0]["id"]
    body = {"supplier_id": company, "supplier_price": 0, "product_name": "Crane hire"}
    offer = await api.ok("POST", "/supplier-catalog", body, status=201)
    assert (offer["product_name"], offer["product_id"]) == ("Crane hire", None)
    assert (await api.get("/supplier-catalog"))[0] == offer


async def test_what_an_offer_names_must_exist_and_prices_are_not_negative() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    company = (await api.get("/companies"))[0]["id"]
    for body in (
        {"supplier_price": 1}, {"supplier_id": company}, {"supplier_id": NOBODY, "supplier_price": 1},
        {"supplier_id": company, "supplier_price": 1, "product_id": NOBODY}, {"supplier_id": company, "supplier_price": -1},
    ):  # fmt: skip
        assert (await api.error("POST", "/supplier-catalog", body))["code"] == "VALIDATION_ERROR"
    offer = (await api.get("/supplier-catalog"))[0]["id"]
    await api.error("PATCH", f"/supplier-catalog/{offer}", {"product_id": NOBODY})


async def test_offers_are_filtered_by_supplier_product_and_activity() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    offers = await api.get("/supplier-catalog")
    assert len(offers) >= 40
    one = offers[0]
    for name in ("supplier_id", "product_id"):
        expected = [o["id"] for o in offers if o[name] == one[name]]
        assert [o["id"] for o in await api.get("/supplier-catalog", **{name: one[name]})] == expected
    inactive = await api.get("/supplier-catalog", is_active="false")
    assert 0 < len(inactive) < len(offers)
    assert not any(o["is_active"] for o in inactive)


async def test_offers_outlive_their_product_but_not_their_supplier() -> None:
    api = make()
    cost = next(c for c in api.workspace.store.all("product_cost") if c["supplier_product_id"])
    product = await api.get(f"/products/{cost['product_id']}")
    deal = (await api.get("/opportunities"))[0]["id"]
    line = await api.ok("POST", f"/opportunities/{deal}/products", {"product_id": product["id"]}, status=201)
    await api.ok("DELETE", f"/products/{product['id']}", status=204)
    offer = await api.get(f"/supplier-catalog/{cost['supplier_product_id']}")
    assert (offer["product_id"], offer["product_name"]) == (None, product["name"])
    kept = next(n for n in await api.get(f"/opportunities/{deal}/products") if n["id"] == line["id"])
    assert (kept["product_id"], kept["name"], kept["unit_price"]) == (None, product["name"], product["price"])
    await api.ok("DELETE", f"/companies/{offer['supplier_id']}", status=204)
    await api.error("GET", f"/supplier-catalog/{offer['id']}", status=404)
    assert await api.get("/supplier-catalog", supplier_id=offer["supplier_id"]) == []


async def test_a_deleted_offer_leaves_the_costs_taken_from_it() -> None:
    api = make()
    cost = next(c for c in api.workspace.store.all("product_cost") if c["supplier_product_id"])
    await api.ok("DELETE", f"/supplier-catalog/{cost['supplier_product_id']}", status=204)
    kept = api.workspace.store.get("product_cost", cost["id"])
    assert (kept["supplier_product_id"], kept["cost_price"]) == (None, cost["cost_price"])
