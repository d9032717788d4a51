"""What the reference says of opportunities beyond CRUD: placements, moves, tags, values, bulk calls, expansions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

Pipelines = list[tuple[str, list[str]]]
CALLER = make()
"""Its workspace is only read."""


async def create(api: Api, **fields: Any) -> dict[str, Any]:
    deal: dict[str, Any] = await api.ok("POST", "/opportunities", {"name": "Roof", **fields}, status=201)
    return deal


async def pipelines_of(api: Api) -> Pipelines:
    return [(p["id"], [s["id"] for s in p["stages"]]) for p in await api.get("/pipelines")]


async def places(api: Api, deal: dict[str, Any]) -> set[tuple[str, str]]:
    return {(p["pipeline_id"], p["stage_id"]) for p in (await api.get(f"/opportunities/{deal['id']}"))["placements"]}


async def test_an_opportunity_is_created_read_changed_and_deleted() -> None:
    api = make()
    deal = await create(api, status="open", value=1200, notes="n")
    assert await api.get(f"/opportunities/{deal['id']}") == deal
    assert await api.get(f"/deals/{deal['id']}") == deal
    assert (await api.ok("PATCH", f"/deals/{deal['id']}", {"status": "won"}))["status"] == "won"
    await api.ok("DELETE", f"/opportunities/{deal['id']}", status=204)
    await api.error("GET", f"/opportunities/{deal['id']}", status=404)


async def test_tags_may_be_words_or_objects_and_get_the_default_colour() -> None:
    api = make()
    deal = await create(api, tags=["vip", {"name": "hot", "color": "#ef4444"}, {"name": "plain"}])
    blue = "#3b82f6"
    assert deal["tags"] == [{"name": "vip", "color": blue}, {"name": "hot", "color": "#ef4444"}, {"name": "plain", "color": blue}]
    assert (await api.ok("PATCH", f"/opportunities/{deal['id']}", {"tags": ["x"]}))["tags"] == [{"name": "x", "color": blue}]
    await api.error("PATCH", f"/opportunities/{deal['id']}", {"tags": [{"colour": "red"}]})


async def test_what_an_opportunity_names_must_exist() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    for body in ({"contact_id": NOBODY}, {"customer_id": NOBODY}, {"status": "maybe"}, {"primary_referrer_contact_id": NOBODY}):
        await api.error("POST", "/opportunities", {"name": "Roof", **body})


async def test_referrer_fields_always_show_and_cannot_be_written() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    deal = next(d for d in await api.get("/opportunities", limit=100, expand="referrer") if d["primary_referrer_contact_id"])
    wanted = {"id", "public_id", "first_name", "last_name", "email", "phone", "job_title"}
    assert set(deal["referrer"]) == wanted
    assert deal["referrer"]["id"] == deal["primary_referrer_contact_id"]
    await api.error("PATCH", f"/opportunities/{deal['id']}", {"primary_referrer_category": "x"})


async def test_expansions_inline_what_they_name_and_unknown_ones_are_refused() -> None:
    api = CALLER.as_key("tp_live_sandbox_full")
    every = "contact,customer,products,assigned_users,referrer"
    deal = next(d for d in await api.get("/opportunities", limit=100, expand=every) if d["customer_id"])
    assert deal["contact"]["display_name"] == deal["contact_name"]
    assert deal["customer"]["name"] == deal["customer_name"]
    assert deal["assigned_users"][0]["email"]
    assert deal["products"][0]["payment_status"]
    sales = await api.as_key("tp_live_sandbox_sales").get(f"/opportunities/{deal['id']}", expand="products")
    assert all("payment_status" not in line for line in sales["products"])
    await api.error("GET", "/opportunities?expand=pets")


async def test_the_value_is_the_sum_of_the_products_unless_it_was_set() -> None:
    api = make()
    product = (await api.get("/products"))[0]
    deal = await create(api)
    assert deal["value"] == 0
    line = {"product_id": product["id"], "quantity": 2, "unit_price": 100, "discount_percent": 10}
    await api.ok("POST", f"/opportunities/{deal['id']}/products", line, status=201)
    assert (await api.get(f"/opportunities/{deal['id']}"))["value"] == 180
    assert (await api.ok("PATCH", f"/opportunities/{deal['id']}", {"value": 500}))["value"] == 500


async def test_a_move_adds_a_first_card_changes_its_stage_and_takes_it_to_another_pipeline() -> None:
    api = make()
    (one, stages), (two, others), *_ = await pipelines_of(api)
    deal = await create(api)
    assert deal["placements"] == []
    for pipeline, stage in ((one, stages[0]), (one, stages[2]), (two, others[1])):
        moved = await api.ok("POST", f"/opportunities/{deal['id']}/move", {"pipeline_id": pipeline, "stage_id": stage})
        assert [(p["pipeline_id"], p["stage_id"]) for p in moved["placements"]] == [(pipeline, stage)]


async def test_a_card_that_keeps_its_stage_keeps_the_time_that_it_came() -> None:
    api = make()
    (one, stages), *_ = await pipelines_of(api)
    deal = await create(api)
    there = {"pipeline_id": one, "stage_id": stages[0]}
    came = (await api.ok("POST", f"/opportunities/{deal['id']}/move", there))["placements"][0]["entered_at"]
    await api.advance(3600)
    for name in ("move", "add-card"):
        (card,) = (await api.ok("POST", f"/opportunities/{deal['id']}/{name}", {**there, "position": 4}))["placements"]
        assert (card["position"], card["entered_at"]) == (4, came)
    (card,) = (await api.ok("POST", f"/opportunities/{deal['id']}/move", {**there, "stage_id": stages[1]}))["placements"]
    assert (card["position"], card["entered_at"] > came) == (0, True)


async def test_add_card_places_beside_and_changes_the_stage_of_a_card_that_is_there() -> None:
    api = make()
    (one, stages), (two, others), *_ = await pipelines_of(api)
    deal = await create(api)
    for pipeline, stage in ((one, stages[0]), (two, others[0]), (two, others[1])):
        await api.ok("POST", f"/deals/{deal['id']}/add-card", {"pipeline_id": pipeline, "stage_id": stage, "position": 3})
    assert await places(api, deal) == {(one, stages[0]), (two, others[1])}
    assert (await api.get(f"/opportunities/{deal['id']}"))["placements"][1]["position"] == 3


async def test_a_move_takes_one_of_several_cards_and_leaves_the_others() -> None:
    api = make()
    (one, stages), (two, others), (three, thirds) = await pipelines_of(api)
    deal = await create(api)
    for pipeline, stage in ((one, stages[0]), (two, others[0])):
        await api.ok("POST", f"/opportunities/{deal['id']}/add-card", {"pipeline_id": pipeline, "stage_id": stage})
    await api.ok("POST", f"/opportunities/{deal['id']}/move", {"pipeline_id": three, "stage_id": thirds[0]})
    assert await places(api, deal) == {(two, others[0]), (three, thirds[0])}


@pytest.mark.parametrize("path", ["/opportunities/{id}/move", "/opportunities/{id}/add-card", "/opportunities/bulk-move"])
async def test_a_stage_must_belong_to_its_pipeline(path: str) -> None:
    api = make()
    (one, _), (_, others), *_ = await pipelines_of(api)
    deal = await create(api)
    for pipeline, stage in ((one, others[0]), (NOBODY, others[0]), (one, NOBODY)):
        body: dict[str, Any] = {"pipeline_id": pipeline, "stage_id": stage}
        if "bulk" in path:
            body["ids"] = [deal["id"]]
        await api.error("POST", path.format(id=deal["id"]), body)
    assert await places(api, deal) == set()


async def test_bulk_move_counts_what_it_moved_and_names_what_failed() -> None:
    api = make()
    (one, stages), *_ = await pipelines_of(api)
    deals = [await create(api) for _ in range(3)]
    body = {"ids": [*(d["id"] for d in deals), NOBODY], "pipeline_id": one, "stage_id": stages[1], "skip_automations": True}
    assert await api.ok("POST", "/opportunities/bulk-move", body) == {"moved": 3, "failed": [NOBODY]}
    assert [await places(api, d) for d in deals] == [{(one, stages[1])}] * 3


async def test_bulk_creation_inherits_the_stage_and_explains_the_bad_records() -> None:
    api = make()
    (one, stages), (two, others), *_ = await pipelines_of(api)
    records = [
        {"name": "A", "value": 1500, "tags": ["x"]}, {"value": 1}, {"name": "B", "pipeline_id": two, "stage_id": others[0]},
        {"name": "C", "stage_id": others[0]}, {"name": "D", "contact_id": NOBODY}, {"name": "E", "value": "much"}, {"name": "F", "x": 1},
    ]  # fmt: skip
    body = {"records": records, "pipeline_id": one, "stage_id": stages[0], "skip_automations": True}
    answer = await api.ok("POST", "/opportunities/bulk-create", body, status=201)
    assert [c["name"] for c in answer["created"]] == ["A", "B"]
    assert [[p["stage_id"] for p in c["placements"]] for c in answer["created"]] == [[stages[0]], [others[0]]]
    assert [e["index"] for e in answer["errors"]] == [1, 3, 4, 5, 6]


async def test_deletion_takes_products_cards_people_and_keeps_what_was_logged() -> None:
    api = make()
    activity = next(a for a in await api.get("/activities", limit=100) if a["deal_id"])
    deal = activity["deal_id"]
    answer = await api.ok("POST", "/opportunities/bulk-delete", {"ids": [deal, NOBODY]})
    assert answer == {"deleted": 1, "failed": [NOBODY]}
    store = api.workspace.store
    assert store.all("opportunity_product", opportunity_id=deal) == []
    assert store.all("work_order", deal_id=deal) == []
    assert [store.linked(kind, deal) for kind in ("card", "opportunity_user", "opportunity_contact", "opportunity_file")] == [
        []
    ] * 4
    assert (await api.get(f"/activities/{activity['id']}"))["deal_id"] is None


async def test_opportunities_are_filtered_by_every_documented_filter() -> None:
    api = make()
    (one, stages), *_ = await pipelines_of(api)
    who = {"first_name": "Zyx", "email": "zyx@mail.example", "phone": "+61499888777"}
    person = await api.ok("POST", "/contacts", who, status=201)
    firm = {"name": "Quokkaworks", "email": "hi@quokkaworks.example", "landline": "+61290005678"}
    company = await api.ok("POST", "/companies", firm, status=201)
    user = (await api.get("/opportunities", expand="assigned_users"))[0]["assigned_users"][0]["id"]
    deal = await create(api, name="Periscope", contact_id=person["id"], customer_id=company["id"], status="lost")
    await api.ok("POST", f"/opportunities/{deal['id']}/users/{user}", status=201)
    await api.ok("POST", f"/opportunities/{deal['id']}/move", {"pipeline_id": one, "stage_id": stages[0]})
    for text in ("periscope", "Zyx", "zyx@mail", "0499 888 777", "quokka", "hi@quokkaworks", "02 9000 5678"):
        assert [d["id"] for d in await api.get("/opportunities", search=text)] == [deal["id"]]
        assert [d["id"] for d in await api.ok("POST", "/deals/search", {"query": text})] == [deal["id"]]
    for name, value in (("contact_id", person["id"]), ("customer_id", company["id"]), ("created_after", "2026-06-15")):
        assert [d["id"] for d in await api.get("/opportunities", **{name: value})] == [deal["id"]]
    for name, value in (("status", "lost"), ("assigned_to", user), ("pipeline_id", one), ("stage_id", stages[0])):
        found = await api.get("/opportunities", limit=100, **{name: value})
        assert deal["id"] in [d["id"] for d in found]
    assert {d["status"] for d in await api.get("/opportunities", status="won", limit=100)} == {"won"}
    narrow = await api.get("/opportunities", status="lost", pipeline_id=one, stage_id=stages[0], assigned_to=user, limit=100)
    assert all((one, stages[0]) in {(p["pipeline_id"], p["stage_id"]) for p in d["placements"]} for d in narrow)
    assert deal["id"] not in [d["id"] for d in await api.get("/opportunities", created_before="2026-06-15", limit=100)]
    for path in (
        f"/companies/{company['id']}/opportunities",
        f"/customers/{company['id']}/deals",
        f"/contacts/{person['id']}/deals",
    ):
        assert [d["id"] for d in await api.get(path)] == [deal["id"]]
