"""E-mail that leaves the workspace: thread, message, log, timeline, outbox, and what becomes of it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from .company import setting
from .engine import Answer
from .errors import ApiError, DoneAnyway, invalid, not_found
from .people import by_email, owner
from .store import Record, Store
from .timeline import log_activity
from .world import Job, World, earliest, take_due

DOMAIN = "mail.trustpager.net"
ASKED = {"GET": "link_click", "POST": "unsubscribe_header"}
"""How people ask for no more mailings: by the link in one, or by their mail program's own button (a POST to that link)."""
_SETTLED_AFTER = 20.0
"""Seconds until the receiving server has answered."""


@dataclass(frozen=True)
class Mail:
    """One message to one person; `provider` is postmark or gmail."""

    to_email: str
    subject: str
    html_body: str
    from_email: str
    provider: str
    to_name: str | None = None
    from_name: str | None = None
    cc: tuple[str, ...] = ()
    sender_user_id: str | None = None
    contact_id: str | None = None
    deal_id: str | None = None
    customer_id: str | None = None
    email_type: str = "manual"
    attachments: tuple[Record, ...] = ()
    in_reply_to: str | None = None
    campaign_id: str | None = None


def text_of(body: str) -> str:
    """HTML as plain text."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def default_config(store: Store) -> Record | None:
    """The sender identity that is used when none is named."""
    configs = store.all("email_config")
    return next((c for c in configs if c["is_default"]), None)


def company_sender(store: Store, config_id: str | None = None) -> Record:
    """The named sender identity or the default one. Raises VALIDATION_ERROR."""
    config = store.get("email_config", config_id) if config_id else default_config(store)
    if config is None:
        raise invalid(
            f"email_config_id: there is no email config {config_id}"
            if config_id
            else "no email configuration exists to send from",
            field="email_config_id",
        )
    return config


def gmail_of(store: Store, user_id: str) -> Record:
    """A user's active Gmail connection. Raises 400 GMAIL_NOT_CONNECTED, or VALIDATION_ERROR for no user."""
    if store.get("user", user_id) is None:
        raise invalid(f"there is no user {user_id}", field="sender_user_id")
    connections = store.all("gmail_connection", user_id=user_id, status="active")
    if not connections:
        raise ApiError(400, "GMAIL_NOT_CONNECTED", f"user {user_id} has no active Gmail connection")
    return connections[0]


def check_alias(connection: Record, alias: str) -> str:
    """The alias as the connection writes it. Raises 400 ALIAS_NOT_CONNECTED."""
    known: list[str] = [connection["email"], *connection["send_as_aliases"]]
    for one in known:
        if one.lower() == alias.lower():
            return one
    message = f"{alias} is no send-as address of {connection['email']}; its aliases: {', '.join(known)}"
    raise ApiError(400, "ALIAS_NOT_CONNECTED", message, {"send_as_aliases": known})


def new_thread(world: World, mail: Mail, *, automated: bool = False, about: str | None = None) -> Record:
    """A conversation linked to what the mail is about: its records, and the contact with its outer address."""
    store = world.store
    thread = world.fresh({
        "subject": mail.subject, "participants": [], "status": "active", "is_read": True, "is_automated": automated,
        "last_message_at": None, "last_message_direction": None, "snippet": None, "message_count": 0,
    })  # fmt: skip
    store.add("email_thread", [thread])
    contact = store.get("contact", mail.contact_id or "") or by_email(store, about or mail.to_email)
    linked = {"contact": contact["id"] if contact else None, "opportunity": mail.deal_id, "company": mail.customer_id}
    for kind, record_id in linked.items():
        if record_id:
            store.link(f"thread_{kind}", thread["id"], record_id)
    return thread


