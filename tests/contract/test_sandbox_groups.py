"""Companies, pipelines, products, activities, tasks and the universal search."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, make
from trustpager_mcp.sandbox.trigram import best_similarity

CALLER = make()
"""Its workspace is only read."""


async def test_a_company_is_the_same_record_under_both_paths() -> None:
    api = make()
    company = await api.ok("POST", "/customers", {"name": "Acme", "landline": "+61290001234"}, status=201)
    assert await api.get(f"/companies/{company['id']}") == company
    await api.error("PATCH", f"/companies/{company['id']}", {"phone": "+61290001234"})
    await api.error("PATCH", f"/companies/{company['id']}", {"metadata": {NOBODY: 1}})
    assert [c["id"] for c in await api.get("/customers", search="acme")] == [company["id"]]
    assert [c["id"] for c in await api.ok("POST", "/companies/search", {"query": "ACME"})] == [company["id"]]
    await api.ok("DELETE", f"/customers/{company['id']}", status=204)
    await api.error("GET", f"/companies/{company['id']}", status=404)


async def test_companies_are_created_and_deleted_in_bulk() -> None:
    api = make()
    records = [{"name": "A"}, {"email": "a@b.example"}, {"name": ""}]
    answer = await api.ok("POST", "/companies/bulk-create", {"records": records}, status=201)
    assert ([c["name"] for c in answer["created"]], [e["index"] for e in answer["errors"]]) == (["A"], [1, 2])
    ids = [answer["created"][0]["id"], NOBODY]
    assert await api.ok("POST", "/customers/bulk-delete", {"ids": ids}) == {"deleted": 1, "failed": [NOBODY]}


async def test_stages_stand_in_order_and_count_their_cards() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    pipeline = (await api.get("/pipelines"))[0]
    stages = await api.get(f"/pipelines/{pipeline['id']}/stages")
    assert [s["position"] for s in stages] == sorted(s["position"] for s in stages)
    for stage in stages[:3]:
        assert stage["deal_count"] == (await api.listed("/opportunities", stage_id=stage["id"]))["total"]
    assert await api.get(f"/pipelines/{pipeline['id']}") == pipeline


async def test_a_stage_that_is_put_elsewhere_pushes_the_others_on_and_shows_its_count() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[0]
    path, stages = f"/pipelines/{pipeline['id']}/stages", [s["id"] for s in pipeline["stages"]]
    moved = await api.ok("PATCH", f"{path}/{stages[3]}", {"position": 1})
    listed = await api.get(path)
    assert moved == listed[1]
    assert moved["deal_count"] == pipeline["stages"][3]["deal_count"] > 0
    assert [s["id"] for s in listed] == [stages[0], stages[3], stages[1], stages[2], *stages[4:]]
    await api.ok("PATCH", f"{path}/{stages[0]}", {"position": 99})
    new = await api.ok("POST", path, {"name": "After all"}, status=201)
    assert [s["id"] for s in await api.get(path)][-2:] == [stages[0], new["id"]]


async def test_a_pipeline_summary_adds_up_counts_and_values_of_its_stages() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    pipeline = (await api.get("/pipelines"))[0]
    summary = await api.get(f"/pipelines/{pipeline['id']}/summary")
    cards = await api.get(f"/pipelines/{pipeline['id']}/deals")
    assert summary["total_count"] == len(cards) == sum(s["count"] for s in summary["stages"])
    assert summary["total_value"] == pytest.approx(sum(d["value"] for d in cards))


async def test_pipelines_and_stages_are_created_changed_and_deleted() -> None:
    api = make()
    pipeline = await api.ok("POST", "/pipelines", {"name": "Grants"}, status=201)
    path = f"/pipelines/{pipeline['id']}"
    stage = await api.ok("POST", f"{path}/stages", {"name": "Applied"}, status=201)
    assert (stage["position"], stage["deal_count"]) == (0, 0)
    assert (await api.ok("PATCH", f"{path}/stages/{stage['id']}", {"name": "Sent", "color": "#ff0000"}))["name"] == "Sent"
    assert (await api.ok("PATCH", path, {"name": "Rebates"}))["name"] == "Rebates"
    other = (await api.get("/pipelines"))[0]["id"]
    await api.error("PATCH", f"/pipelines/{other}/stages/{stage['id']}", {"name": "x"}, status=404)
    deal = await api.ok("POST", "/opportunities", {"name": "A"}, status=201)
    await api.ok("POST", f"/opportunities/{deal['id']}/move", {"pipeline_id": pipeline["id"], "stage_id": stage["id"]})
    assert (await api.error("DELETE", f"{path}/stages/{stage['id']}", status=409))["code"] == "CONFLICT"
    await api.ok("DELETE", path, status=204)
    assert (await api.get(f"/opportunities/{deal['id']}"))["placements"] == []


async def test_products_take_their_defaults_and_lose_their_costs_with_them() -> None:
    api = make()
    product = await api.ok("POST", "/products", {"name": "Gutter", "price": 12.5}, status=201)
    assert (product["currency"], product["is_active"], product["images"]) == ("AUD", True, [])
    path = f"/products/{product['id']}"
    cost = await api.ok("POST", f"{path}/costs", {"label": "Steel", "cost_price": 4}, status=201)
    assert (await api.ok("PATCH", f"{path}/costs/{cost['id']}", {"cost_price": 5}))["cost_price"] == 5
    for name in ("supplier_id", "supplier_product_id"):
        await api.error("POST", f"{path}/costs", {name: NOBODY})
        await api.error("PATCH", f"{path}/costs/{cost['id']}", {name: NOBODY})
    assert len(await api.get(f"{path}/costs")) == 1
    config = {"fields": [{"key": "gate"}], "statuses": ["Cut", "Fitted"]}
    assert (await api.ok("PATCH", path, {"work_order_config": config, "unit": "m"}))["work_order_config"] == config
    every: dict[str, Any] = {
        "name": "Eaves gutter", "sku": "G1", "price": 13, "currency": "NZD", "category": "Roof", "description": "d", "unit": "m",
        "benefits": ["b"], "deposit_percent": 20, "default_expiry_days": 30, "images": ["https://x.example/g.png"],
        "track_inventory": True, "track_batches": True, "low_stock_threshold": 5, "is_active": False, "metadata": {"a": 1},
        "work_order_config": None,
    }  # fmt: skip
    assert every.items() <= (await api.ok("PATCH", path, every)).items()
    assert every.items() <= (await api.get(path)).items()
    await api.ok("DELETE", path, status=204)
    assert api.workspace.store.get("product_cost", cost["id"]) is None
    assert {p["is_active"] for p in await api.get("/products", is_active="false")} == {False}
    await api.error("POST", "/products", {"name": "No price"})


async def test_activities_are_calls_meetings_or_notes_and_are_filtered_by_what_they_link() -> None:
    api = make()
    await api.error("POST", "/activities", {"activity_type": "email", "subject": "x"})
    await api.error("POST", "/activities", {"activity_type": "call", "subject": "x", "contact_id": NOBODY})
    contact = (await api.get("/contacts"))[0]["id"]
    activity = await api.ok("POST", "/activities", {"activity_type": "call", "subject": "x", "contact_id": contact}, status=201)
    assert (await api.get("/activities", contact_id=contact, activity_type="call"))[0] == activity
    mail = {"to_email": "jo@home.example", "subject": "Hi", "html_body": "x", "contact_id": contact}
    await api.ok("POST", "/email/send", mail)
    (sent,) = await api.get("/activities", contact_id=contact, activity_type="email")
    assert sent["subject"] == "Hi"
    assert (await api.ok("PATCH", f"/activities/{activity['id']}", {"subject": "y"}))["subject"] == "y"
    await api.ok("DELETE", f"/activities/{activity['id']}", status=204)


async def test_tasks_are_filtered_and_completed() -> None:
    api = make()
    task = await api.ok("POST", "/tasks", {"title": "Ring Zyzzyva", "due_date": "2026-06-16"}, status=201)
    assert (task["status"], task["position"]) == ("pending", 0)
    assert [t["id"] for t in await api.get("/tasks", search="zyzzyva")] == [task["id"]]
    assert task["id"] in [t["id"] for t in await api.get("/tasks", due_after="2026-06-15", due_before="2026-06-17", limit=100)]
    assert task["id"] not in [t["id"] for t in await api.get("/tasks", due_before="2026-06-15", limit=100)]
    done = await api.ok("PATCH", f"/tasks/{task['id']}", {"status": "completed"})
    assert done["completed_at"].startswith("2026-06-15T02:0")
    assert (await api.ok("PATCH", f"/tasks/{task['id']}", {"status": "pending"}))["completed_at"] is None
    assert {t["status"] for t in await api.get("/tasks", status="completed")} == {"completed"}
    await api.error("POST", "/tasks", {"title": "x", "assigned_to": NOBODY})


async def test_reordered_tasks_are_listed_in_their_new_order() -> None:
    api = make()
    first = [t["id"] for t in await api.get("/tasks")]
    order = [first[2], first[0], first[1]]
    await api.ok("POST", "/tasks/reorder", {"order": order})
    assert [t["id"] for t in await api.get("/tasks")] == [*order, *first[3:]]
    await api.error("POST", "/tasks/reorder", {"order": [first[0], NOBODY]})
    await api.error("POST", "/tasks/reorder", {"order": [first[0], first[0]]})


async def test_task_categories_are_kept_and_leave_their_tasks_when_deleted() -> None:
    api = make()
    category = await api.ok("POST", "/tasks/categories", {"name": "Warranty"}, status=201)
    assert category in await api.get("/tasks/categories")
    path = f"/tasks/categories/{category['id']}"
    task = await api.ok("POST", "/tasks", {"title": "x", "category_id": category["id"]}, status=201)
    assert (await api.ok("PATCH", path, {"color": "#ff0000"}))["color"] == "#ff0000"
    await api.error("PATCH", path, {"color": "red"})
    await api.ok("DELETE", path, status=204)
    assert (await api.get(f"/tasks/{task['id']}"))["category_id"] is None


async def test_the_search_ranks_exact_substrings_first_and_forgives_typos_in_names() -> None:
    api = make()
    await api.ok(
        "POST", "/contacts", {"first_name": "Katarzyna", "email": "kat@mail.example", "phone": "+61499888777"}, status=201
    )
    firm = {"name": "Katarzyna Tiles", "email": "desk@ktiles.example", "landline": "+61290005678", "industry": "Tiling"}
    await api.ok("POST", "/companies", firm, status=201)
    await api.ok("POST", "/opportunities", {"name": "Katarzyna's roof"}, status=201)
    exact = await api.ok("POST", "/search", {"query": "katarzyna"})
    assert {h["entity_type"] for h in exact if h["rank"] == 1.0} == {"contact", "customer", "deal"}
    assert set(exact[0]) == {"id", "entity_type", "display_name", "subtitle", "rank"}
    typo = await api.ok("POST", "/search", {"query": "Katarzina"})
    assert typo[0]["display_name"].startswith("Katarzyna")
    assert 0.3 <= typo[0]["rank"] < 1.0
    assert [h["rank"] for h in typo] == sorted((h["rank"] for h in typo), reverse=True)
    for text in ("kat@mail", "499888777"):
        assert [h["display_name"] for h in await api.ok("POST", "/search", {"query": text})] == ["Katarzyna"]
    assert await api.ok("POST", "/search", {"query": "kst@mail.example"}) == []
    for text in ("desk@ktiles", "02 9000 5678"):
        (hit,) = await api.ok("POST", "/search", {"query": text})
        assert (hit["entity_type"], hit["display_name"], hit["subtitle"]) == ("customer", "Katarzyna Tiles", "Tiling")


@pytest.mark.parametrize("path", ["/search", "/contacts/search", "/companies/search", "/opportunities/search"])
async def test_a_search_takes_a_text_and_answers_25_hits_unless_another_number_up_to_100_is_asked_for(path: str) -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    for limit, count in ((None, 25), (3, 3), (100, 100)):
        assert len(await api.ok("POST", path, {"query": "a", "limit": limit})) == count
    for wrong in ({"query": "a", "limit": 0}, {"query": "a", "limit": 101}, {"query": "  "}, {"query": ""}):
        await api.error("POST", path, wrong)


async def test_the_search_needs_all_three_read_scopes() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": ["contacts:read"]}, status=201))["key"]
    error = await api.as_key(key).error("POST", "/search", {"query": "a"}, status=403)
    assert error["details"]["missing_scopes"] == ["companies:read", "opportunities:read"]


def test_similarity_is_one_for_equal_names_and_zero_for_strangers() -> None:
    assert best_similarity("Sarah", "Sarah Chen") == 1.0
    assert best_similarity("Sarah", "Qop") == 0.0
    assert best_similarity("", "Sarah") == 0.0
