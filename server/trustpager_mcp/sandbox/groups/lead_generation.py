"""Businesses found on a made-up Google Maps: searches, saved searches, import into the CRM and outcomes."""

from __future__ import annotations

import re
from typing import Any

from ..checks import moment
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid, not_found
from ..phones import is_evident_landline
from ..places import STARS, businesses, domain
from ..rules import normal_tags
from ..seed import Seeder
from ..store import Record, Store
from ..timeline import log_activity
from ..world import Job, World, earliest, take_due
from . import companies, contacts, opportunities

_SYNC_LIMIT = 100
_TIERS = ((50, 50.0), (100, 100.0), (200, 200.0), (500, 500.0))
"""Most results and credits of each tier; the reference has the tiers, the prices are the sandbox's own."""
_SECONDS_PER_RESULT, _SECONDS_PER_WEBSITE = 0.3, 1.0


def price(max_results: int) -> float:
    """The credits of a search's tier."""
    return next(credits for most, credits in _TIERS if max_results <= most)


def _start(call: Call) -> Answer:
    body = call.body
    saved = call.store.get("saved_lead_search", body["saved_search_id"]) if body.get("saved_search_id") else None
    if body.get("saved_search_id") and (saved is None or saved["archived_at"]):
        raise invalid(f"saved_search_id: there is no saved search {body['saved_search_id']}", field="saved_search_id")
    for name in ("query", "location"):
        if not re.search(r"\w", body[name]):
            raise invalid(f"{name} must not be empty", field=name)
    scrape = bool(body.get("scrape_contacts")) or bool(saved and saved["enrich_emails"])
    most = body.get("max_results") or (saved["max_results"] if saved else 100)
    cost = price(most)
    call.world.charge(cost, "lead_gen_search")
    search = call.fresh({
        "query": body["query"], "location": body["location"], "max_results": most,
        "radius_km": body.get("radius_km", saved["radius_km"] if saved else None),
        "saved_search_id": saved["id"] if saved else None, "place_minimum_stars": body.get("place_minimum_stars"),
        "website_filter": "withWebsite" if scrape else body.get("website_filter", "allPlaces"),
        "skip_closed_places": body.get("skip_closed_places", True), "category_filter_words": body.get("category_filter_words"),
        "scrape_contacts": scrape, "language": body.get("language", "en"), "status": "running", "result_count": 0,
        "credits_charged": cost, "completed_at": None, "error_message": None, "due_at": None,
    })  # fmt: skip
    call.store.add("lead_search", [search])
    if saved:
        runs = {"run_count": saved["run_count"] + 1, "last_run_at": call.clock.iso()}
        call.store.save("saved_lead_search", {**saved, **runs, "updated_at": call.clock.iso()})
    if most > _SYNC_LIMIT or scrape:
        due = call.clock.later(20 + most * (_SECONDS_PER_WEBSITE if scrape else _SECONDS_PER_RESULT))
        call.store.save("lead_search", {**search, "due_at": due})
        return Answer(_shown(search), status=201)
    finish(call.world, search)
    return Answer(_with_results(call.store, call.must("lead_search", search["id"])), status=201)


def finish(world: World, search: Record) -> None:
    """The search's results, filtered, each place once, matched to the CRM."""
    store = world.store
    places = {p["place_id"]: p for p in businesses(search["query"], search["location"], store) if _wanted(search, p)}
    matched = _Matcher(store)
    results = [
        world.fresh({
            "search_id": search["id"], **place, "email": place["email"] if search["scrape_contacts"] else None,
            **matched.of(place), "imported": False, "contact_id": None, "customer_id": None, "deal_id": None, "outcome": None,
        })
        for place in list(places.values())[: search["max_results"]]
    ]  # fmt: skip
    if search["scrape_contacts"]:
        # The email guarantee: what has no address is dropped and not counted.
        results = [r for r in results if r["email"]]
    store.add("lead_result", results)
    done = {"status": "completed", "result_count": len(results), "completed_at": world.clock.iso(), "due_at": None}
    store.save("lead_search", {**search, **done, "updated_at": world.clock.iso()})


def _wanted(search: Record, place: Record) -> bool:
    words = [w.lower() for w in search["category_filter_words"] or []]
    with_site = {"allPlaces": None, "withWebsite": True, "withoutWebsite": False}[search["website_filter"]]
    return (
        (search["place_minimum_stars"] is None or place["rating"] >= STARS[search["place_minimum_stars"]])
        and (with_site is None or bool(place["website"]) == with_site)
        and not (search["skip_closed_places"] and place["permanently_closed"])
        and (not words or any(w in place["category"].lower() for w in words))
        and (search["radius_km"] is None or place["distance_km"] <= search["radius_km"])
    )


