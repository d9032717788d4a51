"""Document templates and e-signature envelopes, up to what the signers do on their pages."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest

from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make
from trustpager_mcp.sandbox.groups.document_templates import SECTION_TYPES

SAM = {"name": "Sam Lee", "email": "sam@mail.example"}
KIM = {"name": "Kim Ray", "email": "kim@mail.example", "role": "witness", "order_index": 1}


async def template(api: Api, *sections: dict[str, Any]) -> tuple[str, list[str]]:
    record = await api.ok("POST", "/document-templates", {"name": "Service Agreement!"}, status=201)
    path = f"/document-templates/{record['id']}/sections"
    return record["id"], [(await api.ok("POST", path, s, status=201))["id"] for s in sections]


async def send(api: Api, template_id: str, *signers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"template_id": template_id, "signers": list(signers), **fields}
    envelope: dict[str, Any] = await api.ok("POST", "/signing/send", body, status=201)
    return envelope


def links(api: Api) -> list[str]:
    """The signing links that were mailed, oldest first."""
    return [m["url"].removeprefix(ORIGIN) for m in api.workspace.world.outbox if m.get("url")]


async def text_of(api: Api, document_id: str) -> str:
    link = await api.get(f"/documents/{document_id}/download")
    content = (await api.as_key(None).send("GET", link["download_url"].removeprefix(ORIGIN))).content
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content), strict=True).pages)


INPUT = {"type": "signer-input", "content": {"label": "Meter", "fieldType": "text", "required": True}}


async def test_sections_are_added_at_the_end_changed_reordered_and_deleted() -> None:
    api = make()
    template_id, ids = await template(api, {"type": "cover-page"}, {"type": "divider"}, {"type": "text-block"})
    path = f"/document-templates/{template_id}"
    sections = await api.get(f"{path}/sections")
    assert [s["order_index"] for s in sections] == [0, 1, 2]
    assert all((s["content"], s["styling"], s["is_visible"]) == ({}, {}, True) for s in sections)
    order = [ids[2], ids[0], ids[1]]
    await api.ok("POST", f"{path}/sections/reorder", {"section_ids": order})
    assert [s["id"] for s in (await api.get(path))["sections"]] == order
    for wrong in (order[:2], [*order, NOBODY], [ids[0]] * 3):
        await api.error("POST", f"{path}/sections/reorder", {"section_ids": wrong})
    first = await api.ok("POST", f"{path}/sections", {"type": "table", "order_index": -1}, status=201)
    assert (await api.get(f"{path}/sections"))[0]["id"] == first["id"]
    changed = await api.ok("PATCH", f"{path}/sections/{ids[0]}", {"content": {"title": "x"}, "is_visible": False})
    assert (changed["content"], changed["is_visible"], changed["type"]) == ({"title": "x"}, False, "cover-page")
    await api.ok("DELETE", f"{path}/sections/{ids[0]}", status=204)
    assert ids[0] not in {s["id"] for s in await api.get(f"{path}/sections")}
    other, _ = await template(api)
    await api.error("PATCH", f"/document-templates/{other}/sections/{ids[1]}", {"is_visible": True}, status=404)


@pytest.mark.parametrize("kind", SECTION_TYPES)
async def test_every_section_type_is_taken_in_three_spellings_and_rendered(kind: str) -> None:
    api = make()
    pascal = "".join(part.capitalize() for part in kind.split("-"))
    spellings = [{"type": name} for name in (kind, pascal, kind.replace("-", "_"))]
    template_id, ids = await template(api, *spellings)
    sections = await api.get(f"/document-templates/{template_id}/sections")
    assert [s["type"] for s in sections] == [kind] * 3
    path = f"/document-templates/{template_id}/sections/{ids[0]}"
    assert (await api.ok("PATCH", path, {"type": "SignatureBlock"}))["type"] == "signature-block"
    await api.error("PATCH", path, {"type": "hologram"})
    await api.error("POST", f"/document-templates/{template_id}/sections", {"type": "hologram"})
    assert (await send(api, template_id, SAM, deal_id=(await api.get("/opportunities"))[0]["id"]))["status"] == "sent"


async def test_a_signer_input_needs_label_and_field_type() -> None:
    api = make()
    template_id, ids = await template(api, INPUT)
    path = f"/document-templates/{template_id}/sections"
    for content in ({"label": "x"}, {"fieldType": "text"}, {"label": "x", "fieldType": "colour"}):
        await api.error("POST", path, {"type": "signer_input", "content": content})
        await api.error("PATCH", f"{path}/{ids[0]}", {"content": content})


async def test_a_template_is_renamed_copied_with_its_sections_and_deleted() -> None:
    api = make()
    template_id, _ = await template(api, INPUT, {"type": "divider"})
    path = f"/document-templates/{template_id}"
    assert (await api.ok("PATCH", path, {"name": "New"}))["name"] == "New"
    copy = await api.ok("POST", f"{path}/duplicate", status=201)
    assert copy["name"] == "New (Copy)"
    assert [(s["type"], s["content"]) for s in copy["sections"]] == [("signer-input", INPUT["content"]), ("divider", {})]
    assert not {s["id"] for s in copy["sections"]} & {s["id"] for s in await api.get(f"{path}/sections")}
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    assert len((await api.get(f"/document-templates/{copy['id']}"))["sections"]) == 2
    assert (await api.get("/document-templates"))[0]["id"] == copy["id"]
    for name in ("", "  "):
        await api.error("POST", "/document-templates", {"name": name})


async def test_sending_renders_the_template_with_the_opportunitys_data_and_mails_every_signer() -> None:
    api = make()
    deal = next(d for d in await api.get("/opportunities", limit=100) if d["contact_id"])
    contact = await api.get(f"/contacts/{deal['contact_id']}")
    template_id, _ = await template(
        api,
        {
            "type": "cover-page",
            "content": {"title": "{{contact.greeting}} / {{contact.display_name}}", "html": "<p>One &amp; two</p>"},
        },
        {"type": "text-block", "content": {"text": "hidden"}, "is_visible": False},
        {"type": "product-table", "content": {"title": "Included"}},
        {"type": "page-break"},
        {"type": "signature-block"},
    )
    envelope = await send(api, template_id, SAM, KIM, deal_id=deal["id"], personal_message="As discussed")
    assert (envelope["slug"], envelope["title"], envelope["status"]) == ("service-agreement", "Service Agreement!", "sent")
    assert [(r["name"], r["role"], r["status"], r["input_values"]) for r in envelope["recipients"]] == [
        ("Sam Lee", "signer", "sent", {}), ("Kim Ray", "witness", "sent", {}),
    ]  # fmt: skip
    assert (await send(api, template_id, SAM))["slug"] == "service-agreement-2"
    mails = api.workspace.world.outbox[:2]
    assert [m["to"] for m in mails] == [SAM["email"], KIM["email"]]
    assert "As discussed" in mails[0]["body"]
    logged = [log for log in await api.get("/email/logs", deal_id=deal["id"], email_type="signing") if log["status"] == "sent"]
    assert {log["recipient_email"] for log in logged} == {SAM["email"], KIM["email"]}
    text = await text_of(api, envelope["document_id"])
    assert f"{contact['greeting']} / {contact['display_name']}" in text
    assert "One & two" in text
    assert "hidden" not in text
    line = (await api.get(f"/opportunities/{deal['id']}/products"))[0]
    assert line["name"] in text
    assert envelope["document_id"] in {d["id"] for d in await api.get(f"/opportunities/{deal['id']}/documents")}
    assert await api.get(f"/signing/envelopes/{envelope['id']}") == envelope
    assert (await api.get("/signing/envelopes"))[1] == envelope
    assert "token" not in str(envelope)


async def test_a_signer_sees_the_paper_fills_in_and_signs_and_the_last_one_completes_the_envelope() -> None:
    api, events = make(), []
    api.workspace.world.listeners = (lambda _, event: events.append((event.name, event.data["signer_name"])),)
    kims = {"type": "signer-input", "content": {"label": "Seen on", "fieldType": "date", "signerEmail": "KIM@mail.example"}}
    panels = {"type": "signer-input", "content": {"label": "Panels", "fieldType": "number", "signerEmail": "nobody@mail.example"}}
    template_id, (meter, seen, count) = await template(api, INPUT, kims, panels)
    envelope = await send(api, template_id, SAM, KIM)
    path = f"/signing/envelopes/{envelope['id']}"
    first, second = links(api)
    guest = api.as_key(None)
    page = await guest.ok("GET", first)
    assert ([i["id"] for i in page["inputs"]], page["signer"]) == ([meter, count], "Sam Lee")
    assert (await guest.send("GET", page["document_url"].removeprefix(ORIGIN))).content.startswith(b"%PDF")
    viewed = await api.get(path)
    assert (viewed["status"], viewed["recipients"][0]["status"]) == ("viewed", "viewed")
    await guest.ok("GET", first)
    error = await guest.error("POST", first, {"action": "sign", "input_values": {seen: "x", count: "many"}})
    assert set(error["details"]["fields"]) == {meter, seen, count}
    await guest.ok("POST", first, {"input_values": {meter: "NMI-7"}})
    half = await api.get(path)
    assert (half["status"], half["recipients"][0]["status"]) == ("viewed", "signed")
    assert half["recipients"][0]["input_values"] == {meter: "NMI-7"}
    await guest.error("POST", first, {"input_values": {meter: "again"}}, status=409)
    await guest.error("POST", second, {"input_values": {seen: "tomorrow"}})
    await guest.ok("POST", second, {"input_values": {seen: "2026-06-15"}})
    done = await api.get(path)
    assert done["status"] == "completed"
    assert done["completed_at"]
    text = await text_of(api, done["document_id"])
    assert "NMI-7" in text
    assert "kim@mail.example> signed at" in text
    assert [m["subject"] for m in api.workspace.world.outbox[-2:]] == ["Signed: Service Agreement!"] * 2
    assert events == [
        ("signature_sent", "Sam Lee"), ("signature_sent", "Kim Ray"), ("signature_viewed", "Sam Lee"),
        ("signature_completed", "Kim Ray"),
    ]  # fmt: skip


async def test_a_signer_may_decline_and_then_nobody_signs() -> None:
    api = make()
    template_id, _ = await template(api, {"type": "divider"})
    envelope = await send(api, template_id, SAM, KIM)
    first, second = links(api)
    await api.as_key(None).ok("POST", first, {"action": "decline", "reason": "Wrong address"})
    seen = await api.get(f"/signing/envelopes/{envelope['id']}")
    assert (seen["status"], seen["decline_reason"]) == ("declined", "Wrong address")
    await api.as_key(None).error("POST", second, {}, status=409)
    for body in (None, [], {"action": "burn"}):
        await api.as_key(None).error("POST", links(api)[0], body, status=409)


async def test_a_voided_envelope_cannot_be_signed_sent_again_or_voided_twice() -> None:
    api = make()
    template_id, _ = await template(api, {"type": "divider"})
    envelope = await send(api, template_id, SAM)
    path = f"/signing/envelopes/{envelope['id']}"
    voided = await api.ok("POST", f"{path}/void")
    assert (voided["status"], voided["recipients"][0]["status"]) == ("voided", "voided")
    assert voided["voided_at"]
    assert (await api.error("POST", f"{path}/void", status=409))["code"] == "CONFLICT"
    await api.error("POST", f"{path}/resend", {"recipient_id": envelope["recipients"][0]["id"]}, status=409)
    await api.as_key(None).error("POST", links(api)[0], {}, status=409)
    assert (await api.as_key(None).ok("GET", links(api)[0]))["status"] == "voided"


async def test_the_mail_is_sent_again_to_one_who_has_not_signed() -> None:
    api = make()
    template_id, _ = await template(api, {"type": "divider"})
    envelope = await send(api, template_id, SAM, KIM)
    path = f"/signing/envelopes/{envelope['id']}/resend"
    sam, kim = (r["id"] for r in envelope["recipients"])
    await api.ok("POST", path, {"recipient_id": kim})
    assert [m["to"] for m in api.workspace.world.outbox] == [SAM["email"], KIM["email"], KIM["email"]]
    await api.as_key(None).ok("POST", links(api)[0], {})
    await api.error("POST", path, {"recipient_id": sam}, status=409)
    await api.error("POST", path, {"recipient_id": NOBODY}, status=404)


async def test_what_cannot_be_sent_is_refused_and_nothing_is_mailed() -> None:
    api = make()
    empty, _ = await template(api)
    full, _ = await template(api, {"type": "divider"})
    for body in (
        {"template_id": empty, "signers": [SAM]}, {"template_id": NOBODY, "signers": [SAM]}, {"template_id": full, "signers": []},
        {"template_id": full, "signers": [{"name": "Sam"}]}, {"template_id": full, "signers": [{**SAM, "email": "sam"}]},
        {"template_id": full, "signers": [{**SAM, "name": " "}]}, {"template_id": full, "signers": [SAM], "deal_id": NOBODY},
    ):  # fmt: skip
        assert (await api.error("POST", "/signing/send", body))["code"] == "VALIDATION_ERROR"
    assert api.workspace.world.outbox == []
    for path in (NOBODY, f"{NOBODY}/void"):
        await api.error("POST" if "void" in path else "GET", f"/signing/envelopes/{path}", status=404)
    await api.as_key(None).error("GET", "/functions/v1/public/sign/nobody", status=404)
    body = {"template_id": full, "signers": [SAM]}
    readonly = await api.as_key("tp_live_sandbox_readonly").error("POST", "/signing/send", body, status=403)
    assert readonly["details"]["missing_scopes"] == ["signing:send"]


async def test_the_practice_workspace_has_envelopes_in_every_state_with_readable_papers() -> None:
    api = make()
    envelopes = await api.get("/signing/envelopes")
    assert {e["status"] for e in envelopes} == {"sent", "viewed", "completed", "voided", "declined"}
    for envelope in envelopes:
        assert "Agreement" in await text_of(api, envelope["document_id"])
        assert bool(envelope["recipients"][0]["input_values"]) == (envelope["status"] == "completed")
