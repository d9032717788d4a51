"""Phone numbers with their forwarding and voice agents, compliance papers and the call log."""

from __future__ import annotations

import random
import re

from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, invalid, not_found
from ..seed import Seeder
from ..store import Record, Store
from ..world import Job, World, earliest, take_due

_REVIEW_SECONDS = 2 * 86_400.0
_ON_SALE = 10
_AREAS = {
    "AU": {"2": "Sydney, NSW", "3": "Melbourne, VIC", "7": "Brisbane, QLD", "8": "Perth, WA"},
    "NZ": {"9": "Auckland", "4": "Wellington", "3": "Christchurch"},
    "GB": {"20": "London", "161": "Manchester", "131": "Edinburgh"},
    "US": {"212": "New York, NY", "415": "San Francisco, CA", "512": "Austin, TX"},
}
_PREFIX = {"AU": "+61", "NZ": "+64", "GB": "+44", "US": "+1"}
_PAPERS_NEEDED = ("AU", "GB")
"""Countries whose numbers are sold to holders of an approved bundle only."""
_ADDRESS = ("customer_name", "street", "city", "region", "postal_code", "iso_country")
_BUNDLE = ("country_code", "number_type", "end_user_type")
_AGENTS = ("inbound_voice_agent_config_id", "outbound_voice_agent_config_id")
_NUMBER_TYPES, _END_USERS = ("local", "mobile", "national", "toll-free"), ("business", "individual")


def offers(country: str, area: str) -> list[str]:
    """The numbers of an area that the carrier has: the same ones every day."""
    rng = random.Random(f"{country}/{area}")
    middle = {"AU": "5550", "NZ": "555", "GB": "7946" if area == "20" else "496", "US": "555"}[country]
    digits = {"AU": 4, "NZ": 4, "GB": 4, "US": 4}[country]
    lines = rng.sample(range(10**digits), _ON_SALE * 2)
    return [f"{_PREFIX[country]}{area}{middle}{line:0{digits}d}" for line in lines]


def _offered(number: str) -> tuple[str, str] | None:
    """Country and area of a number that is on sale somewhere."""
    for country, areas in _AREAS.items():
        for area in areas:
            if number in offers(country, area):
                return country, area
    return None


def _search(call: Call) -> Answer:
    country = call.body.get("country", "AU").strip().upper()
    if country not in _AREAS:
        raise invalid(f"country: no numbers are sold in {country[:20]}; there are {', '.join(_AREAS)}", field="country")
    area = re.sub(r"\D", "", call.body.get("area_code") or "").lstrip("0")
    areas = {a: place for a, place in _AREAS[country].items() if not area or a == area}
    owned = {n["phone_number"] for n in call.store.all("phone_number")}
    found = [
        {
            "phone_number": number, "friendly_name": number, "iso_country": country, "locality": place, "number_type": "local",
            "capabilities": {"voice": True, "sms": country == "US", "mms": False},
        }
        for a, place in areas.items()
        for number in offers(country, a)[: _ON_SALE if area else 3]
        if number not in owned
    ]  # fmt: skip
    return everything(found)


def _buy(call: Call) -> Answer:
    number = re.sub(r"[^\d+]", "", call.body["phone_number"])
    if call.store.all("phone_number", phone_number=number):
        raise ApiError(409, "CONFLICT", f"the workspace already owns {number}")
    place = _offered(number)
    if place is None:
        raise not_found("phone number on sale", number)
    country = place[0]
    approved = [b for b in call.store.all("phone_bundle", status="approved") if (b["country_code"] or "").upper() == country]
    if country in _PAPERS_NEEDED and not approved:
        raise invalid(
            f"a number in {country} needs an approved regulatory bundle; create one and submit it", field="phone_number"
        )
    record = call.fresh({
        "phone_number": number, "friendly_name": number, "country": country, "number_type": "local", "status": "active",
        "capabilities": {"voice": True, "sms": country == "US", "mms": False}, "is_default": False, "transfer_number": None,
        "bundle_id": approved[0]["id"] if approved else None, **dict.fromkeys(_AGENTS), "retell_last_synced_at": None,
        "retell_last_sync_error": None,
    })  # fmt: skip
    call.store.add("phone_number", [record])
    return Answer(record, status=201)


