"""Emails, texts, calls and webhooks of automations: to whom they go, and when they may not."""

from __future__ import annotations

from typing import Any

from ..company import setting
from ..mail import notify
from ..phones import to_e164
from ..store import Record
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
    greeting = config.get("greeting") or context.lookup("contact.greeting") or "Hi there"
    body = f"{greeting}\n\n{config['customMessage']}"
    subject = config.get("subject") or f"A message from {setting(world.store, 'company_name')}"
    extra = {"reply_to": config.get("replyEmail"), "reply_button": bool(config.get("showReplyButton"))}
    return _sent(notify(world, "automation", to, subject, body, source="automation", **_links(context), **extra))


def gmail_email(world: World, context: Context, config: Record) -> Record:
    to = _recipient(context, config, "email")
    sender = setting(world.store, "company_email")
    if config.get("sender_mode") == "assignee":
        owner = assignee(world, context.deal["id"]) if context.deal else None
        if owner is None:
            raise Failed("sender_mode assignee needs an opportunity with an assigned team member")
        sender = owner["email"]
    files = _attachments(world, config.get("attachment_ids") or [])
    sent = notify(
        world, "automation", to, config["subject"], config["body"], attachments=files, source="automation",
        **_links(context), **{"from": sender, "email_config_id": config.get("email_config_id")},
    )  # fmt: skip
    return _sent(sent)


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
    sent = world.send("sms", to, body=config["message_body"], phone_number_id=config["phone_number_id"], source="automation")
    return _sent(sent)


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
    return _sent(world.send("call", to, voice_agent_outbound_config_id=agent, dynamic_variables=variables, source="automation"))


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


def webhook(world: World, context: Context, config: Record) -> Record:
    """What the webhook would have been sent; nothing leaves the sandbox."""
    method = str(config.get("method") or "POST").upper()
    return _sent(world.send("webhook", config["url"], method=method, body=context.trigger_data, source="automation"))


def _sent(message: Record) -> Record:
    kept: dict[str, Any] = {k: v for k, v in message.items() if k in ("channel", "to", "subject", "from") and v is not None}
    return {"message_id": message["id"], **kept}
