"""The reputation page: profile, reviews on their way to publication, ratings recalculated, and public images."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

REVIEWS = "/reputation/reviews"
UPLOAD = "/functions/v1/public-image-upload"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


async def review(api: Api, **fields: Any) -> dict[str, Any]:
    profile = await api.get("/reputation/profile")
    body = {"profile_id": profile["id"], "reviewer_name": "Sarah Chen", "rating": 5, "testimonial_text": "Superb.", **fields}
    made: dict[str, Any] = await api.ok("POST", REVIEWS, body, status=201)
    return made


async def rating(api: Api) -> tuple[float, int]:
    profile = await api.get("/reputation/profile")
    return profile["overall_rating"], profile["total_reviews"]


def average(api: Api) -> tuple[float, int]:
    published = [r["rating"] for r in api.workspace.store.all("review", status="published")]
    return round(sum(published) / len(published), 2), len(published)


async def test_a_review_goes_from_draft_by_approval_to_publication_and_no_other_way() -> None:
    api = make()
    made = await review(api, rating=1)
    before = await rating(api)
    path = f"{REVIEWS}/{made['id']}"
    assert (made["status"], made["published_at"]) == ("draft", None)
    error = await api.error("POST", f"{path}/publish", status=409)
    assert "this one is draft" in error["message"]
    approved = await api.ok("POST", f"{path}/approve")
    assert approved["status"] == "approved"
    assert approved["approved_by"]
    assert approved["approved_at"]
    await api.error("POST", f"{path}/approve", status=409)
    assert await rating(api) == before
    published = await api.ok("POST", f"{path}/publish")
    assert (published["status"], published["published_at"] is not None) == ("published", True)
    assert await rating(api) == average(api)
    assert (await rating(api))[1] == before[1] + 1
    await api.error("POST", f"{path}/publish", status=409)
    await api.ok("DELETE", path, status=204)
    assert await rating(api) == before
    await api.error("POST", f"{path}/approve", status=404)


async def test_a_changed_rating_changes_the_overall_one_and_an_answer_is_stamped_once() -> None:
    api = make()
    (one, *_) = await api.get(REVIEWS, status="published", rating=5)
    changed = await api.ok("PATCH", f"{REVIEWS}/{one['id']}", {"rating": 2, "vendor_response": "Sorry!"})
    assert changed["vendor_response_by"]
    assert changed["vendor_response_at"]
    assert await rating(api) == average(api)
    await api.advance(60)
    again = await api.ok("PATCH", f"{REVIEWS}/{one['id']}", {"vendor_response": "Sorry!", "featured": True})
    assert again["vendor_response_at"] == changed["vendor_response_at"]
    for wrong in ({"rating": 6}, {"testimonial_text": " "}):
        await api.error("PATCH", f"{REVIEWS}/{one['id']}", wrong)


async def test_reviews_are_filtered_and_names_are_found_in_spite_of_typos() -> None:
    api = make()
    made = await review(api, reviewer_name="Persephone Quillfeather", service_category="Carports", testimonial_text="Xylophones")
    for params in (
        {"service_category": "Carports"}, {"search": "persefone"}, {"search": "XYLO"}, {"search": "xilophones"}, {"search": "quill", "status": "draft"},
    ):  # fmt: skip
        assert [r["id"] for r in await api.get(REVIEWS, **params)] == [made["id"]], params
    assert {r["featured"] for r in await api.get(REVIEWS, featured=True)} == {True}
    assert {r["status"] for r in await api.get(REVIEWS, status="rejected")} == {"rejected"}
    page = await api.listed(REVIEWS, limit=2)
    assert page["pagination"]["has_more"] is True
    following = await api.listed(REVIEWS, limit=2, cursor=page["pagination"]["next_cursor"])
    assert not {r["id"] for r in page["data"]} & {r["id"] for r in following["data"]}


async def test_stats_count_what_the_lists_hold() -> None:
    api = make()
    stats = await api.get("/reputation/stats")
    reviews = await api.get(REVIEWS, limit=100)
    assert stats["reviews"]["total"] == len(reviews) == sum(stats["reviews"]["by_status"].values())
    published = [r for r in reviews if r["status"] == "published"]
    assert stats["reviews"]["published"] == len(published)
    assert stats["reviews"]["rating_distribution"] == {str(n): sum(r["rating"] == n for r in published) for n in range(1, 6)}
    assert stats["case_studies"] == {"total": 3, "draft": 1, "published": 2}


async def test_a_profile_is_created_once_and_then_changed_field_by_field() -> None:
    api = make()
    old = await api.get("/reputation/profile")
    changed = await api.ok("POST", "/reputation/profile", {"tagline": "New words"})
    assert (changed["id"], changed["tagline"], changed["slug"]) == (old["id"], "New words", old["slug"])
    await api.error("POST", "/reputation/profile", {"slug": "Not A Slug"})
    api.workspace.store.delete("reputation_profile", old["id"])
    await api.error("GET", "/reputation/profile", status=404)
    assert (await api.get("/reputation/stats"))["profile"] == {"exists": False}
    error = await api.error("POST", "/reputation/profile", {"slug": "new-one"})
    assert "display_name must be given" in error["message"]
    made = await api.ok("POST", "/reputation/profile", {"slug": "new-one", "display_name": "New"}, status=201)
    assert (made["is_published"], made["total_reviews"]) == (False, average(api)[1])
    body = {"reviewer_name": "x", "rating": 5, "testimonial_text": "y"}
    assert "profile_id" in (await api.error("POST", REVIEWS, {**body, "profile_id": NOBODY}))["message"]


async def upload(api: Api, content: bytes = PNG, context: str = "form-avatar") -> Any:
    return await api.client.post(UPLOAD, files={"file": ("face.png", content)}, data={"context": context})


async def test_an_image_is_uploaded_without_a_key_and_its_address_suits_a_review() -> None:
    api = make(key=None)
    response = await upload(api, context="reputation-reviewer-logo")
    assert response.status_code == 201, response.text
    url = response.json()["data"]["url"]
    assert url.startswith("https://trustpager.net/uploads/reputation-reviewer-logo/")
    assert url.endswith(".png")
    made = await review(api.as_key("tp_live_sandbox_full"), reviewer_company_logo=url)
    assert made["reviewer_company_logo"] == url


@pytest.mark.parametrize(("content", "status"), [
    (b"GIF89a" + b"0" * 20, 400), (PNG + b"0" * 102_400, 413), (b"\xff\xd8\xff0", 201), (b"RIFF0000WEBPVP8 ", 201),
    (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 201), (b"<html><svg/></html>", 400),
])  # fmt: skip
async def test_only_small_images_are_taken(content: bytes, status: int) -> None:
    response = await upload(make(key=None), content)
    assert response.status_code == status, response.text


async def test_three_images_a_day_may_be_uploaded() -> None:
    api = make(key=None)
    for _ in range(3):
        assert (await upload(api)).status_code == 201
    limited = await upload(api)
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, "RATE_LIMITED")
    await api.advance(86_401)
    assert (await upload(api)).status_code == 201


async def test_an_upload_that_is_no_form_or_has_no_file_is_refused_and_its_bytes_are_not_logged() -> None:
    api = make()
    assert "multipart" in (await api.error("POST", UPLOAD, {"file": "x", "context": "form-avatar"}))["message"]
    broken = await api.client.post(UPLOAD, content=b"--x", headers={"content-type": "multipart/form-data; boundary=y"})
    assert broken.status_code == 400
    await upload(api)
    seen = (await api.ok("GET", "/__sandbox/requests"))["requests"]
    assert {"file": "face.png", "media_type": "image/png", "size": len(PNG)} in [
        (r.get("body") or {}).get("file") for r in seen if isinstance(r.get("body"), dict)
    ]
    response = await api.client.post("/functions/v1/api/v1/tasks", files={"title": ("t.txt", b"x")})
    assert response.json()["error"]["details"]["fields"] == {"title": "must not be a file"}
    response = await api.client.post(UPLOAD, files={"file": ("a.png", PNG), "context": ("b.txt", b"form-avatar")})
    assert response.json()["error"]["details"]["fields"] == {"context": "must not be a file"}
