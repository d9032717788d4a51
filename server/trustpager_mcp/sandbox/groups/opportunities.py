"""Opportunities and their placements in pipelines; under the legacy path /deals too."""

from __future__ import annotations

from typing import Any

from .. import crm_events
from ..custom_fields import with_defaults
from ..engine import (
    Answer,
    Call,
    Handler,
    bulk,
    bulk_create,
    change,
    clear_references,
    contains,
    created_between,
    everything,
    page,
    sought,
)
from ..errors import invalid
from ..rules import check_metadata, normal_tags
from ..store import Record
from . import contacts, opportunity_parts

_WRITABLE = ("name", "contact_id", "customer_id", "status", "value", "currency", "lead_source", "tags", "notes", "metadata")
_REACHED_BY = ("email", "phone", "landline")
_OF_BOTH = tuple(f"_{who}_{how}" for who in ("contact", "customer") for how in _REACHED_BY)
_SEARCHED = ("name", "contact_name", "customer_name", *_OF_BOTH)
_REFERRER = ("id", "public_id", "first_name", "last_name", "email", "phone", "job_title")


def placements(call: Call, opportunity_id: str) -> list[Record]:
    """Where the opportunity stands: one card per pipeline."""
    cards = []
    for pipeline_id, card in call.store.linked("card", opportunity_id):
        pipeline, stage = call.store.get("pipeline", pipeline_id), call.store.get("stage", card["stage_id"])
        if pipeline and stage:
            names = {"pipeline_name": pipeline["name"], "stage_name": stage["name"]}
            cards.append({"pipeline_id": pipeline_id, **card, **names})
    return cards


def view(call: Call, record: Record) -> Record:
    """An opportunity as the API shows it: value, names, placements; expansions when asked for."""
    contact = call.store.get("contact", record.get("contact_id") or "") or {}
    customer = call.store.get("company", record.get("customer_id") or "") or {}
    cards = placements(call, record["id"])
    first: Record = cards[0] if cards else {}
    shown = {
        **record,
        "value": value_of(call, record),
        "contact_name": f"{contact.get('first_name') or ''} {contact.get('last_name') or ''}".strip() or None,
        "customer_name": customer.get("name"),
        "pipeline_name": first.get("pipeline_name"),
        "stage_name": first.get("stage_name"),
        "placements": cards,
    }
    wanted = {e.strip() for e in (call.query.get("expand") or "").split(",") if e.strip()}
    if unknown := wanted - {"contact", "referrer", "customer", "products", "assigned_users"}:
        raise invalid(f"expand: unknown {', '.join(sorted(unknown))}", field="expand")
    if "contact" in wanted:
        shown["contact"] = contacts.view(contact) if contact else None
    if "customer" in wanted:
        shown["customer"] = customer or None
    if "referrer" in wanted:
        who = call.store.get("contact", record.get("primary_referrer_contact_id") or "")
        shown["referrer"] = {k: who.get(k) for k in _REFERRER} if who else None
    if "products" in wanted:
        shown["products"] = opportunity_parts.products_of(call, record["id"])
    if "assigned_users" in wanted:
        shown["assigned_users"] = opportunity_parts.users_of(call, record["id"])
    return shown


def value_of(call: Call, record: Record) -> float:
    """The value that was set, else the sum of the line items after discounts."""
    if record.get("value") is not None:
        return float(record["value"])
    total = 0.0
    for line in call.store.all("opportunity_product", opportunity_id=record["id"]):
        total += line["quantity"] * line["unit_price"] * (1 - (line.get("discount_percent") or 0) / 100)
    return round(total, 2)


def of_contact(call: Call, contact_id: str) -> list[Record]:
    """Opportunities on which the person is primary or additional."""
    further = set(call.store.linking("opportunity_contact", contact_id))
    rows = call.store.all("opportunity")
    return [view(call, r) for r in rows if r.get("contact_id") == contact_id or r["id"] in further]


def of_company(call: Call, company_id: str) -> list[Record]:
    return [view(call, r) for r in call.store.all("opportunity", customer_id=company_id)]


