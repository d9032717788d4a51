"""Files of three types: upload, folders, links that expire, publishing, bundles and image variants."""

from __future__ import annotations

import base64
import io
import sys
import zipfile
from typing import Any

import httpx
import pypdf
import pytest
from PIL import Image

from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make


async def upload(api: Api, content: bytes, name: str = "note.pdf", kind: str = "document", **fields: Any) -> dict[str, Any]:
    body = {"base64": base64.b64encode(content).decode(), "name": name, "type": kind, **fields}
    record: dict[str, Any] = await api.ok("POST", "/files/upload", body, status=201)
    return record


async def fetch(api: Api, url: str) -> httpx.Response:
    """The link, followed by someone without a key."""
    assert url.startswith(f"{ORIGIN}/functions/v1/public/"), url
    return await api.as_key(None).send("GET", url.removeprefix(ORIGIN))


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 120, 40)).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["document", "image", "secure"])
async def test_an_uploaded_file_is_listed_under_its_type_and_its_bytes_come_back(kind: str) -> None:
    api = make()
    record = await upload(api, b"hello", kind=kind, mime_type="application/pdf", folder="Plans", description="d")
    assert (record["type"], record["name"], record["file_size"], record["mime_type"]) == (kind, "note.pdf", 5, "application/pdf")
    assert (record["folder"], record["description"]) == ("Plans", "d")
    assert record["uploaded_by"] in {u["id"] for u in api.workspace.store.all("user", role="admin")}
    assert await api.get(f"/files/{record['id']}") == record
    assert (await api.get("/files", type=kind))[0] == record
    for other in {"document", "image", "secure"} - {kind}:
        assert record["id"] not in {f["id"] for f in await api.get("/files", type=other)}
    response = await fetch(api, (await api.get(f"/files/{record['id']}/download"))["download_url"])
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"hello", "application/pdf")


async def test_a_data_uri_is_taken_and_the_mime_type_defaults_to_bytes() -> None:
    api = make()
    body = {"base64": "data:image/png;base64,aGVs\nbG8=", "name": "a.bin", "type": "secure"}
    record = await api.ok("POST", "/files/upload", body, status=201)
    assert (record["file_size"], record["mime_type"]) == (5, "application/octet-stream")


@pytest.mark.parametrize("text", ["", "a", "?!", "data:image/png;base64,", "aGVsbG8"])
async def test_what_is_no_base64_or_empty_is_refused(text: str) -> None:
    error = await make().error("POST", "/files/upload", {"base64": text, "name": "a", "type": "image"})
    assert error["code"] == "VALIDATION_ERROR"
    assert "base64" in error["message"]


async def test_each_type_has_its_own_limit_of_size() -> None:
    api = make()
    large = base64.b64encode(bytes(10 * 1024 * 1024 + 1)).decode()
    error = await api.error("POST", "/files/upload", {"base64": large, "name": "a.png", "type": "image"}, status=413)
    assert (error["code"], error["details"]["limit"]) == ("PAYLOAD_TOO_LARGE", 10 * 1024 * 1024)
    assert "10 MB" in error["message"]
    body = {"base64": large, "name": "a.pdf", "type": "document"}
    assert (await api.ok("POST", "/files/upload", body, status=201))["file_size"] == 10 * 1024 * 1024 + 1


async def test_fields_of_another_type_are_refused_on_upload_change_and_in_filters() -> None:
    api = make()
    fields = {"document_type": "document", "file_category": "secure", "category": "image"}
    for name, owner in fields.items():
        for kind in fields.values():
            body = {"base64": "aGk=", "name": "a", "type": kind, name: "x"}
            assert (await api.send("POST", "/files/upload", body)).status_code == (201 if kind == owner else 400)
            params = {"type": kind, name: "x"}
            assert (await api.send("GET", "/files", params=params)).status_code == (200 if kind == owner else 400)
    image = (await api.get("/files", type="image"))[0]["id"]
    assert "document_type" in (await api.error("PUT", f"/files/{image}", {"document_type": "x"}))["message"]
    secure = (await api.get("/files", type="secure"))[0]["id"]
    changed = await api.ok(
        "PUT", f"/files/{secure}", {"name": "b.pdf", "folder": "F", "file_category": "tax", "description": "z"}
    )
    await api.error("PUT", f"/files/{secure}", {"name": " "})
    assert await api.get(f"/files/{secure}") == changed
    assert (changed["name"], changed["folder"], changed["file_category"], changed["description"]) == ("b.pdf", "F", "tax", "z")