class _Matcher:
    """Contacts by phone and companies by the domain of their website."""

    def __init__(self, store: Store) -> None:
        self._phones = {n: c["id"] for c in store.all("contact") for n in (c.get("phone"), c.get("landline")) if n}
        self._domains = {domain(c.get("website")): c["id"] for c in store.all("company") if c.get("website")}

    def of(self, place: Record) -> Record:
        contact_id, customer_id = self._phones.get(place["phone"]), self._domains.get(domain(place["website"]))
        return {"matched_contact_id": contact_id, "matched_customer_id": customer_id}


def _run_due(world: World) -> None:
    for search in take_due(world, "lead_search", status="running"):
        finish(world, search)


def _shown(search: Record) -> Record:
    return {k: v for k, v in search.items() if k != "due_at"}


def _with_results(store: Store, search: Record) -> Record:
    """Best rated first."""
    results = sorted(store.all("lead_result", search_id=search["id"]), key=lambda r: (-r["rating"], r["place_id"]))
    return {**_shown(search), "results": results}


def _searches(call: Call) -> Answer:
    equal = {k: call.query[k] for k in ("status", "saved_search_id") if k in call.query}
    return page(call, call.store.numbered("lead_search", **equal), _shown)


def _import(call: Call) -> Answer:
    """One contact and one company each, linked; an opportunity when it is said where. Those imported already are passed over."""
    body = call.body
    if body.get("pipeline_id"):
        opportunities.check_stage(call, body["pipeline_id"], body["stage_id"])
    records, skipped = [], 0
    for result_id in dict.fromkeys(body["result_ids"]):
        result = call.store.get("lead_result", result_id)
        if result is None:
            records.append({"result_id": result_id, "error": f"there is no search result {result_id}"})
        elif result["imported"]:
            skipped += 1
        else:
            try:
                with call.store.attempt():
                    records.append(_import_one(call, result))
            except ApiError as error:
                records.append({"result_id": result_id, "error": error.message})
    count = sum("error" not in r for r in records)
    return Answer(
        {"imported_count": count, "skipped_count": skipped, "failed_count": len(records) - count, "records": records}, 201
    )


def _import_one(call: Call, result: Record) -> Record:
    body, name = call.body, result["business_name"]
    defaults = _import_defaults(call.store, result)
    source = body.get("lead_source", "Lead Generation")
    tags = normal_tags(body.get("tags", defaults.get("default_tags")) or [])
    place = {k: body.get(k) or defaults.get(f"default_{k}") for k in ("pipeline_id", "stage_id")}
    number = result["phone"]
    numbers = {"landline" if is_evident_landline(number) else "phone": number} if number else {}
    home = {"address_line1": result["address"].split(",")[0], "city": result["city"], "state": result["state"]}
    shared = {"email": result["email"], **numbers}
    person = {"first_name": name, "source": source, **shared, **home, "postal_code": result["postal_code"]}
    contact = contacts.create_one(call, {k: v for k, v in person.items() if v is not None})
    firm = {"name": name, "website": result["website"], "industry": result["category"], **shared}
    company = companies.create_one(call, {k: v for k, v in firm.items() if v is not None})
    for kind, record_id in (("contact", contact["id"]), ("company", company["id"])):
        call.store.save(kind, {**call.must(kind, record_id), "tags": tags})
    call.store.link("employer", contact["id"], company["id"])
    deal_id = None
    if place["pipeline_id"] and place["stage_id"]:
        links = {"contact_id": contact["id"], "customer_id": company["id"]}
        deal_id = opportunities.create_one(call, {"name": name, **links, **place, "lead_source": source})["id"]
    note = f"Found on Google Maps: {result['address']}, rated {result['rating']} by {result['reviews_count']}."
    made = {"contact_id": contact["id"], "customer_id": company["id"], "deal_id": deal_id}
    log_activity(call.world, "note", "Imported from Google Maps", note, **made)
    call.store.save("lead_result", {**result, **made, "imported": True, "imported_at": call.clock.iso()})
    return {"result_id": result["id"], **made}


def _import_defaults(store: Store, result: Record) -> Record:
    """What the saved search behind a result says about imports; a stage alone tells its pipeline."""
    search = store.get("lead_search", result["search_id"]) or {}
    saved = store.get("saved_lead_search", search.get("saved_search_id") or "") or {}
    stage = store.get("stage", saved.get("default_stage_id") or "") or {}
    return {**saved, "default_pipeline_id": saved.get("default_pipeline_id") or stage.get("pipeline_id")}


def _record_outcome(call: Call) -> Answer:
    body = call.body
    search = call.must("lead_search", body["search_id"])
    found = [r for r in call.store.all("lead_result", search_id=search["id"]) if r["place_id"] == body["place_id"]]
    if not found:
        raise not_found(f"place in search {search['id']}", body["place_id"])
    result = found[0]
    contact_id = result["contact_id"] or result["matched_contact_id"]
    activity = None
    if call.store.get("contact", contact_id or ""):
        subject = f"Lead {body['result_type'].replace('_', ' ')}: {result['business_name']}"
        links = {"contact_id": contact_id, "customer_id": result["customer_id"], "deal_id": result["deal_id"]}
        activity = log_activity(call.world, "note", subject, body.get("notes"), **links)
    outcome = call.fresh({**dict.fromkeys(("notes",)), **body, "activity_id": activity["id"] if activity else None})
    call.store.add("lead_outcome", [outcome])
    call.store.save("lead_result", {**result, "outcome": body["result_type"], "updated_at": call.clock.iso()})
    return Answer(outcome, status=201)


