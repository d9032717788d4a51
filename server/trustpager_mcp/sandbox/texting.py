"""Text messages that leave the workspace: opt-outs, conversations, and their delivery."""

from __future__ import annotations

from .errors import invalid
from .people import by_phone, owner
from .phones import is_evident_landline
from .store import Record, Store
from .world import Job, World, earliest, take_due

_SETTLED_AFTER = 5.0
_GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


def segments(text: str) -> int:
    """How many messages the networks make of a text: 160 characters, or 70 beyond their alphabet; less when joined."""
    plain = set(text) <= _GSM
    one, joined = (160, 153) if plain else (70, 67)
    length = len(text) if plain else len(text.encode("utf-16-le")) // 2
    return 1 if length <= one else -(-length // joined)


def sending_number(store: Store) -> Record | None:
    """The company's own sending number, if it has one."""
    able = [n for n in reversed(store.all("phone_number")) if n["capabilities"]["sms"]]
    return next((n for n in able if n["is_default"]), able[0] if able else None)


def default_number(store: Store) -> Record:
    """The company's own sending number. Raises VALIDATION_ERROR when there is none."""
    chosen = sending_number(store)
    if chosen is None:
        raise invalid("the workspace has no phone number that can send text messages", field="phone_number_id")
    return chosen


def conversation_with(world: World, number: str, own: Record) -> Record:
    """The conversation of two numbers; a new one when they have not written yet."""
    for found in world.store.all("sms_conversation", phone_number=number):
        if found["phone_number_id"] == own["id"]:
            return found
    contacts = by_phone(world.store, number)
    record = world.fresh({
        "phone_number": number, "phone_number_id": own["id"], "contact_id": contacts[0]["id"] if contacts else None,
        "status": "active", "unread_count": 0, "involved_user_ids": [], "last_message": None, "last_message_at": None,
        "last_message_direction": None,
    })  # fmt: skip
    world.store.add("sms_conversation", [record])
    return record


def add_message(world: World, conversation: Record, own: Record, direction: str, body: str, user_id: str | None) -> Record:
    """A message at the end of a conversation, which then says so."""
    numbers = (own["phone_number"], conversation["phone_number"])
    sender, receiver = numbers if direction == "outbound" else numbers[::-1]
    message = world.fresh({
        "conversation_id": conversation["id"], "direction": direction, "from_number": sender, "to_number": receiver, "body": body,
        "segments": segments(body), "status": "sent" if direction == "outbound" else "received", "sent_by_user_id": user_id,
        "error_message": None,
    })  # fmt: skip
    world.store.add("sms_message", [message])
    users = conversation["involved_user_ids"]
    world.store.save("sms_conversation", {
        **conversation, "last_message": body, "last_message_at": message["created_at"], "last_message_direction": direction,
        "involved_user_ids": users if user_id in (None, *users) else [*users, user_id],
        "unread_count": 0 if direction == "outbound" else conversation["unread_count"] + 1, "updated_at": message["created_at"],
    })  # fmt: skip
    return message


def opted_out(store: Store, number: str) -> bool:
    """Whether a contact with this number wants no text messages."""
    return any(c.get("sms_unsubscribed") for c in by_phone(store, number))


def text_out(world: World, number: str, body: str, own: Record | None = None, user_id: str | None = None) -> Record:
    """Send one message, or suppress it for somebody who opted out; what the sending endpoint answers."""
    sender = own or default_number(world.store)
    if opted_out(world.store, number):
        reason = "the contact has opted out of text messages"
        return {"status": "suppressed", "to_number": number, "from_number": sender["phone_number"], "reason": reason}
    conversation = conversation_with(world, number, sender)
    message = add_message(world, conversation, sender, "outbound", body, user_id or owner(world.store)["id"])
    world.send("sms", number, body=body, from_number=sender["phone_number"])
    world.store.add("sms_delivery", [world.fresh({"message_id": message["id"], "due_at": world.clock.later(_SETTLED_AFTER)})])
    return message


def _settle(world: World) -> None:
    """The network's answer: delivered, or undelivered to a fixed line."""
    for pending in take_due(world, "sms_delivery"):
        world.store.delete("sms_delivery", pending["id"])
        message = world.store.get("sms_message", pending["message_id"])
        if message is not None:
            fixed = is_evident_landline(message["to_number"])
            verdict = (
                {"status": "undelivered", "error_message": "the number is a fixed line"} if fixed else {"status": "delivered"}
            )
            world.store.save("sms_message", {**message, **verdict, "updated_at": world.clock.iso()})


JOBS = (Job(lambda world: earliest(world, "sms_delivery"), _settle),)