def _release(call: Call) -> Answer:
    number = call.must("phone_number")
    call.store.delete("phone_number", number["id"])
    clear_references(call, number["id"], ("call_log", "phone_number_id"), ("sms_conversation", "phone_number_id"))
    return Answer(status=204)


def sync_error(store: Store, agent_ids: list[str]) -> str | None:
    """Why the voice provider refuses an assignment."""
    for agent_id in agent_ids:
        agent = store.get("agent", agent_id)
        if agent and not str(agent["agent_id"]).startswith("agent_"):
            return f"agent {agent_id} is not provisioned with the voice provider"
    return None


def _update(call: Call) -> Answer:
    """Agent assignments reach the voice provider at once; what is stored stays, even when the provider refuses."""
    number = call.must("phone_number")
    changes = dict(call.body)
    given = [changes[name] for name in _AGENTS if changes.get(name)]
    for name in _AGENTS:
        agent_id = changes.get(name)
        agent = call.store.get("agent", agent_id) if agent_id else None
        if agent_id and (agent is None or agent["type"] != "voice"):
            raise invalid(f"{name}: there is no voice agent {agent_id}", field=name)
    if any(name in changes for name in _AGENTS):
        error = sync_error(call.store, given)
        changes["retell_last_sync_error"] = error
        if error is None:
            changes["retell_last_synced_at"] = call.clock.iso()
    return Answer(change(call, "phone_number", number, changes))


def _create_address(call: Call) -> Answer:
    record = call.fresh({**dict.fromkeys(_ADDRESS), **call.body, "validated": not _gaps(call.body, _ADDRESS)})
    call.store.add("phone_address", [record])
    return Answer(record, status=201)


def _create_bundle(call: Call) -> Answer:
    fields = {**dict.fromkeys(_BUNDLE), **call.body, "status": "draft", "submitted_at": None, "reviewed_at": None}
    record = call.fresh({**fields, "review_due_at": None, "evaluations": []})
    call.store.add("phone_bundle", [record])
    return Answer(_shown(record), status=201)


def _gaps(record: Record, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not str(record.get(name) or "").strip()]


def _not_of(record: Record, name: str, allowed: tuple[str, ...]) -> str | None:
    return None if record[name] in allowed else f"{name} must be one of {', '.join(allowed)}"


def _evaluate(store: Store, bundle: Record) -> list[Record]:
    """Each requirement of a bundle, passed or not, with the reason."""
    country = (bundle["country_code"] or "").upper()
    addresses = [a for a in store.all("phone_address") if (a["iso_country"] or "").upper() == country and country]
    whole = [a for a in addresses if not _gaps(a, _ADDRESS)]
    address_fault = None if whole else f"no address in {country or 'the country'} is on file"
    if addresses and not whole:
        address_fault = f"the address lacks {', '.join(_gaps(addresses[0], _ADDRESS))}"
    faults = {
        "country": _not_of({"country_code": country}, "country_code", tuple(_AREAS)),
        "number_type": None
        if bundle["number_type"] in _NUMBER_TYPES
        else f"number_type must be one of {', '.join(_NUMBER_TYPES)}",
        "end_user": None if bundle["end_user_type"] in _END_USERS else f"end_user_type must be one of {', '.join(_END_USERS)}",
        "address": address_fault,
    }
    return [{"requirement": name, "passed": fault is None, "failure_reason": fault} for name, fault in faults.items()]


def _shown(bundle: Record) -> Record:
    return {k: v for k, v in bundle.items() if k not in ("review_due_at", "evaluations")}


def _get_bundle(call: Call) -> Answer:
    """The record, what the provider has now, and the history of its evaluations."""
    bundle = call.must("phone_bundle")
    state = {"draft": "draft", "pending_review": "pending-review", "approved": "twilio-approved", "rejected": "twilio-rejected"}
    now = _evaluate(call.store, bundle)
    live = {"status": state[bundle["status"]], "compliant": all(r["passed"] for r in now), "results": now}
    return Answer({**_shown(bundle), "live": live, "evaluations": bundle["evaluations"]})


