"""Forms that are sent, answered, written into the CRM, archived, voided and deleted."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pypdf
import pytest

from tests.contract.test_sandbox_forms import form
from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make


async def links(api: Api) -> dict[str, str]:
    """A deal with a contact and a company, and those."""
    deals = await api.get("/opportunities", limit=100)
    deal = next(d for d in deals if d["contact_id"] and d["customer_id"])
    return {"deal_id": deal["id"], "contact_id": deal["contact_id"], "customer_id": deal["customer_id"]}


async def send(api: Api, template_id: str, **fields: Any) -> dict[str, Any]:
    body = {"template_id": template_id, "recipient_email": "sam@mail.example", "recipient_name": "Sam Lee", **fields}
    submission: dict[str, Any] = await api.ok("POST", "/forms/send", body, status=201)
    return submission


def page_of(api: Api) -> str:
    """The page that the last form's mail links to."""
    return str([m["url"] for m in api.workspace.world.outbox if m.get("url")][-1]).removeprefix(ORIGIN)


async def fill(api: Api, answers: dict[str, Any]) -> Any:
    return await api.as_key(None).ok("POST", page_of(api), {"answers": answers})


async def pages_of(api: Api, document_id: str) -> list[str]:
    link = await api.get(f"/documents/{document_id}/download")
    content = (await api.as_key(None).send("GET", link["download_url"].removeprefix(ORIGIN))).content
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content), strict=True).pages]


async def test_a_form_is_mailed_for_three_credits_and_linked_through_its_opportunity() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A"})
    linked = await links(api)
    before = api.workspace.world.balance
    submission = await send(api, template_id, deal_id=linked["deal_id"], personal_message="As promised", expires_in_days=7)
    assert before - api.workspace.world.balance == 3
    assert {k: submission[k] for k in linked} == linked
    assert (submission["status"], submission["expires_at"][:10], submission["responses"]) == ("sent", "2026-06-22", [])
    (mail,) = api.workspace.world.outbox
    assert (mail["to"], mail["subject"]) == ("sam@mail.example", "Intake")
    assert "As promised" in mail["body"]
    assert await api.get(f"/forms/submissions/{submission['id']}") == submission
    assert "token" not in submission
    for name in ("deal_id", "contact_id"):
        (log,) = await api.get("/email/logs", **{name: linked[name], "email_type": "form_submission"})
        assert (log["recipient_email"], log["subject"]) == ("sam@mail.example", "Intake")
        assert log["customer_id"] == linked["customer_id"]


async def test_a_form_needs_a_record_to_belong_to_and_one_that_exists() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A"})
    base = {"template_id": template_id, "recipient_email": "sam@mail.example", "recipient_name": "Sam"}
    contact = (await api.get("/contacts"))[0]["id"]
    before = api.workspace.world.balance
    for wrong in (
        {}, {"deal_id": NOBODY}, {"contact_id": NOBODY}, {"customer_id": NOBODY}, {"contact_id": contact, "template_id": NOBODY},
        {"contact_id": contact, "recipient_email": "sam"}, {"contact_id": contact, "recipient_name": " "},
        {"contact_id": contact, "expires_in_days": 0}, {"contact_id": contact, "expires_in_days": 1e12},
    ):  # fmt: skip
        assert (await api.error("POST", "/forms/send", {**base, **wrong}))["code"] == "VALIDATION_ERROR"
    assert api.workspace.world.balance == before
    assert api.workspace.world.outbox == []
    api.workspace.world.balance = 2
    error = await api.error("POST", "/forms/send", {**base, "contact_id": contact}, status=402)
    assert error["code"] == "INSUFFICIENT_CREDITS"


