"""Form fields wired to the CRM: which variables there are, and writing an answer into the record that one names."""

from __future__ import annotations

import re
from typing import Any

from .engine import change
from .errors import ApiError, invalid
from .phones import to_e164
from .store import Record, Store
from .world import World

_ADDRESS = ("address_line1", "city", "state", "postal_code", "country")
STANDARD: dict[str, tuple[str, ...]] = {
    "contact": ("email", "phone", "first_name", "last_name", "job_title", "notes", "date_of_birth", *_ADDRESS),
    "account": ("name", "email", "phone", "landline", "website", "industry", "tax_number", "notes", *_ADDRESS),
    "deal": ("name", "value", "currency", "notes", "lead_source", "opportunity_type"),
}
# entity: kind of record, the submission's field that names it, the tool that changes it
_TARGETS = {
    "contact": ("contact", "contact_id", "update_contact"),
    "account": ("company", "customer_id", "update_company"),
    "deal": ("opportunity", "deal_id", "update_opportunity"),
}
# What the endpoints for changing records do not take, though forms may fill it.
_UNLISTED = {"account": ("tax_number", *_ADDRESS), "deal": ("opportunity_type",), "contact": ()}


def identifier(label: str) -> str:
    """A label as the id of a custom field: Marital Status becomes marital_status."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_") or "field"


def custom_fields(store: Store) -> dict[str, list[Record]]:
    """The workspace's own fields by entity (deal, account, contact)."""
    settings = next(iter(store.all("company_settings")), {})
    return {entity: list((settings.get("custom_fields") or {}).get(entity) or ()) for entity in _TARGETS}


def add_custom_field(world: World, field: Record) -> Record:
    """A new field in the workspace's settings. Raises VALIDATION_ERROR, and 409 CONFLICT when its id is taken."""
    if not field["label"].strip():
        raise invalid("create_custom_fields: label must not be empty", field="create_custom_fields.label")
    if field["type"] == "dropdown" and not field.get("options"):
        raise invalid(f"create_custom_fields: the dropdown {field['label']} needs options", field="create_custom_fields.options")
    fields = custom_fields(world.store)
    entity, field_id = field["entity"], identifier(field["label"])
    if any(f["id"] == field_id for f in fields[entity]):
        raise ApiError(409, "CONFLICT", f"{entity} has a custom field {field_id} already; wire to {entity}.metadata.{field_id}")
    options = {"options": field["options"]} if field.get("options") else {}
    created = {"id": field_id, "label": field["label"], "type": field["type"], **options}
    fields[entity].append(created)
    settings = next(iter(world.store.all("company_settings")), None)
    if settings is None:
        world.store.add("company_settings", [{**world.fresh({"custom_fields": fields}), "id": "settings"}])
    else:
        world.store.save("company_settings", {**settings, "custom_fields": fields})
    return {**created, "entity": entity, "crm_variable": f"{entity}.metadata.{field_id}"}


def check(store: Store, variable: str, where: str) -> None:
    """Raise VALIDATION_ERROR unless there is such a variable."""
    entity, _, name = variable.partition(".")
    if entity not in STANDARD:
        raise invalid(f"{where}: {variable} must begin with contact., account. or deal.", field=where)
    if name.startswith("metadata."):
        wanted, known = name.removeprefix("metadata."), [f["id"] for f in custom_fields(store)[entity]]
        if wanted not in known:
            there = f"; there are {', '.join(known)}" if known else ""
            raise invalid(f"{where}: {entity} has no custom field {wanted}{there}; create_custom_fields makes one", field=where)
    elif name not in STANDARD[entity]:
        raise invalid(f"{where}: {entity} has {', '.join(STANDARD[entity])}, not {name}", field=where)


def write(world: World, variable: str, mode: str, value: Any, submission: Record) -> Record:
    """Write an answer; what became of it: written, kept (mode write and there was a value), skipped or failed."""
    entity, _, name = variable.partition(".")
    kind, link, tool = _TARGETS[entity]
    record = world.store.get(kind, submission[link]) if submission.get(link) else None
    if record is None:
        return _outcome(variable, "skipped", f"the submission is linked to no {entity}")
    own = name.removeprefix("metadata.") if name.startswith("metadata.") else None
    before = (record.get("metadata") or {}).get(own) if own else record.get(name)
    if mode == "write" and before not in (None, "", [], {}):
        return _outcome(variable, "kept", "the field had a value")
    try:
        if own:
            world.run(tool, world.system, {"id": record["id"]}, {}, {"metadata": {**(record.get("metadata") or {}), own: value}})
        elif name in _UNLISTED[entity]:
            change(world, kind, record, {name: _plain(name, value)})
        else:
            world.run(tool, world.system, {"id": record["id"]}, {}, {name: _plain(name, value)})
    except ApiError as error:
        return _outcome(variable, "failed", error.message)
    return _outcome(variable, "written")


def _outcome(variable: str, status: str, reason: str | None = None) -> Record:
    return {"crm_variable": variable, "status": status, "reason": reason}


def _plain(name: str, value: Any) -> Any:
    """An answer as the record's field takes it."""
    if name in ("phone", "landline"):
        return to_e164(str(value)) or value
    if name == "value" and isinstance(value, str):
        try:
            return float(re.sub(r"[$, ]", "", value))
        except ValueError:
            return value
    if name == "value" or isinstance(value, str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
