"""Form templates, their fields, folders and wiring to the CRM."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def form(api: Api, *fields: dict[str, Any], name: str = "Intake", **settings: Any) -> tuple[str, list[str]]:
    """A form and the ids of its fields."""
    template = await api.ok("POST", "/forms/templates", {"name": name}, status=201)
    if settings:
        await api.ok("PATCH", f"/forms/templates/{template['id']}", {"settings": settings})
    path = f"/forms/templates/{template['id']}/fields"
    return template["id"], [(await api.ok("POST", path, {"type": "text", **f}, status=201))["id"] for f in fields]


async def test_a_form_is_created_changed_and_read_with_its_fields() -> None:
    api = make()
    template_id, ids = await form(api, {"label": "Name"}, {"label": "Roof", "type": "select", "content": {"options": ["Tile"]}})
    path = f"/forms/templates/{template_id}"
    changed = await api.ok("PATCH", path, {"name": "New", "description": "d", "settings": {"completionMessage": "Ta"}})
    seen = await api.get(path)
    assert seen == changed
    assert (seen["name"], seen["description"], seen["settings"]) == ("New", "d", {"completionMessage": "Ta"})
    assert [f["id"] for f in seen["fields"]] == ids
    assert (seen["fields"][0]["is_required"], seen["fields"][0]["step_number"], seen["fields"][0]["order_index"]) == (False, 1, 0)
    assert (await api.get("/forms/templates"))[0]["id"] == template_id
    for settings in ({"notifyEmails": ["nobody"]}, {"completionButtonEnabled": "yes"}):
        await api.error("PATCH", path, {"settings": settings})
    await api.error("POST", "/forms/templates", {"name": " "})


async def test_settings_that_are_sent_replace_the_earlier_ones() -> None:
    api = make()
    template_id, _ = await form(api, stepCount=2)
    await api.ok("PATCH", f"/forms/templates/{template_id}", {"settings": {"archivePdfOnSubmit": True}})
    assert (await api.get(f"/forms/templates/{template_id}"))["settings"] == {"archivePdfOnSubmit": True}


async def test_fields_are_changed_reordered_and_removed() -> None:
    api = make()
    template_id, ids = await form(api, {"label": "A"}, {"label": "B"}, {"label": "C"})
    path = f"/forms/templates/{template_id}/fields"
    order = [ids[2], ids[0], ids[1]]
    await api.ok("POST", f"{path}/reorder", {"field_ids": order})
    assert [f["id"] for f in await api.get(path)] == order
    for wrong in (ids[:2], [*ids, NOBODY], [ids[0]] * 3):
        await api.error("POST", f"{path}/reorder", {"field_ids": wrong})
    body = {"label": "A2", "is_required": True, "placeholder": "p", "step_number": 2, "content": {"crm_variable": "deal.notes"}}
    changed = await api.ok("PATCH", f"{path}/{ids[0]}", body)
    assert {k: changed[k] for k in body} == body
    await api.ok("DELETE", f"{path}/{ids[1]}", status=204)
    assert [f["id"] for f in await api.get(path)] == [ids[2], ids[0]]
    other, _ = await form(api)
    await api.error("DELETE", f"/forms/templates/{other}/fields/{ids[0]}", status=404)
    await api.error("POST", path, {"type": "colour", "label": "x"})


async def test_a_form_is_copied_with_its_fields_archived_and_brought_back() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A", "content": {"crm_variable": "contact.email"}}, completionMessage="Ta")
    path = f"/forms/templates/{template_id}"
    copy = await api.ok("POST", f"{path}/duplicate", status=201)
    assert (copy["name"], copy["settings"], copy["is_archived"]) == ("Intake (Copy)", {"completionMessage": "Ta"}, False)
    assert [(f["label"], f["content"]) for f in copy["fields"]] == [("A", {"crm_variable": "contact.email"})]
    assert (await api.ok("POST", f"{path}/archive"))["is_archived"] is True
    contact = (await api.get("/contacts"))[0]["id"]
    send = {"template_id": template_id, "recipient_email": "a@b.example", "recipient_name": "A", "contact_id": contact}
    assert (await api.error("POST", "/forms/send", send, status=409))["code"] == "CONFLICT"
    assert (await api.ok("POST", f"{path}/archive"))["is_archived"] is False
    await api.ok("POST", "/forms/send", send, status=201)


async def test_a_deleted_form_takes_its_fields_and_prefills_and_expires_what_is_still_out() -> None:
    api = make()
    template_id, _ = await form(api, {"label": "A"})
    prefill = await api.ok("POST", "/forms/prefills", {"template_id": template_id}, status=201)
    contact = (await api.get("/contacts"))[0]["id"]
    send = {"template_id": template_id, "recipient_email": "a@b.example", "recipient_name": "A", "contact_id": contact}
    submission = await api.ok("POST", "/forms/send", send, status=201)
    await api.ok("DELETE", f"/forms/templates/{template_id}", status=204)
    for path in (f"templates/{template_id}", f"prefills/{prefill['id']}"):
        await api.error("GET", f"/forms/{path}", status=404)
    assert (await api.get(f"/forms/submissions/{submission['id']}"))["status"] == "expired"
    assert api.workspace.store.all("form_field", template_id=template_id) == []


@pytest.mark.parametrize(
    "variable", ["email", "person.email", "contact.value", "deal.email", "contact.metadata.shoe_size", "account.", "contact"]
)
async def test_a_field_is_wired_to_known_variables_only(variable: str) -> None:
    api = make()
    template_id, (field,) = await form(api, {"label": "A"})
    path = f"/forms/templates/{template_id}"
    content = {"crm_variable": variable, "crm_variable_mode": "write"}
    assert (await api.error("POST", f"{path}/fields", {"type": "text", "label": "x", "content": content}))["details"]["fields"]
    await api.error("PATCH", f"{path}/fields/{field}", {"content": content})
    error = await api.error("POST", f"{path}/wiring", {"mappings": [{"field_id": field, "crm_variable": variable}]})
    assert "mappings.0.crm_variable" in error["details"]["fields"]


async def test_wiring_makes_custom_fields_maps_fields_and_clears_mappings_at_once() -> None:
    api = make()
    template_id, (one, two, three) = await form(
        api, {"label": "A", "content": {"options": ["x"], "crm_variable": "contact.email", "crm_variable_mode": "write"}},
        {"label": "B"}, {"label": "C"},
    )  # fmt: skip
    body = {
        "mappings": [
            {"field_id": one, "crm_variable": None},
            {"field_id": two, "crm_variable": "contact.metadata.marital_status", "crm_variable_mode": "write"},
            {"field_id": three, "crm_variable": "account.tax_number"},
        ],
        "create_custom_fields": [
            {"label": "Marital Status", "type": "dropdown", "entity": "contact", "options": ["Single", "Married"]}
        ],
    }
    answer = await api.ok("POST", f"/forms/templates/{template_id}/wiring", body)
    assert answer["updated"] == 3
    assert answer["custom_fields_created"][0]["crm_variable"] == "contact.metadata.marital_status"
    assert [f["content"] for f in await api.get(f"/forms/templates/{template_id}/fields")] == [
        {"options": ["x"]},
        {"crm_variable": "contact.metadata.marital_status", "crm_variable_mode": "write"},
        {"crm_variable": "account.tax_number", "crm_variable_mode": "overwrite"},
    ]
    known = (await api.get("/company/crm-settings"))["custom_fields"]["contact"]
    assert known[-1] == {"id": "marital_status", "label": "Marital Status", "type": "dropdown", "options": ["Single", "Married"]}
    again = {"create_custom_fields": body["create_custom_fields"]}
    assert (await api.error("POST", f"/forms/templates/{template_id}/wiring", again, status=409))["code"] == "CONFLICT"


async def test_wrong_wiring_changes_nothing() -> None:
    api = make()
    template_id, (one, two) = await form(api, {"label": "A"}, {"label": "B"})
    path = f"/forms/templates/{template_id}"
    good = {"field_id": one, "crm_variable": "contact.metadata.shoe_size"}
    create = [{"label": "Shoe size", "type": "number", "entity": "contact"}]
    for body in (
        {},
        {"mappings": [], "create_custom_fields": []},
        {"mappings": [good, {"field_id": two}], "create_custom_fields": create},
        {"mappings": [good, {"field_id": NOBODY, "crm_variable": None}], "create_custom_fields": create},
        {"mappings": [good, good], "create_custom_fields": create},
        {"mappings": [good, {"field_id": two, "crm_variable": "contact.shoe"}], "create_custom_fields": create},
        {"create_custom_fields": [*create, {"label": "Hat", "type": "dropdown", "entity": "deal"}]},
        {"create_custom_fields": [{"label": " ", "type": "text", "entity": "deal"}]},
    ):
        await api.error("POST", f"{path}/wiring", body)
    assert [f["content"] for f in await api.get(f"{path}/fields")] == [{}, {}]
    await api.error("POST", f"{path}/fields", {"type": "text", "label": "x", "content": {"crm_variable": good["crm_variable"]}})


async def test_folders_are_unique_by_name_and_leave_their_forms_when_deleted() -> None:
    api = make()
    folder = await api.ok("POST", "/forms/folders", {"name": "Legal"}, status=201)
    await api.error("POST", "/forms/folders", {"name": "Legal"}, status=409)
    await api.error("POST", "/forms/folders", {"name": " "})
    assert (await api.ok("PATCH", f"/forms/folders/{folder['id']}", {"name": "Law"}))["name"] == "Law"
    await api.ok("PATCH", f"/forms/folders/{folder['id']}", {"name": "Law"})
    await api.error("PATCH", f"/forms/folders/{folder['id']}", {"name": "Sales"}, status=409)
    assert {f["name"] for f in await api.get("/forms/folders")} == {"Law", "Sales", "Delivery"}
    sales = next(f for f in await api.get("/forms/folders") if f["name"] == "Sales")
    held = [t["id"] for t in await api.get("/forms/templates") if t["folder_id"] == sales["id"]]
    await api.ok("DELETE", f"/forms/folders/{sales['id']}", status=204)
    assert len(held) == 2
    assert [(await api.get(f"/forms/templates/{i}"))["folder_id"] for i in held] == [None, None]
    await api.error("DELETE", f"/forms/folders/{sales['id']}", status=404)


async def test_prefills_are_listed_by_form_and_deal_and_their_values_merge_by_field() -> None:
    api = make()
    template_id, (one, two) = await form(api, {"label": "A"}, {"label": "B"})
    deal = (await api.get("/opportunities"))[0]["id"]
    body = {"template_id": template_id, "deal_id": deal, "additional_context": "From the call"}
    prefill = await api.ok("POST", "/forms/prefills", body, status=201)
    assert (prefill["status"], prefill["values"], prefill["additional_context"]) == ("pending", [], "From the call")
    path = f"/forms/prefills/{prefill['id']}"
    first = {"field_id": one, "value": "x", "confidence": 0.4, "reasoning": "heard"}
    await api.ok("POST", f"{path}/values", {"values": [first, {"field_id": two, "value": 2}]})
    await api.ok("POST", f"{path}/values", {"values": [{"field_id": two, "value": 3}]})
    assert [(v["field_id"], v["value"], v["confidence"]) for v in (await api.get(path))["values"]] == [
        (one, "x", 0.4),
        (two, 3, None),
    ]
    assert [p["id"] for p in await api.get("/forms/prefills", template_id=template_id)] == [prefill["id"]]
    assert [p["id"] for p in await api.get("/forms/prefills", deal_id=deal)] == [prefill["id"]]
    assert await api.get("/forms/prefills", deal_id=NOBODY) == []
    for values in ([], [{"field_id": NOBODY, "value": 1}], [{"value": 1}], [{"field_id": one}]):
        await api.error("POST", f"{path}/values", {"values": values})
    for wrong in ({"template_id": NOBODY}, {"template_id": template_id, "deal_id": NOBODY}, {}):
        await api.error("POST", "/forms/prefills", wrong)
    send = {"template_id": template_id, "recipient_email": "a@b.example", "recipient_name": "A", "deal_id": deal}
    await api.ok("POST", "/forms/send", send, status=201)
    page = await api.as_key(None).ok("GET", api.workspace.world.outbox[-1]["url"].removeprefix("http://sandbox.local"))
    assert [f["value"] for f in page["fields"]] == ["x", 3]