async def test_files_are_filtered_by_folder_and_name_and_paged() -> None:
    api = make()
    for i in range(3):
        await upload(api, b"x", f"plan {i}.pdf", folder="Plans")
    await upload(api, b"x", "other.pdf", folder="Plans")
    assert [f["name"] for f in await api.get("/files", type="document", folder="Plans", search="PLAN")] == [
        "plan 2.pdf", "plan 1.pdf", "plan 0.pdf",
    ]  # fmt: skip


async def test_folders_are_those_in_use_and_those_made() -> None:
    api = make()
    await upload(api, b"x", folder="Plans")
    await api.ok("POST", "/files/folders", {"name": "Empty"}, status=201, params={"type": "document"})
    names = [f["name"] for f in await api.get("/files/folders", type="document")]
    assert names == ["Empty", "Plans", "Proposals", "Signing", "Site documents"]
    assert await api.get("/documents/folders") == [{"name": n} for n in names]
    assert [f["name"] for f in await api.get("/files/folders", type="secure")] == ["Identity"]
    for taken in ("Empty", "Plans"):
        error = await api.error("POST", "/files/folders", {"name": taken}, status=409, params={"type": "document"})
        assert error["code"] == "CONFLICT"
    await api.error("POST", "/files/folders", {"name": " "}, params={"type": "document"})


async def test_a_download_link_works_for_a_minute() -> None:
    api = make()
    record = await upload(api, b"private")
    link = await api.get(f"/files/{record['id']}/download")
    assert link["expires_in"] == 60
    api.workspace.clock.advance(59)
    assert (await fetch(api, link["download_url"])).content == b"private"
    api.workspace.clock.advance(2)
    error = (await fetch(api, link["download_url"])).json()["error"]
    assert error["code"] == "URL_EXPIRED"
    fresh = await api.get(f"/files/{record['id']}/download")
    assert (await fetch(api, fresh["download_url"])).content == b"private"
    await api.ok("DELETE", f"/files/{record['id']}", status=204)
    assert (await fetch(api, fresh["download_url"])).status_code == 404
    api.workspace.clock.advance(7200)
    await api.get(f"/files/{(await upload(api, b'x'))['id']}/download")
    assert (await fetch(api, link["download_url"])).status_code == 404
    assert (await fetch(api, link["download_url"] + "/x")).status_code == 404


async def test_a_document_is_published_and_withdrawn() -> None:
    api = make()
    record = await upload(api, b"prices", "Price list (2026).pdf")
    assert record["public_url"] is None
    path = f"/files/{record['id']}"
    url = (await api.ok("POST", f"{path}/publish"))["public_url"]
    assert (await api.get(path))["public_url"] == url
    assert (await fetch(api, url)).content == b"prices"
    assert (await api.error("POST", f"{path}/publish", status=409))["code"] == "CONFLICT"
    assert (await api.ok("POST", f"{path}/unpublish"))["public_url"] is None
    assert (await fetch(api, url)).status_code == 404
    assert (await api.get(path))["public_url"] is None
    await api.error("POST", f"{path}/unpublish", status=409)
    assert (await fetch(api, (await api.get(f"{path}/download"))["download_url"])).content == b"prices"
    for action in ("make-public", "make-private"):
        assert "publish" in (await api.error("POST", f"{path}/{action}"))["message"]


