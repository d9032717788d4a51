"""What happens to contacts, companies and opportunities, told to those who listen."""

from __future__ import annotations

from .engine import Call
from .store import Record

# kind of record: the entity's name in triggers, and how its id is called there
_ENTITIES = {"contact": ("contact", "contact_id"), "company": ("customer", "customer_id"), "opportunity": ("deal", "deal_id")}


def created(call: Call, kind: str, record: Record, fields: Record) -> None:
    """`<entity>_created`, unless the caller said skip_automations, for all or in this record's own fields."""
    if not _skipped(call) and not fields.get("skip_automations"):
        call.world.emit(f"{_ENTITIES[kind][0]}_created", _entity_data(kind, record))


def updated(call: Call, kind: str, before: Record, after: Record) -> None:
    """`<entity>_updated` with the changed fields and their earlier values, when any changed."""
    changed = sorted(k for k in after if k != "updated_at" and before.get(k) != after[k])
    if changed:
        previous = {k: before.get(k) for k in changed}
        data = {**_entity_data(kind, after), "_changed_fields": changed, "_previous_values": previous}
        call.world.emit(f"{_ENTITIES[kind][0]}_updated", data)


def stage_changed(call: Call, opportunity: Record, pipeline_id: str, stage_id: str, stage_before: str | None) -> None:
    """`stage_changed`, when the stage is another than before and the caller did not say skip_automations."""
    if stage_id == stage_before or _skipped(call):
        return
    pipeline, stage = call.store.get("pipeline", pipeline_id) or {}, call.store.get("stage", stage_id) or {}
    data = {
        **_entity_data("opportunity", opportunity), "pipeline_id": pipeline_id, "pipeline_name": pipeline.get("name"),
        "stage_id": stage_id, "stage_name": stage.get("name"), "previous_stage_id": stage_before,
    }  # fmt: skip
    call.world.emit("stage_changed", data, tuple(call.body.get("skip_action_ids") or ()))


def _skipped(call: Call) -> bool:
    return bool(isinstance(call.body, dict) and call.body.get("skip_automations"))


def _entity_data(kind: str, record: Record) -> Record:
    entity, id_name = _ENTITIES[kind]
    links = {k: record[k] for k in ("contact_id", "customer_id") if record.get(k)} if kind == "opportunity" else {}
    return {**links, id_name: record["id"], entity: record, "_trigger_entity_kind": entity, "_trigger_entity_id": record["id"]}