def _saved_fields(call: Call, before: Record) -> Record:
    fields = dict(call.body)
    for name in ("name", "search_query", "location"):
        if name in fields and not fields[name].strip():
            raise invalid(f"{name} must not be empty", field=name)
    pipeline_id = fields.get("default_pipeline_id", before.get("default_pipeline_id"))
    stage_id = fields.get("default_stage_id", before.get("default_stage_id"))
    call.reference("pipeline", pipeline_id, "default_pipeline_id")
    stage = call.store.get("stage", stage_id) if stage_id else None
    if stage_id and (stage is None or (pipeline_id and stage["pipeline_id"] != pipeline_id)):
        raise invalid(f"default_stage_id: {stage_id} is no stage of the default pipeline", field="default_stage_id")
    return fields


def _create_saved(call: Call) -> Answer:
    defaults: Record = {
        "max_results": 100, "radius_km": None, "default_pipeline_id": None, "default_stage_id": None, "default_tags": [],
        "enrich_emails": False, "run_count": 0, "last_run_at": None, "archived_at": None,
    }  # fmt: skip
    record = call.fresh({**defaults, **_saved_fields(call, {})})
    call.store.add("saved_lead_search", [record])
    return Answer(record, status=201)


def _saved(call: Call) -> Record:
    record = call.must("saved_lead_search", what="saved search")
    if record["archived_at"]:
        raise not_found("saved search", record["id"])
    return record


def _update_saved(call: Call) -> Answer:
    record = _saved(call)
    return Answer(change(call, "saved_lead_search", record, _saved_fields(call, record)))


def _archive(call: Call) -> Answer:
    change(call, "saved_lead_search", _saved(call), {"archived_at": call.clock.iso()})
    return Answer(status=204)


def _list_saved(call: Call) -> Answer:
    def last_changed(sequence: int, record: Record) -> tuple[Any, ...]:
        at = moment(record["updated_at"])
        return (-at.timestamp() if at else 0.0, -sequence)

    rows = [(n, r) for n, r in call.store.numbered("saved_lead_search") if not r["archived_at"]]
    return page(call, rows, order=last_changed)


HANDLERS: dict[str, Handler] = {
    "start_lead_search": _start,
    "list_lead_searches": _searches,
    "lead_gen_get_search": lambda c: Answer(_with_results(c.store, c.must("lead_search", what="search"))),
    "import_lead_results": _import,
    "create_saved_lead_search": _create_saved,
    "list_saved_lead_searches": _list_saved,
    "get_saved_lead_search": lambda c: Answer(_saved(c)),
    "update_saved_lead_search": _update_saved,
    "archive_saved_lead_search": _archive,
    "record_lead_outcome": _record_outcome,
}
JOBS = (Job(lambda world: earliest(world, "lead_search", status="running"), _run_due),)

_SEARCHES = (
    ("builders", "Sydney, NSW", 40),
    ("real estate agents", "Melbourne, VIC", 40),
    ("strata managers", "Brisbane, QLD", 30),
)


def seed(s: Seeder) -> None:
    for i, (query, location, count) in enumerate(_SEARCHES):
        age = 60 - i * 20
        saved = s.record(
            age + 5, name=f"{query.title()} in {location.split(',')[0]}", search_query=query, location=location,
            max_results=count, radius_km=None, default_pipeline_id=None, default_stage_id=None,
            default_tags=["lead-gen"], enrich_emails=True, run_count=1, last_run_at=s.time(age), archived_at=None,
        )  # fmt: skip
        search = s.record(
            age, query=query, location=location, max_results=count,
            radius_km=None, saved_search_id=saved["id"],
            place_minimum_stars="three", website_filter="withWebsite", skip_closed_places=True, category_filter_words=None,
            scrape_contacts=True, language="en", status="completed", credits_charged=price(count), completed_at=s.time(age),
            error_message=None, due_at=None,
        )  # fmt: skip
        places = {p["place_id"]: p for p in businesses(query, location, s.store) if _wanted(search, p) and p["email"]}
        matched = _Matcher(s.store)
        results = [
            s.record(age, search_id=search["id"], **p, **matched.of(p), imported=False, contact_id=None, customer_id=None,
                     deal_id=None, outcome=None)
            for p in list(places.values())[:count]
        ]  # fmt: skip
        s.store.add("saved_lead_search", [saved])
        s.store.add("lead_search", [{**search, "result_count": len(results)}])
        s.store.add("lead_result", results)
