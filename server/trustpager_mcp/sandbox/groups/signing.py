"""E-signature envelopes: rendered from a template, mailed to signers, signed or declined on the page that the mail links to.

The page is served without a credential below /functions/v1/public/sign/: GET shows what is to be signed (and counts as
viewed), POST signs with `input_values` or declines with a `reason`.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any

from .. import stored_files
from ..checks import moment
from ..document_rendering import blocks_of
from ..engine import Answer, Call, Handler, everything
from ..errors import ApiError, invalid
from ..mail import notify
from ..merge_fields import context_of
from ..pdf import Block, render
from ..seed import Seeder
from ..store import Record, Store
from ..world import World
from . import documents
from .document_templates import SECTIONS

_OPEN = ("sent", "viewed")


def _recipients(store: Store, envelope_id: str) -> list[Record]:
    rows = store.all("signing_recipient", envelope_id=envelope_id)
    return sorted(reversed(rows), key=lambda r: r["order_index"])


def _view(world: World, envelope: Record) -> Record:
    """Without the signers' tokens: whoever holds one can sign."""
    recipients = [{k: v for k, v in r.items() if k != "token"} for r in _recipients(world.store, envelope["id"])]
    return {**{k: v for k, v in envelope.items() if k != "sections"}, "recipients": recipients}


