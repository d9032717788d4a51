"""The company's knowledge, searched by meaning."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import invalid
from ..meaning import rank
from ..seed import Seeder
from ..store import Record

_LIMIT, _THRESHOLD = 5, 0.3


def _checked(fields: Record) -> Record:
    for name in ("title", "content"):
        if name in fields and not fields[name].strip():
            raise invalid(f"{name} must not be empty", field=name)
    return fields


def _list(call: Call) -> Answer:
    rows = call.store.numbered("knowledge_entry", **{k: call.query[k] for k in ("category",) if k in call.query})
    return page(call, [(n, e) for n, e in rows if "tag" not in call.query or call.query["tag"] in e["tags"]])


def _create(call: Call) -> Answer:
    defaults: Record = {"category": "general", "tags": [], "source_type": "manual", "source_id": None}
    record = call.fresh({**defaults, **_checked(call.body), "usage_count": 0, "last_used_at": None})
    record["embedded_at"] = record["created_at"]
    call.store.add("knowledge_entry", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    """A new title or text is indexed again."""
    entry, changes = call.must("knowledge_entry"), dict(_checked(call.body))
    if any(name in changes and changes[name] != entry[name] for name in ("title", "content")):
        changes["embedded_at"] = call.clock.iso()
    return Answer(change(call, "knowledge_entry", entry, changes))


def _delete(call: Call) -> Answer:
    call.store.delete("knowledge_entry", call.must("knowledge_entry")["id"])
    return Answer(status=204)


def _search(call: Call) -> Answer:
    """Best first; what is returned counts as used once more."""
    body = call.body
    entries = call.store.all("knowledge_entry", **{k: body[k] for k in ("category",) if k in body})
    scores = rank(
        body["query"], [f"{e['title']} {e['content']} {' '.join(e['tags'])}" for e in entries], [e["title"] for e in entries]
    )
    found = sorted(zip(scores, entries, strict=True), key=lambda pair: -pair[0])
    chosen = [(score, e) for score, e in found if score >= max(body.get("threshold", _THRESHOLD), 0.0001)][
        : body.get("limit", _LIMIT)
    ]
    results = []
    for score, entry in chosen:
        used = {**entry, "usage_count": entry["usage_count"] + 1, "last_used_at": call.clock.iso()}
        call.store.save("knowledge_entry", used)
        results.append({**used, "similarity": score})
    return everything(results)


HANDLERS: dict[str, Handler] = {
    "list_knowledge_entries": _list,
    "get_knowledge_entry": lambda c: Answer(c.must("knowledge_entry")),
    "create_knowledge_entry": _create,
    "update_knowledge_entry": _update,
    "delete_knowledge_entry": _delete,
    "search_knowledge": _search,
}

_ENTRIES = (
    ("Refund policy", "policy", "billing",
     "Deposits are refunded in full until materials are ordered, then less the restocking fee."),
    ("Payment terms", "policy", "billing",
     "30 percent deposit, the rest within seven days of handover. Finance over 24 or 36 months."),
    ("Panel warranty", "product", "warranty",
     "Panels carry 25 years, inverters and batteries ten, our labour five."),
    ("Battery sizes", "product", "battery",
     "The 10 kWh battery suits a family of four; two of them run a house through the night."),
    ("Opening hours", "faq", "office",
     "The office answers from 7:30 am to 5 pm, Monday to Friday. Emergencies ring through at any time."),
    ("Service area", "faq", "office",
     "We install in Sydney, Newcastle, Melbourne and Geelong, and elsewhere from 20 kW up."),
    ("How long an install takes", "faq", "install",
     "One day for panels, half a day more for a battery or a new switchboard."),
    ("Site visit checklist", "procedure", "site",
     "Photograph roof, switchboard and meter; measure cable runs; note shade at noon."),
    ("Handover procedure", "procedure", "install",
     "Show the app, hand over the pack, lodge the rebate, ask for a review."),
    ("Complaint procedure", "procedure", "service",
     "Ring within one business day, log an activity, and tell the operations lead."),
    ("Tone of voice for agents", "agent", "style",
     "Short sentences, first names, no jargon. Never promise a date that is not booked."),
    ("When to hand over to a person", "agent", "escalation",
     "Hand over for complaints, for finance details and when asked twice."),
    ("Rebates", "general", "rebate",
     "The federal rebate lowers the price at once; the state battery rebate is paid to the owner later."),
    ("Referral reward", "general", "referral",
     "Whoever refers a customer gets 250 dollars after the installation."),
)  # fmt: skip


def seed(s: Seeder) -> None:
    rows = []
    for i, (title, category, tag, content) in enumerate(_ENTRIES):
        row = s.record(280 - i * 15, title=title, content=content, category=category, tags=[tag], source_type="manual")
        rows.append(
            {
                **row,
                "source_id": None,
                "usage_count": s.rng.randint(0, 40),
                "last_used_at": None,
                "embedded_at": row["created_at"],
            }
        )
    s.store.add("knowledge_entry", rows)
