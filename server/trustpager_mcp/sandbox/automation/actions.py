"""What automations can do, by action type: the configuration that each needs, and doing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from ..checks import moment
from ..company import setting
from ..crm_variables import STANDARD
from ..engine import change
from ..errors import invalid
from ..mail import notify
from ..rules import normal_tags
from ..store import Record
from ..world import World
from . import enrolment, messages
from .context import Context
from .outcome import Failed

CHAINING = "trigger_automation"
"""Runs another automation: done by the runner itself."""
_TARGETS = {"contact": "contact", "customer": "customer", "account": "customer", "deal": "deal"}
_KINDS = {"contact": "contact", "customer": "company", "deal": "opportunity"}
# Built-in fields that set_custom_field writes, beside those that forms may be wired to.
_MORE_FIELDS: dict[str, tuple[str, ...]] = {
    "contact": ("relationship_started_at", "landline", "contact_type", "timezone", "source"),
    "customer": ("relationship_started_at", "landline", "account_type", "timezone", "is_customer", "is_supplier"),
    "deal": ("actual_close_date",),
}
_ENTITY_TRIGGERS = tuple(f"{entity}_{happened}" for entity in _KINDS for happened in ("created", "updated"))


@dataclass(frozen=True)
class Step:
    """One action about to be done, with its texts filled."""

    world: World
    context: Context
    automation: Record
    action: Record
    config: Record

    def deal(self) -> Record:
        if self.context.deal is None:
            raise Failed("the trigger names no opportunity, and none could be matched")
        return self.context.deal

    def run(self, tool: str, ids: Record, body: Record) -> Record:
        """Call an endpoint as the workspace itself."""
        data: Record = self.world.run(tool, self.world.system, ids, {}, body).data
        return data


def check(action_type: str, config: Record) -> None:
    """Raise VALIDATION_ERROR for an unknown type or a configuration that lacks what the type needs."""
    if action_type not in (known := {*ACTIONS, CHAINING}):
        raise invalid(f"action_type {action_type} is unknown; known are {', '.join(sorted(known))}", field="action_type")
    if action_type == "set_custom_field":
        for write in _writes(config):
            _target(write)
        return
    if missing := [name for name in _NEEDS.get(action_type, ()) if config.get(name) in (None, "", [])]:
        raise invalid(
            f"config of {action_type} needs {', '.join(missing)}", fields={f"config.{m}": "is required" for m in missing}
        )


def _add_tasks(step: Step) -> Record:
    links = {"deal_id": step.context.deal, "contact_id": step.context.contact}
    ids = {name: record["id"] for name, record in links.items() if record}
    created = []
    for task in step.config["tasks"]:
        offset = task.get("due_offset_days")
        due = date.fromisoformat(step.context.today()) + timedelta(days=offset) if offset is not None else None
        category = _category(step.world, task.get("category"))
        body = {"title": task["title"], "due_date": due.isoformat() if due else None, "category_id": category, **ids}
        created.append(step.run("create_task", {}, {k: v for k, v in body.items() if v is not None})["id"])
    return {"task_ids": created}


def _category(world: World, name: str | None) -> str | None:
    found = [c["id"] for c in world.store.all("task_category") if name and c["name"].lower() == name.lower()]
    return found[0] if found else None


def _create_lead(step: Step) -> Record:
    contact = step.context.contact
    name = step.context.lookup("contact.display_name") or step.context.lookup("name") or "New lead"
    body = {
        "name": step.config.get("name") or name, "contact_id": contact["id"] if contact else None,
        "pipeline_id": step.config["pipeline_id"], "stage_id": step.config["stage_id"],
    }  # fmt: skip
    record = {k: v for k, v in body.items() if v is not None}
    # A single creation takes no placement: the bulk one does.
    answer = step.run("bulk_create_opportunities", {}, {"records": [record], "skip_automations": True})
    if answer["errors"]:
        raise Failed(answer["errors"][0]["message"])
    return {"deal_id": answer["created"][0]["id"]}


def _move_deal(step: Step) -> Record:
    deal = step.run("move_opportunity", {"id": step.deal()["id"]}, {k: step.config[k] for k in ("pipeline_id", "stage_id")})
    return {"deal_id": deal["id"], "stage_name": deal["stage_name"]}


def _apply_tags(step: Step) -> Record:
    deal = step.deal()
    palette = {str(t["name"]).lower(): t.get("color") for t in setting(step.world.store, "deal_tag_options")}
    known = {str(t["name"]).lower() for t in deal.get("tags") or []}
    wanted = [t if isinstance(t, dict) else {"name": t} for t in step.config["tags"]]
    new = {t["name"].lower(): {**t, "color": t.get("color") or palette.get(t["name"].lower()) or "#6b7280"} for t in wanted}
    added = normal_tags([t for name, t in new.items() if name not in known])
    change(step.world, "opportunity", deal, {"tags": [*(deal.get("tags") or []), *added]})
    return {"deal_id": deal["id"], "added": [t["name"] for t in added]}


def _remove_tags(step: Step) -> Record:
    deal = step.deal()
    gone = {str(t["name"] if isinstance(t, dict) else t).lower() for t in step.config["tags"]}
    tags = deal.get("tags") or []
    kept = [t for t in tags if str(t["name"]).lower() not in gone]
    change(step.world, "opportunity", deal, {"tags": kept})
    return {"deal_id": deal["id"], "removed": [t["name"] for t in tags if t not in kept]}


def _assign_user(step: Step) -> Record:
    """The user becomes the primary owner; who was it stays on the team."""
    deal, store = step.deal(), step.world.store
    user = store.get("user", step.config["user_id"])
    if user is None:
        raise Failed(f"there is no team member {step.config['user_id']}")
    for other, link in store.linked("opportunity_user", deal["id"]):
        store.link("opportunity_user", deal["id"], other, **{**link, "is_primary": False})
    store.link("opportunity_user", deal["id"], user["id"], is_primary=True)
    return {"deal_id": deal["id"], "user_id": user["id"], "user_name": user["name"]}


def _writes(config: Record) -> list[Record]:
    """The fields to write: today's list, or either of the two older shapes."""
    writes = config.get("writes")
    if writes is None and ("crm_variable" in config or "field_id" in config):
        writes = [config]
    if not writes:
        raise invalid("config of set_custom_field needs writes", field="config.writes")
    return list(writes)