def _slug(store: Store, title: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "document"
    taken = {e["slug"] for e in store.all("signing_envelope")}
    number, slug = 1, plain
    while slug in taken:
        number += 1
        slug = f"{plain}-{number}"
    return slug


def _rendered(store: Store, now: datetime, envelope: Record, note: list[Block]) -> bytes:
    values = {k: v for r in _recipients(store, envelope["id"]) for k, v in r["input_values"].items()}
    context = context_of(store, now, envelope["deal_id"])
    blocks = blocks_of(store, envelope["title"], envelope["sections"], context, values)
    return render([*blocks, *note])[0]


def _send(call: Call) -> Answer:
    body = call.body
    template = call.store.get("document_template", body["template_id"])
    if template is None:
        raise invalid(f"template_id: there is no document template {body['template_id']}", field="template_id")
    call.reference("opportunity", body.get("deal_id"), "deal_id")
    sections = SECTIONS.of(call.store, template["id"])
    if not any(s["is_visible"] for s in sections):
        raise invalid("the template has no visible section; add one first", field="template_id")
    for i, signer in enumerate(body["signers"]):
        if not signer["name"].strip():
            raise invalid(f"signers.{i}.name must not be empty", field=f"signers.{i}.name")
    # What is signed is the template as it was sent, whatever becomes of it.
    envelope = call.fresh({
        "slug": _slug(call.store, template["name"]), "title": template["name"], "status": "sent", "template_id": template["id"],
        "deal_id": body.get("deal_id"), "personal_message": body.get("personal_message"), "sections": sections,
        "document_id": None, "sent_at": call.clock.iso(), "completed_at": None, "voided_at": None, "decline_reason": None,
    })  # fmt: skip
    recipients = [
        call.fresh({
            "envelope_id": envelope["id"], "name": s["name"], "email": s["email"], "role": s.get("role") or "signer",
            "order_index": s.get("order_index", i), "status": "sent", "token": secrets.token_urlsafe(24), "input_values": {},
            "sent_at": call.clock.iso(), "viewed_at": None, "signed_at": None,
        })
        for i, s in enumerate(body["signers"])
    ]  # fmt: skip
    call.store.add("signing_envelope", [envelope])
    call.store.add("signing_recipient", recipients)
    paper = documents.archive(
        call, _rendered(call.store, call.clock.now(), envelope, []), name=f"{envelope['title']}.pdf", folder="Signing",
        document_type="Agreement", deal_id=envelope["deal_id"],
    )  # fmt: skip
    envelope = {**envelope, "document_id": paper["id"]}
    call.store.save("signing_envelope", envelope)
    for recipient in recipients:
        _mail(call.world, envelope, recipient)
        _emit(call.world, "signature_sent", envelope, recipient)
    return Answer(_view(call.world, envelope), status=201)


def _mail(world: World, envelope: Record, recipient: Record) -> None:
    url = f"{world.origin}/functions/v1/public/sign/{recipient['token']}"
    message = f"{envelope['personal_message']}\n\n" if envelope["personal_message"] else ""
    notify(
        world, "signing", recipient["email"], f"Please sign: {envelope['title']}", source="signing",
        body=f"Hello {recipient['name']},\n\n{message}please read and sign {envelope['title']}: {url}",
        envelope_id=envelope["id"], recipient_id=recipient["id"], url=url, **_links(envelope),
    )  # fmt: skip


def _links(envelope: Record) -> dict[str, str]:
    return {"deal_id": envelope["deal_id"]} if envelope["deal_id"] else {}


def _emit(world: World, name: str, envelope: Record, recipient: Record, **more: Any) -> None:
    world.emit(name, {
        "envelope_id": envelope["id"], "signature_template_id": envelope["template_id"], "document_name": envelope["title"],
        "signer_name": recipient["name"], "signer_email": recipient["email"], **_links(envelope), **more,
    })  # fmt: skip


def _must_be_open(envelope: Record, what: str) -> None:
    if envelope["status"] not in _OPEN:
        raise ApiError(409, "CONFLICT", f"the envelope is {envelope['status']}; only one that waits for signatures can be {what}")


def _save(world: World, kind: str, record: Record, **changes: Any) -> Record:
    changed = {**record, **changes, "updated_at": world.clock.iso()}
    world.store.save(kind, changed)
    return changed


def _void(call: Call) -> Answer:
    """Nobody can sign any more; signatures given so far stay on record."""
    envelope = call.must("signing_envelope", what="envelope")
    _must_be_open(envelope, "voided")
    for recipient in _recipients(call.store, envelope["id"]):
        if recipient["status"] in _OPEN:
            _save(call.world, "signing_recipient", recipient, status="voided")
    now = call.clock.iso()
    return Answer(_view(call.world, _save(call.world, "signing_envelope", envelope, status="voided", voided_at=now)))


def _resend(call: Call) -> Answer:
    envelope = call.must("signing_envelope", what="envelope")
    recipient = call.store.get("signing_recipient", call.body["recipient_id"])
    if recipient is None or recipient["envelope_id"] != envelope["id"]:
        raise ApiError(404, "NOT_FOUND", f"the envelope has no recipient {call.body['recipient_id']}")
    _must_be_open(envelope, "sent again")
    if recipient["status"] not in _OPEN:
        raise ApiError(409, "CONFLICT", f"{recipient['name']} has {recipient['status']} already")
    _mail(call.world, envelope, recipient)
    _save(call.world, "signing_recipient", recipient, sent_at=call.clock.iso())
    return Answer(_view(call.world, envelope))


def _inputs(store: Store, envelope: Record, recipient: Record) -> list[Record]:
    """The fields that this signer fills in; those of nobody among the signers are the primary signer's."""
    signers = _recipients(store, envelope["id"])
    emails = {r["email"].lower() for r in signers}
    inputs = []
    for section in envelope["sections"]:
        wanted = str((section["content"] or {}).get("signerEmail") or "").lower()
        owner = next((r for r in signers if r["email"].lower() == wanted), signers[0]) if wanted in emails else signers[0]
        if section["type"] == "signer-input" and section["is_visible"] and owner["id"] == recipient["id"]:
            inputs.append(section)
    return inputs


def _opened(world: World, token: str) -> tuple[Record, Record]:
    """Envelope and recipient of a signing link. Raises 404."""
    recipient = next(iter(world.store.all("signing_recipient", token=token)), None)
    envelope = world.store.get("signing_envelope", recipient["envelope_id"]) if recipient else None
    if recipient is None or envelope is None:
        raise ApiError(404, "NOT_FOUND", "there is no such signing link")
    return envelope, recipient


def show_page(world: World, token: str) -> Answer:
    """What the signer sees; the first look counts as viewed."""
    envelope, recipient = _opened(world, token)
    if recipient["status"] == "sent" and envelope["status"] in _OPEN:
        recipient = _save(world, "signing_recipient", recipient, status="viewed", viewed_at=world.clock.iso())
        if envelope["status"] == "sent":
            envelope = _save(world, "signing_envelope", envelope, status="viewed")
        _emit(world, "signature_viewed", envelope, recipient)
    url = None
    if (paper := world.store.get("document", envelope["document_id"] or "")) is not None:
        url, _ = stored_files.signed_url(world, paper["id"], paper["name"], "application/pdf", stored_files.DOWNLOAD_SECONDS)
    inputs = [{"id": s["id"], **s["content"]} for s in _inputs(world.store, envelope, recipient)]
    shown = {"title": envelope["title"], "status": envelope["status"], "signer": recipient["name"], "document_url": url}
    return Answer({**shown, "signer_status": recipient["status"], "inputs": inputs})


def sign(world: World, token: str, body: Any) -> Answer:
    """Sign with `input_values` by section, or decline: {"action": "decline", "reason"}. Raises VALIDATION_ERROR, 404, 409."""
    envelope, recipient = _opened(world, token)
    _must_be_open(envelope, "signed")
    if recipient["status"] not in _OPEN:
        raise ApiError(409, "CONFLICT", f"{recipient['name']} has {recipient['status']} already")
    if not isinstance(body, dict) or body.get("action", "sign") not in ("sign", "decline"):
        raise invalid("the body must be an object whose action is sign or decline", field="action")
    if body.get("action") == "decline":
        reason = str(body.get("reason") or "") or None
        recipient = _save(world, "signing_recipient", recipient, status="declined")
        envelope = _save(world, "signing_envelope", envelope, status="declined", decline_reason=reason)
        _emit(world, "signature_declined", envelope, recipient, decline_reason=reason)
        return Answer({"status": "declined"})
    values = _checked_values(_inputs(world.store, envelope, recipient), body.get("input_values") or {})
    now = world.clock.iso()
    recipient = _save(world, "signing_recipient", recipient, status="signed", signed_at=now, input_values=values)
    if all(r["status"] == "signed" for r in _recipients(world.store, envelope["id"])):
        _complete(world, envelope, recipient)
    return Answer({"status": "signed"})


def _checked_values(inputs: list[Record], given: Any) -> Record:
    """What the signer typed, by section. Raises VALIDATION_ERROR naming every field that is wrong."""
    if not isinstance(given, dict):
        raise invalid("input_values must be an object by input id", field="input_values")
    known = {s["id"]: s["content"] for s in inputs}
    problems = {name: "is no input of this signer" for name in given if name not in known}
    values: Record = {}
    for section_id, content in known.items():
        value = given.get(section_id)
        if value is None or value == "":
            if content.get("required"):
                problems[section_id] = f"{content.get('label')} is required"
        elif content.get("fieldType") == "number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
            problems[section_id] = f"{content.get('label')} must be a number"
        elif content.get("fieldType") == "date" and (moment(value) is None or len(str(value)) != 10):
            problems[section_id] = f"{content.get('label')} must be a date, like 2026-06-30"
        elif isinstance(value, (dict, list)):
            problems[section_id] = f"{content.get('label')} must be one value"
        else:
            values[section_id] = value
    if problems:
        raise invalid(f"input_values: {next(iter(problems.values()))}", fields=problems)
    return values


def _complete(world: World, envelope: Record, last: Record) -> None:
    """Everyone has signed: the paper tells who and when, everyone gets it, automations learn of it."""
    now = world.clock.iso()
    envelope = _save(world, "signing_envelope", envelope, status="completed", completed_at=now)
    signers = _recipients(world.store, envelope["id"])
    note = [Block("Signatures", "heading"), *(Block(f"{r['name']} <{r['email']}> signed at {r['signed_at']}") for r in signers)]
    if (paper := world.store.get("document", envelope["document_id"] or "")) is not None:
        content = _rendered(world.store, world.clock.now(), envelope, note)
        stored_files.put(world.store, paper["id"], content)
        _save(world, "document", paper, file_size=len(content))
    for recipient in signers:
        notify(
            world, "signing", recipient["email"], f"Signed: {envelope['title']}", source="signing",
            body=f"Everyone has signed {envelope['title']}. A copy is attached.", envelope_id=envelope["id"],
            attachments=[paper["id"]] if paper else [], **_links(envelope),
        )  # fmt: skip
    values = {k: v for r in signers for k, v in r["input_values"].items()}
    labels = {s["id"]: (s["content"] or {}).get("label") for s in envelope["sections"]}
    answers = {str(labels.get(k) or k): v for k, v in values.items()}
    _emit(world, "signature_completed", envelope, last, completed_at=now, input_values=answers)


def seed(s: Seeder) -> None:
    """Agreements of the last months in every state."""
    template = next(t for t in s.store.all("document_template") if t["name"] == "Installation agreement")
    sections = SECTIONS.of(s.store, template["id"])
    asked = [section["id"] for section in sections if section["type"] == "signer-input"]
    deals = [d for d in s.store.all("opportunity") if d["contact_id"]]
    states = ["completed"] * 8 + ["sent"] * 4 + ["viewed"] * 3 + ["voided", "declined"]
    envelopes = []
    for i, (deal, status) in enumerate(zip(s.rng.sample(deals, len(states)), states, strict=True)):
        contact = s.store.get("contact", deal["contact_id"]) or {}
        name = " ".join(filter(None, (contact["first_name"], contact["last_name"])))
        age = s.rng.uniform(1, 25) if status in _OPEN else s.rng.uniform(26, 150)
        signed = s.time(age - 1) if status == "completed" else None
        slug = f"installation-agreement-{i + 1}" if i else "installation-agreement"
        envelope = s.record(
            age, slug=slug, title=template["name"], status=status, template_id=template["id"], deal_id=deal["id"],
            personal_message=None, sections=sections, document_id=None, sent_at=s.time(age), completed_at=signed,
            voided_at=s.time(age - 2) if status == "voided" else None,
            decline_reason="Went with another installer" if status == "declined" else None,
        )  # fmt: skip
        recipient = s.record(
            age, envelope_id=envelope["id"], name=name, email=contact["email"], role="signer", order_index=0,
            status="signed" if signed else status, token=s.id(), sent_at=s.time(age), signed_at=signed,
            viewed_at=s.time(age - 0.5) if status not in ("sent", "voided") else None,
            input_values={asked[0]: f"NMI-41{s.rng.randint(10_000, 99_999)}"} if signed else {},
        )  # fmt: skip
        s.store.add("signing_recipient", [recipient])
        content = _rendered(s.store, s.now, envelope, [])
        paper = s.record(
            age, name=f"{envelope['title']}.pdf", folder="Signing", document_type="Agreement", deal_id=deal["id"],
            mime_type="application/pdf", file_size=len(content),
        )  # fmt: skip
        s.store.add("document", [paper])
        stored_files.put(s.store, paper["id"], content)
        s.store.link("opportunity_document", deal["id"], paper["id"])
        envelopes.append({**envelope, "document_id": paper["id"]})
    s.store.add("signing_envelope", sorted(envelopes, key=lambda e: e["created_at"]))


HANDLERS: dict[str, Handler] = {
    "list_signing_envelopes": lambda c: everything([_view(c.world, e) for e in c.store.all("signing_envelope")]),
    "get_signing_envelope": lambda c: Answer(_view(c.world, c.must("signing_envelope", what="envelope"))),
    "send_document_for_signing": _send,
    "void_signing_envelope": _void,
    "resend_signing_email": _resend,
}
