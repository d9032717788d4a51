"""Forms that were sent: prefilled, answered on the page that the mail links to, archived as PDF, voided, deleted.

The page is served without a credential below /functions/v1/public/forms/: GET shows the form (and counts as viewed), POST
takes `{"answers": {field id: value}}`.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from .. import crm_variables
from ..engine import Answer, Call, Handler, everything
from ..errors import ApiError, invalid
from ..form_answers import checked, options_of
from ..mail import notify
from ..pdf import Block, render
from ..seed import Seeder
from ..store import Record, Store
from ..world import Job, World
from . import documents, files, spreadsheets
from .forms import FIELDS

_OPEN = ("sent", "viewed")
_FILTERS = ("template_id", "deal_id", "contact_id", "customer_id", "status")
_LINKS = {"deal_id": "opportunity", "contact_id": "contact", "customer_id": "company"}
_MOST_DAYS = 3650


def _view(submission: Record) -> Record:
    """Without the token: whoever holds it can answer."""
    return {k: v for k, v in submission.items() if k != "token"}


def _send(call: Call) -> Answer:
    body = call.body
    template = call.store.get("form_template", body["template_id"])
    if template is None:
        raise invalid(f"template_id: there is no form template {body['template_id']}", field="template_id")
    if template["is_archived"]:
        raise ApiError(409, "CONFLICT", "the form is archived; archive it again to bring it back")
    for name, kind in _LINKS.items():
        call.reference(kind, body.get(name), name)
    if not body["recipient_name"].strip():
        raise invalid("recipient_name must not be empty", field="recipient_name")
    days = body.get("expires_in_days")
    if days is not None and days > _MOST_DAYS:
        raise invalid(f"expires_in_days must be at most {_MOST_DAYS}", field="expires_in_days")
    expires = (call.clock.now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if days else None
    deal = call.store.get("opportunity", body.get("deal_id") or "") or {}
    submission = call.fresh({
        "template_id": template["id"], "template_name": template["name"], "status": "sent",
        "recipient_email": body["recipient_email"], "recipient_name": body["recipient_name"],
        "deal_id": body.get("deal_id"), "contact_id": body.get("contact_id") or deal.get("contact_id"),
        "customer_id": body.get("customer_id") or deal.get("customer_id"),
        "personal_message": body.get("personal_message"), "notify_emails": body.get("notify_emails") or [],
        "expires_at": expires, "sent_at": call.clock.iso(), "viewed_at": None, "completed_at": None, "voided_at": None,
        "token": secrets.token_urlsafe(24), "responses": [], "crm_writes": [],
    })  # fmt: skip
    call.store.add("form_submission", [submission])
    _mail(call.world, submission)
    call.world.emit("form_sent", _event(submission))
    return Answer(_view(submission), status=201)


def _mail(world: World, submission: Record) -> None:
    url = f"{world.origin}/functions/v1/public/forms/{submission['token']}"
    message = f"{submission['personal_message']}\n\n" if submission["personal_message"] else ""
    notify(
        world, "form_submission", submission["recipient_email"], submission["template_name"], source="form_submission",
        body=f"Hello {submission['recipient_name']},\n\n{message}please fill in {submission['template_name']}: {url}",
        submission_id=submission["id"], url=url, **_links(submission),
    )  # fmt: skip


def _links(submission: Record) -> Record:
    """The records that the submission belongs to."""
    return {name: submission[name] for name in _LINKS if submission[name]}


def _event(submission: Record) -> Record:
    return {
        "form_template_id": submission["template_id"], "form_name": submission["template_name"],
        "submission_id": submission["id"], "recipient_email": submission["recipient_email"],
        **_links(submission),
    }  # fmt: skip


def _must_be_open(submission: Record, what: str) -> None:
    if submission["status"] not in _OPEN:
        raise ApiError(409, "CONFLICT", f"the form is {submission['status']}; only one that waits for answers can be {what}")


def _save(world: World, submission: Record, **changes: Any) -> Record:
    changed = {**submission, **changes, "updated_at": world.clock.iso()}
    world.store.save("form_submission", changed)
    return changed


def _list(call: Call) -> Answer:
    wanted = {name: call.query[name] for name in _FILTERS if name in call.query}
    return everything([_view(s) for s in call.store.all("form_submission", **wanted)])


def _resend(call: Call) -> Answer:
    submission = call.must("form_submission")
    _must_be_open(submission, "sent again")
    _mail(call.world, submission)
    return Answer(_view(_save(call.world, submission, sent_at=call.clock.iso())))


def _void(call: Call) -> Answer:
    submission = call.must("form_submission")
    _must_be_open(submission, "voided")
    return Answer(_view(_save(call.world, submission, status="expired", voided_at=call.clock.iso())))


def _delete(call: Call) -> Answer:
    """With the files that came with the answers and, if asked for, the PDFs made from them."""
    submission = call.must("form_submission")
    for upload in call.store.all("file", form_submission_id=submission["id"]):
        files.delete(call, upload["id"])
    for paper in call.store.all("document", source_form_submission_id=submission["id"]):
        if call.query.get("delete_archived_pdf"):
            files.delete(call, paper["id"])
    call.store.delete("form_submission", submission["id"])
    return Answer(status=204)


def _open_link(world: World, token: str) -> Record:
    """The submission of a form's link. Raises 404."""
    submission = next(iter(world.store.all("form_submission", token=token)), None)
    if submission is None:
        raise ApiError(404, "NOT_FOUND", "there is no such form")
    return submission