def add_message(world: World, thread: Record, direction: str, mail: Mail) -> Record:
    """A message at the end of a thread, which then says so."""
    if direction == "outbound":
        named = [a["filename"] for a in mail.attachments]
        files: Record = {"has_attachment": bool(named), "attachment_filename": ", ".join(named) or None}
    else:
        files = {"attachments": [{k: a.get(k) for k in ("name", "mimeType", "size")} for a in mail.attachments]}
    message = world.fresh({
        "thread_id": thread["id"], "direction": direction, "from_email": mail.from_email, "from_name": mail.from_name,
        "to_email": mail.to_email, "to_name": mail.to_name, "cc": list(mail.cc), "subject": mail.subject,
        "html_body": mail.html_body, "text_body": text_of(mail.html_body), "provider": mail.provider,
        "message_id": f"<{uuid4()}@{DOMAIN}>", "in_reply_to": mail.in_reply_to, "sender_user_id": mail.sender_user_id,
        "sent_at": world.clock.iso(), **files,
    })  # fmt: skip
    world.store.add("email_message", [message])
    people = [*thread["participants"], mail.from_email, mail.to_email, *mail.cc]
    world.store.save("email_thread", {
        **thread, "participants": list({p.lower(): p for p in people}.values()),
        "is_read": direction == "outbound", "last_message_at": message["sent_at"], "last_message_direction": direction,
        "snippet": message["text_body"][:200], "message_count": thread["message_count"] + 1, "updated_at": message["sent_at"],
    })  # fmt: skip
    return message


def write_log(world: World, mail: Mail, thread_id: str | None, message_id: str) -> Record:
    """The delivery log's row; the receiving server's verdict follows."""
    log = world.fresh({
        "subject": mail.subject, "recipient_email": mail.to_email, "recipient_name": mail.to_name,
        "sender_email": mail.from_email, "status": "sent", "provider": mail.provider, "email_type": mail.email_type,
        "cc": ", ".join(mail.cc) or None, "thread_id": thread_id, "sender_user_id": mail.sender_user_id,
        "contact_id": mail.contact_id, "deal_id": mail.deal_id, "customer_id": mail.customer_id, "message_id": message_id,
        "sent_at": world.clock.iso(), "delivered_at": None, "error_message": None,
    })  # fmt: skip
    world.store.add("email_log", [log])
    pending = {"log_id": log["id"], "campaign_id": mail.campaign_id, "due_at": world.clock.later(_SETTLED_AFTER)}
    world.store.add("email_delivery", [world.fresh(pending)])
    return log


def put_out(world: World, mail: Mail, **more: Any) -> Record:
    """What leaves the workspace, into the outbox, with `more` beside it; attachments by name and size only."""
    files = [{"filename": a["filename"], "mime_type": a.get("mime_type")} for a in mail.attachments]
    return world.send(
        "email", mail.to_email, to_name=mail.to_name, cc=list(mail.cc), subject=mail.subject, html_body=mail.html_body,
        from_email=mail.from_email, from_name=mail.from_name, provider=mail.provider, attachments=files, **more,
    )  # fmt: skip


def post(world: World, mail: Mail, thread: Record | None = None) -> Record:
    """Send one message, in a thread or a new one; what the sending endpoints answer.

    Raises 422 EMAIL_LOG_FAILED for addresses with log-failed before the @: the mail has left, its records are missing.
    """
    left = put_out(world, mail)
    if "log-failed" in mail.to_email.lower().partition("@")[0]:
        reason = "the email was delivered, but it could not be logged; do not send it again"
        raise DoneAnyway(422, "EMAIL_LOG_FAILED", reason, {"message_id": left["id"]})
    thread = thread or new_thread(world, mail, automated=mail.email_type != "manual")
    message = add_message(world, thread, "outbound", mail)
    log = write_log(world, mail, thread["id"], message["message_id"])
    if mail.contact_id or mail.deal_id:
        links = {"contact_id": mail.contact_id, "deal_id": mail.deal_id, "customer_id": mail.customer_id}
        user_id = mail.sender_user_id or owner(world.store)["id"]
        log_activity(world, "email", mail.subject, text_of(mail.html_body)[:500], **links, direction="outbound", user_id=user_id)
    return {
        "id": message["id"], "message_id": message["message_id"], "thread_id": thread["id"], "log_id": log["id"],
        "status": "sent", "provider": mail.provider, "from_email": mail.from_email, "to_email": mail.to_email,
        "sent_at": message["sent_at"],
    }  # fmt: skip


