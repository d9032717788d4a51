"""Notes: three ways of editing, folders, the pages that show them, and who may read them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

TEXT = "# Plan\n\nIntro\n\n## Costs\n\nOld\n\n### Details\n\nSmall\n\n## Next steps\n\n- Call Sam"


async def note(api: Api, content: Any = TEXT, **fields: Any) -> str:
    body = {"title": "Note", "content": content, **fields}
    found: str = (await api.ok("POST", "/notepads", body, status=201))["id"]
    return found


async def content(api: Api, note_id: str) -> str:
    found: str = (await api.get(f"/notepads/{note_id}"))["content"]
    return found


async def test_markdown_becomes_rich_text_and_tags_in_it_stay_text() -> None:
    api = make()
    html = await content(api, await note(api, "# Plan\n\n**Bold** and `code`\n\n- a\n- b\n\n<script>x</script>"))
    assert html.startswith("<h1>Plan</h1>\n<p><strong>Bold</strong> and <code>code</code></p>\n<ul>")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    made = await note(api, {"html": "<p>As <em>given</em></p>", "tiptapJson": {"type": "doc"}})
    found = await api.get(f"/notepads/{made}")
    assert (found["content"], found["tiptap_json"]) == ("<p>As <em>given</em></p>", {"type": "doc"})
    assert "html" in (await api.error("POST", "/notepads", {"title": "A", "content": {"tiptapJson": {}}}))["message"]


async def test_answers_are_slim_unless_content_is_asked_for() -> None:
    api = make()
    slim = await api.ok("POST", "/notepads", {"title": "A", "content": "x"}, status=201)
    assert set(slim) == {
        "id", "title", "folder", "folder_id", "visibility", "is_favorite", "company_id", "created_by", "created_at", "updated_at",
    }  # fmt: skip
    assert (slim["visibility"], slim["is_favorite"]) == ("all_users", False)
    whole = await api.ok("PATCH", f"/notepads/{slim['id']}", {"content": "y", "return_content": True})
    assert whole["content"] == "<p>y</p>"


async def test_content_is_replaced_appended_and_prepended() -> None:
    api = make()
    one = await note(api, "middle")
    path = f"/notepads/{one}"
    await api.ok("PATCH", path, {"content": "end", "mode": "append"})
    await api.ok("PATCH", path, {"content": "begin", "mode": "prepend"})
    assert await content(api, one) == "<p>begin</p>\n<p>middle</p>\n<p>end</p>"
    await api.ok("PATCH", path, {"content": "all new"})
    assert await content(api, one) == "<p>all new</p>"
    for body in ({"mode": "append"}, {"mode": "prepend"}, {"mode": "append", "content": "x", "patches": [{}]}):
        await api.error("PATCH", path, body)
    assert await content(api, one) == "<p>all new</p>"


PATCHES = (
    ({"match_heading": "costs", "new_content": "New"}, ("<h2>Costs</h2>\n<p>New</p>\n<h2>Next steps</h2>",), ("Old", "Details")),
    (
        {"match_heading": "COSTS", "new_content": "## Prices\n\nNew", "mode": "replace_including_heading"},
        ("<p>Intro</p>\n<h2>Prices</h2>\n<p>New</p>\n<h2>Next",), ("Costs", "Details"),
    ),
    ({"match_heading": "Next steps", "new_content": "- Ring Jo", "mode": "append_to_section"}, ("Call Sam", "Ring Jo"), ()),
    ({"match_heading": "## Details", "new_content": "Tiny"}, ("<p>Old</p>\n<h3>Details</h3>\n<p>Tiny</p>\n<h2>Next",), ("Small",)),
    ({"match_heading": "Costs", "new_content": "More", "mode": "append_to_section"}, ("<p>Small</p>\n<p>More</p>\n<h2>Next",), ()),
)  # fmt: skip


@pytest.mark.parametrize(("patch", "there", "gone"), PATCHES)
async def test_a_patch_changes_one_section_only(patch: dict[str, Any], there: tuple[str, ...], gone: tuple[str, ...]) -> None:
    api = make()
    one = await note(api)
    await api.ok("PATCH", f"/notepads/{one}", {"patches": [patch]})
    html = await content(api, one)
    assert html.startswith("<h1>Plan</h1>\n<p>Intro</p>")
    assert all(part in html for part in there), html
    assert not any(part in html for part in gone), html


async def test_patches_are_done_all_or_none() -> None:
    api = make()
    one = await note(api)
    patches = [{"match_heading": "Costs", "new_content": "New"}, {"match_heading": "Weather", "new_content": "x"}]
    error = await api.error("PATCH", f"/notepads/{one}", {"patches": patches})
    assert "no heading Weather; its headings are: Plan, Costs, Next steps" in error["message"]
    assert "Old" in await content(api, one)
    both = {"patches": [{"match_heading": "Costs", "new_content": "x"}], "content": "y"}
    assert "exclude each other" in (await api.error("PATCH", f"/notepads/{one}", both))["message"]


async def test_folder_and_folder_id_are_kept_in_step() -> None:
    api = make()
    first = await api.ok("POST", "/notepads", {"title": "A", "folder": "Fresh folder"}, status=201)
    folders = {f["name"]: f["id"] for f in await api.get("/notepads/folders")}
    assert first["folder_id"] == folders["Fresh folder"]
    second = await api.ok("POST", "/notepads", {"title": "B", "folder": "fresh FOLDER"}, status=201)
    assert (second["folder_id"], second["folder"]) == (first["folder_id"], "Fresh folder")
    third = await api.ok("POST", "/notepads", {"title": "C", "folder_id": folders["Minutes"]}, status=201)
    assert third["folder"] == "Minutes"
    await api.ok("PATCH", f"/notepads/folders/{first['folder_id']}", {"name": "Renamed"})
    await api.error("PATCH", f"/notepads/folders/{first['folder_id']}", {"name": " "})
    assert {n["title"] for n in await api.get("/notepads", folder="renamed")} == {"A", "B"}
    moved = await api.ok("PATCH", f"/notepads/{third['id']}", {"folder": "Brand new"})
    assert moved["folder_id"] in {f["id"] for f in await api.get("/notepads/folders") if f["name"] == "Brand new"}
    assert {n["title"] for n in await api.get("/notepads", folder_id=first["folder_id"], search="a")} == {"A"}
    unfiled = await api.ok("PATCH", f"/notepads/{first['id']}", {"folder_id": None})
    assert (unfiled["folder"], unfiled["folder_id"]) == (None, None)
    await api.error("POST", "/notepads", {"title": "D", "folder_id": NOBODY})


async def test_deleting_a_folder_unfiles_its_notes_and_lifts_its_folders() -> None:
    api = make()
    outer = await api.ok("POST", "/notepads/folders", {"name": "Outer"}, status=201)
    middle = await api.ok("POST", "/notepads/folders", {"name": "Middle", "parent_id": outer["id"]}, status=201)
    inner = await api.ok("POST", "/notepads/folders", {"name": "Inner", "parent_id": middle["id"]}, status=201)
    one = await note(api, folder_id=middle["id"])
    error = await api.error("PATCH", f"/notepads/folders/{outer['id']}", {"parent_id": inner["id"]})
    assert "cannot lie in itself" in error["message"]
    await api.error("POST", "/notepads/folders", {"name": "x", "parent_id": NOBODY})
    await api.ok("DELETE", f"/notepads/folders/{middle['id']}", status=204)
    assert (await api.get(f"/notepads/{one}"))["folder_id"] is None
    assert (await api.get(f"/notepads/folders/{inner['id']}"))["parent_id"] == outer["id"]
    await api.error("GET", f"/notepads/folders/{middle['id']}", status=404)


async def test_a_note_shows_on_the_company_and_the_contact_that_it_is_about() -> None:
    api = make()
    company, contact = (await api.get("/companies"))[0], (await api.get("/contacts"))[0]
    one = await note(api, customer_id=company["id"], contact_id=contact["id"])
    for path in (f"/companies/{company['id']}", f"/contacts/{contact['id']}"):
        assert (await api.get(path))["notepads"] == [one]
    await api.ok("DELETE", f"/notepads/{one}", status=204)
    for path in (f"/companies/{company['id']}", f"/contacts/{contact['id']}"):
        assert (await api.get(path))["notepads"] == []
    await api.error("GET", f"/notepads/{one}", status=404)
    before = len(await api.get("/notepads"))
    await api.error("POST", "/notepads", {"title": "x", "contact_id": NOBODY})
    assert len(await api.get("/notepads")) == before


async def test_notes_are_filtered_and_private_ones_of_others_are_not_there() -> None:
    api = make()
    titles = {n["title"] for n in await api.get("/notepads")}
    assert "Weekly meeting" in titles
    assert "Pay review" in titles  # restricted, but open to administrators
    assert "My leads" not in titles
    hidden = api.workspace.store.all("notepad", title="My leads")[0]["id"]
    await api.error("GET", f"/notepads/{hidden}", status=404)
    await api.error("PATCH", f"/notepads/{hidden}", {"title": "Mine"}, status=404)
    await api.error("DELETE", f"/notepads/{hidden}", status=404)
    assert [n["title"] for n in await api.get("/notepads", is_favorite=True)] == ["Weekly meeting"]
    assert [n["title"] for n in await api.get("/notepads", visibility="restricted")] == ["Pay review"]


async def test_access_to_a_restricted_note_is_granted_and_revoked() -> None:
    api = make()
    granted = api.workspace.store.all("notepad", title="Pay review")[0]["id"]
    (entry,) = await api.get(f"/notepads/{granted}/acl")
    await api.ok("DELETE", f"/notepads/acl/{entry['id']}", status=204)
    await api.error("GET", f"/notepads/{granted}", status=404)
    await api.error("DELETE", f"/notepads/acl/{entry['id']}", status=404)
    one = await note(api)
    user = api.workspace.store.all("user")[0]
    body = {"principal_type": "user", "principal_id": user["id"]}
    assert 'set visibility to "restricted" first' in (await api.error("POST", f"/notepads/{one}/acl", body))["message"]
    await api.ok("PATCH", f"/notepads/{one}", {"visibility": "restricted"})
    entry = await api.ok("POST", f"/notepads/{one}/acl", body, status=201)
    assert (entry["user_id"], entry["role_name"]) == (user["id"], None)
    assert await api.get(f"/notepads/{one}/acl") == [entry]


async def test_a_closed_folder_closes_the_notes_in_it() -> None:
    api = make()
    outer = await api.ok("POST", "/notepads/folders", {"name": "Board", "visibility": "restricted"}, status=201)
    inner = await api.ok("POST", "/notepads/folders", {"name": "2026", "parent_id": outer["id"]}, status=201)
    one = await note(api, folder_id=inner["id"])
    store = api.workspace.store
    other = store.all("user")[0]["id"]
    entry = await api.ok("POST", f"/notepads/folders/{outer['id']}/acl", {
        "principal_type": "role", "principal_id": "client_admin",
    }, status=201)  # fmt: skip
    store.save("notepad_folder", {**store.get("notepad_folder", outer["id"]), "created_by": other})
    await api.get(f"/notepads/{one}")
    assert await api.get(f"/notepads/folders/{outer['id']}/acl") == [entry]
    await api.ok("DELETE", f"/notepads/acl/{entry['id']}", status=204)
    await api.error("GET", f"/notepads/{one}", status=404)
    assert "2026" not in [f["name"] for f in await api.get("/notepads/folders")]