async def test_the_recipient_sees_and_answers_the_form_once() -> None:
    api = make()
    template_id, (name, roof, note) = await form(
        api, {"label": "Name", "is_required": True, "placeholder": "First and last"},
        {"label": "Roof", "type": "select", "content": {"options": [{"label": "Tile"}, {"value": "metal", "label": "Metal"}]}},
        {"label": "Note", "type": "textarea"}, completionMessage="Ta!", completionButtonEnabled=True,
        completionButtonText="Our site", completionButtonUrl="https://brightside.example",
    )  # fmt: skip
    submission = await send(api, template_id, **await links(api))
    path = f"/forms/submissions/{submission['id']}"
    page = await api.as_key(None).ok("GET", page_of(api))
    assert [(f["id"], f["is_required"], f["options"]) for f in page["fields"]] == [
        (name, True, []), (roof, False, ["Tile", "metal"]), (note, False, []),
    ]  # fmt: skip
    assert (await api.get(path))["status"] == "viewed"
    button = {"text": "Our site", "url": "https://brightside.example", "new_tab": True}
    assert await fill(api, {name: "Sam", roof: "metal"}) == {"status": "completed", "message": "Ta!", "button": button}
    done = await api.get(path)
    assert (done["status"], bool(done["completed_at"])) == ("completed", True)
    assert [(r["label"], r["value"]) for r in done["responses"]] == [("Name", "Sam"), ("Roof", "metal")]
    error = await api.as_key(None).error("POST", page_of(api), {"answers": {name: "Kim"}}, status=409)
    assert "completed" in error["message"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ({"type": "text"}, "x", 5),
        ({"type": "number"}, 2.5, "two"),
        ({"type": "number"}, 0, True),
        ({"type": "date"}, "2026-06-30", "30/06/2026"),
        ({"type": "select", "content": {"options": ["a", "b"]}}, "a", "c"),
        ({"type": "radio", "content": {"options": ["a", "b"]}}, "b", ["a"]),
        ({"type": "checkbox"}, True, "yes"),
        ({"type": "checkbox", "content": {"options": ["a", "b"]}}, ["a", "b"], ["c"]),
        ({"type": "file"}, {"name": "a.png", "base64": "aGk="}, "aGk="),
        ({"type": "file"}, {"name": "a.png", "base64": "aGk="}, {"name": "a.png", "base64": "?"}),
    ],
)
async def test_answers_must_fit_their_fields(field: dict[str, Any], good: Any, bad: Any) -> None:
    api = make()
    template_id, (field_id,) = await form(api, {"label": "Q", "is_required": True, **field})
    submission = await send(api, template_id, **await links(api))
    guest = api.as_key(None)
    for wrong in ({}, {field_id: None}, {field_id: ""}, {field_id: bad}, {field_id: good, NOBODY: 1}, [], "x"):
        assert (await guest.error("POST", page_of(api), {"answers": wrong}))["code"] == "VALIDATION_ERROR"
    await guest.error("POST", page_of(api), ["x"])
    assert (await api.get(f"/forms/submissions/{submission['id']}"))["status"] == "sent"
    assert api.workspace.store.all("file", form_submission_id=submission["id"]) == []
    await fill(api, {field_id: good})


async def test_answers_are_written_into_contact_account_and_deal_by_their_mode() -> None:
    api = make()
    linked = await links(api)
    await api.ok("PATCH", f"/contacts/{linked['contact_id']}", {"job_title": "Owner", "notes": "", "metadata": {"other": 1}})
    wired = {
        "contact.first_name": "overwrite", "contact.job_title": "write", "contact.notes": "write", "contact.phone": "overwrite",
        "account.tax_number": "overwrite", "account.industry": "overwrite", "deal.lead_source": "overwrite",
        "contact.email": "overwrite",
    }  # fmt: skip
    fields = [{"label": v, "content": {"crm_variable": v, "crm_variable_mode": mode}} for v, mode in wired.items()]
    template_id, ids = await form(api, *fields, {"label": "Shoe", "type": "number"})
    size = {"label": "Shoe size", "type": "number", "entity": "contact"}
    mapping = {"field_id": ids[-1], "crm_variable": "contact.metadata.shoe_size"}
    await api.ok("POST", f"/forms/templates/{template_id}/wiring", {"mappings": [mapping], "create_custom_fields": [size]})
    submission = await send(api, template_id, deal_id=linked["deal_id"])
    values = ["Samira", "CEO", "Ring first", "0491 570 006", "51 824 753 556", "Solar", "fair", "not a mail", 43]
    await fill(api, dict(zip(ids, values, strict=True)))
    contact = await api.get(f"/contacts/{linked['contact_id']}")
    assert (contact["first_name"], contact["job_title"], contact["notes"]) == ("Samira", "Owner", "Ring first")
    assert contact["phone"] == "+61491570006"
    assert contact["metadata"] == {"other": 1, "shoe_size": 43}
    account = await api.get(f"/companies/{linked['customer_id']}")
    assert (account["tax_number"], account["industry"]) == ("51 824 753 556", "Solar")
    assert (await api.get(f"/opportunities/{linked['deal_id']}"))["lead_source"] == "fair"
    writes = {w["crm_variable"]: w["status"] for w in (await api.get(f"/forms/submissions/{submission['id']}"))["crm_writes"]}
    assert writes == {**dict.fromkeys(wired, "written"), "contact.job_title": "kept", "contact.email": "failed",
                      "contact.metadata.shoe_size": "written"}  # fmt: skip


async def test_deal_wirings_are_skipped_without_a_deal_while_contact_wirings_fire() -> None:
    api = make()
    linked = await links(api)
    wired = [{"label": v, "content": {"crm_variable": v}} for v in ("deal.notes", "contact.city", "account.notes")]
    template_id, ids = await form(api, *wired)
    submission = await send(api, template_id, contact_id=linked["contact_id"])
    await fill(api, dict.fromkeys(ids, "Bega"))
    writes = (await api.get(f"/forms/submissions/{submission['id']}"))["crm_writes"]
    assert [w["status"] for w in writes] == ["skipped", "written", "skipped"]
    assert (await api.get(f"/contacts/{linked['contact_id']}"))["city"] == "Bega"


