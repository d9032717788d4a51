"""Line items, costs, people, attachments, invoices and work orders of an opportunity."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def create(api: Api) -> str:
    deal: str = (await api.ok("POST", "/opportunities", {"name": "Roof"}, status=201))["id"]
    return deal


async def add_line(api: Api, deal: str, **fields: Any) -> dict[str, Any]:
    product = (await api.get("/products"))[0]["id"]
    line: dict[str, Any] = await api.ok("POST", f"/opportunities/{deal}/products", {"product_id": product, **fields}, status=201)
    return line


async def test_a_line_takes_name_and_price_of_its_product_and_is_unpaid() -> None:
    api = make()
    product = (await api.get("/products"))[0]
    line = await add_line(api, await create(api))
    assert (line["name"], line["unit_price"], line["quantity"]) == (product["name"], product["price"], 1)
    assert line["payment_status"] == "unpaid"


async def test_payment_status_is_hidden_and_locked_without_the_invoice_scopes() -> None:
    api = make()
    sales = api.as_key("tp_live_sandbox_sales")
    deal = await create(api)
    line = await add_line(api, deal, payment_status="invoiced")
    path = f"/opportunities/{deal}/products"
    assert "payment_status" not in (await sales.get(path))[0]
    error = await sales.error("PATCH", f"{path}/{line['id']}", {"payment_status": "paid"}, status=403)
    assert error["details"]["missing_scopes"] == ["invoices:write"]
    await sales.error("POST", path, {"product_id": line["product_id"], "payment_status": "paid"}, status=403)
    assert "payment_status" not in await sales.ok("PATCH", f"{path}/{line['id']}", {"quantity": 3})
    assert (await api.get(path))[0]["payment_status"] == "invoiced"
    await api.error("PATCH", f"{path}/{line['id']}", {"payment_status": "settled"})


async def test_lines_are_reordered_by_naming_all_of_them() -> None:
    api = make()
    deal = await create(api)
    lines = [(await add_line(api, deal))["id"] for _ in range(3)]
    path = f"/deals/{deal}/products"
    order = [lines[2], lines[0], lines[1]]
    await api.ok("POST", f"{path}/reorder", {"product_ids": order})
    assert [line["id"] for line in await api.get(path)] == order
    for wrong in (lines[:2], [*lines, NOBODY], [lines[0]] * 3):
        await api.error("POST", f"{path}/reorder", {"product_ids": wrong})
    await api.ok("DELETE", f"{path}/{lines[0]}", status=204)
    assert [line["id"] for line in await api.get(path)] == [lines[2], lines[1]]


async def test_costs_of_a_line_are_added_listed_changed_and_deleted() -> None:
    api = make()
    deal = await create(api)
    line = (await add_line(api, deal))["id"]
    path = f"/opportunities/{deal}/product-costs"
    cost = await api.ok("POST", f"{path}/{line}", {"label": "Crane", "unit_cost": 400}, status=201)
    assert (cost["quantity"], cost["currency"]) == (1, "AUD")
    assert await api.get(f"{path}/{line}") == [cost]
    assert (await api.ok("PATCH", f"{path}/{cost['id']}", {"unit_cost": 450}))["unit_cost"] == 450
    for name in ("supplier_id", "supplier_product_id"):
        await api.error("POST", f"{path}/{line}", {name: NOBODY})
        await api.error("PATCH", f"{path}/{cost['id']}", {name: NOBODY})
    await api.ok("DELETE", f"{path}/{cost['id']}", status=204)
    assert await api.get(f"{path}/{line}") == []


async def test_a_removed_line_takes_its_costs_and_leaves_its_work_orders() -> None:
    api = make()
    deal = await create(api)
    for path in (f"/opportunities/{deal}/products/", "/opportunities/"):
        line = (await add_line(api, deal))["id"]
        cost = await api.ok("POST", f"/opportunities/{deal}/product-costs/{line}", {"label": "Crane"}, status=201)
        order = await api.ok("POST", "/work-orders", {"deal_product_id": line}, status=201)
        await api.ok("DELETE", path + (line if "products" in path else deal), status=204)
        kept = await api.get(f"/work-orders/{order['id']}")
        assert (kept["deal_product_id"], kept["deal_id"]) == (None, deal if "products" in path else None)
        assert api.workspace.store.get("opportunity_product_cost", cost["id"]) is None


async def test_the_parts_of_one_opportunity_are_not_reached_through_another() -> None:
    api = make()
    one, two = await create(api), await create(api)
    line = (await add_line(api, one))["id"]
    await api.error("PATCH", f"/opportunities/{two}/products/{line}", {"quantity": 2}, status=404)
    await api.error("GET", f"/opportunities/{two}/product-costs/{line}", status=404)


@pytest.mark.parametrize(("name", "kind"), [("contacts", "contact"), ("users", "user")])
async def test_people_are_added_listed_and_removed(name: str, kind: str) -> None:
    api = make()
    deal, other = await create(api), api.workspace.store.all(kind)[0]["id"]
    path = f"/opportunities/{deal}/{name}"
    await api.ok("POST", f"{path}/{other}", status=201)
    await api.ok("POST", f"{path}/{other}", status=201)
    assert [p["id"] for p in await api.get(path)] == [other]
    await api.ok("DELETE", f"{path}/{other}", status=204)
    assert await api.get(path) == []
    await api.error("DELETE", f"{path}/{other}", status=404)
    await api.error("POST", f"{path}/{NOBODY}", status=404)


@pytest.mark.parametrize("kind", ["file", "document", "spreadsheet"])
async def test_attachments_are_attached_listed_and_detached_without_being_deleted(kind: str) -> None:
    api = make()
    deal, record = await create(api), api.workspace.store.all(kind)[0]["id"]
    path = f"/opportunities/{deal}/{kind}s"
    await api.ok("POST", f"{path}/{record}", status=201)
    assert [r["id"] for r in await api.get(path)] == [record]
    await api.ok("DELETE", f"{path}/{record}", status=204)
    assert await api.get(path) == []
    assert api.workspace.store.get(kind, record)


async def test_images_are_the_files_of_type_image() -> None:
    api = make()
    deal, files = await create(api), api.workspace.store.all("file")
    image = next(f["id"] for f in files if f["type"] == "image")
    document = next(f["id"] for f in files if f["type"] == "document")
    await api.ok("POST", f"/opportunities/{deal}/images/{image}", status=201)
    await api.ok("POST", f"/opportunities/{deal}/files/{document}", status=201)
    assert [f["id"] for f in await api.get(f"/opportunities/{deal}/images")] == [image]
    assert len(await api.get(f"/opportunities/{deal}/files")) == 2
    await api.error("POST", f"/opportunities/{deal}/images/{document}")
    await api.error("DELETE", f"/opportunities/{deal}/images/{document}", status=404)
    await api.ok("DELETE", f"/opportunities/{deal}/images/{image}", status=204)


async def test_invoices_and_work_orders_of_an_opportunity_are_listed() -> None:
    api = make()
    invoice, order = api.workspace.store.all("invoice")[0], api.workspace.store.all("work_order")[0]
    listed = await api.get(f"/opportunities/{invoice['trustpager_deal_id']}/invoices")
    assert any(invoice.items() <= row.items() for row in listed)
    assert await api.get(f"/work-orders/{order['id']}") in await api.get(f"/deals/{order['deal_id']}/work-orders")
    assert {o["status"] for o in await api.get("/work-orders", limit=100)} == {"Pending", "In Progress", "Complete"}


async def test_activities_and_tasks_of_an_opportunity_are_listed() -> None:
    api = make()
    deal = await create(api)
    note = {"activity_type": "note", "subject": "Rang", "deal_id": deal}
    activity = await api.ok("POST", "/activities", note, status=201)
    task = await api.ok("POST", "/tasks", {"title": "Ring back", "deal_id": deal}, status=201)
    assert await api.get(f"/opportunities/{deal}/activities") == [activity]
    assert await api.get(f"/opportunities/{deal}/tasks") == [task]
