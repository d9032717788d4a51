"""Websites, their pages and the pages' sections."""

from __future__ import annotations

import re

from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, invalid
from ..ordered import Parts, named
from ..seed import Seeder
from ..store import Record

PAGES = Parts("website_page", "website", "website_id", "pageId")
SECTIONS = Parts("website_section", "website_page", "page_id", "sectionId")
_SLUG = re.compile(r"[a-z0-9]+(?:[-/][a-z0-9]+)*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


def _checked(call: Call, own_id: str | None = None) -> Record:
    """A domain belongs to one website; it is kept in lower case, without scheme or path."""
    fields = named(dict(call.body), "name")
    if fields.get("domain"):
        domain = fields["domain"] = fields["domain"].strip().lower()
        if not _DOMAIN.fullmatch(domain):
            raise invalid("domain must be a host name, like www.example.com", field="domain")
        if any(w["domain"] == domain and w["id"] != own_id for w in call.store.all("website")):
            raise ApiError(409, "CONFLICT", f"another website has the domain {domain}")
    return fields


def _create(call: Call) -> Answer:
    record = call.fresh({"domain": None, "status": "draft", **_checked(call)})
    call.store.add("website", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    website = call.must("website")
    return Answer(change(call, "website", website, _checked(call, website["id"])))


def _delete(call: Call) -> Answer:
    website = call.must("website")
    for page in PAGES.of(call.store, website["id"]):
        SECTIONS.delete_all(call, page["id"])
    PAGES.delete_all(call, website["id"])
    clear_references(call, website["id"], ("agent_website_config", "website_id"), ("agent_outbound_config", "website_id"))
    call.store.delete("website", website["id"])
    return Answer(status=204)


def _website_id(call: Call) -> str:
    return str(call.must("website")["id"])


def _page(call: Call) -> Record:
    return PAGES.must(call, _website_id(call))


def _checked_page(call: Call, website_id: str, own_id: str | None = None) -> Record:
    """A slug is unique within its website; slashes around it are dropped, and / alone is the home page."""
    fields = named(dict(call.body), "title")
    if "slug" in fields:
        given = fields["slug"].strip()
        slug = fields["slug"] = "/" if given == "/" else given.strip("/")
        if slug != "/" and not _SLUG.fullmatch(slug):
            raise invalid(
                "slug must be of small letters, digits and hyphens, like about-us, or / for the home page", field="slug"
            )
        if any(p["slug"] == slug and p["id"] != own_id for p in PAGES.of(call.store, website_id)):
            raise ApiError(409, "CONFLICT", f"the website has a page {slug} already")
    return fields


def _shown(call: Call, page: Record) -> Record:
    return {**page, "sections": SECTIONS.of(call.store, page["id"])}


def _create_page(call: Call) -> Answer:
    website_id = _website_id(call)
    page = PAGES.add(call, website_id, {"page_type": "page", **_checked_page(call, website_id)})
    return Answer(_shown(call, page), status=201)


def _update_page(call: Call) -> Answer:
    page = _page(call)
    fields = _checked_page(call, page["website_id"], page["id"])
    return Answer(_shown(call, change(call, "website_page", page, fields)))


def _delete_page(call: Call) -> Answer:
    page = _page(call)
    SECTIONS.delete_all(call, page["id"])
    call.store.delete("website_page", page["id"])
    return Answer(status=204)


def _create_section(call: Call) -> Answer:
    page_id = _page(call)["id"]
    section = SECTIONS.add(call, page_id, {"content": {}, "is_visible": True, **named(call.body, "type")})
    return Answer(section, status=201)


def _update_section(call: Call) -> Answer:
    section = SECTIONS.must(call, _page(call)["id"])
    return Answer(change(call, "website_section", section, named(call.body, "type")))


def _delete_section(call: Call) -> Answer:
    call.store.delete("website_section", SECTIONS.must(call, _page(call)["id"])["id"])
    return Answer(status=204)


_SEEDS = (
    ("Brightside Home Energy", "www.brightside.example", (
        ("Home", "/", "home", ("hero", "services", "testimonials", "contact-form")),
        ("Solar", "solar", "service", ("hero", "text", "pricing")),
        ("Batteries", "batteries", "service", ("hero", "text", "faq")),
        ("About us", "about-us", "page", ("text", "team")),
    )),
    ("Winter heat pump offer", None, (("Offer", "/", "landing", ("hero", "countdown", "order-form")),)),
)  # fmt: skip


def seed(s: Seeder) -> None:
    """The business's own site, and a landing page that is not published yet."""
    for i, (name, domain, pages) in enumerate(_SEEDS):
        website = s.record(300 - i * 200, name=name, domain=domain, status="published" if domain else "draft")
        s.store.add("website", [website])
        for n, (title, slug, page_type, sections) in enumerate(pages):
            about = {"title": title, "slug": slug, "page_type": page_type}
            page = s.record(290 - i * 200, website_id=website["id"], order_index=n, **about)
            s.store.add("website_page", [page])
            s.store.add("website_section", [
                s.record(280 - i * 200, page_id=page["id"], order_index=k, type=kind, content={}, is_visible=True)
                for k, kind in enumerate(sections)
            ])  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "list_websites": lambda c: everything(c.store.all("website")),
    "get_website": lambda c: Answer(c.must("website")),
    "create_website": _create,
    "update_website": _update,
    "delete_website": _delete,
    "list_website_pages": lambda c: everything(PAGES.of(c.store, _website_id(c))),
    "create_website_page": _create_page,
    "get_website_page": lambda c: Answer(_shown(c, _page(c))),
    "update_website_page": _update_page,
    "delete_website_page": _delete_page,
    "list_website_sections": lambda c: everything(SECTIONS.of(c.store, _page(c)["id"])),
    "create_website_section": _create_section,
    "update_website_section": _update_section,
    "delete_website_section": _delete_section,
    "reorder_website_sections": lambda c: SECTIONS.reorder(c, _page(c)["id"], "section_ids"),
}
