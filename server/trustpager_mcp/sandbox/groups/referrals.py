"""Who recommended whom: referrals, the opportunity's attribution, requests for referrals, and the leaderboard."""

from __future__ import annotations

import html
from datetime import timedelta
from uuid import uuid4

from .. import mail
from ..automation.context import Context
from ..checks import moment
from ..company import setting
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, invalid
from ..people import name_of
from ..seed import Seeder
from ..store import Record, Store
from ..world import World

_PUBLIC = "https://app.trustpager.com/refer"
_DEFAULT_LIMIT = 20
_LINKS = (("referrer_contact_id", "contact"), ("referred_contact_id", "contact"), ("referred_deal_id", "opportunity"))
_RANKED = ("id", "first_name", "last_name", "email", "phone")


def _checked(call: Call, fields: Record, before: Record) -> Record:
    """Links exist, nobody refers themselves, and the category is one of the workspace's, if it has any."""
    for name, kind in _LINKS:
        call.reference(kind, fields.get(name), name)
    whole = {**before, **fields}
    if whole["referrer_contact_id"] and whole["referrer_contact_id"] == whole.get("referred_contact_id"):
        raise invalid("referred_contact_id: nobody can refer themselves", field="referred_contact_id")
    categories = setting(call.store, "referral_categories")
    if categories and fields.get("category") and fields["category"] not in categories:
        raise invalid(f"category must be one of {', '.join(categories)}", field="category")
    return fields


def _written(world: World, referral: Record, deal_before: str | None = None) -> None:
    """What every write brings: the cached attribution of the opportunities, and the automations' trigger."""
    for deal_id in {referral["referred_deal_id"], deal_before} - {None}:
        _attribute(world.store, str(deal_id))
    links = ("referrer_contact_id", "referred_contact_id", "referred_deal_id")
    data = {k: referral[k] for k in (*links, "category", "status", "source") if referral[k] is not None}
    about = {"deal_id": referral["referred_deal_id"], "contact_id": referral["referred_contact_id"]}
    said = {k: v for k, v in about.items() if v}
    world.emit("referral_attributed", {"referral_id": referral["id"], **data, **said})


def _attribute(store: Store, deal_id: str) -> None:
    """The opportunity shows its most recent referral."""
    deal = store.get("opportunity", deal_id)
    if deal is None:
        return
    referrals = store.all("referral", referred_deal_id=deal_id)
    last = referrals[0] if referrals else {}
    shown = {"primary_referrer_contact_id": last.get("referrer_contact_id"), "primary_referrer_category": last.get("category")}
    store.save("opportunity", {**deal, **shown})


def _new(world: World, fields: Record) -> Record:
    defaults: Record = {
        "referred_contact_id": None, "referred_deal_id": None, "source": "manual", "status": "pending", "category": None,
        "notes": None, "request_id": None,
    }  # fmt: skip
    referral = world.fresh({**defaults, **fields, "converted_at": None, "thank_you_sent_at": None})
    if referral["status"] == "converted":
        referral["converted_at"] = referral["created_at"]
    world.store.add("referral", [referral])
    _written(world, referral)
    return referral


def _create(call: Call) -> Answer:
    return Answer(_new(call.world, _checked(call, call.body, {"referrer_contact_id": None})), status=201)


def _update(call: Call) -> Answer:
    referral = call.must("referral")
    changes = _checked(call, dict(call.body), referral)
    if "status" in changes and changes["status"] != referral["status"]:
        changes["converted_at"] = call.clock.iso() if changes["status"] == "converted" else None
    updated = change(call, "referral", referral, changes)
    _written(call.world, updated, referral["referred_deal_id"])
    return Answer(updated)


def _delete(call: Call) -> Answer:
    referral = call.must("referral")
    call.store.delete("referral", referral["id"])
    if referral["referred_deal_id"]:
        _attribute(call.store, referral["referred_deal_id"])
    return Answer(status=204)


def _list(call: Call) -> Answer:
    q = call.query
    q.setdefault("limit", _DEFAULT_LIMIT)
    names = ("status", "referrer_contact_id", "referred_contact_id", "category")
    return page(call, call.store.numbered("referral", **{k: q[k] for k in names if k in q}))