def _target(write: Record) -> tuple[str, list[str]]:
    """Entity and path of the field. Raises VALIDATION_ERROR."""
    variable = str(write.get("crm_variable") or f"{write.get('target_entity')}.metadata.{write.get('field_id')}")
    head, *path = variable.split(".")
    entity = _TARGETS.get(head)
    if entity is None or not path or len(path) != (2 if path[0] == "metadata" else 1):
        raise invalid(f"crm_variable {variable} is no field such as contact.timezone or deal.metadata.cf_abc123", field="config")
    if _TARGETS.get(str(write.get("target_entity") or entity)) != entity:
        raise invalid(f"target_entity {write['target_entity']} does not go with crm_variable {variable}", field="config")
    known = (*STANDARD["account" if entity == "customer" else entity], *_MORE_FIELDS[entity])
    if path[0] != "metadata" and path[0] not in known:
        raise invalid(f"crm_variable {variable} cannot be written; of {entity} one can write {', '.join(known)}", field="config")
    return entity, path


def _must_reach(step: Step, entity: str) -> None:
    """Raise Failed when the trigger is about another entity and no CRM integration of the automation finds this one by id."""
    about = step.context.trigger_data.get("_trigger_entity_kind")
    if about in (None, entity) or step.automation.get("trigger_type") not in _ENTITY_TRIGGERS:
        return
    actions = step.world.store.all("automation_action", automation_id=step.automation["id"], action_type="crm_integration")
    if not any("id" in _match_fields(a.get("config") or {}) for a in actions):
        raise Failed(
            f"the trigger is about a {about}: to write to its {entity}, add a crm_integration action with mode find and "
            'find_match_fields ["id"]'
        )


def _match_fields(config: Record) -> list[str]:
    """What a CRM integration may find its person by."""
    name = {"find": "find_match_fields", "update": "update_contact_match_fields"}.get(str(config.get("mode")), "")
    return list(config.get(name) or ())