def notify(world: World, email_type: str, to: str, subject: str, body: str = "", **content: Any) -> Record:
    """What the workspace writes by itself (forms, signing, automations, reminders): outbox and delivery log, no conversation.

    `content` goes into the outbox; `contact_id`, `deal_id`, `customer_id`, `sender_user_id`, `from` and `provider` into the
    log as well.
    """
    sent = world.send("email", to, subject=subject, body=body, **content)
    identity = default_config(world.store) or {}
    sender = str(content.get("from") or identity.get("from_email") or setting(world.store, "company_email") or "")
    links = {name: content[name] for name in ("contact_id", "deal_id", "customer_id", "sender_user_id") if content.get(name)}
    provider = str(content.get("provider") or "postmark")
    write_log(world, Mail(to, subject, body, sender, provider, email_type=email_type, **links), None, sent["id"])
    return sent


def fate(address: str) -> str:
    """What becomes of mail to an address: those with bounce or complaint before the @ do as they say."""
    local = address.lower().partition("@")[0]
    return "bounced" if "bounce" in local else "spam_complaint" if "complain" in local else "delivered"


def leave(world: World, method: str, recipient_id: str) -> Answer:
    """What the link at the end of a mailing does: no further ones to that address. Raises 404."""
    recipient = world.store.get("campaign_recipient", recipient_id)
    if recipient is None:
        raise not_found("unsubscribe link", recipient_id)
    unsubscribe(world, recipient["email"], ASKED[method], recipient["campaign_id"])
    return Answer({"email": recipient["email"], "status": "unsubscribed"})


def unsubscribe(world: World, email: str, reason: str, campaign_id: str | None = None) -> None:
    """Put an address on the opt-out list, once, and its contacts out of mailings."""
    for contact in world.store.all("contact"):
        if (contact.get("email") or "").lower() == email.lower() and not contact.get("email_unsubscribed"):
            world.store.save("contact", {**contact, "email_unsubscribed": True, "updated_at": world.clock.iso()})
    if not world.store.all("email_unsubscribe", email=email.lower()):
        contact_of = by_email(world.store, email)
        fields = {"email": email.lower(), "reason": reason, "campaign_id": campaign_id}
        world.store.add("email_unsubscribe", [world.fresh({**fields, "contact_id": contact_of["id"] if contact_of else None})])


def resubscribe(world: World, email: str) -> None:
    """Take an address off the opt-out list: its contact wants mailings again."""
    for entry in world.store.all("email_unsubscribe", email=email.lower()):
        world.store.delete("email_unsubscribe", entry["id"])


def _settle(world: World) -> None:
    """The receiving servers' answers: delivered, bounced, or a complaint; the last two end mailings to the address."""
    for pending in take_due(world, "email_delivery"):
        world.store.delete("email_delivery", pending["id"])
        log = world.store.get("email_log", pending["log_id"])
        if log is None:
            continue
        status = fate(log["recipient_email"])
        at = world.clock.iso()
        verdict = {"delivered": {"delivered_at": at}, "bounced": {"error_message": "550 5.1.1 mailbox does not exist"}}
        world.store.save("email_log", {**log, "status": status, "updated_at": at, **verdict.get(status, {})})
        if status == "bounced":
            bounce = {"bounce_type": "hard", "bounce_reason": verdict["bounced"]["error_message"]}
            world.emit("email_bounced", {"recipient_email": log["recipient_email"], "subject": log["subject"], **bounce})
        if status != "delivered":
            reason = "hard_bounce" if status == "bounced" else "complaint"
            unsubscribe(world, log["recipient_email"], reason, pending.get("campaign_id"))


JOBS = (Job(lambda world: earliest(world, "email_delivery"), _settle),)
