"""Emails, texts, calls and webhooks of automations: to whom they go, and when they may not."""

from __future__ import annotations

from typing import Any

from ..company import setting
from ..mail import check_alias, default_config, gmail_of, notify
from ..phones import to_e164
from ..store import Record
from ..texting import text_out
from ..webhook_delivery import is_local, queue
from ..world import World
from .context import Context, assignee, contact_values
from .outcome import Failed, Skipped

MOST_ATTACHED = 25 * 1024 * 1024
_OPT_OUT = {"email": "email_unsubscribed", "phone": "sms_unsubscribed"}


def person(context: Context) -> Record:
    """The contact with an email address: id, name, email."""
    if context.contact is None or not context.contact.get("email"):
        raise Failed("the trigger names no contact with an email address")
    if context.contact.get("email_unsubscribed"):
        raise Skipped(f"{context.contact['email']} has unsubscribed from email")
    return {
        "id": context.contact["id"],
        "name": contact_values(context.contact)["display_name"],
        "email": context.contact["email"],
    }


def _recipient(context: Context, config: Record, by: str) -> str:
    """The address (`by` is email or phone) that recipient_target means."""
    target = config.get("recipient_target") or config.get("to_number_source") or "contact"
    if target == "custom":
        custom = to_e164(str(config.get("custom_recipient_phone") or ""))
        if by != "phone" or custom is None:
            raise Failed("recipient_target custom needs custom_recipient_phone in E.164 format, and is for SMS only")
        return custom
    owners = {"contact": context.contact, "account_customer": context.customer, "account_supplier": _supplier(context)}
    if target not in owners:
        raise Failed(f"recipient_target {target} is none of contact, account_customer, account_supplier, custom")
    record = owners[target]
    said = context.trigger_data.get("contact")
    if record is None and target == "contact" and isinstance(said, dict):
        record = said
    if record is None or not record.get(by):
        raise Failed(f"there is no {target} with {'an email address' if by == 'email' else 'a phone number'}")
    if record.get(_OPT_OUT[by]):
        raise Skipped(f"{record[by]} has unsubscribed from {'email' if by == 'email' else 'text messages'}")
    return str(record[by])


def _supplier(context: Context) -> Record | None:
    """The supplier of the opportunity's first cost that names one."""
    store, deal = context.world.store, context.deal
    costs = store.all("opportunity_product_cost", opportunity_id=deal["id"]) if deal else []
    return next((company for c in costs if (company := store.get("company", c.get("supplier_id") or ""))), None)


def _links(context: Context) -> dict[str, str]:
    """What the message is about, for its log."""
    about = {"contact_id": context.contact, "deal_id": context.deal, "customer_id": context.customer}
    return {name: record["id"] for name, record in about.items() if record and record.get("id")}


def custom_email(world: World, context: Context, config: Record) -> Record:
    to = _recipient(context, config, "email")
    body = f"{config['greeting']}\n\n{config['customMessage']}"
    subject = config.get("subject") or f"A message from {setting(world.store, 'company_name')}"
    extra = {"reply_to": config.get("replyEmail"), "reply_button": bool(config.get("showReplyButton"))}
    return _sent(notify(world, "automation", to, subject, body, source="automation", **_links(context), **extra))


def gmail_email(world: World, context: Context, config: Record) -> Record:
    to = _recipient(context, config, "email")
    sender, name, user_id = (_assignees_gmail if config.get("sender_mode") == "assignee" else _company_gmail)(context, config)
    files = _attachments(world, config.get("attachment_ids") or [])
    sent = notify(
        world, "automation", to, config["subject"], _signed(world, config["body"], name), attachments=files, source="automation",
        provider="gmail", sender_user_id=user_id, **_links(context),
        **{"from": sender, "email_config_id": config.get("email_config_id")},
    )  # fmt: skip
    return _sent(sent)


def _assignees_gmail(context: Context, _: Record) -> tuple[str, str, str]:
    """Address, name and user of the opportunity's owner. Raises GMAIL_NOT_CONNECTED."""
    owner = assignee(context.world, context.deal["id"]) if context.deal else None
    if owner is None:
        raise Failed("sender_mode assignee needs an opportunity with an assigned team member")
    connection = gmail_of(context.world.store, owner["id"])
    known = owner["email"] in connection["send_as_aliases"]
    return owner["email"] if known else connection["email"], owner["name"], owner["id"]


def _company_gmail(context: Context, config: Record) -> tuple[str, str, str | None]:
    """The alias of the sender identity that is pinned, or of the default one; without Gmail there, the company's address."""
    store, pinned = context.world.store, config.get("email_config_id")
    identity = (store.get("email_config", pinned) if pinned else default_config(store)) or {}
    user_id = identity.get("gmail_sender_user_id")
    if pinned and not user_id:
        raise Failed(f"email_config_id: {pinned} is no email config that sends through Gmail")
    name = str(identity.get("from_name") or setting(store, "company_name"))
    if not user_id:
        return setting(store, "company_email"), name, None
    connection = gmail_of(store, user_id)
    alias = identity.get("gmail_sender_alias")
    return check_alias(connection, alias) if alias else connection["email"], name, user_id


