"""Form templates, their fields and folders, and the wiring of fields to the CRM."""

from __future__ import annotations

from .. import crm_variables
from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, invalid
from ..ordered import Parts, named
from ..seed import Seeder
from ..store import Record

FIELDS = Parts("form_field", "form_template", "template_id", "fieldId")
_DEFAULTS: Record = {"placeholder": None, "is_required": False, "step_number": 1, "content": {}}


def _template_id(call: Call) -> str:
    return str(call.must("form_template")["id"])


def _shown(call: Call, template: Record) -> Record:
    return {**template, "fields": FIELDS.of(call.store, template["id"])}


def _create(call: Call) -> Answer:
    defaults: Record = {"description": None, "settings": {}, "is_archived": False, "folder_id": None}
    record = call.fresh({**defaults, **named(call.body, "name")})
    call.store.add("form_template", [record])
    return Answer(_shown(call, record), status=201)


def _update(call: Call) -> Answer:
    """Settings are replaced as a whole: callers merge them, as the reference asks."""
    return Answer(_shown(call, change(call, "form_template", call.must("form_template"), named(call.body, "name"))))


def _delete(call: Call) -> Answer:
    """Answers that came in stay; forms that are still out cannot be answered any more."""
    template = call.must("form_template")
    for submission in call.store.all("form_submission", template_id=template["id"]):
        if submission["status"] in ("sent", "viewed"):
            call.store.save("form_submission", {**submission, "status": "expired", "updated_at": call.clock.iso()})
    for prefill in call.store.all("form_prefill", template_id=template["id"]):
        call.store.delete("form_prefill", prefill["id"])
    FIELDS.delete_all(call, template["id"])
    call.store.delete("form_template", template["id"])
    return Answer(status=204)


def _duplicate(call: Call) -> Answer:
    template = call.must("form_template")
    copied = {k: template[k] for k in ("description", "settings", "folder_id")}
    copy = call.fresh({"name": f"{template['name']} (Copy)", **copied, "is_archived": False})
    call.store.add("form_template", [copy])
    FIELDS.copy(call, template["id"], copy["id"])
    return Answer(_shown(call, copy), status=201)


def _archive(call: Call) -> Answer:
    template = call.must("form_template")
    return Answer(change(call, "form_template", template, {"is_archived": not template["is_archived"]}))


def _checked(call: Call, fields: Record) -> Record:
    content = fields.get("content") or {}
    if content.get("crm_variable") is not None:
        crm_variables.check(call.store, content["crm_variable"], "content.crm_variable")
    return named(fields, "label")


def _add_field(call: Call) -> Answer:
    template_id = _template_id(call)
    return Answer(FIELDS.add(call, template_id, {**_DEFAULTS, **_checked(call, call.body)}), status=201)


def _update_field(call: Call) -> Answer:
    field = FIELDS.must(call, _template_id(call))
    return Answer(change(call, "form_field", field, _checked(call, call.body)))


def _delete_field(call: Call) -> Answer:
    """Answers to the field stay in the submissions."""
    call.store.delete("form_field", FIELDS.must(call, _template_id(call))["id"])
    return Answer(status=204)


def _wire(call: Call) -> Answer:
    """New custom fields first, then the mappings: all of it or, when one is wrong, nothing."""
    template_id = _template_id(call)
    if not call.body.get("mappings") and not call.body.get("create_custom_fields"):
        raise invalid("mappings and create_custom_fields are both empty: give at least one entry", field="mappings")
    created = [crm_variables.add_custom_field(call.world, field) for field in call.body.get("create_custom_fields") or ()]
    mappings: list[Record] = call.body.get("mappings") or []
    ids = [m["field_id"] for m in mappings]
    if len(ids) != len(set(ids)):
        raise invalid("mappings names a field twice", field="mappings")
    fields = {f["id"]: f for f in FIELDS.of(call.store, template_id)}
    for i, mapping in enumerate(mappings):
        field = fields.get(mapping["field_id"])
        if field is None:
            raise invalid(f"mappings.{i}: the form has no field {mapping['field_id']}", field=f"mappings.{i}.field_id")
        content = {k: v for k, v in (field["content"] or {}).items() if k not in ("crm_variable", "crm_variable_mode")}
        if (variable := mapping["crm_variable"]) is not None:
            crm_variables.check(call.store, variable, f"mappings.{i}.crm_variable")
            content |= {"crm_variable": variable, "crm_variable_mode": mapping.get("crm_variable_mode", "overwrite")}
        change(call, "form_field", field, {"content": content})
    shown = FIELDS.of(call.store, template_id)
    return Answer({"updated": len(mappings), "custom_fields_created": created, "fields": shown})