def _thank(world: World, referral: Record) -> bool:
    """Thank the referrer by email, once; whether it was sent now."""
    person = world.store.get("contact", referral["referrer_contact_id"] or "")
    config = mail.default_config(world.store)
    if referral["thank_you_sent_at"] or not person or not person.get("email") or person.get("email_unsubscribed") or not config:
        return False
    name, company = html.escape(person.get("first_name") or "there"), html.escape(setting(world.store, "company_name"))
    body = f"<p>Hi {name},</p><p>thank you for recommending {company}. Your referral has become a customer.</p>"
    mail.post(world, mail.Mail(
        person["email"], "Thank you for your referral", body, config["from_email"], "postmark", to_name=name_of(person),
        from_name=config["from_name"], contact_id=person["id"], email_type="referral_thank_you",
    ))  # fmt: skip
    return True


def _convert(call: Call) -> Answer:
    """Converting again changes nothing and thanks nobody twice."""
    referral = call.must("referral")
    sent = _thank(call.world, referral)
    now = call.clock.iso()
    changes: Record = {"status": "converted", "converted_at": referral["converted_at"] or now}
    if sent:
        changes["thank_you_sent_at"] = now
    updated = change(call, "referral", referral, changes)
    _written(call.world, updated)
    return Answer({**updated, "thank_you_sent": sent})


def _state(world: World, request: Record) -> Record:
    """A request as it stands now: what was not submitted in time has expired."""
    expires = moment(request["expires_at"])
    late = request["status"] != "submitted" and expires is not None and expires <= world.clock.now()
    shown = {**request, "status": "expired"} if late else request
    return {**shown, "public_url": f"{_PUBLIC}/{request['token']}"}


def _request(call: Call) -> Answer:
    """Raises VALIDATION_ERROR for a contact that cannot be written to."""
    body = call.body
    for name, kind in (("contact_id", "contact"), ("deal_id", "opportunity")):
        call.reference(kind, body.get(name), name)
    person = call.must("contact", body["contact_id"])
    if not person.get("email"):
        raise invalid("contact_id: the contact has no email address", field="contact_id")
    if person.get("email_unsubscribed"):
        raise invalid("contact_id: the contact has unsubscribed from email", field="contact_id")
    sender = mail.company_sender(call.store)
    expires = call.clock.later(timedelta(days=body.get("expires_in_days", 30)).total_seconds())
    request = call.fresh({
        "contact_id": person["id"], "deal_id": body.get("deal_id"), "status": "sent", "token": str(uuid4()),
        "expires_at": expires, "sent_at": call.clock.iso(), "viewed_at": None, "submitted_at": None, "referral_id": None,
    })  # fmt: skip
    call.store.add("referral_request", [request])
    shown = _state(call.world, request)
    texts = Context(call.world, {"contact_id": person["id"], **({"deal_id": body["deal_id"]} if body.get("deal_id") else {})})
    intro = body.get("intro_html") or "<p>{{contact.greeting}}, do you know somebody whom we could help, too?</p>"
    how = body.get("how_it_works_html") or "<p>Enter their details on the page; we do the rest.</p>"
    link = f'<p><a href="{shown["public_url"]}">Recommend a friend</a></p>'
    subject = texts.fill(body.get("subject_override") or "Do you know somebody for {{company.name}}?")
    mail.post(call.world, mail.Mail(
        person["email"], subject, f"{texts.fill(intro)}{texts.fill(how)}{link}", sender["from_email"], "postmark",
        to_name=name_of(person), from_name=sender["from_name"], contact_id=person["id"], deal_id=body.get("deal_id"),
        email_type="referral_request",
    ))  # fmt: skip
    return Answer({"request_id": request["id"], **shown}, status=201)


def _requests(call: Call) -> Answer:
    q = call.query
    q.setdefault("limit", _DEFAULT_LIMIT)
    rows = call.store.numbered("referral_request", **{k: q[k] for k in ("contact_id",) if k in q})
    shown = [(n, _state(call.world, r)) for n, r in rows]
    return page(call, [(n, r) for n, r in shown if r["status"] == q.get("status", r["status"])])