def show_page(world: World, token: str) -> Answer:
    """What the recipient sees, with the values that were prefilled for the opportunity."""
    submission = _open_link(world, token)
    if submission["status"] == "sent":
        submission = _save(world, submission, status="viewed", viewed_at=world.clock.iso())
    known = _prefilled(world.store, submission)
    fields = [
        {**{k: f[k] for k in ("id", "type", "label", "placeholder", "is_required", "step_number")}, "options": options_of(f),
         "value": known.get(f["id"]), **_columns(world.store, f)}
        for f in FIELDS.of(world.store, submission["template_id"])
    ]  # fmt: skip
    about = {name: submission[name] for name in ("status", "recipient_name", "expires_at")}
    return Answer({"form_name": submission["template_name"], **about, "fields": fields})


def _columns(store: Store, field: Record) -> Record:
    """The columns of a spreadsheet field: its answer is a list of rows, each with cells by column id."""
    if field["type"] != "spreadsheet":
        return {}
    template = store.get("spreadsheet_template", str((field["content"] or {}).get("spreadsheet_template_id"))) or {}
    return {"columns": [c for c in template.get("columns", ()) if not c.get("archived")]}


def _prefilled(store: Store, submission: Record) -> Record:
    prefills = store.all("form_prefill", template_id=submission["template_id"], deal_id=submission["deal_id"])
    return {v["field_id"]: v["value"] for v in prefills[0]["values"]} if prefills and submission["deal_id"] else {}


def answer(world: World, token: str, body: Any) -> Answer:
    """Take the answers: stored, written into the CRM, archived, notified, told to automations - in this order.

    Raises VALIDATION_ERROR for wrong answers, 409 when the form was answered, voided or has expired.
    """
    submission = _open_link(world, token)
    _must_be_open(submission, "answered")
    if not isinstance(body, dict):
        raise invalid("the body must be an object with answers", field="answers")
    fields = FIELDS.of(world.store, submission["template_id"])
    answers = checked(fields, body.get("answers") or {})
    responses = []
    for field in fields:
        if field["id"] in answers:
            value = answers[field["id"]]
            if field["type"] == "file":
                value = _uploaded(world, submission, value)
            elif field["type"] == "spreadsheet":
                value = _sheet(world, submission, field, value)
            responses.append({"field_id": field["id"], "label": field["label"], "type": field["type"], "value": value})
    submission = _save(world, submission, status="completed", completed_at=world.clock.iso(), responses=responses)
    writes = []
    for field in fields:
        variable = (field["content"] or {}).get("crm_variable")
        if variable and field["id"] in answers and field["type"] not in ("file", "spreadsheet"):
            mode = field["content"].get("crm_variable_mode", "overwrite")
            writes.append(crm_variables.write(world, variable, mode, answers[field["id"]], submission))
    submission = _save(world, submission, crm_writes=writes)
    template = world.store.get("form_template", submission["template_id"]) or {"settings": {}}
    if template["settings"].get("archivePdfOnSubmit"):
        _archive(world, submission, template["settings"], {}, _rendered(submission)[0])
    _notify(world, submission, template["settings"])
    named = {crm_variables.identifier(r["label"]): r["value"] for r in responses}
    world.emit("form_completed", {**_event(submission), "answers": named})
    return Answer({"status": "completed", **_completion(template["settings"])})


def _completion(settings: Record) -> Record:
    """The screen that ends the form: a message and, where the form has one, a button."""
    screen: Record = {"message": settings.get("completionMessage") or "Thank you, your answers have been received."}
    if settings.get("completionButtonEnabled"):
        text, url = settings.get("completionButtonText"), settings.get("completionButtonUrl")
        screen["button"] = {"text": text, "url": url, "new_tab": settings.get("completionButtonNewTab", True)}
    return screen