def _set_custom_field(step: Step) -> Record:
    written, kept = [], []
    for write in _writes(step.config):
        entity, path = _target(write)
        _must_reach(step, entity)
        found = getattr(step.context, entity)
        record = step.world.store.get(_KINDS[entity], found["id"]) if found else None
        if record is None:
            raise Failed(f"the trigger names no {entity} to write {'.'.join(path)} to")
        inside = path[0] == "metadata"
        current = (record.get("metadata") or {}).get(path[1]) if inside else record.get(path[0])
        name = f"{entity}.{'.'.join(path)}"
        if write.get("mode", "write") == "write" and current not in (None, "", [], {}):
            kept.append(name)
            continue
        value = write.get("value")
        changes = {"metadata": {**(record.get("metadata") or {}), path[1]: value}} if inside else {path[0]: value}
        change(step.world, _KINDS[entity], record, changes)
        written.append(name)
    return {"written": written, "kept": kept}


def _attach(step: Step) -> Record:
    queue = step.world.store.get("auto_queue", str(step.config["event_queue_id"]))
    if queue is None:
        raise Failed(f"there is no queue {step.config['event_queue_id']}")
    contact, deal, customer = step.context.contact, step.context.deal, step.context.customer
    wanted = step.config.get("enrollment_time")
    anchor = moment(wanted) if wanted else step.world.clock.now()
    if anchor is None:
        raise Failed(f"enrollment_time {str(wanted)[:60]} is no ISO time")
    entities = {"contact_id": contact, "deal_id": deal, "customer_id": customer}
    ids = {name: record["id"] if record else None for name, record in entities.items()}
    timers = enrolment.enrol(step.world, queue, ids, anchor, step.context.trigger_data)
    return {"event_queue_id": queue["id"], "timers": [t["id"] for t in timers]}


def _detach(step: Step) -> Record:
    contact, deal = step.context.contact, step.context.deal
    ids = {"contact_id": contact["id"] if contact else None, "deal_id": deal["id"] if deal else None}
    return {"cancelled": enrolment.cancel_pending(step.world, str(step.config["event_queue_id"]), ids)}


def _attribute_referral(step: Step) -> Record:
    referrer, deal, contact = step.config["referrer_contact_id"], step.context.deal, step.context.contact
    body = {"referrer_contact_id": referrer, "category": step.config.get("category")}
    body["referred_deal_id"] = deal["id"] if deal else None
    body["referred_contact_id"] = contact["id"] if contact and not deal else None
    return step.run("create_referral", {}, {k: v for k, v in body.items() if v is not None})


def _send_form(step: Step) -> Record:
    contact = messages.person(step.context)
    body = {
        "template_id": step.config["template_id"], "recipient_email": contact["email"], "recipient_name": contact["name"],
        "contact_id": contact["id"], "personal_message": step.config.get("personal_message"),
    }  # fmt: skip
    return step.run("send_form", {}, {k: v for k, v in body.items() if v is not None})


def _send_for_signing(step: Step) -> Record:
    contact = messages.person(step.context)
    signer = {"name": contact["name"], "email": contact["email"]}
    body: Record = {"template_id": step.config["template_id"], "signers": [signer]}
    if step.context.deal:
        body["deal_id"] = step.context.deal["id"]
    return step.run("send_document_for_signing", {}, body)


def _send_document(step: Step) -> Record:
    document = step.world.store.get("document", step.config["document_id"])
    if document is None:
        raise Failed(f"there is no document {step.config['document_id']}")
    to = messages.person(step.context)["email"]
    sent = notify(step.world, "automation", to, document["name"], document_id=document["id"], source="automation")
    about = {"document_id": document["id"], "document_name": document["name"], "recipient_email": to}
    about["document_template_id"] = document.get("template_id")
    links = {f"{e}_id": r["id"] for e in ("contact", "deal") if (r := getattr(step.context, e))}
    step.world.emit("document_sent", {**about, **links})
    return {"message_id": sent["id"], "to": to}


