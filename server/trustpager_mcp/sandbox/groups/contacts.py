"""Contacts and their employers, opt-outs and birthday messages."""

from __future__ import annotations

from uuid import UUID, uuid5

from .. import crm_events
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
    selected,
    sought,
)  # fmt: skip
from ..errors import ApiError, invalid
from ..mail import resubscribe
from ..people import greeting_of, name_of
from ..phones import check_phones, to_e164
from ..rules import check_metadata
from ..store import Record
from . import activities, opportunities

_SEARCHED = ("first_name", "last_name", "display_name", "email", "phone", "landline")
_WRITABLE = (
    "first_name", "last_name", "email", "phone", "landline", "date_of_birth", "job_title", "source", "notes", "metadata",
    "address_line1", "city", "state", "postal_code", "country", "email_unsubscribed", "sms_unsubscribed",
)  # fmt: skip
_MAX_UNSUBSCRIBED = 20
_FAILURE = "UNSUBSCRIBE NOT COMPLETED -- DO NOT TELL THE CALLER THEY HAVE BEEN REMOVED"


def view(record: Record) -> Record:
    """A contact as the API shows it: with display_name and greeting."""
    return {**record, "display_name": name_of(record), "greeting": greeting_of(record)}


def _expanded(call: Call, record: Record) -> Record:
    shown = view(record)
    if call.query.get("expand"):
        shown["employers"] = _employers(call, record["id"])
    return shown


def _employers(call: Call, contact_id: str) -> list[Record]:
    found = ((call.store.get("company", b), link) for b, link in call.store.linked("employer", contact_id))
    return [_employer(contact_id, company, link) for company, link in found if company]


def _employer(contact_id: str, company: Record, link: Record) -> Record:
    """A link as the API shows it: its own id, both ends, and what tells the company."""
    ends = {"contact_id": contact_id, "customer_id": company["id"]}
    own = link.get("id") or str(uuid5(UUID(contact_id), company["id"]))
    return {"id": own, **ends, **{k: company.get(k) for k in ("name", "industry", "email", "phone", "landline")}}


def _checked(fields: Record) -> Record:
    check_phones(fields)
    check_metadata(fields)
    cleaned = {k: v for k, v in fields.items() if k in _WRITABLE}
    if "first_name" in cleaned:
        cleaned["first_name"] = str(cleaned["first_name"] or "").strip()
        if not cleaned["first_name"]:
            raise invalid("first_name must not be empty", field="first_name")
    if "last_name" in cleaned:
        cleaned["last_name"] = (cleaned["last_name"] or "").strip() or None
    return cleaned


def create_one(call: Call, fields: Record) -> Record:
    """One new contact, checked. Raises VALIDATION_ERROR."""
    if not isinstance(fields.get("first_name"), str):
        raise invalid("first_name is required", field="first_name")
    defaults: Record = {**dict.fromkeys(_WRITABLE), "country": "Australia", "metadata": {}}
    opted_in = {"email_unsubscribed": False, "sms_unsubscribed": False}
    record = call.fresh({**defaults, **opted_in, **_checked(fields)})
    call.store.add("contact", [record])
    crm_events.created(call, "contact", record, fields)
    return view(call.store.get("contact", record["id"]) or record)


def _list(call: Call) -> Answer:
    q = call.query
    employed = set(call.store.linking("employer", q["customer_id"])) if "customer_id" in q else None
    rows = [
        (n, r)
        for n, r in call.store.numbered("contact")
        if ("search" not in q or contains(view(r), q["search"], *_SEARCHED))
        and ("source" not in q or r.get("source") == q["source"])
        and (employed is None or r["id"] in employed)
        and all(k not in q or bool(r.get(k)) == q[k] for k in ("email_unsubscribed", "sms_unsubscribed"))
        and created_between(r, q)
    ]
    return page(call, rows, lambda r: _expanded(call, r))


def _update(call: Call) -> Answer:
    before = call.must("contact")
    after = change(call, "contact", before, _checked(call.body))
    if call.body.get("email_unsubscribed") is False and after.get("email"):
        resubscribe(call.world, after["email"])
    crm_events.updated(call, "contact", before, after)
    return Answer(view(call.must("contact")))


def _get(call: Call) -> Answer:
    shown = _expanded(call, call.must("contact"))
    fields, expand = call.query.get("fields"), call.query.get("expand")
    return Answer(selected(shown, fields, expand) if fields else shown)