async def test_automations_learn_of_sending_and_of_answers_after_the_crm_was_written() -> None:
    api, events = make(), []
    linked = await links(api)
    template_id, (city,) = await form(api, {"label": "Your city", "content": {"crm_variable": "contact.city"}})

    def listen(world: Any, event: Any) -> None:
        if event.name.startswith("form_"):
            events.append((event.name, event.data, world.store.get("contact", linked["contact_id"])["city"]))

    api.workspace.world.listeners = (listen,)
    submission = await send(api, template_id, **linked)
    await fill(api, {city: "Bega"})
    (sent, sent_data, _), (completed, data, seen) = events
    assert (sent, completed, seen) == ("form_sent", "form_completed", "Bega")
    assert data["answers"] == {"your_city": "Bega"}
    assert data == {**sent_data, "answers": data["answers"]}
    assert (data["submission_id"], data["form_template_id"], data["deal_id"]) == (
        submission["id"],
        template_id,
        linked["deal_id"],
    )


async def test_who_is_notified_goes_from_the_call_to_the_form_to_the_workspace_to_the_sender() -> None:
    api = make()
    linked = await links(api)
    template_id, _ = await form(api, {"label": "A"})
    store = api.workspace.store
    settings = {k: v for k, v in store.all("company_settings")[0].items() if k != "form_completion_notify_emails"}
    store.save("company_settings", settings)

    async def notified(**fields: Any) -> list[str]:
        await send(api, template_id, **linked, **fields)
        count = len(api.workspace.world.outbox)
        await fill(api, {})
        return [m["to"] for m in api.workspace.world.outbox[count:]]

    admin = next(u["email"] for u in store.all("user") if u["role"] == "admin")
    assert await notified() == [admin]
    store.save("company_settings", {**settings, "form_completion_notify_emails": ["office@b.example"]})
    assert await notified() == ["office@b.example"]
    await api.ok("PATCH", f"/forms/templates/{template_id}", {"settings": {"notifyEmails": ["form@b.example"]}})
    assert await notified() == ["form@b.example"]
    assert await notified(notify_emails=["me@b.example", "me@b.example", "you@b.example"]) == ["me@b.example", "you@b.example"]


async def test_a_form_expires_on_its_day_and_is_then_closed() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A"})
    linked = await links(api)
    early, late = [await send(api, template_id, **linked, expires_in_days=days) for days in (1, 3)]
    api.workspace.clock.advance(2 * 86400)
    assert (await api.get(f"/forms/submissions/{early['id']}"))["status"] == "expired"
    assert (await api.get(f"/forms/submissions/{late['id']}"))["status"] == "sent"
    api.workspace.clock.advance(2 * 86400)
    await api.as_key(None).error("POST", page_of(api), {"answers": {}}, status=409)
    for action in ("resend", "void"):
        assert (await api.error("POST", f"/forms/submissions/{late['id']}/{action}", status=409))["code"] == "CONFLICT"


async def test_a_form_is_sent_again_and_voided() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A"})
    submission = await send(api, template_id, **await links(api))
    path = f"/forms/submissions/{submission['id']}"
    await api.ok("POST", f"{path}/resend")
    first, second = api.workspace.world.outbox
    assert (first["to"], first["url"]) == (second["to"], second["url"])
    voided = await api.ok("POST", f"{path}/void")
    assert (voided["status"], bool(voided["voided_at"])) == ("expired", True)
    await api.as_key(None).error("POST", page_of(api), {"answers": {}}, status=409)
    await api.error("POST", f"{path}/resend", status=409)


