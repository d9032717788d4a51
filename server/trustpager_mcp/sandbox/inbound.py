"""What outsiders send to the workspace: emails, text messages, calls and referrals, on the order of a test or a rehearsal."""

from __future__ import annotations

import re

from . import mail, texting
from .errors import invalid
from .groups.agent_calls import ring_in
from .groups.referrals import visit
from .people import by_phone
from .phones import is_e164
from .store import Record
from .world import World

_STOP = {"stop", "unsubscribe", "cancel", "end", "quit", "stopall"}


def receive(world: World, body: Record) -> Record:
    """One message, call or visit from outside: channel, from, to where it matters, and its content. Raises VALIDATION_ERROR."""
    match body.get("channel"):
        case "email":
            return _email(world, body)
        case "sms":
            return _sms(world, body)
        case "call":
            return ring_in(world, _number(body), _own(world, body))
        case "referral":
            return visit(world, _text(body, "token"), _friend(body))
    raise invalid("channel must be email, sms, call or referral", field="channel")


def _friend(body: Record) -> Record | None:
    """The details that a visitor of a referral page submits; None for a visitor who only looks."""
    friend = body.get("friend")
    if friend is not None and not isinstance(friend, dict):
        raise invalid("friend must be an object with first_name, last_name, email and phone", field="friend")
    return friend


def _text(body: Record, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name} must be given as text", field=name)
    return value


def _number(body: Record) -> str:
    sender = _text(body, "from")
    if not is_e164(sender):
        raise invalid("from must be a number in E.164 format, like +61412345678", field="from")
    return sender


def _own(world: World, body: Record) -> Record:
    """The workspace's number that `to` names, else its default one."""
    if not body.get("to"):
        return texting.default_number(world.store)
    for number in world.store.all("phone_number"):
        if number["phone_number"] == body["to"]:
            return number
    raise invalid(f"to: the workspace does not own {body['to']}", field="to")


def _email(world: World, body: Record) -> Record:
    """Into the thread that is named or that has the subject and the sender, else into a new one."""
    sender, subject = _text(body, "from"), _text(body, "subject")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", sender):
        raise invalid("from must be an email address", field="from")
    files = body.get("attachments") or []
    if not isinstance(files, list) or not all(isinstance(f, dict) for f in files):
        raise invalid("attachments must be a list of {name, mimeType, size}", field="attachments")
    office = mail.company_sender(world.store)["from_email"]
    received = mail.Mail(
        office, subject, _text(body, "html_body"), sender, "postmark", from_name=body.get("from_name"), email_type="inbound",
        attachments=tuple(files),
    )  # fmt: skip
    bare = re.sub(r"^(re:\s*)+", "", subject.lower())
    threads = [t for t in world.store.all("email_thread") if sender.lower() in (p.lower() for p in t["participants"])]
    same = (t for t in threads if re.sub(r"^(re:\s*)+", "", t["subject"].lower()) == bare)
    thread = next(same, None) or mail.new_thread(world, received, about=sender)
    message = mail.add_message(world, thread, "inbound", received)
    text = {"subject": subject, "body_text": message["text_body"], "thread_id": thread["id"]}
    world.emit("email_received", {"from_email": sender, "from_name": received.from_name, **text})
    return message


def _sms(world: World, body: Record) -> Record:
    """STOP and its like opt the sender's contacts out of text messages."""
    sender, text, own = _number(body), _text(body, "body"), _own(world, body)
    conversation = texting.conversation_with(world, sender, own)
    message = texting.add_message(world, conversation, own, "inbound", text, None)
    if text.strip().lower() in _STOP:
        for contact in by_phone(world.store, sender):
            world.store.save("contact", {**contact, "sms_unsubscribed": True, "updated_at": world.clock.iso()})
    data = {"phone_number_id": own["id"], "from_number": sender, "to_number": own["phone_number"], "message_body": text}
    world.emit("sms_received", data)
    return message