def _uploaded(world: World, submission: Record, value: Record) -> Record:
    fields = {
        "type": "secure", "name": value["name"], "folder": "Form uploads", "file_category": "form",
        "mime_type": str(value.get("mime_type") or "application/octet-stream"), "form_submission_id": submission["id"],
    }  # fmt: skip
    record = files.save_upload(world, fields, value["base64"])
    return {"file_id": record["id"], "name": record["name"]}


def _sheet(world: World, submission: Record, field: Record, rows: list[Record]) -> Record:
    """The answer as a spreadsheet of its own, on the opportunity if there is one. Raises VALIDATION_ERROR."""
    template_id = str((field["content"] or {}).get("spreadsheet_template_id"))
    name = f"{submission['template_name']} - {submission['recipient_name']}"
    sheet = spreadsheets.filled(world, template_id, name, rows, submission["deal_id"])
    return {"spreadsheet_id": sheet["id"], "name": sheet["name"]}


def _notify(world: World, submission: Record, settings: Record) -> None:
    """The call's addresses, else the template's, else the workspace's, else the sender (the workspace's admin)."""
    workspace = next(iter(world.store.all("company_settings")), {})
    admins = [u["email"] for u in world.store.all("user") if u.get("role") == "admin"]
    to = (
        submission["notify_emails"]
        or settings.get("notifyEmails")
        or workspace.get("form_completion_notify_emails")
        or admins[:1]
    )
    for address in dict.fromkeys(to):
        notify(
            world, "form_submission", address, f"{submission['recipient_name']} completed {submission['template_name']}",
            source="form_submission", body=_text(submission), submission_id=submission["id"], **_links(submission),
        )  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("name"))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(submission: Record) -> str:
    return "\n".join(f"{r['label']}: {_shown(r['value'])}" for r in submission["responses"])


def _rendered(submission: Record) -> tuple[bytes, int]:
    who = f"{submission['recipient_name']} <{submission['recipient_email']}>, completed {submission['completed_at']}"
    blocks = [Block(submission["template_name"], "title"), Block(who)]
    for response in submission["responses"]:
        blocks += [Block(response["label"], "heading"), Block(_shown(response["value"]))]
    return render(blocks)


def _archive(world: World, submission: Record, settings: Record, asked: Record, content: bytes) -> Record:
    """The PDF in the library: what the call asks for, else the template's settings, else the platform's defaults."""
    base = asked.get("name") or f"{submission['template_name']} - {submission['recipient_name']}"
    day = submission["completed_at"][:10]
    return documents.archive(
        world, content, name=f"{base}_{world.clock.now():%Y%m%d-%H%M%S}.pdf",
        folder=asked.get("folder") or settings.get("submissionFolder") or "Client Forms",
        document_type=asked.get("document_type") or settings.get("submissionDocumentType") or "Other",
        description=asked.get("description") or f"Archived form submission - completed {day}",
        source_form_submission_id=submission["id"], **{name: submission[name] for name in _LINKS},
    )  # fmt: skip


def _render_pdf(call: Call) -> Answer:
    submission = call.must("form_submission")
    if submission["status"] != "completed":
        raise ApiError(409, "CONFLICT", f"the form is {submission['status']}; only a completed one can be rendered")
    content, pages = _rendered(submission)
    call.world.charge(pages, call.tool.name)
    template = call.store.get("form_template", submission["template_id"]) or {"settings": {}}
    paper = _archive(call.world, submission, template["settings"], call.body, content)
    shown = files.view(call.world, paper)
    return Answer({"document_id": paper["id"], "document": shown, "page_count": pages, "credits_charged": pages}, status=201)


def _create_prefill(call: Call) -> Answer:
    call.reference("form_template", call.body["template_id"], "template_id")
    call.reference("opportunity", call.body.get("deal_id"), "deal_id")
    defaults: Record = {"deal_id": None, "status": "pending", "additional_context": None, "values": []}
    call.store.add("form_prefill", [prefill := call.fresh({**defaults, **call.body})])
    return Answer(prefill, status=201)


def _list_prefills(call: Call) -> Answer:
    wanted = {name: call.query[name] for name in ("template_id", "deal_id") if name in call.query}
    return everything([{k: v for k, v in p.items() if k != "values"} for p in call.store.all("form_prefill", **wanted)])