def _folder_name(call: Call, own_id: str | None = None) -> None:
    named(call.body, "name")
    if any(f["name"] == call.body.get("name") and f["id"] != own_id for f in call.store.all("form_folder")):
        raise ApiError(409, "CONFLICT", f"there is already a folder {call.body['name']}")


def _create_folder(call: Call) -> Answer:
    _folder_name(call)
    call.store.add("form_folder", [folder := call.fresh(call.body)])
    return Answer(folder, status=201)


def _update_folder(call: Call) -> Answer:
    folder = call.must("form_folder")
    _folder_name(call, folder["id"])
    return Answer(change(call, "form_folder", folder, call.body))


def _delete_folder(call: Call) -> Answer:
    """The forms in it stay."""
    folder = call.must("form_folder")
    clear_references(call, folder["id"], ("form_template", "folder_id"))
    call.store.delete("form_folder", folder["id"])
    return Answer(status=204)


def _wired(variable: str, mode: str = "write", **content: object) -> Record:
    return {**content, "crm_variable": variable, "crm_variable_mode": mode}


_ROOFS = ["Tile", "Metal", "Flat"]
_SEEDS: tuple[tuple[str, str, str, tuple[tuple[str, str, bool, Record], ...]], ...] = (
    ("Site questionnaire", "Before the site visit", "Sales", (
        ("select", "Roof type", True, {"options": _ROOFS}),
        ("number", "Storeys", True, {}),
        ("number", "Quarterly bill (AUD)", False, {}),
        ("checkbox", "Interested in", False, {"options": ["Solar", "Battery", "Heat pump", "EV charger"]}),
        ("file", "Photo of the switchboard", False, {}),
    )),
    ("Customer details", "For the contract", "Sales", (
        ("text", "First name", True, _wired("contact.first_name", "overwrite")),
        ("text", "Last name", True, _wired("contact.last_name", "overwrite")),
        ("text", "Mobile", False, _wired("contact.phone")),
        ("text", "Street address", True, _wired("contact.address_line1")),
        ("text", "Suburb", True, _wired("contact.city")),
        ("textarea", "Anything we should know?", False, _wired("deal.notes")),
    )),
    ("Satisfaction survey", "After the installation", "Delivery", (
        ("radio", "How did we do?", True, {"options": ["Great", "Fine", "Poor"]}),
        ("textarea", "What could be better?", False, {}),
        ("date", "Day of the installation", False, {}),
    )),
)  # fmt: skip


def seed(s: Seeder) -> None:
    """Three forms in two folders."""
    folders = {name: s.record(330, name=name) for name in ("Sales", "Delivery")}
    s.store.add("form_folder", folders.values())
    for i, (name, description, folder, fields) in enumerate(_SEEDS):
        template = s.record(
            320 - i, name=name, description=description, is_archived=False, folder_id=folders[folder]["id"],
            settings={"completionMessage": "Thank you!", "notifyEmails": ["office@brightside.example"]} if i == 0 else {},
        )  # fmt: skip
        s.store.add("form_template", [template])
        s.store.add("form_field", [
            s.record(320 - i, template_id=template["id"], order_index=n, **{
                **_DEFAULTS, "type": kind, "label": label, "is_required": required, "content": content,
            })
            for n, (kind, label, required, content) in enumerate(fields)
        ])  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "list_form_templates": lambda c: everything(c.store.all("form_template")),
    "get_form_template": lambda c: Answer(_shown(c, c.must("form_template"))),
    "create_form_template": _create,
    "update_form_template": _update,
    "delete_form_template": _delete,
    "duplicate_form_template": _duplicate,
    "archive_form_template": _archive,
    "list_form_fields": lambda c: everything(FIELDS.of(c.store, _template_id(c))),
    "create_form_field": _add_field,
    "update_form_field": _update_field,
    "delete_form_field": _delete_field,
    "reorder_form_fields": lambda c: FIELDS.reorder(c, _template_id(c), "field_ids"),
    "wire_form_fields": _wire,
    "list_form_folders": lambda c: everything(c.store.all("form_folder")),
    "create_form_folder": _create_folder,
    "update_form_folder": _update_folder,
    "delete_form_folder": _delete_folder,
}
