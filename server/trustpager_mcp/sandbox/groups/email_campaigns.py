"""Bulk mailings: audience, sending in batches, and what the recipients then do, hour by hour."""

from __future__ import annotations

import html
import random
import re
from typing import Any
from urllib.parse import quote

from .. import mail
from ..checks import moment
from ..engine import Answer, Call, Handler, change, page
from ..errors import ApiError, invalid
from ..ordered import named
from ..people import greeting_of, name_of
from ..seed import Seeder
from ..store import Record, Store
from ..world import Job, World, earliest, take_due

BATCH = 500
_SAMPLE = 50
_DEFAULTS: Record = {
    "subject": None, "intro_text": None, "body_html": None, "cta_text": None, "cta_url": None, "show_reply_button": True,
    "email_config_id": None, "segment_filter": None, "scheduled_for": None, "started_at": None, "sent_at": None,
    "failure_reason": None,
}  # fmt: skip
_FILTERS = ("tags", "pipeline_id", "pipeline_ids", "stage_id", "stage_ids", "exclude_unsubscribed")
_REACHED = {
    "sent": "sent_at",
    "delivered": "delivered_at",
    "opened": "opened_at",
    "clicked": "clicked_at",
    "bounced": "bounced_at",
}


def audience(store: Store, segment: Record | None) -> list[Record]:
    """The contacts that a segment filter names, one per address, oldest first; no filter names nobody.

    Tags are those of the contact and of the opportunities it is on; any of them is enough.
    """
    if segment is None:
        return []
    chosen = [c for c in reversed(store.all("contact")) if c.get("email")]
    if segment.get("exclude_unsubscribed", True):
        out = {u["email"] for u in store.all("email_unsubscribe")}
        chosen = [c for c in chosen if not c.get("email_unsubscribed") and c["email"].lower() not in out]
    tags = {str(t["name"] if isinstance(t, dict) else t).lower() for t in segment.get("tags") or []}
    if tags:
        chosen = [c for c in chosen if tags & _tags(store, c)]
    pipelines, stages = _ids(segment, "pipeline_id"), _ids(segment, "stage_id")
    if pipelines or stages:
        chosen = [c for c in chosen if _stands_in(store, c, pipelines, stages)]
    first: dict[str, Record] = {}
    for contact in chosen:
        first.setdefault(contact["email"].lower(), contact)
    return list(first.values())


def _ids(segment: Record, name: str) -> set[str]:
    return {*(segment.get(f"{name}s") or []), *([segment[name]] if segment.get(name) else [])}


def _tags(store: Store, contact: Record) -> set[str]:
    deals = store.all("opportunity", contact_id=contact["id"])
    return {str(t["name"]).lower() for r in (contact, *deals) for t in r.get("tags") or []}


def _stands_in(store: Store, contact: Record, pipelines: set[str], stages: set[str]) -> bool:
    cards = [card for d in store.all("opportunity", contact_id=contact["id"]) for card in store.linked("card", d["id"])]
    return any((not pipelines or p in pipelines) and (not stages or card["stage_id"] in stages) for p, card in cards)


def _view(store: Store, campaign: Record) -> Record:
    """A campaign with its delivery figures: who opened was also delivered."""
    recipients = store.all("campaign_recipient", campaign_id=campaign["id"])
    counts = {f"{word}_count": sum(bool(r[at]) for r in recipients) for word, at in _REACHED.items()}
    failed = sum(r["status"] == "failed" for r in recipients)
    left = sum(u["reason"] in mail.ASKED.values() for u in store.all("email_unsubscribe", campaign_id=campaign["id"]))
    return {**campaign, "recipient_count": len(recipients), **counts, "failed_count": failed, "unsubscribed_count": left}