def _speaks_of(person: Record, text: str) -> bool:
    """Full text: the text as it stands, or each of its words somewhere."""
    return contains(person, text, *_SEARCHED) or all(contains(person, word, *_SEARCHED) for word in text.split())


def _search(call: Call) -> Answer:
    text = sought(call)
    found = [person for r in call.store.all("contact") if _speaks_of(person := view(r), text)]
    return everything(found[: call.body.get("limit", 25)])


def _delete_one(call: Call, contact_id: str) -> bool:
    call.store.unlink_everywhere(contact_id)
    links = [("opportunity", "contact_id"), ("opportunity", "primary_referrer_contact_id"), ("activity", "contact_id")]
    referred = [("referral", "referrer_contact_id"), ("referral", "referred_contact_id")]
    clear_references(call, contact_id, *links, ("task", "contact_id"), *referred)
    for sent in call.store.all("birthday_send", contact_id=contact_id):
        call.store.delete("birthday_send", sent["id"])
    return call.store.delete("contact", contact_id)


def _delete(call: Call) -> Answer:
    _delete_one(call, call.must("contact")["id"])
    return Answer(status=204)


def _link(call: Call) -> Answer:
    contact, company = call.must("contact"), call.must("company", call.ids["customerId"])
    call.store.link("employer", contact["id"], company["id"])
    return Answer(_employer(contact["id"], company, {}), status=201)


def _unlink(call: Call) -> Answer:
    contact = call.must("contact")
    if not call.store.unlink("employer", contact["id"], call.ids["customerId"]):
        raise ApiError(404, "NOT_FOUND", "the contact is not linked to that company")
    return Answer(status=204)


def _caller(body: Record) -> tuple[str | None, str | None]:
    """Number and reason of a voice agent's call: args first, then the top level, then the envelope's own numbers.

    The reference: args.phone, else from_number for inbound and to_number for outbound calls.
    """
    args, envelope = (part if isinstance(part, dict) else {} for part in (body.get("args"), body.get("call")))
    other = "to_number" if envelope.get("direction") == "outbound" else "from_number"
    numbers = (args.get("phone"), body.get("phone"), envelope.get(other))
    number = next((n for n in numbers if isinstance(n, str) and n.strip()), None)
    reason = args.get("reason") or body.get("reason")
    return number, reason if isinstance(reason, str) else None


def _voice_unsubscribe(call: Call) -> Answer:
    """Called by voice agents: answers text, and says plainly when nothing was done."""
    number, reason = _caller(call.body)
    if number is None:
        return Answer(text=f"{_FAILURE}: no phone number was given.")
    if (wanted := to_e164(number)) is None:
        return Answer(text=f"{_FAILURE}: {number[:40]} is no phone number.")
    matched = [r for r in reversed(call.store.all("contact")) if wanted in (r.get("phone"), r.get("landline"))]
    if not matched:
        return Answer(text=f"{_FAILURE}: no contact has this number.")
    for record in matched[:_MAX_UNSUBSCRIBED]:
        changes: Record = {"email_unsubscribed": True, "sms_unsubscribed": True}
        if reason:
            changes["notes"] = "\n".join(filter(None, [record.get("notes"), f"Unsubscribed: {reason}"]))
        change(call, "contact", record, changes)
    return Answer(text="You have been removed from our email and text message lists.")


HANDLERS: dict[str, Handler] = {
    "list_contacts": _list,
    "get_contact": _get,
    "create_contact": lambda c: Answer(create_one(c, c.body), status=201),
    "update_contact": _update,
    "delete_contact": _delete,
    "search_contacts": _search,
    "list_contact_opportunities": lambda c: everything(opportunities.of_contact(c, c.must("contact")["id"])),
    "list_contact_activities": lambda c: everything(activities.of(c, "contact_id", c.must("contact")["id"])),
    "list_contact_employers": lambda c: everything(_employers(c, c.must("contact")["id"])),
    "link_contact_employer": _link,
    "unlink_contact_employer": _unlink,
    "list_contact_birthday_sends": lambda c: everything(c.store.all("birthday_send", contact_id=c.must("contact")["id"])),
    "bulk_create_contacts": lambda c: bulk_create(c, create_one),
    "unsubscribe_voice_caller": _voice_unsubscribe,
    "bulk_delete_contacts": lambda c: bulk(c, lambda i: _delete_one(c, i), "deleted"),
}