def _crm_integration(step: Step) -> Record:
    """The records that the run is about, found by the trigger's ids or the person's email or phone, where those are among
    the match fields; `create` makes the person.
    """
    mode, context = step.config["mode"], step.context
    if mode not in ("find", "update", "create"):
        raise Failed(f"mode {mode} is none of find, update, create")
    if context.contact is None and mode == "create":
        fields = {n: context.lookup(n) for n in ("first_name", "last_name", "email", "phone")}
        name = fields["first_name"] or str(context.lookup("name") or "").split(" ")[0] or "Unknown"
        made = step.run(
            "create_contact", {}, {**{k: v for k, v in fields.items() if v}, "first_name": name, "skip_automations": True}
        )
        return {"contact_id": made["id"], "created": True}
    found = {f"{e}_id": r["id"] if (r := getattr(context, e)) else None for e in ("contact", "customer", "deal")}
    wanted = _match_fields(step.config)
    if not any(found.values()) or (wanted and context.found_by not in wanted):
        by = f" by {', '.join(wanted)}" if wanted else ""
        raise Failed(f"no contact, customer or opportunity matches the trigger{by}")
    if mode == "update" and context.contact and step.config.get("contact_fields"):
        step.run("update_contact", {"id": context.contact["id"]}, step.config["contact_fields"])
    return found


def _platform(step: Step) -> Record:
    """An action of a connected platform: what would have been sent to it goes to the outbox."""
    kind = step.action["action_type"]
    to = str(step.config.get("channel") or "#general") if kind == "slack_send_message" else kind
    sent = step.world.send(kind.split("_")[0], to, action=kind, content=step.config, source="automation")
    return {"message_id": sent["id"]}


_NEEDS: dict[str, tuple[str, ...]] = {
    "send_custom_email": ("greeting", "customMessage"), "send_gmail_email": ("subject", "body", "recipient_target"),
    "send_sms": ("phone_number_id", "message_body"), "voice_outbound_call": ("voice_agent_outbound_config_id",),
    "call_webhook": ("url",), "add_tasks": ("tasks",), "create_lead": ("pipeline_id", "stage_id"),
    "move_deal": ("pipeline_id", "stage_id"), "attach_to_event_queue": ("event_queue_id",),
    "remove_from_event_queue": ("event_queue_id",), "apply_tags": ("tags",), "remove_tags": ("tags",),
    "assign_user": ("user_id",), "assign_deal_user": ("user_id",), "set_deal_owner": ("user_id",),
    "send_document": ("document_id",), "send_for_signing": ("template_id",), "send_form": ("template_id",),
    "trigger_automation": ("automation_id",), "attribute_referral": ("referrer_contact_id",), "crm_integration": ("mode",),
    "slack_send_message": ("message",),
}  # fmt: skip

ACTIONS: dict[str, Callable[[Step], Record]] = {
    "send_custom_email": lambda s: messages.custom_email(s.world, s.context, s.config),
    "send_gmail_email": lambda s: messages.gmail_email(s.world, s.context, s.config),
    "send_sms": lambda s: messages.sms(s.world, s.context, s.config),
    "voice_outbound_call": lambda s: messages.voice_call(s.world, s.context, s.config),
    "call_webhook": lambda s: messages.webhook(s.world, s.context, s.config, s.action),
    "add_tasks": _add_tasks,
    "create_lead": _create_lead,
    "move_deal": _move_deal,
    "attach_to_event_queue": _attach,
    "remove_from_event_queue": _detach,
    "apply_tags": _apply_tags,
    "remove_tags": _remove_tags,
    **dict.fromkeys(("assign_user", "assign_deal_user", "set_deal_owner"), _assign_user),
    "set_custom_field": _set_custom_field,
    "send_document": _send_document,
    "send_for_signing": _send_for_signing,
    "send_form": _send_form,
    "attribute_referral": _attribute_referral,
    "crm_integration": _crm_integration,
    **dict.fromkeys(
        (
            "slack_send_message", "facebook_conversion", "portant_generate_document", "activecampaign_add_to_automation",
            "calcom_create_booking", "calcom_add_guests", "zoom_create_meeting",
        ),
        _platform,
    ),
}  # fmt: skip
