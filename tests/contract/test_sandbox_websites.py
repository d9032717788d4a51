"""Websites with pages and sections; order forms with their checkout."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def site(api: Api) -> tuple[str, str]:
    """A website and the path of a page on it."""
    website = await api.ok("POST", "/websites", {"name": "Shop"}, status=201)
    page = await api.ok("POST", f"/websites/{website['id']}/pages", {"title": "Home", "slug": "/"}, status=201)
    return website["id"], f"/websites/{website['id']}/pages/{page['id']}"


async def test_a_website_is_created_changed_and_deleted_with_its_pages_and_sections() -> None:
    api = make()
    website_id, page = await site(api)
    await api.ok("POST", f"{page}/sections", {"type": "hero"}, status=201)
    path = f"/websites/{website_id}"
    assert (await api.get(path))["status"] == "draft"
    changed = await api.ok("PATCH", path, {"name": "Store", "domain": "Shop.Example.com"})
    assert (changed["name"], changed["domain"]) == ("Store", "shop.example.com")
    assert (await api.get("/websites"))[0] == changed
    await api.ok("DELETE", path, status=204)
    await api.error("GET", page, status=404)
    assert website_id not in {w["id"] for w in await api.get("/websites")}
    assert not [p for p in api.workspace.store.all("website_page") if p["website_id"] == website_id]


async def test_a_domain_is_a_host_name_and_belongs_to_one_website() -> None:
    api = make()
    taken = next(w["domain"] for w in await api.get("/websites") if w["domain"])
    assert (await api.error("POST", "/websites", {"name": "B", "domain": taken.upper()}, status=409))["code"] == "CONFLICT"
    for wrong in ("https://a.example", "a", "a..b", "a b.example", "-a.example"):
        await api.error("POST", "/websites", {"name": "B", "domain": wrong})
    await api.error("POST", "/websites", {"name": " "})
    own = next(w["id"] for w in await api.get("/websites") if w["domain"])
    assert (await api.ok("PATCH", f"/websites/{own}", {"domain": taken}))["domain"] == taken


async def test_slugs_are_plain_and_unique_within_a_website() -> None:
    api = make()
    website_id, page = await site(api)
    path = f"/websites/{website_id}/pages"
    about = await api.ok("POST", path, {"title": "About", "slug": "/about-us/", "page_type": "landing"}, status=201)
    assert (about["slug"], about["page_type"], about["sections"]) == ("about-us", "landing", [])
    assert [p["title"] for p in await api.get(path)] == ["Home", "About"]
    await api.error("POST", path, {"title": "Again", "slug": "about-us"}, status=409)
    for wrong in ("About", "a b", "a--b", "", "//", "ü"):
        await api.error("POST", path, {"title": "x", "slug": wrong})
    await api.error("PATCH", page, {"slug": "about-us"}, status=409)
    assert (await api.ok("PATCH", page, {"slug": "/", "title": "Start"}))["title"] == "Start"
    other, _ = await site(api)
    await api.ok("POST", f"/websites/{other}/pages", {"title": "About", "slug": "about-us"}, status=201)
    await api.error("GET", f"/websites/{other}/pages/{about['id']}", status=404)
    await api.ok("DELETE", f"{path}/{about['id']}", status=204)
    assert [p["title"] for p in await api.get(path)] == ["Start"]


async def test_sections_keep_their_order_on_the_page() -> None:
    api = make()
    _, page = await site(api)
    ids = [(await api.ok("POST", f"{page}/sections", {"type": kind}, status=201))["id"] for kind in ("hero", "text", "faq")]
    order = [ids[1], ids[2], ids[0]]
    await api.ok("POST", f"{page}/sections/reorder", {"section_ids": order})
    assert [s["id"] for s in (await api.get(page))["sections"]] == order
    for wrong in (ids[:2], [*ids, NOBODY], [ids[0]] * 3):
        await api.error("POST", f"{page}/sections/reorder", {"section_ids": wrong})
    assert (await api.ok("PATCH", f"{page}/sections/{ids[0]}", {"type": "banner"}))["type"] == "banner"
    await api.ok("DELETE", f"{page}/sections/{ids[1]}", status=204)
    assert [s["type"] for s in await api.get(f"{page}/sections")] == ["faq", "banner"]
    await api.error("POST", f"{page}/sections", {"type": " "})
    _, other = await site(api)
    await api.error("PATCH", f"{other}/sections/{ids[0]}", {"type": "x"}, status=404)


async def buy(api: Api, form_id: str, status: int = 201, **fields: Any) -> Any:
    """Someone without a key pays on the form's page."""
    product = next(p["id"] for p in await api.get("/products", limit=100) if p["is_active"])
    body = {"customer_name": "Sam", "customer_email": "sam@mail.example", "card": "4242 4242 4242 4242"}
    body |= {"items": [{"product_id": product, "quantity": 2}], **fields}
    response = await api.as_key(None).send("POST", f"/functions/v1/public/order-forms/{form_id}", body)
    assert response.status_code == status, response.text
    return response.json()