def _checked(call: Call, fields: Record) -> Record:
    check_metadata(fields)
    cleaned = {k: v for k, v in fields.items() if k in _WRITABLE}
    call.reference("contact", cleaned.get("contact_id"), "contact_id")
    call.reference("company", cleaned.get("customer_id"), "customer_id")
    if "status" in cleaned and cleaned["status"] not in ("open", "won", "lost"):
        raise invalid("status must be open, won or lost", field="status")
    if "name" in cleaned and not str(cleaned["name"] or "").strip():
        raise invalid("name must not be empty", field="name")
    if isinstance(cleaned.get("tags"), list):
        cleaned["tags"] = normal_tags(cleaned["tags"])
    return cleaned


def _closing(call: Call, before: str, changes: Record) -> Record:
    """When a status that changes won or lost the opportunity; an open one is neither."""
    status = changes.get("status", before)
    if status == before:
        return {}
    now = call.clock.iso()
    return {"won_at": now if status == "won" else None, "lost_at": now if status == "lost" else None}


def create_one(call: Call, fields: Record) -> Record:
    """One new opportunity, checked and placed if it says where. Raises VALIDATION_ERROR."""
    if not isinstance(fields.get("name"), str):
        raise invalid("name is required", field="name")
    if unknown := set(fields) - set(_WRITABLE) - {"skip_automations", "pipeline_id", "stage_id"}:
        raise invalid(f"unknown fields: {', '.join(sorted(unknown))}")
    pipeline_id, stage_id = fields.get("pipeline_id"), fields.get("stage_id")
    if pipeline_id or stage_id:
        check_stage(call, pipeline_id, stage_id)
    defaults: Record = {
        **dict.fromkeys(_WRITABLE), "status": "open", "value": None, "currency": "AUD", "tags": [], "metadata": {},
        "primary_referrer_contact_id": None, "primary_referrer_category": None, "last_activity_at": None,
        "won_at": None, "lost_at": None,
    }  # fmt: skip
    checked = _checked(call, fields)
    record = call.fresh({**defaults, **checked, **_closing(call, "open", checked)})
    record["metadata"] = with_defaults(call.world, None, record)
    call.store.add("opportunity", [record])
    if pipeline_id and stage_id:
        place(call, record["id"], pipeline_id, stage_id, 0)
    crm_events.created(call, "opportunity", record, fields)
    return view(call, call.store.get("opportunity", record["id"]) or record)


def check_stage(call: Call, pipeline_id: Any, stage_id: Any) -> None:
    """Raise VALIDATION_ERROR unless the stage belongs to the pipeline (reference: move, bulk-move)."""
    if not pipeline_id or not stage_id:
        raise invalid("pipeline_id and stage_id go together", field="stage_id")
    call.reference("pipeline", pipeline_id, "pipeline_id")
    stage = call.store.get("stage", stage_id)
    if stage is None or stage["pipeline_id"] != pipeline_id:
        raise invalid(f"stage_id: {stage_id} is no stage of pipeline {pipeline_id}", field="stage_id")


def place(call: Call, opportunity_id: str, pipeline_id: str, stage_id: str, position: int) -> None:
    """A card in a pipeline, or the stage of the card that is there; one that keeps its stage is there since it came."""
    before = dict(call.store.linked("card", opportunity_id)).get(pipeline_id, {})
    since = before["entered_at"] if before.get("stage_id") == stage_id else call.clock.iso()
    call.store.link("card", opportunity_id, pipeline_id, stage_id=stage_id, position=position, entered_at=since)


def _move_one(call: Call, opportunity_id: str) -> bool:
    record = call.store.get("opportunity", opportunity_id)
    if record is None:
        return False
    pipeline_id = call.body["pipeline_id"]
    cards = {p: card["stage_id"] for p, card in call.store.linked("card", opportunity_id)}
    if pipeline_id not in cards and cards:
        # One card goes: from another pipeline to this one. Further placements stay where they are.
        call.store.unlink("card", opportunity_id, next(iter(cards)))
    place(call, opportunity_id, pipeline_id, call.body["stage_id"], call.body.get("position") or 0)
    moved = {**record, "updated_at": call.clock.iso()}
    call.store.save("opportunity", moved)
    crm_events.stage_changed(call, moved, pipeline_id, call.body["stage_id"], cards.get(pipeline_id))
    return True