def _set_values(call: Call) -> Answer:
    """New values stand beside those of other fields and instead of those of the same ones."""
    prefill = call.must("form_prefill")
    fields = {f["id"] for f in FIELDS.of(call.store, prefill["template_id"])}
    values = {v["field_id"]: v for v in prefill["values"]}
    for i, value in enumerate(call.body["values"]):
        if value["field_id"] not in fields:
            raise invalid(f"values.{i}: the form has no field {value['field_id']}", field=f"values.{i}.field_id")
        values[value["field_id"]] = {"confidence": None, "reasoning": None, **value}
    changed = {**prefill, "values": list(values.values()), "updated_at": call.clock.iso()}
    call.store.save("form_prefill", changed)
    return Answer(changed)


def _waiting(world: World) -> list[Record]:
    rows = [s for status in _OPEN for s in world.store.all("form_submission", status=status)]
    return sorted((s for s in rows if s["expires_at"]), key=lambda s: s["expires_at"])


def _next_expiry(world: World) -> str | None:
    waiting = _waiting(world)
    return waiting[0]["expires_at"] if waiting else None


def _expire(world: World) -> None:
    _save(world, _waiting(world)[0], status="expired")


_SEEDED_ANSWERS: dict[str, tuple[Any, ...]] = {
    "Roof type": ("Tile", "Metal", "Flat"), "Storeys": (1, 2), "Quarterly bill (AUD)": (310, 480, 725),
    "Interested in": (["Solar"], ["Solar", "Battery"], ["Heat pump"]), "How did we do?": ("Great", "Great", "Fine", "Poor"),
    "What could be better?": ("Nothing, thank you.", "The crew was late once."), "Street address": ("12 Wattle St",),
    "Suburb": ("Newtown", "Balmain"), "Mobile": ("0491 570 006",), "Anything we should know?": ("Dog in the yard.",),
}  # fmt: skip


def seed(s: Seeder) -> None:
    """Forms of the last months: answered, still out, expired; and one that was prefilled."""
    templates = {t["id"]: t for t in s.store.all("form_template")}
    deals = s.rng.sample([d for d in s.store.all("opportunity") if d["contact_id"]], 36)
    rows = []
    for i, deal in enumerate(deals):
        template = s.rng.choice(list(templates.values()))
        contact = s.store.get("contact", deal["contact_id"]) or {}
        status = ("completed", "completed", "completed", "sent", "viewed", "expired")[i % 6]
        age = s.rng.uniform(1, 20) if status in _OPEN else s.rng.uniform(21, 150)
        responses = [
            {"field_id": f["id"], "label": f["label"], "type": f["type"], "value": value}
            for f in FIELDS.of(s.store, template["id"])
            if (value := _seeded_answer(s, f["label"], contact)) is not None
        ]
        done = status == "completed"
        rows.append(s.record(
            age, template_id=template["id"], template_name=template["name"], status=status,
            recipient_email=contact["email"], deal_id=deal["id"], contact_id=contact["id"],
            recipient_name=" ".join(filter(None, (contact["first_name"], contact["last_name"]))),
            customer_id=deal["customer_id"], personal_message=None, notify_emails=[],
            expires_at=s.time(age - 14) if status == "expired" else None, sent_at=s.time(age), voided_at=None,
            viewed_at=s.time(age - 0.4) if done or status == "viewed" else None,
            completed_at=s.time(age - 0.5) if done else None, token=s.id(), responses=responses if done else [], crm_writes=[],
        ))  # fmt: skip
    s.store.add("form_submission", sorted(rows, key=lambda r: r["created_at"]))
    template = next(t for t in templates.values() if t["name"] == "Site questionnaire")
    roof = FIELDS.of(s.store, template["id"])[0]
    value = {"field_id": roof["id"], "value": "Tile", "confidence": 0.9, "reasoning": "Seen in the listing's photo."}
    s.store.add("form_prefill", [s.record(
        3, template_id=template["id"], deal_id=deals[0]["id"], status="pending", additional_context=None, values=[value],
    )])  # fmt: skip


def _seeded_answer(s: Seeder, label: str, contact: Record) -> Any:
    if label in ("First name", "Last name"):
        return contact[label.lower().replace(" ", "_")]
    return s.rng.choice(_SEEDED_ANSWERS[label]) if label in _SEEDED_ANSWERS else None


JOBS = (Job(_next_expiry, _expire),)
HANDLERS: dict[str, Handler] = {
    "send_form": _send,
    "list_form_submissions": _list,
    "get_form_submission": lambda c: Answer(_view(c.must("form_submission"))),
    "resend_form_submission": _resend,
    "void_form_submission": _void,
    "delete_form_submission": _delete,
    "render_form_submission_pdf": _render_pdf,
    "list_form_prefills": _list_prefills,
    "create_form_prefill": _create_prefill,
    "get_form_prefill": lambda c: Answer(c.must("form_prefill")),
    "set_form_prefill_values": _set_values,
}