def visit(world: World, token: str, friend: Record | None) -> Record:
    """The public page, opened or, with a friend's details, submitted: a contact, an opportunity and a referral.

    Raises 404 NOT_FOUND, 410 EXPIRED, 409 CONFLICT when it was submitted before, VALIDATION_ERROR for missing details.
    """
    found = world.store.all("referral_request", token=token)
    if not found:
        raise ApiError(404, "NOT_FOUND", "there is no such referral page")
    request = found[0]
    status = _state(world, request)["status"]
    if status == "expired":
        raise ApiError(410, "EXPIRED", "the link of this referral page has expired")
    if friend is None:
        viewed = {"status": "viewed", "viewed_at": world.clock.iso()} if status == "sent" else {}
        world.store.save("referral_request", {**request, **viewed})
        return _state(world, {**request, **viewed})
    if status == "submitted":
        raise ApiError(409, "CONFLICT", "this referral page was submitted already")
    notes, category = friend.get("notes"), friend.get("category")
    known = {k: friend[k] for k in ("first_name", "last_name", "email", "phone") if friend.get(k)}
    contact = world.run("create_contact", world.system, {}, {}, {**known, "source": "referral"}).data
    deal = world.run("create_opportunity", world.system, {}, {}, {
        "name": f"Referral: {name_of(contact)}", "contact_id": contact["id"], "lead_source": "referral",
    }).data  # fmt: skip
    referral = _new(world, {
        "referrer_contact_id": request["contact_id"], "referred_contact_id": contact["id"], "referred_deal_id": deal["id"],
        "source": "form", "notes": notes, "category": category, "request_id": request["id"],
    })  # fmt: skip
    at = world.clock.iso()
    done = {**request, "status": "submitted", "submitted_at": at, "viewed_at": request["viewed_at"] or at}
    world.store.save("referral_request", {**done, "referral_id": referral["id"]})
    return _state(world, {**done, "referral_id": referral["id"]})


def _leaderboard(call: Call) -> Answer:
    won_only = bool(call.query.get("only_converted"))
    totals: dict[str, list[int]] = {}
    for referral in call.store.all("referral"):
        won = referral["status"] == "converted"
        if referral["referrer_contact_id"] and (won or not won_only):
            counts = totals.setdefault(referral["referrer_contact_id"], [0, 0])
            counts[0] += 1
            counts[1] += won
    people: list[Record] = []
    for contact_id, (total, converted) in totals.items():
        contact = call.store.get("contact", contact_id)
        if contact:
            person = {**{k: contact.get(k) for k in _RANKED}, "name": name_of(contact)}
            rate = round(converted / total, 4)
            people.append({
                "contact_id": contact_id, "contact": person, "total_referrals": total, "converted_referrals": converted,
                "conversion_rate": rate,
            })  # fmt: skip
    people.sort(key=lambda p: (-p["converted_referrals"], -p["total_referrals"], p["contact"]["name"]))
    return everything(people[: call.query.get("limit", 10)])


HANDLERS: dict[str, Handler] = {
    "list_referrals": _list,
    "get_referral": lambda c: Answer(c.must("referral")),
    "create_referral": _create,
    "update_referral": _update,
    "delete_referral": _delete,
    "convert_referral": _convert,
    "send_referral_request": _request,
    "list_referral_requests": _requests,
    "get_referral_leaderboard": _leaderboard,
}


def seed(s: Seeder) -> None:
    """A referral behind every opportunity that names its referrer, and some requests."""
    rows = []
    status = {"won": "converted", "lost": "declined", "open": "accepted"}
    for deal in reversed(s.store.all("opportunity")):
        if deal["primary_referrer_contact_id"] and deal["primary_referrer_contact_id"] != deal["contact_id"]:
            at = deal["created_at"]
            row = s.record(
                0, referrer_contact_id=deal["primary_referrer_contact_id"], referred_contact_id=deal["contact_id"],
                referred_deal_id=deal["id"], source=s.rng.choice(("manual", "form")), status=status[deal["status"]],
                category=deal["primary_referrer_category"], notes=None, request_id=None, thank_you_sent_at=deal["won_at"],
                converted_at=deal["won_at"],
            )  # fmt: skip
            rows.append({**row, "created_at": at, "updated_at": deal["won_at"] or at})
    s.store.add("referral", rows)
    people = [c for c in s.store.all("contact") if not c["email_unsubscribed"]][:8]
    s.store.add("referral_request", [
        s.record(
            age, contact_id=person["id"], deal_id=None, status=("sent", "viewed")[i % 2], token=s.id(),
            expires_at=s.time(age - 30), sent_at=s.time(age), viewed_at=s.time(age - 1) if i % 2 else None, submitted_at=None,
            referral_id=None,
        )
        for i, (age, person) in enumerate(zip((90, 75, 60, 45, 20, 12, 6, 3), people, strict=True))
    ])  # fmt: skip
