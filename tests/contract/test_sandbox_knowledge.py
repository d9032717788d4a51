"""Company knowledge, agents' memories and CRM templates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, make
from trustpager_mcp.sandbox.meaning import rank

NOTE: dict[str, Any] = {"subject_type": "contact", "kind": "fact", "content": "Has two dogs"}


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("can I get my money back, do you refund deposits?", "Refund policy"),
        ("how long is the guarantee on the panels", "Panel warranty"),
        ("what do I do when somebody is unhappy and complains", "Complaint procedure"),
        ("how many days does installing a battery take", "How long an install takes"),
    ],
)
async def test_a_question_finds_the_entry_that_answers_it(question: str, title: str) -> None:
    found = await make().ok("POST", "/knowledge/search", {"query": question})
    assert found[0]["title"] == title
    scores = [e["similarity"] for e in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0.3 <= s <= 1 for s in scores)


async def test_a_search_counts_use_and_keeps_to_category_limit_and_threshold() -> None:
    api = make()
    before = {e["id"]: e["usage_count"] for e in await api.get("/knowledge", limit=100)}
    found = await api.ok("POST", "/knowledge/search", {"query": "warranty of panels", "category": "product", "limit": 1})
    assert [(e["category"], e["usage_count"]) for e in found] == [("product", before[found[0]["id"]] + 1)]
    assert (await api.get(f"/knowledge/{found[0]['id']}"))["usage_count"] == before[found[0]["id"]] + 1
    assert await api.ok("POST", "/knowledge/search", {"query": "quantum chromodynamics", "threshold": 0}) == []
    low = await api.ok("POST", "/knowledge/search", {"query": "battery offices", "threshold": 0.1, "limit": 20})
    high = await api.ok("POST", "/knowledge/search", {"query": "battery offices", "threshold": 0.6, "limit": 20})
    assert len(low) > len(high)
    everyday = {"query": "battery panels install warranty refund office", "threshold": 0}
    assert len(await api.ok("POST", "/knowledge/search", everyday)) == 5
    for wrong in ({}, {"query": "x", "limit": 21}, {"query": "x", "threshold": 2}, {"query": "x", "category": "news"}):
        await api.error("POST", "/knowledge/search", wrong)


async def test_new_text_is_indexed_again_and_found() -> None:
    api = make()
    entry = await api.ok("POST", "/knowledge", {"title": "Parking", "content": "Behind the shed."}, status=201)
    assert (entry["category"], entry["tags"], entry["usage_count"]) == ("general", [], 0)
    path = f"/knowledge/{entry['id']}"
    await api.advance(60)
    tagged = await api.ok("PATCH", path, {"tags": ["site"]})
    assert tagged["embedded_at"] == entry["embedded_at"]
    renewed = await api.ok("PATCH", path, {"content": "Kangaroos welcome."})
    assert renewed["embedded_at"] > entry["embedded_at"]
    assert (await api.ok("POST", "/knowledge/search", {"query": "kangaroo"}))[0]["id"] == entry["id"]
    assert (await api.get("/knowledge", tag="site"))[0]["id"] == entry["id"]
    assert {e["category"] for e in await api.get("/knowledge", category="faq")} == {"faq"}
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
        error = await api.error(method, "/knowledge/203cf566", body)
        assert (error["code"], error["details"]) == ("VALIDATION_ERROR", {"fields": {"id": "must be a UUID"}})
    for wrong in ({"title": "x"}, {"title": " ", "content": "x"}, {"title": "x", "content": "y", "category": "news"}):
        await api.error("POST", "/knowledge", wrong)


async def test_a_memory_with_a_key_is_updated_and_a_deleted_one_revived() -> None:
    api = make()
    keyed = {**NOTE, "key": "pets", "subject_id": NOBODY, "tags": ["home"]}
    first = await api.ok("POST", "/memory", keyed, status=201)
    assert (first["visibility"], first["confidence"]) == ("private", 1.0)
    second = await api.ok("POST", "/memory", {**keyed, "content": "Has three dogs"})
    assert (second["id"], second["content"], second["created_at"]) == (first["id"], "Has three dogs", first["created_at"])
    path = f"/memory/{first['id']}"
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    await api.error("PATCH", path, {"content": "x"}, status=404)
    await api.error("DELETE", path, status=404)
    assert await api.get("/memory", subject_id=NOBODY) == []
    assert await api.ok("POST", "/memory/search", {"query": "dogs", "subject_id": NOBODY}) == []
    assert api.workspace.store.get("agent_memory", first["id"])["deleted_at"]
    assert (await api.ok("POST", "/memory", keyed))["id"] == first["id"]
    assert (await api.get(path))["content"] == "Has two dogs"
    other = await api.ok("POST", "/memory", {**keyed, "kind": "preference"}, status=201)
    plain = await api.ok("POST", "/memory", NOTE, status=201)
    assert len({first["id"], other["id"], plain["id"], (await api.ok("POST", "/memory", NOTE, status=201))["id"]}) == 4


async def test_memories_are_filtered_by_tags_links_and_time() -> None:
    api = make()
    a = await api.ok("POST", "/memory", {**NOTE, "tags": ["x:1"], "linked_entities": [{"type": "deal", "id": "d1"}]}, status=201)
    await api.advance(3600)
    b = await api.ok("POST", "/memory", {**NOTE, "tags": ["x:2"], "visibility": "shared"}, status=201)
    tags = await api.get("/memory", tag=["x:1", "x:2"])
    assert [m["id"] for m in tags] == [b["id"], a["id"]]
    assert [m["id"] for m in await api.get("/memory", tag="x:1")] == [a["id"]]
    linked = await api.get("/memory", linked_entity_type="deal", linked_entity_id="d1")
    assert [m["id"] for m in linked] == [a["id"]]
    await api.error("GET", "/memory", params={"linked_entity_type": "deal"})
    assert [m["id"] for m in await api.get("/memory", since=a["created_at"])] == [b["id"]]
    assert {m["visibility"] for m in await api.get("/memory", visibility="shared")} == {"shared"}
    first = await api.get("/memory", limit=2)
    assert await api.get("/memory", limit=2, after=first[-1]["id"]) == (await api.get("/memory", limit=4))[2:]
    await api.error("GET", "/memory", params={"after": NOBODY})
    agent = next(m["agent_registry_id"] for m in await api.get("/memory", limit=100) if m["agent_registry_id"])
    assert agent in {a["id"] for a in await api.get("/agent-ops/registry")}
    assert {m["agent_registry_id"] for m in await api.get("/memory", agent_registry_id=agent)} == {agent}


async def test_an_expired_memory_is_no_longer_listed_or_found() -> None:
    api = make()
    body = {**NOTE, "content": "Prefers kayaks", "expires_at": "2026-06-16T00:00:00Z"}
    memory = await api.ok("POST", "/memory", body, status=201)
    assert (await api.ok("POST", "/memory/search", {"query": "kayak"}))[0]["id"] == memory["id"]
    await api.advance(2 * 86_400)
    assert await api.ok("POST", "/memory/search", {"query": "kayak"}) == []
    assert memory["id"] not in {m["id"] for m in await api.get("/memory", limit=100)}


async def test_memories_are_found_by_topic_within_a_subject() -> None:
    api = make()
    found = await api.ok("POST", "/memory/search", {"query": "have we talked about the price of the battery?", "limit": 3})
    assert len(found) == 3
    assert {m["kind"] for m in found} == {"objection"}
    mine = {"query": "battery price", "subject_type": "contact", "subject_id": found[0]["subject_id"]}
    assert [m["id"] for m in await api.ok("POST", "/memory/search", mine)] == [found[0]["id"]]
    assert len(await api.ok("POST", "/memory/search", {"query": "battery price", "threshold": 0})) == 10
    memory = await api.ok("PATCH", f"/memory/{found[0]['id']}", {"content": "Now happy", "confidence": 0.5, "tags": []})
    assert (memory["confidence"], memory["tags"], memory["content"]) == (0.5, [], "Now happy")
    path = f"/memory/{memory['id']}"
    await api.advance(60)
    kept = await api.ok("PATCH", path, {"metadata": {"a": 1}, "linked_entities": []})
    assert (kept["metadata"], kept["linked_entities"], kept["embedded_at"]) == ({"a": 1}, [], memory["embedded_at"])
    assert (await api.ok("PATCH", path, {"metadata": {"b": 2}}))["metadata"] == {"b": 2}
    assert (await api.ok("PATCH", path, {"content": "Sad"}))["embedded_at"] > memory["embedded_at"]
    for wrong in ({"confidence": 2}, {"visibility": "public"}, {"content": ""}):
        await api.error("PATCH", f"/memory/{memory['id']}", wrong)
    for wrong in (
        {"kind": "fact", "content": "x"},
        {**NOTE, "parent_memory_id": NOBODY},
        {**NOTE, "linked_entities": [{"type": "x"}]},
    ):
        await api.error("POST", "/memory", wrong)


def test_word_forms_and_synonyms_count_as_one_and_rare_words_weigh_more() -> None:
    texts = ["The warranty covers installers", "Nothing of the kind"]
    assert rank("guarantees for installations", texts) == [1.0, 0.0]
    assert rank("the and of", texts) == [0.0, 0.0]
    assert rank("anything", []) == []


async def test_templates_are_stored_changed_and_deleted() -> None:
    api = make()
    template = await api.ok("POST", "/crm-templates", {"name": "Hello", "content": {"subject": "Hi"}}, status=201)
    path = f"/crm-templates/{template['id']}"
    assert (await api.get("/crm-templates"))[0] == template == await api.get(path)
    changed = await api.ok("PATCH", path, {"name": "Bye", "category": "sales"})
    assert (changed["name"], changed["category"], changed["content"]) == ("Bye", "sales", {"subject": "Hi"})
    for wrong in ({}, {"name": " "}):
        await api.error("POST", "/crm-templates", wrong)
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