def _submit(call: Call) -> Answer:
    bundle = call.must("phone_bundle")
    if bundle["status"] not in ("draft", "rejected"):
        raise ApiError(409, "CONFLICT", f"the bundle is already {bundle['status']}")
    times = {"submitted_at": call.clock.iso(), "review_due_at": call.clock.later(_REVIEW_SECONDS), "reviewed_at": None}
    return Answer(_shown(change(call, "phone_bundle", bundle, {"status": "pending_review", **times})))


def _review(world: World) -> None:
    """The regulator's verdict on the bundles that were submitted two days ago."""
    for bundle in take_due(world, "phone_bundle", "review_due_at", status="pending_review"):
        results = _evaluate(world.store, bundle)
        passed = all(r["passed"] for r in results)
        now = world.clock.iso()
        evaluation = {"evaluated_at": now, "status": "compliant" if passed else "noncompliant", "results": results}
        verdict = {"status": "approved" if passed else "rejected", "reviewed_at": now, "review_due_at": None, "updated_at": now}
        world.store.save("phone_bundle", {**bundle, **verdict, "evaluations": [*bundle["evaluations"], evaluation]})


HANDLERS: dict[str, Handler] = {
    "list_phone_numbers": lambda c: everything(c.store.all("phone_number")),
    "search_phone_numbers": _search,
    "buy_phone_number": _buy,
    "release_phone_number": _release,
    "get_phone_number": lambda c: Answer(c.must("phone_number")),
    "update_phone_number": _update,
    "list_call_logs": lambda c: everything(sorted(c.store.all("call_log"), key=lambda r: str(r["started_at"]), reverse=True)),
    "list_phone_addresses": lambda c: everything(c.store.all("phone_address")),
    "create_phone_address": _create_address,
    "list_phone_bundles": lambda c: everything([_shown(b) for b in c.store.all("phone_bundle")]),
    "create_phone_bundle": _create_bundle,
    "submit_phone_bundle": _submit,
    "get_phone_bundle": _get_bundle,
}
JOBS = (Job(lambda world: earliest(world, "phone_bundle", "review_due_at", status="pending_review"), _review),)


def seed(s: Seeder) -> None:
    office = {
        "customer_name": "Brightside Energy Pty Ltd", "street": "14 Foundry Lane", "city": "Parramatta", "region": "NSW",
        "postal_code": "2150", "iso_country": "AU", "validated": True,
    }  # fmt: skip
    s.store.add("phone_address", [s.record(340, **office)])
    bundle = s.record(
        335, country_code="AU", number_type="local", end_user_type="business", status="approved", review_due_at=None
    )
    s.store.add("phone_bundle", [{**bundle, "submitted_at": s.time(335), "reviewed_at": s.time(333), "evaluations": []}])
    numbers = []
    for name, number, texts, default in (
        ("Office mobile", "+61491580001", True, True), ("Main line", offers("AU", "2")[12], False, False),
        ("Melbourne line", offers("AU", "3")[12], False, False),
    ):  # fmt: skip
        numbers.append(
            s.record(
                330, phone_number=number, friendly_name=name, country="AU", number_type="mobile" if texts else "local",
                status="active", capabilities={"voice": True, "sms": texts, "mms": False}, is_default=default,
                transfer_number=None, bundle_id=bundle["id"], **dict.fromkeys(_AGENTS), retell_last_synced_at=None,
                retell_last_sync_error=None,
            )
        )  # fmt: skip
    s.store.add("phone_number", numbers)
    logs = []
    callers = [c for c in s.store.all("contact") if c["phone"]]
    for i in range(70):
        contact, own, age = s.rng.choice(callers), s.rng.choice(numbers), 120 - i * 1.7
        inbound, answered = s.rng.random() < 0.5, s.rng.random() < 0.75
        seconds = s.rng.randint(25, 900) if answered else 0
        pair = (contact["phone"], own["phone_number"]) if inbound else (own["phone_number"], contact["phone"])
        logs.append(
            s.record(
                age, direction="inbound" if inbound else "outbound", from_number=pair[0], to_number=pair[1],
                status="completed" if answered else "no-answer", duration_seconds=seconds, started_at=s.time(age),
                ended_at=s.time(age - seconds / 86_400), contact_id=contact["id"], phone_number_id=own["id"], agent_call_id=None,
                recording_url=None,
            )
        )  # fmt: skip
    s.store.add("call_log", logs)