async def test_an_image_is_public_until_it_is_made_private_and_then_needs_a_signed_url() -> None:
    api = make()
    record = await upload(api, b"pixels", "roof.png", "image", mime_type="image/png")
    path = f"/files/{record['id']}"
    assert record["r2_url"] == record["download_url"] == (await api.get(f"{path}/download"))["download_url"]
    assert (await api.get(f"{path}/download"))["expires_at"] is None
    assert (await fetch(api, record["r2_url"])).content == b"pixels"
    await api.error("GET", f"{path}/signed-url", status=409)
    await api.error("POST", f"{path}/make-public", status=409)
    private = await api.ok("POST", f"{path}/make-private")
    assert (private["is_private"], private["r2_url"], private["public_url"]) == (True, None, None)
    assert (await fetch(api, record["r2_url"])).status_code == 404
    signed = await api.get(f"{path}/signed-url")
    assert set(signed) == {"signed_url", "expires_at", "mime_type"}
    api.workspace.clock.advance(590)
    response = await fetch(api, signed["signed_url"])
    assert (response.content, response.headers["content-type"]) == (b"pixels", "image/png")
    api.workspace.clock.advance(20)
    assert (await fetch(api, signed["signed_url"])).status_code == 403
    still_good = [(await api.get(f"{path}/signed-url"))["signed_url"], (await api.get(f"{path}/download"))["download_url"]]
    assert [(await fetch(api, url)).status_code for url in still_good] == [200, 200]
    assert (await api.ok("POST", f"{path}/make-public"))["public_url"] == record["r2_url"]
    assert [(await fetch(api, url)).status_code for url in still_good] == [404, 404]
    assert (await fetch(api, record["r2_url"])).content == b"pixels"
    await api.error("POST", f"{path}/publish")


async def test_a_secure_file_is_copied_to_a_public_link_and_the_private_one_stays() -> None:
    api = make()
    record = await upload(api, b"id", "id.pdf", "secure")
    path = f"/files/{record['id']}"
    url = (await api.ok("POST", f"{path}/make-public"))["public_url"]
    assert (await fetch(api, url)).content == b"id"
    assert (await api.ok("POST", f"{path}/make-public"))["public_url"] == url
    assert "download" in (await api.error("GET", f"{path}/signed-url"))["message"]
    kept = (await api.get(f"{path}/download"))["download_url"]
    assert (await api.ok("POST", f"{path}/make-private"))["public_url"] is None
    await api.error("POST", f"{path}/make-private", status=409)
    assert (await fetch(api, url)).status_code == 404
    assert (await fetch(api, kept)).content == b"id"


async def test_files_that_do_not_exist_are_not_found() -> None:
    api = make()
    for method, path in (
        ("GET", ""), ("GET", "/download"), ("GET", "/signed-url"), ("PUT", ""), ("DELETE", ""), ("POST", "/publish"),
        ("POST", "/make-public"),
    ):  # fmt: skip
        await api.error(method, f"/files/{NOBODY}{path}", {} if method == "PUT" else None, status=404)


async def test_a_bundle_is_a_zip_of_every_type_with_unique_plain_names() -> None:
    api = make()
    one = await upload(api, b"1", "a.pdf")
    two = await upload(api, b"2", "../../a.pdf", "secure")
    three = await upload(api, b"3", "b.png", "image")
    response = await api.send("POST", "/files/bundle", {"ids": [one["id"], two["id"], three["id"]]})
    assert response.headers["content-type"] == "application/zip"
    assert 'filename="attachments_2026-06-15.zip"' in response.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert {n: archive.read(n) for n in archive.namelist()} == {"a.pdf": b"1", "a (2).pdf": b"2", "b.png": b"3"}


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_bundle_by_link_names_what_was_left_out(in_query: bool) -> None:
    api = make()
    one = await upload(api, b"1", "a.pdf")
    entry = await api.ok("POST", "/documents", {"name": "Only a name"}, status=201)
    body: dict[str, Any] = {"ids": [one["id"], entry["id"], NOBODY], "filename": 'Für "Sam"'}
    options: dict[str, Any] = {"params": {"response": "url"}} if in_query else {}
    answer = await api.ok("POST", "/files/bundle", body if in_query else {**body, "response": "url"}, **options)
    assert answer["filename"] == "F_r _Sam_.zip"
    assert {s["id"] for s in answer["skipped"]} == {entry["id"], NOBODY}
    api.workspace.clock.advance(599)
    archive = zipfile.ZipFile(io.BytesIO((await fetch(api, answer["url"])).content))
    assert archive.read("a.pdf") == b"1"
    assert NOBODY in archive.read("_manifest.txt").decode()
    api.workspace.clock.advance(2)
    assert (await fetch(api, answer["url"])).status_code == 403