def _checked(call: Call) -> Record:
    fields = dict(named(call.body, "name"))
    call.reference("email_config", fields.get("email_config_id"), "email_config_id")
    segment = fields.get("segment_filter")
    if segment is not None:
        if unknown := set(segment) - set(_FILTERS):
            raise invalid(f"segment_filter: unknown {', '.join(sorted(unknown))}", field="segment_filter")
        for name in ("pipeline_id", "stage_id"):
            for one in sorted(map(str, _ids(segment, name))):
                call.reference(name.removesuffix("_id"), one, f"segment_filter.{name}")
    when = moment(fields.get("scheduled_for"))
    if when is not None:
        if when <= call.clock.now():
            raise invalid("scheduled_for is in the past; leave it out to send by hand", field="scheduled_for")
        fields["scheduled_for"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return fields


def _create(call: Call) -> Answer:
    fields = {**_DEFAULTS, **_checked(call)}
    if fields["email_config_id"] is None:
        config = mail.default_config(call.store)
        fields["email_config_id"] = config["id"] if config else None
    status = "scheduled" if fields["scheduled_for"] else "draft"
    record = call.fresh({**fields, "status": status})
    call.store.add("email_campaign", [record])
    return Answer(_view(call.store, record), status=201)


def _only_in(campaign: Record, act: str, *statuses: str) -> None:
    if campaign["status"] not in statuses:
        raise ApiError(409, "CONFLICT", f"only a {' or '.join(statuses)} campaign can be {act}; this one is {campaign['status']}")


def _update(call: Call) -> Answer:
    campaign = call.must("email_campaign")
    _only_in(campaign, "changed", "draft", "scheduled")
    fields = _checked(call)
    if "scheduled_for" in fields:
        fields["status"] = "scheduled" if fields["scheduled_for"] else "draft"
    return Answer(_view(call.store, change(call, "email_campaign", campaign, fields)))


def _delete(call: Call) -> Answer:
    campaign = call.must("email_campaign")
    _only_in(campaign, "deleted", "draft", "failed")
    call.store.delete("email_campaign", campaign["id"])
    return Answer(status=204)


def _problem(store: Store, campaign: Record) -> str | None:
    """Why a campaign cannot go out."""
    missing = [name for name in ("subject", "body_html") if not campaign[name]]
    if missing:
        return f"{' and '.join(missing)} must be set before sending"
    if campaign["email_config_id"] is None or store.get("email_config", campaign["email_config_id"]) is None:
        return "email_config_id names no sender identity that exists"
    if not audience(store, campaign["segment_filter"]):
        return "the segment_filter matches no contact" if campaign["segment_filter"] is not None else "segment_filter is not set"
    return None


def _start(world: World, campaign: Record) -> Record:
    """The audience is fixed and queued; the batches follow."""
    recipients = [
        world.fresh({
            "campaign_id": campaign["id"], "contact_id": c["id"], "email": c["email"], "name": name_of(c), "status": "queued",
            **dict.fromkeys(_REACHED.values()), "error_message": None,
        })
        for c in audience(world.store, campaign["segment_filter"])
    ]  # fmt: skip
    world.store.add("campaign_recipient", recipients)
    started = {**campaign, "status": "sending", "started_at": world.clock.iso(), "next_batch_at": world.clock.iso()}
    world.store.save("email_campaign", started)
    return started


def _send(call: Call) -> Answer:
    campaign = call.must("email_campaign")
    _only_in(campaign, "sent", "draft", "scheduled")
    if problem := _problem(call.store, campaign):
        raise invalid(f"{problem}; nothing was sent")
    return Answer(_view(call.store, _start(call.world, campaign)))


def _preview(call: Call) -> Answer:
    people = audience(call.store, call.must("email_campaign")["segment_filter"])
    sample = [{"id": c["id"], "name": name_of(c), "email": c["email"]} for c in people[:_SAMPLE]]
    return Answer({"total": len(people), "sample": sample})


def _recipients(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("campaign_recipient", campaign_id=call.must("email_campaign")["id"])
    rows = [(n, r) for n, r in rows if "status" not in q or r["status"] == q["status"]]
    rows = [(n, r) for n, r in rows if "search" not in q or q["search"].lower() in r["email"].lower()]
    return page(call, rows)


def _filled(text: str, contact: Record) -> str:
    """With the contact's variables, named {{first_name}} or {{contact.first_name}}."""
    words = {**contact, "name": name_of(contact), "display_name": name_of(contact), "greeting": greeting_of(contact)}
    return re.sub(r"\{\{\s*(?:contact\.)?(\w+)\s*\}\}", lambda m: str(words.get(m[1]) or ""), text)


def _content(campaign: Record, contact: Record, config: Record, leave_url: str) -> str:
    parts = [f"<p>{_filled(campaign['intro_text'], contact)}</p>" if campaign["intro_text"] else ""]
    parts.append(_filled(campaign["body_html"], contact))
    if campaign["cta_text"] and campaign["cta_url"]:
        parts.append(f'<p><a href="{campaign["cta_url"]}">{campaign["cta_text"]}</a></p>')
    if campaign["show_reply_button"]:
        subject = quote(f"Re: {_filled(campaign['subject'], contact)}")
        parts.append(f'<p><a href="mailto:{config["from_email"]}?subject={subject}">Reply</a></p>')
    return "".join([*parts, f'<p><a href="{html.escape(leave_url)}">Unsubscribe</a></p>'])


def _scheduled(world: World) -> None:
    """Those whose time has come start, or fail with the reason."""
    for campaign in take_due(world, "email_campaign", "scheduled_for", status="scheduled"):
        if problem := _problem(world.store, campaign):
            world.store.save("email_campaign", {**campaign, "status": "failed", "failure_reason": problem})
        else:
            _start(world, campaign)


def _batches(world: World) -> None:
    for campaign in take_due(world, "email_campaign", "next_batch_at", status="sending"):
        config = world.store.get("email_config", campaign["email_config_id"])
        queued = world.store.all("campaign_recipient", campaign_id=campaign["id"], status="queued")[::-1]
        if config is None:
            failed = {**campaign, "status": "failed", "failure_reason": "the sender identity was deleted", "next_batch_at": None}
            world.store.save("email_campaign", failed)
            continue
        fates: dict[str, list[list[str]]] = {}
        for recipient in queued[:BATCH]:
            _send_one(world, campaign, config, recipient, fates)
        for due, changes in fates.items():
            world.store.add("campaign_outcome", [world.fresh({"campaign_id": campaign["id"], "due_at": due, "changes": changes})])
        if len(queued) > BATCH:
            world.store.save("email_campaign", {**campaign, "next_batch_at": world.clock.later(1)})
        else:
            now = world.clock.iso()
            world.store.save("email_campaign", {**campaign, "status": "sent", "sent_at": now, "next_batch_at": None})


def _send_one(world: World, campaign: Record, config: Record, recipient: Record, fates: dict[str, list[list[str]]]) -> None:
    contact = world.store.get("contact", recipient["contact_id"])
    if contact is None:
        gone = {**recipient, "status": "failed", "error_message": "the contact was deleted"}
        world.store.save("campaign_recipient", gone)
        return
    leave_url = f"{world.origin}/functions/v1/public/unsubscribe/{recipient['id']}"
    one = mail.Mail(
        recipient["email"], _filled(campaign["subject"], contact), _content(campaign, contact, config, leave_url),
        config["from_email"], "postmark", to_name=recipient["name"], from_name=config["from_name"], contact_id=contact["id"],
        email_type="campaign", campaign_id=campaign["id"],
    )  # fmt: skip
    left = mail.put_out(world, one, headers={"List-Unsubscribe": f"<{leave_url}>"})
    mail.write_log(world, one, None, left["id"])
    world.store.save("campaign_recipient", {**recipient, "status": "sent", "sent_at": world.clock.iso()})
    for hours, status in _behaviour(campaign["name"], recipient["email"]):
        fates.setdefault(world.clock.later(hours * 3600 + 60), []).append([recipient["id"], status])


def _behaviour(campaign: str, address: str) -> list[tuple[int, str]]:
    """What a person does with a mailing, in hours after it: the same for the same campaign name and address."""
    if mail.fate(address) == "bounced":
        return [(0, "bounced")]
    rng = random.Random(f"{campaign}/{address}")
    steps = [(0, "delivered")]
    if rng.random() < 0.45:
        steps.append((hours := rng.randint(1, 30), "opened"))
        if rng.random() < 0.3:
            steps.append((hours + 1, "clicked"))
        if rng.random() < 0.03:
            steps.append((hours + 2, "unsubscribed"))
    return steps


def _outcomes(world: World) -> None:
    for outcome in take_due(world, "campaign_outcome"):
        world.store.delete("campaign_outcome", outcome["id"])
        for recipient_id, status in outcome["changes"]:
            recipient = world.store.get("campaign_recipient", recipient_id)
            if recipient is None:
                continue
            if status == "unsubscribed":
                mail.unsubscribe(world, recipient["email"], "link_click", outcome["campaign_id"])
                continue
            at = world.clock.iso()
            world.store.save("campaign_recipient", {**recipient, "status": status, _REACHED[status]: at, "updated_at": at})


def _list(call: Call) -> Answer:
    rows = call.store.numbered("email_campaign", **{k: call.query[k] for k in ("status",) if k in call.query})
    return page(call, rows, lambda c: _view(call.store, c))


HANDLERS: dict[str, Handler] = {
    "list_email_campaigns": _list,
    "create_email_campaign": _create,
    "get_email_campaign": lambda c: Answer(_view(c.store, c.must("email_campaign"))),
    "update_email_campaign": _update,
    "delete_email_campaign": _delete,
    "send_email_campaign": _send,
    "preview_campaign_audience": _preview,
    "list_campaign_recipients": _recipients,
    "list_email_unsubscribes": lambda c: page(c, c.store.numbered("email_unsubscribe")),
}
JOBS = (
    Job(lambda world: earliest(world, "email_campaign", "scheduled_for", status="scheduled"), _scheduled),
    Job(lambda world: earliest(world, "email_campaign", "next_batch_at", status="sending"), _batches),
    Job(lambda world: earliest(world, "campaign_outcome"), _outcomes),
)

_MAILINGS = (
    ("Winter heat pump offer", "Hot water for a third of the price", 150),
    ("Battery rebate explained", "What the rebate pays", 95),
    ("Spring panel check", "Are your panels working as they should?", 40),
)  # fmt: skip


def seed(s: Seeder) -> None:
    config = mail.default_config(s.store)
    config_id = config["id"] if config else None
    people = [c for c in reversed(s.store.all("contact")) if c["email"] and not c["email_unsubscribed"]]
    recipients: list[Record] = []
    for name, subject, age in _MAILINGS:
        body = f"<p>Hi {{{{first_name}}}},</p><p>{subject}. Our team explains it in two minutes.</p>"
        fields: Record = {**_DEFAULTS, "name": name, "subject": subject, "body_html": body, "email_config_id": config_id}
        fields |= {"segment_filter": {"exclude_unsubscribed": True}, "status": "sent", "next_batch_at": None}
        campaign = s.record(age + 2, **fields)
        campaign |= {"started_at": s.time(age), "sent_at": s.time(age), "updated_at": s.time(age)}
        s.store.add("email_campaign", [campaign])
        for contact in s.rng.sample(people, 80):
            marks: dict[str, Any] = dict.fromkeys(_REACHED.values())
            status = "sent"
            marks["sent_at"] = s.time(age)
            for hours, step in _behaviour(name, contact["email"]):
                if step in _REACHED:
                    status, marks[_REACHED[step]] = step, s.time(age - hours / 24)
            one = {"campaign_id": campaign["id"], "contact_id": contact["id"], "email": contact["email"]}
            recipients.append(s.record(age, **one, name=name_of(contact), status=status, **marks, error_message=None))
    drafts = {**_DEFAULTS, "status": "draft", "email_config_id": config_id, "next_batch_at": None}
    s.store.add("email_campaign", [s.record(3, **{**drafts, "name": "Referral thank-you", "subject": "A thank-you from us"})])
    s.store.add("campaign_recipient", recipients)
    left = [c for c in reversed(s.store.all("contact")) if c["email_unsubscribed"]]
    first = s.store.all("email_campaign", status="sent")[-1]["id"]
    s.store.add("email_unsubscribe", [
        s.record(100 - i, email=c["email"].lower(), contact_id=c["id"], reason="link_click" if i % 3 else "unsubscribe_header",
                 campaign_id=first)
        for i, c in enumerate(left)
    ])  # fmt: skip