async def test_an_order_form_is_created_renamed_and_deleted_with_its_logs() -> None:
    api = make()
    form = await api.ok("POST", "/order-forms", {"name": "Plan"}, status=201)
    path = f"/order-forms/{form['id']}"
    assert await api.get(path) == form == (await api.get("/order-forms"))[0]
    assert (await api.ok("PATCH", path, {"name": "Plan B"}))["name"] == "Plan B"
    assert await api.get(f"{path}/logs") == []
    await api.error("POST", "/order-forms", {"name": ""})
    await api.ok("DELETE", path, status=204)
    for gone in (path, f"{path}/logs"):
        await api.error("GET", gone, status=404)
    await buy(api, form["id"], status=404)


async def test_a_payment_is_logged_receipted_and_told_to_automations() -> None:
    api, events = make(), []
    api.workspace.world.listeners = (lambda _, event: events.append((event.name, event.data["amount_total"])),)
    form = await api.ok("POST", "/order-forms", {"name": "Plan"}, status=201)
    paid = (await buy(api, form["id"]))["data"]
    assert (paid["status"], paid["card_last4"]) == ("paid", "4242")
    assert paid["amount"] == round(paid["items"][0]["unit_price"] * 2, 2) > 0
    (logged,) = await api.get(f"/order-forms/{form['id']}/logs")
    assert paid.items() <= logged.items()
    assert [(m["to"], m["subject"]) for m in api.workspace.world.outbox] == [("sam@mail.example", "Receipt: Plan")]
    assert events == [("checkout_completed", paid["amount"])]


@pytest.mark.parametrize(("card", "reason"), [("4000000000000002", "card_declined"), ("4000000000009995", "insufficient_funds")])
async def test_a_refused_card_is_logged_as_failed_and_nothing_is_sent(card: str, reason: str) -> None:
    api = make()
    form = await api.ok("POST", "/order-forms", {"name": "Plan"}, status=201)
    assert (await buy(api, form["id"], status=402, card=card))["error"]["code"] == "CARD_DECLINED"
    (log,) = await api.get(f"/order-forms/{form['id']}/logs")
    assert (log["status"], log["failure_reason"]) == ("failed", reason)
    assert api.workspace.world.outbox == []


async def test_a_checkout_that_makes_no_sense_is_refused_and_not_logged() -> None:
    api = make()
    form = await api.ok("POST", "/order-forms", {"name": "Plan"}, status=201)
    for wrong in (
        {"customer_name": " "}, {"customer_email": "sam"}, {"card": "4111"}, {"items": []}, {"items": ["x"]},
        {"items": [{"product_id": NOBODY}]}, {"items": None},
    ):  # fmt: skip
        await buy(api, form["id"], status=400, **wrong)
    product = next(p["id"] for p in await api.get("/products", limit=100) if p["is_active"])
    for quantity in (0, 1.5, True, 1001, "2"):
        await buy(api, form["id"], status=400, items=[{"product_id": product, "quantity": quantity}])
    assert await api.get(f"/order-forms/{form['id']}/logs") == []


async def test_the_practice_workspace_has_sites_and_paid_and_failed_orders() -> None:
    api = make()
    sites = {w["name"]: w for w in await api.get("/websites")}
    pages = await api.get(f"/websites/{sites['Brightside Home Energy']['id']}/pages")
    assert [p["slug"] for p in pages] == ["/", "solar", "batteries", "about-us"]
    logs = [log for f in await api.get("/order-forms") for log in await api.get(f"/order-forms/{f['id']}/logs")]
    assert {log["status"] for log in logs} == {"paid", "failed"}
