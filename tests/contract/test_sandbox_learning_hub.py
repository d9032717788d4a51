"""The Learning Hub: canvases and cards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def canvas(api: Api, **fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = await api.ok("POST", "/training-canvases", {"name": "Onboarding", **fields}, status=201)
    return record


async def resources(api: Api) -> dict[str, str]:
    """For each type of card what it may show."""
    api.workspace.store.add("notepad", [pad := api.workspace.world.fresh({"name": "Pad"})])
    files = {kind: (await api.get("/files", type=kind))[0]["id"] for kind in ("document", "image", "secure")}
    return {
        "notepad": pad["id"], "youtube": "https://youtu.be/abc", "link": "https://a.example", "html_embed": "http://a.example/x",
        "document": files["document"], "image": files["image"], "file": files["secure"],
    }  # fmt: skip


async def test_a_canvas_is_created_renamed_and_deleted_with_its_cards() -> None:
    api = make()
    record = await canvas(api)
    path = f"/training-canvases/{record['id']}"
    assert (record["cards"], record["template"]) == ([], None)
    card = await api.ok("POST", f"{path}/cards", {"resource_type": "link", "title": "T", "url": "https://a.example"}, status=201)
    assert (await api.ok("PATCH", path, {"name": "New"}))["name"] == "New"
    listed = (await api.get("/training-canvases"))[0]
    assert (listed["id"], listed["name"], "cards" in listed) == (record["id"], "New", False)
    await api.error("POST", "/training-canvases", {"name": " "})
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    await api.error("PATCH", f"/training-cards/{card['id']}", {"title": "x"}, status=404)


async def test_the_getting_started_template_brings_six_cards() -> None:
    api = make()
    cards = (await canvas(api, template="getting_started"))["cards"]
    assert [c["sort_order"] for c in cards] == [0, 1, 2, 3, 4, 5]
    assert all(set(c["display_config"]["layout"]) == {"lg", "md", "sm", "xs"} for c in cards)
    await api.error("POST", "/training-canvases", {"name": "x", "template": "other"})


async def test_cards_of_every_type_are_shown_in_their_order() -> None:
    api = make()
    path = f"/training-canvases/{(await canvas(api))['id']}"
    for i, (kind, url) in enumerate((await resources(api)).items()):
        body = {"resource_type": kind, "title": kind, "url": url, "position": 10 - i, "category": "policy"}
        card = await api.ok("POST", f"{path}/cards", body, status=201)
        assert (card["resource_type"], card["url"], card["sort_order"], card["category"]) == (kind, url, 10 - i, "policy")
    titles = [c["title"] for c in (await api.get(path))["cards"]]
    assert titles == ["file", "image", "document", "html_embed", "link", "youtube", "notepad"]
    plain = await api.ok("POST", f"{path}/cards", {"resource_type": "link", "title": "a", "url": "https://a.example"}, status=201)
    assert (plain["sort_order"], plain["category"], plain["description"]) == (0, "general", None)


@pytest.mark.parametrize("kind", ["notepad", "youtube", "link", "html_embed", "document", "image", "file"])
async def test_a_card_shows_only_what_fits_its_type(kind: str) -> None:
    api = make()
    path = f"/training-canvases/{(await canvas(api))['id']}/cards"
    known = await resources(api)
    fits = {kind, *({"link", "html_embed", "youtube"} if kind in ("link", "html_embed") else ())}
    wrong = [url for name, url in known.items() if name not in fits]
    for url in (*wrong, NOBODY, "x", "", "https://"):
        error = await api.error("POST", path, {"resource_type": kind, "title": "t", "url": url})
        assert "url" in error["details"]["fields"]


async def test_an_image_card_needs_an_image_of_category_images() -> None:
    api = make()
    path = f"/training-canvases/{(await canvas(api))['id']}/cards"
    upload = {"base64": "aGk=", "name": "a.png", "type": "image", "category": "videos"}
    video = (await api.ok("POST", "/files/upload", upload, status=201))["id"]
    assert "category" in (await api.error("POST", path, {"resource_type": "image", "title": "t", "url": video}))["message"]


async def test_a_card_is_changed_and_removed_without_what_it_shows() -> None:
    api = make()
    record = await canvas(api)
    known = await resources(api)
    body = {"resource_type": "file", "title": "T", "url": known["file"]}
    card = await api.ok("POST", f"/training-canvases/{record['id']}/cards", body, status=201)
    path = f"/training-cards/{card['id']}"
    layout = {"layout": {"lg": {"x": 0, "y": 0, "w": 2, "h": 2}}}
    changes = {"title": "N", "description": "d", "category": "sales", "position": 4, "display_config": layout}
    changed = await api.ok("PATCH", path, changes)
    assert (changed["title"], changed["sort_order"], changed["display_config"]) == ("N", 4, layout)
    await api.error("PATCH", path, {"resource_type": "image"})
    await api.error("PATCH", path, {"url": known["image"]})
    moved = await api.ok("PATCH", path, {"resource_type": "image", "url": known["image"]})
    assert (moved["resource_type"], moved["url"]) == ("image", known["image"])
    await api.error("PATCH", path, {"category": "other"})
    await api.error("PATCH", path, {"display_config": {"layout": {"huge": {}}}})
    await api.ok("DELETE", path, status=204)
    assert (await api.get(f"/training-canvases/{record['id']}"))["cards"] == []
    assert await api.get(f"/files/{known['image']}")


async def test_canvases_are_paged_by_after_and_deleting_has_a_scope_of_its_own() -> None:
    api = make()
    for _ in range(3):
        await canvas(api)
    first = await api.listed("/training-canvases", limit=2)
    rest = await api.listed("/training-canvases", limit=10, after=first["pagination"]["next_cursor"])
    assert (len(first["data"]), first["total"]) == (2, 5)
    assert len({c["id"] for c in first["data"] + rest["data"]}) == 5
    error = await api.as_key("tp_live_sandbox_sales").error("DELETE", f"/training-canvases/{NOBODY}", status=403)
    assert error["details"]["missing_scopes"] == ["resources:delete"]


async def test_the_seeded_cards_show_records_that_exist() -> None:
    api = make()
    for record in await api.get("/training-canvases"):
        for card in (await api.get(f"/training-canvases/{record['id']}"))["cards"]:
            body = {k: card[k] for k in ("resource_type", "title", "url", "category", "display_config")}
            await api.ok("POST", f"/training-canvases/{record['id']}/cards", body, status=201)