def _placed(call: Call, keep_others: bool) -> Answer:
    record = call.must("opportunity")
    check_stage(call, call.body["pipeline_id"], call.body["stage_id"])
    if keep_others:
        pipeline_id, stage_id = call.body["pipeline_id"], call.body["stage_id"]
        before = dict(call.store.linked("card", record["id"])).get(pipeline_id, {}).get("stage_id")
        place(call, record["id"], pipeline_id, stage_id, call.body.get("position") or 0)
        placed = {**record, "updated_at": call.clock.iso()}
        call.store.save("opportunity", placed)
        crm_events.stage_changed(call, placed, pipeline_id, stage_id, before)
    else:
        _move_one(call, record["id"])
    return Answer(view(call, call.must("opportunity")))


def _bulk_move(call: Call) -> Answer:
    check_stage(call, call.body["pipeline_id"], call.body["stage_id"])
    return bulk(call, lambda i: _move_one(call, i), "moved")


def _bulk_create(call: Call) -> Answer:
    inherited = {k: call.body[k] for k in ("pipeline_id", "stage_id") if call.body.get(k)}
    return bulk_create(call, lambda c, fields: create_one(c, {**inherited, **fields}))


def _delete_one(call: Call, opportunity_id: str) -> bool:
    for line in call.store.all("opportunity_product", opportunity_id=opportunity_id):
        opportunity_parts.delete_line(call, line["id"])
    call.store.unlink_everywhere(opportunity_id)
    logged = [("activity", "deal_id"), ("task", "deal_id"), ("work_order", "deal_id"), ("invoice", "trustpager_deal_id")]
    clear_references(call, opportunity_id, *logged, ("referral", "referred_deal_id"))
    return call.store.delete("opportunity", opportunity_id)


def _delete(call: Call) -> Answer:
    _delete_one(call, call.must("opportunity")["id"])
    return Answer(status=204)


def _searchable(call: Call, record: Record) -> Record:
    contact = call.store.get("contact", record.get("contact_id") or "") or {}
    customer = call.store.get("company", record.get("customer_id") or "") or {}
    return {
        **view(call, record),
        **{f"_contact_{how}": contact.get(how) for how in _REACHED_BY},
        **{f"_customer_{how}": customer.get(how) for how in _REACHED_BY},
    }


def _list(call: Call) -> Answer:
    q = call.query
    equal = {k: q[k] for k in ("status", "contact_id", "customer_id") if k in q}
    rows = call.store.numbered("opportunity", **equal)
    if "assigned_to" in q:
        mine = set(call.store.linking("opportunity_user", q["assigned_to"]))
        rows = [(n, r) for n, r in rows if r["id"] in mine]
    if "pipeline_id" in q:
        there = set(call.store.linking("card", q["pipeline_id"]))
        rows = [(n, r) for n, r in rows if r["id"] in there]
    if "stage_id" in q:
        stage = q["stage_id"]
        rows = [(n, r) for n, r in rows if any(c["stage_id"] == stage for _, c in call.store.linked("card", r["id"]))]
    rows = [(n, r) for n, r in rows if created_between(r, q)]
    if "search" in q:
        rows = [(n, r) for n, r in rows if contains(_searchable(call, r), q["search"], *_SEARCHED)]
    return page(call, rows, lambda r: view(call, r))


def _search(call: Call) -> Answer:
    text = sought(call)
    found = [view(call, r) for r in call.store.all("opportunity") if contains(_searchable(call, r), text, *_SEARCHED)]
    return everything(found[: call.body.get("limit", 25)])


def _update(call: Call) -> Answer:
    before = call.must("opportunity")
    changes = _checked(call, call.body)
    changes = {**changes, "metadata": with_defaults(call.world, before, {**before, **changes})}
    after = change(call, "opportunity", before, {**changes, **_closing(call, before["status"], changes)})
    crm_events.updated(call, "opportunity", before, after)
    return Answer(view(call, call.must("opportunity")))


HANDLERS: dict[str, Handler] = {
    "list_opportunities": _list,
    "get_opportunity": lambda c: Answer(view(c, c.must("opportunity"))),
    "create_opportunity": lambda c: Answer(create_one(c, c.body), status=201),
    "update_opportunity": _update,
    "delete_opportunity": _delete,
    "search_opportunities": _search,
    "move_opportunity": lambda c: _placed(c, keep_others=False),
    "add_opportunity_card": lambda c: _placed(c, keep_others=True),
    "bulk_create_opportunities": _bulk_create,
    "bulk_delete_opportunities": lambda c: bulk(c, lambda i: _delete_one(c, i), "deleted"),
    "bulk_move_opportunities": _bulk_move,
}