async def test_a_bundle_has_one_to_fifty_files_of_which_one_can_be_read() -> None:
    api = make()
    for ids in ([], [NOBODY] * 51, ["x"]):
        await api.error("POST", "/files/bundle", {"ids": ids})
    error = await api.error("POST", "/files/bundle", {"ids": [NOBODY]}, status=404)
    assert error["details"]["skipped"][0]["reason"] == "does not exist"
    await api.error("POST", "/files/bundle", {"ids": [NOBODY], "response": "mail"})
    await api.error("POST", "/files/bundle", {"ids": [NOBODY]}, params={"response": "mail"})


async def test_variants_are_webp_of_the_promised_widths_and_never_enlarged() -> None:
    api = make()
    record = await upload(api, picture(1200, 600), "roof.png", "image")
    answer = await api.ok("POST", "/images/optimize", {"file_id": record["id"]})
    assert [(v["variant"], v["width"], v["height"], v["quality"]) for v in answer["variants"]] == [
        ("mobile", 640, 320, 80), ("tablet", 1024, 512, 85), ("desktop", 1200, 600, 90),
    ]  # fmt: skip
    for variant in answer["variants"]:
        response = await fetch(api, variant["url"])
        assert (response.headers["content-type"], len(response.content)) == ("image/webp", variant["file_size"])
        opened = Image.open(io.BytesIO(response.content))
        assert (opened.format, opened.size) == ("WEBP", (variant["width"], variant["height"]))
    seen = await api.get(f"/files/{record['id']}")
    assert seen["is_optimized_image"] is True
    assert [v["id"] for v in seen["optimized_variants"]] == [v["id"] for v in answer["variants"]]


async def test_optimizing_again_replaces_the_earlier_variants_and_deleting_the_file_removes_them() -> None:
    api = make()
    record = await upload(api, picture(700, 700, "JPEG"), "roof.jpg", "image")
    first = await api.ok("POST", "/images/optimize", {"file_id": record["id"]})
    second = await api.ok("POST", "/images/optimize", {"file_id": record["id"], "variants": ["mobile"], "quality": 5})
    assert [(v["variant"], v["quality"]) for v in second["variants"]] == [("mobile", 5)]
    assert second["variants"][0]["file_size"] < first["variants"][0]["file_size"]
    for old in first["variants"]:
        assert (await fetch(api, old["url"])).status_code == 404
    assert len(api.workspace.store.all("website_image")) == 1
    await api.ok("POST", f"/files/{record['id']}/make-private")
    assert (await fetch(api, second["variants"][0]["url"])).status_code == 404
    await api.ok("DELETE", f"/files/{record['id']}", status=204)
    assert api.workspace.store.all("image_variant") == api.workspace.store.all("website_image") == []


async def test_an_image_by_url_is_optimized_without_rows_and_without_leaving_the_sandbox() -> None:
    api = make()
    own = await upload(api, picture(300, 100), "roof.png", "image")
    answer = await api.ok("POST", "/images/optimize", {"image_url": own["r2_url"], "variants": ["desktop"]})
    assert [(v["width"], v["height"]) for v in answer["variants"]] == [(300, 100)]
    foreign = await api.ok("POST", "/images/optimize", {"image_url": "https://elsewhere.example/a.png"})
    assert (await fetch(api, foreign["variants"][0]["url"])).headers["content-type"] == "image/webp"
    assert api.workspace.store.all("website_image") == []