async def test_a_completed_form_is_rendered_for_a_credit_a_page_and_attached_to_the_opportunity() -> None:
    api = make()
    template_id, (note,) = await form(api, {"label": "Note", "type": "textarea"}, submissionFolder="Intakes")
    linked = await links(api)
    submission = await send(api, template_id, **linked)
    path = f"/forms/submissions/{submission['id']}/render-pdf"
    assert (await api.error("POST", path, {}, status=409))["code"] == "CONFLICT"
    await fill(api, {note: "word " * 2000})
    before = api.workspace.world.balance
    answer = await api.ok("POST", path, {}, status=201)
    pages = await pages_of(api, answer["document_id"])
    assert answer["page_count"] == answer["credits_charged"] == len(pages) == before - api.workspace.world.balance > 1
    assert "Sam Lee <sam@mail.example>" in pages[0]
    paper = await api.get(f"/documents/{answer['document_id']}")
    assert (paper["folder"], paper["document_type"]) == ("Intakes", "Other")
    assert re.fullmatch(r"Intake - Sam Lee_20260615-\d{6}\.pdf", paper["name"])
    assert paper["mime_type"] == "application/pdf"
    assert paper["description"].startswith("Archived form submission - completed 2026-06-15")
    assert {k: paper[k] for k in linked} == linked
    assert paper["source_form_submission_id"] == submission["id"]
    assert answer["document_id"] in {d["id"] for d in await api.get(f"/opportunities/{linked['deal_id']}/documents")}
    asked = {"folder": "F", "document_type": "Report", "name": "N", "description": "D"}
    other = (await api.ok("POST", path, asked, status=201))["document"]
    assert (other["folder"], other["document_type"], other["description"]) == ("F", "Report", "D")
    assert other["name"].startswith("N_2026")
    api.workspace.world.balance = 1
    count = len(await api.get("/documents"))
    assert (await api.error("POST", path, {}, status=402))["code"] == "INSUFFICIENT_CREDITS"
    assert len(await api.get("/documents")) == count


@pytest.mark.parametrize("with_pdf", [True, False])
async def test_a_deleted_submission_takes_its_uploads_and_on_request_its_archived_pdf(with_pdf: bool) -> None:
    api = make()
    template_id, (photo,) = await form(
        api, {"label": "Photo", "type": "file"}, archivePdfOnSubmit=True, submissionDocumentType="Report"
    )
    submission = await send(api, template_id, **await links(api))
    await fill(api, {photo: {"name": "a.png", "base64": base64.b64encode(b"pixels").decode(), "mime_type": "image/png"}})
    path = f"/forms/submissions/{submission['id']}"
    file_id = (await api.get(path))["responses"][0]["value"]["file_id"]
    upload = await api.get(f"/files/{file_id}")
    assert (upload["type"], upload["file_size"], upload["form_submission_id"]) == ("secure", 6, submission["id"])
    paper = (await api.get("/documents", folder="Client Forms", document_type="Report"))[0]
    assert "a.png" in (await pages_of(api, paper["id"]))[0]
    error = await api.as_key("tp_live_sandbox_sales").error("DELETE", path, status=403)
    assert error["details"]["missing_scopes"] == ["forms:delete"]
    await api.ok("DELETE", path, status=204, params={"delete_archived_pdf": "true"} if with_pdf else {})
    await api.error("GET", path, status=404)
    await api.error("GET", f"/files/{file_id}", status=404)
    assert (await api.send("GET", f"/documents/{paper['id']}")).status_code == (404 if with_pdf else 200)
    await api.as_key(None).error("GET", page_of(api), status=404)


async def test_the_answer_to_a_spreadsheet_field_becomes_a_sheet_on_the_opportunity() -> None:
    api = make()
    template = next(t for t in await api.get("/forms/templates") if t["name"] == "Room measurements")
    linked = await links(api)
    submission = await send(api, template["id"], deal_id=linked["deal_id"])
    (field,) = (await api.as_key(None).ok("GET", page_of(api)))["fields"]
    place, length = (c["id"] for c in field["columns"][:2])
    for wrong in ("Kitchen", ["Kitchen"], [{place: "Kitchen"}, {length: "long"}], [{NOBODY: 1}]):
        await api.as_key(None).error("POST", page_of(api), {"answers": {field["id"]: wrong}})
    before = await api.get("/spreadsheets", limit=100)
    await fill(api, {field["id"]: [{place: "Kitchen", length: 4.5}, {place: "Garage"}]})
    answered = (await api.get(f"/forms/submissions/{submission['id']}"))["responses"][0]["value"]
    sheet = await api.get(f"/spreadsheets/{answered['spreadsheet_id']}")
    assert sheet["name"] == answered["name"] == "Room measurements - Sam Lee"
    assert [r["cells"] for r in sheet["rows"]] == [{place: "Kitchen", length: 4.5}, {place: "Garage"}]
    assert sheet["id"] in [s["id"] for s in await api.get(f"/opportunities/{linked['deal_id']}/spreadsheets")]
    assert len(await api.get("/spreadsheets", limit=100)) == len(before) + 1


async def test_submissions_are_filtered_by_every_link_and_status() -> None:
    api = make()
    everyone = await api.get("/forms/submissions")
    assert {s["status"] for s in everyone} == {"sent", "viewed", "completed", "expired"}
    one = next(s for s in everyone if s["customer_id"])
    for name in ("template_id", "deal_id", "contact_id", "customer_id", "status"):
        expected = [s["id"] for s in everyone if s[name] == one[name]]
        assert [s["id"] for s in await api.get("/forms/submissions", **{name: one[name]})] == expected
    assert all(s["responses"] for s in everyone if s["status"] == "completed")
