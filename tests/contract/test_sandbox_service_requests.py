"""Requests to the makers of the platform: filing, notes, links both ways and search."""

from __future__ import annotations

from typing import Any

from tests.contract.test_sandbox_support import NOBODY, Api, make

PATH = "/service-requests"


async def filed(api: Api, **fields: Any) -> dict[str, Any]:
    body = {"title": "Add a filter", "description": "Won deals cannot be filtered by date.", **fields}
    made: dict[str, Any] = await api.ok("POST", PATH, body, status=201)
    return made


async def test_a_request_is_pending_keeps_its_context_and_the_engineers_are_told() -> None:
    api = make()
    context = {
        "category": "missing_filter", "priority": "high", "affected_tools": ["list_opportunities"], "use_case": "Quarterly report",
        "suggested_solution": "A parameter",
    }  # fmt: skip
    made = await filed(api, **context)
    assert (made["status"], made["notes"], made["context"]) == ("pending", [], context)
    assert (made["category"], made["priority"]) == ("missing_filter", "high")
    (told,) = await api.outbox("slack")
    assert told["service_request_id"] == made["id"]
    assert made["slack_message_ts"]
    assert await api.get(f"{PATH}/{made['id']}") == made
    for wrong in ({"title": "x" * 201}, {"title": " "}, {"description": "x" * 50_001}, {"category": "wish"}):
        await api.error("POST", PATH, {"title": "a", "description": "b", **wrong})
    assert len(await api.outbox("slack")) == 1


async def test_the_list_is_filtered_by_every_filter_and_newest_first() -> None:
    api = make()
    made = await filed(api, category="other", priority="critical", affected_tools=["create_task"], description="Zebra stripes")
    for params in (
        {"status": "pending", "priority": "critical"}, {"category": "other"}, {"affected_tool": "create_task"}, {"search": "ZEBRA"},
    ):  # fmt: skip
        assert [r["id"] for r in await api.get(PATH, **params)] == [made["id"]], params
    everyone = await api.get(PATH)
    assert everyone[0]["id"] == made["id"]
    mine = await api.get(PATH, submitted_by_me=True)
    assert 0 < len(mine) < len(everyone)
    assert {r["status"] for r in await api.get(PATH, status="resolved")} == {"completed"}
    assert {r["status"] for r in await api.get(PATH, status="closed")} == {"rejected"}
    first = await api.listed(PATH, limit=2)
    second = await api.listed(PATH, limit=2, cursor=first["pagination"]["next_cursor"])
    assert [r["id"] for r in first["data"] + second["data"]] == [r["id"] for r in everyone[:4]]


async def test_links_are_kept_on_both_sides() -> None:
    api = make()
    a = await filed(api)
    b = await filed(api, related_ids=[a["id"]])
    c = await filed(api)
    assert b["related_ids"] == [a["id"]]

    async def links(record: dict[str, Any]) -> list[str]:
        found: list[str] = (await api.get(f"{PATH}/{record['id']}"))["related_ids"]
        return found

    assert await links(a) == [b["id"]]
    path = f"{PATH}/{a['id']}/links"
    changed = await api.ok("POST", path, {"add": [c["id"]], "remove": [b["id"]]})
    assert changed["related_ids"] == [c["id"]] == await links(a)
    assert (await links(b), await links(c)) == ([], [a["id"]])
    await api.ok("POST", path, {"add": [c["id"], c["id"]]})
    assert (await links(a), await links(c)) == ([c["id"]], [a["id"]])
    assert "itself" in (await api.error("POST", path, {"add": [a["id"]]}))["message"]
    assert NOBODY in (await api.error("POST", path, {"add": [NOBODY]}))["message"]
    before = len(await api.get(PATH, limit=100))
    await api.error("POST", PATH, {"title": "a", "description": "b", "related_ids": [NOBODY]})
    assert len(await api.get(PATH, limit=100)) == before
    await api.error("POST", path, {})


async def test_notes_are_appended_and_only_their_author_may_edit_them() -> None:
    api = make()
    made = await filed(api)
    path = f"{PATH}/{made['id']}/notes"
    await api.ok("POST", path, {"content": "It happened again"}, status=201)
    noted = await api.ok("POST", path, {"content": "And again"}, status=201)
    assert [n["content"] for n in noted["notes"]] == ["It happened again", "And again"]
    assert noted["status"] == "pending"
    first = noted["notes"][0]
    edited = await api.ok("PATCH", f"{path}/{first['id']}", {"content": "Twice"})
    assert edited["notes"][0] == {**first, "content": "Twice", "edited_at": edited["notes"][0]["edited_at"]}
    assert "edited_at" not in edited["notes"][1]
    await api.error("PATCH", f"{path}/{NOBODY}", {"content": "x"}, status=404)
    await api.error("POST", path, {"content": "x" * 20_001})
    await api.error("POST", path, {"content": "  "})
    foreign = next(r for r in await api.get(PATH) if r["notes"] and r["id"] != made["id"])
    error = await api.error("PATCH", f"{PATH}/{foreign['id']}/notes/{foreign['notes'][0]['id']}", {"content": "x"}, status=403)
    assert error["code"] == "FORBIDDEN"
    other = (await api.get("/company/users"))[1]["user_id"]
    grant = {"company_id": (await api.get("/company"))["id"]}
    session = api.as_key(f"sandbox-portal-session:{other}")
    token = (await session.send("POST", "/functions/v1/evie-grant", grant)).json()["data"]["access_token"]
    theirs = await api.as_key(token).ok("POST", path, {"content": "Me too"}, status=201)
    assert theirs["notes"][-1]["user_id"] == other
    await api.as_key(token).ok("PATCH", f"{path}/{theirs['notes'][-1]['id']}", {"content": "Me three"})
    await api.as_key(token).error("PATCH", f"{path}/{first['id']}", {"content": "x"}, status=403)


async def test_search_finds_by_meaning_within_a_status_and_a_threshold() -> None:
    api = make()
    made = await filed(
        api, title="Refunds cannot be listed", description="There is no way to see what customers were reimbursed."
    )
    hits = await api.ok("POST", f"{PATH}/search", {"query": "refunded clients"})
    assert hits[0]["id"] == made["id"]
    assert hits[0]["similarity"] >= 0.5
    assert await api.ok("POST", f"{PATH}/search", {"query": "refunded clients", "status": "completed"}) == []
    wide = await api.ok("POST", f"{PATH}/search", {"query": "refunded clients", "threshold": 0, "limit": 3})
    assert len(wide) == 3
    assert [h["similarity"] for h in wide] == sorted((h["similarity"] for h in wide), reverse=True)
    await api.error("POST", f"{PATH}/search", {"query": "x" * 5001})