def _signed(world: World, body: str, name: str) -> str:
    """The body with the mailbox's signature, in the body's own format."""
    lines = ["--", *dict.fromkeys((name, str(setting(world.store, "company_name"))))]
    return body + ("<br><br>" + "<br>".join(lines) if "<" in body else "\n\n" + "\n".join(lines))


def _attachments(world: World, ids: list[str]) -> list[str]:
    names, total = [], 0
    for record_id in ids:
        found = world.store.get("file", record_id) or world.store.get("document", record_id)
        if found is None:
            raise Failed(f"attachment_ids: there is no file {record_id}")
        names.append(str(found["name"]))
        total += int(found.get("file_size") or 0)
    if total > MOST_ATTACHED:
        raise Failed(f"attachment_ids: {total / 1024 / 1024:.1f} MB in all; 25 MB is the most")
    return names


def sms(world: World, context: Context, config: Record) -> Record:
    to = _recipient(context, config, "phone")
    own = world.store.get("phone_number", str(config["phone_number_id"]))
    if own is None or not own["capabilities"]["sms"]:
        raise Failed(f"phone_number_id: the workspace has no number {config['phone_number_id']} that can send text messages")
    sent = text_out(world, to, config["message_body"], own)
    if sent["status"] == "suppressed":
        raise Skipped(f"{to}: {sent['reason']}")
    return {"message_id": sent["id"], "conversation_id": sent["conversation_id"], "channel": "sms", "to": to}


def voice_call(world: World, context: Context, config: Record) -> Record:
    """A call now; with respect_business_hours outside of them, one that waits for the next window."""
    from ..business_hours import next_open

    to = _recipient(context, config, "phone")
    variables = {name: context.fill(value) for name, value in (config.get("variable_mappings") or {}).items()}
    agent = config["voice_agent_outbound_config_id"]
    now = world.clock.now()
    starts = next_open(world.store, now, (context.contact or {}).get("timezone"))
    if config.get("respect_business_hours") and starts > now:
        payload = {"voice_agent_outbound_config_id": agent, "to_number": to, "dynamic_variables": variables}
        ids = {"contact_id": context.contact["id"] if context.contact else None}
        ids["deal_id"] = context.deal["id"] if context.deal else None
        row = waiting_communication(world, "voice_call", starts.strftime("%Y-%m-%dT%H:%M:%SZ"), payload, ids)
        return {"scheduled_communication_id": row["id"], "scheduled_for": row["scheduled_for"]}
    placed = place_call(world, agent, to, variables)
    if placed is None:
        raise Failed(f"voice_agent_outbound_config_id: there is no voice agent {agent}")
    return {
        "agent_call_id": placed["id"],
        "call_id": placed["call_id"],
        "channel": "call",
        "to": to,
        "warnings": placed["warnings"],
    }


def place_call(world: World, config_id: Any, to: str, variables: Record) -> Record | None:
    """Let a voice agent ring somebody; None when neither an outbound config nor an agent has the id. Raises ApiError."""
    config = world.store.get("agent_outbound_config", str(config_id)) or {}
    agent_id = config.get("agent_id", str(config_id))
    if world.store.get("agent", agent_id) is None:
        return None
    body = {"to_number": to, "dynamic_variables": variables}
    call: Record = world.run("start_agent_call", world.system, {"id": agent_id}, {}, body).data
    return call


def waiting_communication(world: World, channel: str, scheduled_for: str, payload: Record, ids: Record) -> Record:
    """A scheduled communication, pending."""
    row = world.fresh(
        {
            "channel": channel, "status": "pending", "scheduled_for": scheduled_for, "payload": payload,
            "timezone": None, "respect_business_hours": False, "contact_id": None, "customer_id": None, "deal_id": None,
            "related_entity_type": None, "related_entity_id": None, "cancel_policy": None, "attempt_count": 0,
            "last_error": None, "dispatched_at": None, "dispatched_external_id": None, **ids,
        }
    )  # fmt: skip
    world.store.add("scheduled_communication", [row])
    return row


def webhook(world: World, context: Context, config: Record, action: Record) -> Record:
    """To an address of this machine the trigger's data are posted right after; what is for elsewhere goes to the outbox."""
    method = str(config.get("method") or "POST").upper()
    if is_local(config["url"]):
        kind = "auto_queue_step" if "queue_id" in action else "automation_action"
        hook = {"id": action["id"], "url": config["url"]}
        delivery = queue(world, kind, hook, "automation", context.trigger_data, method)
        return {"delivery_id": delivery["id"], "channel": "webhook", "to": config["url"]}
    return _sent(world.send("webhook", config["url"], method=method, body=context.trigger_data, source="automation"))


def _sent(message: Record) -> Record:
    kept: dict[str, Any] = {k: v for k, v in message.items() if k in ("channel", "to", "subject", "from") and v is not None}
    return {"message_id": message["id"], **kept}
