"""The public reputation page: its profile, reviews on their way to publication, and images for them."""

from __future__ import annotations

from datetime import timedelta

from .. import seed_texts as texts
from ..checks import moment
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid
from ..ordered import named
from ..people import name_of, owner
from ..seed import Seeder
from ..store import Record, Store
from ..trigram import best_similarity
from ..uploads import Upload
from ..world import World

_PROFILE: Record = {
    "category_id": None, "tagline": None, "description": None, "logo_url": None, "cover_image_url": None, "website_url": None,
    "linkedin_url": None, "settings": {}, "is_published": False, "overall_rating": None, "total_reviews": 0,
    "total_case_studies": 0,
}  # fmt: skip
_REVIEW: Record = {
    **dict.fromkeys((
        "reviewer_email", "reviewer_company", "reviewer_company_logo", "reviewer_role", "reviewer_avatar",
        "reviewer_linkedin_url", "reviewer_company_size", "reviewer_industry", "service_category", "engagement_type",
        "engagement_value_band",
        "consent_method", "vendor_response", "vendor_response_by", "vendor_response_at", "approved_by", "approved_at",
        "published_at",
    )),
    "reviewer_linkedin_verified": False, "consent_given": False, "featured": False,
}  # fmt: skip
_STATUSES = ("draft", "approved", "published", "rejected", "archived")
_ALIKE = 0.35
"""Trigram similarity from which a word is taken to be the one that is searched for."""
_UPLOADS, _PER = 3, timedelta(hours=24)
_LARGEST = 100 * 1024


def _profile(store: Store) -> Record | None:
    found = store.all("reputation_profile")
    return found[0] if found else None


def _must_profile(call: Call) -> Record:
    profile = _profile(call.store)
    if profile is None:
        raise ApiError(404, "NOT_FOUND", "the workspace has no reputation profile yet; create one with POST /reputation/profile")
    return profile


def _save_profile(call: Call) -> Answer:
    profile = _profile(call.store)
    named(call.body, "display_name")
    if profile:
        return Answer(change(call, "reputation_profile", profile, call.body))
    if missing := [n for n in ("slug", "display_name") if n not in call.body]:
        raise invalid(f"{' and '.join(missing)} must be given when the profile is created", field=missing[0])
    made = call.fresh({**_PROFILE, **call.body})
    call.store.add("reputation_profile", [made])
    _recalculate(call.world)
    return Answer(_must_profile(call), status=201)


def _recalculate(world: World) -> None:
    """The profile's rating and number of reviews: those of the published ones."""
    profile = _profile(world.store)
    ratings = [r["rating"] for r in world.store.all("review", status="published")]
    if profile:
        overall = round(sum(ratings) / len(ratings), 2) if ratings else None
        world.store.save("reputation_profile", {**profile, "overall_rating": overall, "total_reviews": len(ratings)})


def _stats(call: Call) -> Answer:
    profile, reviews, studies = _profile(call.store), call.store.all("review"), call.store.all("case_study")
    published = [r for r in reviews if r["status"] == "published"]
    shown = {k: profile[k] for k in ("slug", "is_published", "overall_rating")} if profile else {}
    return Answer({
        "profile": {"exists": profile is not None, **shown},
        "reviews": {
            "total": len(reviews), "published": len(published),
            "by_status": {s: sum(r["status"] == s for r in reviews) for s in _STATUSES},
            "rating_distribution": {str(n): sum(r["rating"] == n for r in published) for n in range(1, 6)},
        },
        "case_studies": {"total": len(studies), **{s: sum(c["status"] == s for c in studies) for s in ("draft", "published")}},
    })  # fmt: skip