async def test_only_pictures_are_optimized() -> None:
    api = make()
    text, secure = await upload(api, b"no picture", "a.png", "image"), await upload(api, picture(9, 9), "a.png", "secure")
    for body in (
        {},
        {"file_id": text["id"]},
        {"file_id": secure["id"]},
        {"file_id": text["id"], "image_url": "https://a.example"},
    ):
        await api.error("POST", "/images/optimize", body)
    await api.error("POST", "/images/optimize", {"file_id": NOBODY}, status=404)
    for wrong in ({"variants": []}, {"variants": ["huge"]}, {"quality": 0}, {"quality": 101}):
        await api.error("POST", "/images/optimize", {"file_id": text["id"], **wrong})


async def test_documents_are_entries_without_contents_until_something_is_uploaded() -> None:
    api = make()
    entry = await api.ok("POST", "/documents", {"name": "Lease", "folder": "Legal", "document_type": "Agreement"}, status=201)
    assert await api.get(f"/documents/{entry['id']}") == entry == await api.get(f"/files/{entry['id']}")
    assert (entry["folder"], entry["document_type"], entry["file_size"]) == ("Legal", "Agreement", None)
    assert "without contents" in (await api.error("GET", f"/documents/{entry['id']}/download", status=404))["message"]
    assert await api.get("/documents", folder="Legal", document_type="Agreement", search="lea") == [entry]
    assert {"name": "Legal"} in await api.get("/documents/folders")
    await api.error("POST", "/documents", {"name": " "})
    await api.ok("DELETE", f"/documents/{entry['id']}", status=204)
    await api.error("GET", f"/documents/{entry['id']}", status=404)


async def test_an_uploaded_document_is_in_the_library_and_attaches_to_an_opportunity_as_file_and_document() -> None:
    api = make()
    record = await upload(api, b"x", "a.pdf")
    assert (await api.get("/documents"))[0]["id"] == record["id"]
    deal = (await api.get("/opportunities"))[0]["id"]
    for kind in ("files", "documents"):
        await api.ok("POST", f"/opportunities/{deal}/{kind}/{record['id']}", status=201)
        assert record in await api.get(f"/opportunities/{deal}/{kind}")
    image = await upload(api, b"x", "a.png", "image")
    await api.error("POST", f"/opportunities/{deal}/documents/{image['id']}", status=404)
    await api.error("GET", f"/documents/{image['id']}", status=404)
    link = await api.get(f"/documents/{record['id']}/download")
    assert (await fetch(api, link["download_url"])).content == b"x"
    await api.ok("DELETE", f"/documents/{record['id']}", status=204)
    assert record["id"] not in {r["id"] for r in await api.get(f"/opportunities/{deal}/documents")}


async def test_every_seeded_file_is_a_real_one_of_the_told_size() -> None:
    api = make()
    for kind in ("document", "image", "secure"):
        for record in await api.get("/files", type=kind):
            content = (await fetch(api, (await api.get(f"/files/{record['id']}/download"))["download_url"])).content
            assert len(content) == record["file_size"]
            if kind == "image":
                assert Image.open(io.BytesIO(content)).size == (1600, 1200)
            else:
                assert pypdf.PdfReader(io.BytesIO(content), strict=True).pages[0].extract_text()


@pytest.mark.parametrize("path", ["/files", "/documents", "/signing/envelopes", "/forms/submissions", "/supplier-catalog"])
async def test_seeded_lists_come_newest_first(path: str) -> None:
    times = [r["created_at"] for r in await make().get(path, **({"type": "image"} if path == "/files" else {}))]
    assert len(times) > 10
    assert times == sorted(times, reverse=True)


async def test_without_pillow_the_endpoint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    api = make()
    record = await upload(api, picture(9, 9), "a.png", "image")
    monkeypatch.setitem(sys.modules, "PIL", None)
    error = await api.error("POST", "/images/optimize", {"file_id": record["id"]}, status=501)
    assert error["code"] == "NOT_INSTALLED"
    assert "trustpager-mcp[sandbox]" in error["message"]
