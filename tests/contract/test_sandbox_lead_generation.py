"""Leads: searches at once and later, import, saved searches, outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

SEARCH: dict[str, Any] = {"query": "electricians", "location": "Sydney, NSW", "max_results": 40}


async def search(api: Api, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = await api.ok("POST", "/lead-gen/search", {**SEARCH, **fields}, status=201)
    return found


async def balance(api: Api) -> float:
    return float((await api.ok("GET", "/__sandbox/credits"))["balance"])


async def test_a_small_search_answers_at_once_best_rated_first_and_each_place_once() -> None:
    api = make()
    found = await search(api)
    assert (found["status"], found["result_count"], len(found["results"])) == ("completed", 40, 40)
    ratings = [r["rating"] for r in found["results"]]
    assert ratings == sorted(ratings, reverse=True)
    assert len({r["place_id"] for r in found["results"]}) == 40
    assert not any(r["permanently_closed"] for r in found["results"])
    assert await api.get(f"/lead-gen/searches/{found['id']}") == found
    again = await search(api)
    assert [r["place_id"] for r in again["results"]] == [r["place_id"] for r in found["results"]]
    assert (await api.get("/lead-gen/searches"))[0]["id"] == again["id"]


async def test_a_large_search_runs_until_the_clock_has_done_it() -> None:
    api = make()
    started = await search(api, max_results=300)
    assert (started["status"], "results" in started) == ("running", False)
    assert (await api.get(f"/lead-gen/searches/{started['id']}"))["results"] == []
    assert [s["id"] for s in await api.get("/lead-gen/searches", status="running")] == [started["id"]]
    await api.advance(300)
    done = await api.get(f"/lead-gen/searches/{started['id']}")
    assert (done["status"], done["result_count"], len(done["results"])) == ("completed", 300, 300)


async def test_scraping_waits_wants_websites_and_keeps_only_what_has_an_address() -> None:
    api = make()
    started = await search(api, scrape_contacts=True, website_filter="withoutWebsite")
    assert (started["status"], started["website_filter"]) == ("running", "withWebsite")
    await api.advance(300)
    done = await api.get(f"/lead-gen/searches/{started['id']}")
    assert 0 < done["result_count"] == len(done["results"]) < 40
    assert all(r["email"] and r["website"] for r in done["results"])
    assert not any(r["email"] for r in (await search(api))["results"])


async def test_results_are_filtered_by_stars_website_category_distance_and_closure() -> None:
    api = make()
    assert all(r["rating"] >= 4.5 for r in (await search(api, place_minimum_stars="fourAndHalf"))["results"])
    assert not any(r["website"] for r in (await search(api, website_filter="withoutWebsite"))["results"])
    words = await search(api, category_filter_words=["SUPPLY"], max_results=100)
    assert {r["category"] for r in words["results"]} == {"Electrician supply store"}
    assert all(r["distance_km"] <= 5 for r in (await search(api, radius_km=5))["results"])
    assert any(r["permanently_closed"] for r in (await search(api, skip_closed_places=False, max_results=100))["results"])


async def test_results_say_which_contacts_and_companies_are_known_already() -> None:
    api = make()
    started = await search(api, max_results=500)
    await api.advance(600)
    results = (await api.get(f"/lead-gen/searches/{started['id']}"))["results"]
    person = next(r for r in results if r["matched_contact_id"])
    firm = next(r for r in results if r["matched_customer_id"])
    assert (await api.get(f"/contacts/{person['matched_contact_id']}"))["phone"] == person["phone"]
    assert (await api.get(f"/companies/{firm['matched_customer_id']}"))["website"] == firm["website"]


@pytest.mark.parametrize(("most", "credits"), [(1, 50), (50, 50), (51, 100), (100, 100), (200, 200), (201, 500), (500, 500)])
async def test_a_search_costs_the_credits_of_its_tier(most: int, credits: float) -> None:
    api = make()
    before = await balance(api)
    assert (await search(api, max_results=most))["credits_charged"] == credits
    assert before - await balance(api) == credits


@pytest.mark.parametrize(
    "wrong",
    [{"max_results": 501}, {"query": " "}, {"place_minimum_stars": "five"}, {"saved_search_id": NOBODY}, {"radius_km": -1}],
)
async def test_a_wrong_search_costs_nothing(wrong: dict[str, Any]) -> None:
    api = make()
    before = await balance(api)
    await api.error("POST", "/lead-gen/search", {**SEARCH, **wrong})
    assert await balance(api) == before


async def test_a_search_without_credits_is_refused() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/credits", {"balance": 49})
    assert (await api.error("POST", "/lead-gen/search", SEARCH, status=402))["code"] == "INSUFFICIENT_CREDITS"


async def test_an_import_makes_a_contact_a_company_and_an_opportunity_each_and_never_twice() -> None:
    api = make()
    results = (await search(api))["results"]
    pipeline = (await api.get("/pipelines"))[0]
    stage = (await api.get(f"/pipelines/{pipeline['id']}/stages"))[0]
    chosen = [r["id"] for r in results[:5]]
    body = {"result_ids": [*chosen, NOBODY], "pipeline_id": pipeline["id"], "stage_id": stage["id"], "tags": ["leads"]}
    answer = await api.ok("POST", "/lead-gen/import", body, status=201)
    assert (answer["imported_count"], answer["skipped_count"], answer["failed_count"]) == (5, 0, 1)
    assert "contact_id" not in answer["records"][5]
    assert NOBODY in answer["records"][5]["error"]
    for result, made in zip(results, answer["records"][:5], strict=False):
        contact = await api.get(f"/contacts/{made['contact_id']}")
        company = await api.get(f"/companies/{made['customer_id']}")
        deal = await api.get(f"/opportunities/{made['deal_id']}")
        assert contact["first_name"] == company["name"] == deal["name"] == result["business_name"]
        assert (contact["source"], [t["name"] for t in contact["tags"]], company["tags"][0]["name"]) == (
            "Lead Generation",
            ["leads"],
            "leads",
        )
        assert result["phone"] in (contact["phone"], contact["landline"])
        assert (deal["placements"][0]["stage_id"], deal["tags"]) == (stage["id"], [])
        assert [e["customer_id"] for e in await api.get(f"/contacts/{contact['id']}/employers")] == [company["id"]]
        note = (await api.get(f"/contacts/{contact['id']}/activities"))[0]
        assert (note["activity_type"], note["deal_id"], "Google Maps" in note["subject"]) == ("note", deal["id"], True)
    again = await api.ok("POST", "/lead-gen/import", {"result_ids": chosen}, status=201)
    assert (again["imported_count"], again["skipped_count"]) == (0, 5)
    stored = await api.get(f"/lead-gen/searches/{results[0]['search_id']}")
    assert sum(r["imported"] for r in stored["results"]) == 5


async def test_an_import_without_a_stage_makes_no_opportunity_and_a_wrong_stage_imports_nothing() -> None:
    api = make()
    results = (await search(api))["results"]
    answer = await api.ok("POST", "/lead-gen/import", {"result_ids": [results[0]["id"]], "lead_source": "Maps"}, status=201)
    assert answer["records"][0]["deal_id"] is None
    assert (await api.get(f"/contacts/{answer['records'][0]['contact_id']}"))["source"] == "Maps"
    pipelines = await api.get("/pipelines")
    foreign = (await api.get(f"/pipelines/{pipelines[1]['id']}/stages"))[0]["id"]
    before = (await api.listed("/contacts"))["total"]
    for wrong in ({"stage_id": foreign}, {"pipeline_id": pipelines[0]["id"], "stage_id": foreign}):
        await api.error("POST", "/lead-gen/import", {"result_ids": [results[1]["id"]], **wrong})
    await api.error("POST", "/lead-gen/import", {"result_ids": []})
    assert (await api.listed("/contacts"))["total"] == before


async def test_an_outcome_is_noted_on_the_result_and_on_its_contact() -> None:
    api = make()
    found = await search(api)
    first, second = [r for r in found["results"] if not r["matched_contact_id"]][:2]
    body = {"search_id": found["id"], "place_id": first["place_id"], "result_type": "contacted", "notes": "Left voicemail"}
    assert (await api.ok("POST", "/lead-gen/results", body, status=201))["activity_id"] is None
    made = (await api.ok("POST", "/lead-gen/import", {"result_ids": [second["id"]]}, status=201))["records"][0]
    won = {**body, "place_id": second["place_id"], "result_type": "won"}
    outcome = await api.ok("POST", "/lead-gen/results", won, status=201)
    activity = (await api.get(f"/contacts/{made['contact_id']}/activities"))[0]
    assert (activity["id"], activity["description"]) == (outcome["activity_id"], "Left voicemail")
    shown = {r["id"]: r["outcome"] for r in (await api.get(f"/lead-gen/searches/{found['id']}"))["results"]}
    assert (shown[first["id"]], shown[second["id"]]) == ("contacted", "won")
    await api.error("POST", "/lead-gen/results", {**body, "place_id": "ChIJnone"}, status=404)
    await api.error("POST", "/lead-gen/results", {**body, "search_id": NOBODY}, status=404)
    await api.error("POST", "/lead-gen/results", {**body, "result_type": "maybe"})


async def test_a_saved_search_counts_its_runs_and_enriches_them() -> None:
    api = make()
    body = {"name": "Sparkies", "search_query": "electricians", "location": "Perth, WA", "enrich_emails": True}
    saved = await api.ok("POST", "/lead-gen/saved-searches", body, status=201)
    assert (saved["run_count"], saved["last_run_at"], saved["max_results"]) == (0, None, 100)
    run = await search(api, saved_search_id=saved["id"])
    assert (run["status"], run["scrape_contacts"]) == ("running", True)
    path = f"/lead-gen/saved-searches/{saved['id']}"
    after = await api.get(path)
    assert (after["run_count"], after["last_run_at"] is not None) == (1, True)
    assert [s["id"] for s in await api.get("/lead-gen/searches", saved_search_id=saved["id"])] == [run["id"]]
    changed = await api.ok("PUT", path, {"enrich_emails": False})
    assert (changed["enrich_emails"], changed["name"]) == (False, "Sparkies")
    assert (await search(api, saved_search_id=saved["id"]))["status"] == "completed"
    assert (await api.get("/lead-gen/saved-searches"))[0]["id"] == saved["id"]
    await api.ok("DELETE", path, status=204)
    assert saved["id"] not in {s["id"] for s in await api.get("/lead-gen/saved-searches")}
    await api.error("GET", path, status=404)
    assert len(await api.get("/lead-gen/searches", saved_search_id=saved["id"])) == 2
    await api.error("POST", "/lead-gen/search", {**SEARCH, "saved_search_id": saved["id"]})


async def test_a_run_and_its_import_take_what_the_saved_search_says_unless_they_say_otherwise() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[0]
    body = {
        "name": "Sparkies", "search_query": "electricians", "location": "Perth, WA", "max_results": 20, "radius_km": 9,
        "default_stage_id": pipeline["stages"][0]["id"], "default_tags": ["sparky"],
    }  # fmt: skip
    saved = await api.ok("POST", "/lead-gen/saved-searches", body, status=201)
    asked = {"query": "electricians", "location": "Perth, WA", "saved_search_id": saved["id"]}
    run = await api.ok("POST", "/lead-gen/search", asked, status=201)
    assert (run["max_results"], run["radius_km"], run["credits_charged"]) == (20, 9, 50)
    assert (await search(api, saved_search_id=saved["id"], max_results=5, radius_km=40))["max_results"] == 5
    first, second = run["results"][:2]
    made = (await api.ok("POST", "/lead-gen/import", {"result_ids": [first["id"]]}, status=201))["records"][0]
    assert [t["name"] for t in (await api.get(f"/companies/{made['customer_id']}"))["tags"]] == ["sparky"]
    deal = await api.get(f"/opportunities/{made['deal_id']}")
    assert [(p["pipeline_id"], p["stage_id"]) for p in deal["placements"]] == [(pipeline["id"], body["default_stage_id"])]
    said = {"result_ids": [second["id"]], "tags": ["mine"]}
    other = (await api.ok("POST", "/lead-gen/import", said, status=201))["records"][0]
    assert [t["name"] for t in (await api.get(f"/contacts/{other['contact_id']}"))["tags"]] == ["mine"]


async def test_the_defaults_of_a_saved_search_must_fit_together() -> None:
    api = make()
    pipelines = await api.get("/pipelines")
    foreign = (await api.get(f"/pipelines/{pipelines[1]['id']}/stages"))[0]["id"]
    body = {"name": "x", "search_query": "x", "location": "y"}
    for wrong in (
        {"default_pipeline_id": pipelines[0]["id"], "default_stage_id": foreign},
        {"default_pipeline_id": NOBODY},
        {"name": " "},
    ):
        await api.error("POST", "/lead-gen/saved-searches", {**body, **wrong})
    await api.ok("POST", "/lead-gen/saved-searches", {**body, "default_stage_id": foreign}, status=201)


async def test_searches_are_paged_by_after() -> None:
    api = make()
    first = await api.listed("/lead-gen/searches", limit=2)
    rest = await api.listed("/lead-gen/searches", limit=2, after=first["pagination"]["next_cursor"])
    assert len({s["id"] for s in first["data"] + rest["data"]}) == first["total"] == 3
    saved = await api.listed("/lead-gen/saved-searches", limit=1)
    assert saved["pagination"]["has_more"] is True