def _list(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("review", **{k: q[k] for k in ("status", "featured", "service_category", "rating") if k in q})
    if "search" in q:
        rows = [(n, r) for n, r in rows if _sounds_like(r, q["search"])]
    return page(call, rows)


def _sounds_like(review: Record, text: str) -> bool:
    wanted = text.lower().strip()
    said = f"{review['reviewer_name']}\n{review['testimonial_text']}".lower()
    return wanted in said or best_similarity(wanted, said) >= _ALIKE


def _create(call: Call) -> Answer:
    profile = _profile(call.store)
    if profile is None or call.body["profile_id"] != profile["id"]:
        raise invalid(f"profile_id: there is no reputation profile {call.body['profile_id']}", field="profile_id")
    review = call.fresh({**_REVIEW, **named(call.body, "reviewer_name", "testimonial_text"), "status": "draft"})
    call.store.add("review", [review])
    return Answer(review, status=201)


def _update(call: Call) -> Answer:
    review, changes = call.must("review"), dict(named(call.body, "reviewer_name", "testimonial_text"))
    if "vendor_response" in changes and changes["vendor_response"] != review["vendor_response"]:
        changes |= {"vendor_response_by": owner(call.store)["id"], "vendor_response_at": call.clock.iso()}
    updated = change(call, "review", review, changes)
    _recalculate(call.world)
    return Answer(updated)


def _moved(call: Call, before: str, after: str, stamps: Record) -> Answer:
    """A step towards publication. Raises 409 CONFLICT from any other status."""
    review = call.must("review")
    if review["status"] != before:
        raise ApiError(409, "CONFLICT", f"only a review that is {before} can become {after}; this one is {review['status']}")
    updated = change(call, "review", review, {"status": after, **stamps})
    _recalculate(call.world)
    return Answer(updated)


def _approve(call: Call) -> Answer:
    return _moved(call, "draft", "approved", {"approved_by": owner(call.store)["id"], "approved_at": call.clock.iso()})


def _publish(call: Call) -> Answer:
    return _moved(call, "approved", "published", {"published_at": call.clock.iso()})


def _delete(call: Call) -> Answer:
    call.store.delete("review", call.must("review")["id"])
    _recalculate(call.world)
    return Answer(status=204)


def _kind_of(content: bytes) -> tuple[str, str] | None:
    """Ending and media type of an image by its first bytes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg", "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp", "image/webp"
    head = content[:1000].lstrip()
    return ("svg", "image/svg+xml") if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head else None


def _upload(call: Call) -> Answer:
    """Three a day: the sandbox has one caller, so that every upload comes from the same address."""
    file = call.body["file"]
    if not isinstance(file, Upload):
        raise invalid("file must be a file, sent as multipart/form-data", field="file")
    if len(file.content) > _LARGEST:
        size = len(file.content) / 1024
        raise ApiError(413, "PAYLOAD_TOO_LARGE", f"the image has {size:.0f} KB; at most 100 KB can be uploaded")
    kind = _kind_of(file.content)
    if kind is None:
        raise invalid("file must be a PNG, WebP, JPEG or SVG image", field="file")
    earliest = call.clock.now() - _PER
    recent = [u for u in call.store.all("public_image") if (at := moment(u["created_at"])) and at > earliest]
    if len(recent) >= _UPLOADS:
        raise ApiError(429, "RATE_LIMITED", f"at most {_UPLOADS} images can be uploaded in 24 hours; try again later")
    image = call.fresh({"context": call.body["context"], "media_type": kind[1], "size": len(file.content)})
    call.store.add("public_image", [image])
    url = f"https://trustpager.net/uploads/{image['context']}/{image['id']}.{kind[0]}"
    return Answer({"url": url, "context": image["context"], "media_type": kind[1], "size": image["size"]}, status=201)


HANDLERS: dict[str, Handler] = {
    "upload_public_image": _upload,
    "get_reputation_profile": lambda c: Answer(_must_profile(c)),
    "save_reputation_profile": _save_profile,
    "get_reputation_stats": _stats,
    "list_reviews": _list,
    "create_review": _create,
    "update_review": _update,
    "approve_review": _approve,
    "publish_review": _publish,
    "delete_review": _delete,
}

_TEXTS = (
    (5, "On time, tidy, and the system made more power than they had promised."),
    (5, "The crew explained every switch. My mother of 80 understands it."),
    (4, "Good work; the paperwork for the rebate took a little long."),
    (5, "They found a fault that two others had missed."),
    (3, "The installation is fine, but nobody rang when the crew was late."),
    (5, "We gave them all our strata buildings after the first one."),
)
_SERVICES = ("Solar", "Battery", "Switchboard", "Heat pump")


def seed(s: Seeder) -> None:
    """A published profile, reviews in every state and three case studies."""
    profile = s.record(
        300, **{**_PROFILE, "slug": "brightside-home-energy", "display_name": "Brightside Home Energy", "is_published": True,
                "tagline": "Solar and batteries, installed right", "website_url": "https://brightside.example"},
    )  # fmt: skip
    people, companies = s.rng.sample(s.store.all("contact"), 24), s.store.all("company")
    maker = owner(s.store)["id"]
    reviews = []
    for i, person in enumerate(people):
        status = ("published", "published", "published", "approved", "draft", "draft", "rejected", "archived")[i % 8]
        rating, text = _TEXTS[i % len(_TEXTS)]
        age = 250 - 10 * i
        approved = {"approved_by": maker, "approved_at": s.time(age - 1)} if status in ("published", "approved") else {}
        fields = {
            **_REVIEW, "profile_id": profile["id"], "reviewer_name": name_of(person),
            "reviewer_company": s.rng.choice(companies)["name"], "rating": rating,
            "testimonial_text": texts.testimonial(s.rng, text, rating), "status": status,
            "service_category": _SERVICES[i % len(_SERVICES)], "consent_given": True, "consent_method": "email",
            "featured": status == "published" and i % 8 == 0, **approved,
            "published_at": s.time(age - 2) if status == "published" else None,
        }  # fmt: skip
        reviews.append(s.record(age, **fields))
    ratings = [r["rating"] for r in reviews if r["status"] == "published"]
    studies = [s.record(100 + i, title=t, status="published" if i else "draft", profile_id=profile["id"])
               for i, t in enumerate(("A dental practice goes solar", "Batteries for a cafe", "Forty strata roofs"))]  # fmt: skip
    overall = round(sum(ratings) / len(ratings), 2)
    counted = {"overall_rating": overall, "total_reviews": len(ratings), "total_case_studies": len(studies)}
    s.store.add("reputation_profile", [{**profile, **counted}])
    s.store.add("review", reviews)
    s.store.add("case_study", studies)
