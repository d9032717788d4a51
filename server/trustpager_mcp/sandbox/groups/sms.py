"""Text messages: conversations, sending with opt-outs honoured, reading."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, everything
from ..errors import invalid
from ..people import name_of, open_deals
from ..seed import Seeder
from ..store import Record
from ..texting import JOBS as TEXT_JOBS
from ..texting import segments, text_out


def _view(call: Call, conversation: Record) -> Record:
    contact = call.store.get("contact", conversation["contact_id"] or "")
    linked: Record = {"contacts": [], "deals": [], "customers": []}
    if contact:
        linked["contacts"] = [{"id": contact["id"], "name": name_of(contact)}]
        linked["deals"] = [{"id": d["id"], "name": d["name"]} for d in open_deals(call.store, [contact["id"]])]
        firms = (call.store.get("company", i) for i, _ in call.store.linked("employer", contact["id"]))
        linked["customers"] = [{"id": f["id"], "name": f["name"]} for f in firms if f]
    return {**conversation, "contact_id": contact["id"] if contact else None, "linked_entities": linked}


def _conversations(call: Call) -> Answer:
    found = sorted(call.store.all("sms_conversation"), key=lambda c: str(c["last_message_at"]), reverse=True)
    return everything([_view(call, c) for c in found])


def _messages(call: Call) -> Answer:
    conversation = call.must("sms_conversation")
    return everything(call.store.all("sms_message", conversation_id=conversation["id"])[::-1])


def _send(call: Call) -> Answer:
    body = call.body
    call.reference("phone_number", body.get("phone_number_id"), "phone_number_id")
    own = call.store.get("phone_number", body.get("phone_number_id") or "")
    if own and not own["capabilities"]["sms"]:
        raise invalid(f"{own['phone_number']} cannot send text messages", field="phone_number_id")
    return Answer(text_out(call.world, body["to_number"], body["message"], own))


def _update(call: Call) -> Answer:
    return Answer(_view(call, change(call, "sms_conversation", call.must("sms_conversation"), call.body)))


def _mark_read(call: Call) -> Answer:
    """How many conversations changed; those that are read already, and unknown ids, do not count."""
    if call.body.get("all") is False:
        raise invalid("all must be true; to mark some conversations give conversation_ids", field="all")
    named = call.body.get("conversation_ids")
    unread = [c for c in call.store.all("sms_conversation") if c["unread_count"] and (named is None or c["id"] in named)]
    for conversation in unread:
        call.store.save("sms_conversation", {**conversation, "unread_count": 0, "updated_at": call.clock.iso()})
    return Answer({"updated": len(unread)})


HANDLERS: dict[str, Handler] = {
    "list_sms_conversations": _conversations,
    "get_sms_conversation": lambda c: Answer(_view(c, c.must("sms_conversation"))),
    "list_sms_messages": _messages,
    "send_sms": _send,
    "update_sms_conversation": _update,
    "mark_sms_conversations_read": _mark_read,
}
JOBS = TEXT_JOBS

_TEXTS = (
    "Hi {name}, our installer is running 20 minutes late. He will ring you when he turns into your street; there "
    "is nothing you have to do. Your team at Brightside Energy",
    "Thanks for letting me know, the side gate is open, the dogs are inside and the kettle is on. Ring the bell at the back door",
    "Hi {name}, your quote is ready and in your inbox. It is good for thirty days; call us with any question. "
    "Your team at Brightside Energy",
    "Great, can you ring me tomorrow after four? I would like to talk about the battery before we sign anything. "
    "Is there a smaller one?",
    "Hi {name}, a reminder of the site visit tomorrow at 9 am. Please have a recent bill at hand. Your team at Brightside Energy",
    "Yes that still works. My husband will be there, he knows where the meter box and the manhole to the roof are. "
    "Thanks for the reminder, see you then",
    "Hi {name}, we have the battery in stock now and could install it in the week after next. Which day suits you?",
    "How long does the install take, and will the power be off for all of the day? I work from home and would go "
    "to the library then",
)


def seed(s: Seeder) -> None:
    users = list(reversed(s.store.all("user")))
    own = next(n for n in s.store.all("phone_number") if n["is_default"])
    writers = [c for c in s.store.all("contact") if c["phone"] and not c["sms_unsubscribed"]]
    conversations: list[Record] = []
    messages: list[Record] = []
    for place, contact in enumerate(s.rng.sample(writers, 24)):
        age = 90 - place * 3.85
        count = s.rng.randint(1, 6)
        conversation = s.record(age, phone_number=contact["phone"], phone_number_id=own["id"], contact_id=contact["id"])
        for i in range(count):
            inbound = i % 2 == 1
            text = _TEXTS[(place * 2 + i) % len(_TEXTS) // 2 * 2 + int(inbound)].format(name=contact["first_name"])
            sender, receiver = (contact["phone"], own["phone_number"]) if inbound else (own["phone_number"], contact["phone"])
            messages.append(
                s.record(
                    age - i * 0.05, conversation_id=conversation["id"], direction="inbound" if inbound else "outbound",
                    from_number=sender, to_number=receiver, body=text, segments=segments(text), error_message=None,
                    status="received" if inbound else "delivered", sent_by_user_id=None if inbound else users[place % 3]["id"],
                )
            )  # fmt: skip
        last = messages[-1]
        conversations.append({
            **conversation, "status": "archived" if place % 8 == 7 else "active",
            "unread_count": int(last["direction"] == "inbound" and place % 3 == 0), "involved_user_ids": [users[place % 3]["id"]],
            "last_message": last["body"], "last_message_at": last["created_at"], "last_message_direction": last["direction"],
        })  # fmt: skip
    s.store.add("sms_conversation", conversations)
    s.store.add("sms_message", messages)
