"""Mail: conversations, sending and answering, the delivery log."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from .. import mail
from .. import seed_texts as texts
from ..checks import moment
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import invalid
from ..ordered import named
from ..people import name_of, owner
from ..seed import Seeder
from ..store import Record

_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+\.[^@\s,<>.]+")
_MAX_ATTACHMENTS = 25 * 1024 * 1024
_STATUS = {"open": "active", "closed": "archived"}
"""The list's words for what the update calls otherwise."""
_LINKED = (("contact_id", "contact", "contacts"), ("deal_id", "opportunity", "deals"), ("customer_id", "company", "customers"))


def _linked(call: Call, thread_id: str) -> Record:
    found: dict[str, list[Record]] = {}
    for _, kind, plural in _LINKED:
        records = (call.store.get(kind, i) for i, _ in call.store.linked(f"thread_{kind}", thread_id))
        found[plural] = [
            {"id": r["id"], "name": name_of(r) if kind == "contact" else r["name"], "email": r.get("email")} for r in records if r
        ]
    return found


def _view(call: Call, thread: Record) -> Record:
    return {**thread, "linked_entities": _linked(call, thread["id"])}


def _newest_first(sequence: int, record: Record) -> tuple[Any, ...]:
    at = moment(record["last_message_at"])
    return (-at.timestamp() if at else 0.0, -sequence)


def _threads(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("email_thread", **{k: q[k] for k in ("is_read", "is_automated") if k in q})
    if "status" in q:
        rows = [(n, t) for n, t in rows if t["status"] == _STATUS.get(q["status"], q["status"])]
    if "direction" in q:
        rows = [(n, t) for n, t in rows if t["last_message_direction"] == q["direction"]]
    if "search" in q:
        rows = [(n, t) for n, t in rows if q["search"].lower() in t["subject"].lower()]
    if "participant" in q:
        rows = [(n, t) for n, t in rows if q["participant"].lower() in (p.lower() for p in t["participants"])]
    for name, kind, _ in _LINKED:
        if name in q:
            there = set(call.store.linking(f"thread_{kind}", q[name]))
            rows = [(n, t) for n, t in rows if t["id"] in there]
    return page(call, rows, lambda t: _view(call, t), _newest_first)


def _messages(call: Call) -> Answer:
    thread = call.must("email_thread")
    rows = call.store.numbered("email_message", thread_id=thread["id"])
    if "limit" not in call.query:
        # The reference has a limit here and no cursor: without a limit nothing may be left out.
        return everything([m for _, m in sorted(rows, key=lambda row: (row[1]["sent_at"], row[0]))])
    return page(call, rows, order=lambda sequence, m: (m["sent_at"], sequence))


def _update_thread(call: Call) -> Answer:
    return Answer(_view(call, change(call, "email_thread", call.must("email_thread"), call.body)))


def _mark_read(call: Call) -> Answer:
    """How many threads changed; those that are read already, and unknown ids, do not count."""
    if call.body.get("all") is False:
        raise invalid("all must be true; to mark some threads give thread_ids", field="all")
    named = call.body.get("thread_ids")
    unread = call.store.all("email_thread", is_read=False)
    marked = [t for t in unread if named is None or t["id"] in named]
    for thread in marked:
        call.store.save("email_thread", {**thread, "is_read": True, "updated_at": call.clock.iso()})
    return Answer({"updated": len(marked)})


def _attachments(call: Call, provider: str) -> tuple[Record, ...]:
    files = call.body.get("attachments") or []
    if not files:
        return ()
    if provider != "gmail":
        raise invalid('attachments are sent by Gmail only; use mode "personal" with sender_user_id', field="attachments")
    total = 0
    for index, one in enumerate(files):
        try:
            total += len(base64.b64decode(one["content"], validate=True))
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise invalid(f"attachments.{index}.content must be base64", field=f"attachments.{index}.content") from None
    if total > _MAX_ATTACHMENTS:
        raise invalid(f"attachments are {total / 1024 / 1024:.1f} MB; at most 25 MB can be sent", field="attachments")
    return tuple({"filename": f["filename"], "mime_type": f["mime_type"]} for f in files)


def _copies(call: Call) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in (call.body.get("cc") or "").split(",") if part.strip())
    for one in addresses:
        if not _ADDRESS.fullmatch(one):
            raise invalid(f"cc: {one} is no email address; separate addresses by commas", field="cc")
    return addresses


def _sender(call: Call) -> Record:
    """Address, name and provider of a sending body. Raises VALIDATION_ERROR, GMAIL_NOT_CONNECTED, ALIAS_NOT_CONNECTED."""
    body = call.body
    if body.get("mode") == "personal":
        connection = mail.gmail_of(call.store, body["sender_user_id"])
        user = call.must("user", body["sender_user_id"])
        aliases = [connection["email"], *connection["send_as_aliases"]]
        address = user["email"] if user["email"] in aliases else connection["email"]
        if body.get("from_email"):
            address = mail.check_alias(connection, body["from_email"])
        return {"from_email": address, "from_name": user["name"], "provider": "gmail", "sender_user_id": user["id"]}
    if body.get("from_email"):
        raise invalid('from_email chooses a Gmail alias: it needs mode "personal"', field="from_email")
    config = mail.company_sender(call.store, body.get("email_config_id"))
    return {"from_email": config["from_email"], "from_name": config["from_name"], "provider": "postmark"}


def _send(call: Call) -> Answer:
    body = call.body
    named(body, "subject", "html_body")
    missing = [
        {"field": name, "id": body[name]} for name, kind, _ in _LINKED if body.get(name) and not call.store.get(kind, body[name])
    ]
    if missing:
        names = ", ".join(f"{m['field']} {m['id']}" for m in missing)
        raise invalid(f"not in this workspace: {names}; nothing was sent", missing_entities=missing)
    sender = _sender(call)
    links = {name: body.get(name) for name, _, _ in _LINKED}
    outgoing = mail.Mail(
        body["to_email"], body["subject"], body["html_body"], **sender, to_name=body.get("to_name"), cc=_copies(call), **links,
        attachments=_attachments(call, sender["provider"]),
    )  # fmt: skip
    return Answer(mail.post(call.world, outgoing))


def _reply(call: Call) -> Answer:
    body = call.body
    named(body, "reply_html")
    thread = call.must("email_thread", body["thread_id"])
    sender = _sender(call)
    subject = thread["subject"] if thread["subject"].lower().startswith("re:") else f"Re: {thread['subject']}"
    linked = {name: [i for i, _ in call.store.linked(f"thread_{kind}", thread["id"])] for name, kind, _ in _LINKED}
    links: dict[str, Any] = {name: ids[0] if ids else None for name, ids in linked.items()}
    messages = call.store.all("email_message", thread_id=thread["id"])
    outgoing = mail.Mail(
        body["to_email"], subject, body["reply_html"], **sender, to_name=body.get("to_name"), cc=_copies(call),
        **links,
        attachments=_attachments(call, sender["provider"]),
        in_reply_to=body.get("in_reply_to") or (messages[0]["message_id"] if messages else None),
    )  # fmt: skip
    return Answer(mail.post(call.world, outgoing, thread))


def _capabilities(call: Call) -> Answer:
    me = owner(call.store)
    config = mail.default_config(call.store)
    company = {"provider": "postmark", "provider_name": "TrustPager Mail", "configured": config is not None}
    if config:
        company |= {"email_config_id": config["id"], "from_email": config["from_email"], "from_name": config["from_name"]}
    people = []
    for user in reversed(call.store.all("user")):
        found = call.store.all("gmail_connection", user_id=user["id"], status="active")
        one = found[0] if found else {}
        people.append({
            "user_id": user["id"], "name": user["name"], "email": user["email"], "gmail_connected": bool(one),
            "gmail_email": one.get("email"), "gmail_connection_id": one.get("id"),
            "send_as_aliases": one.get("send_as_aliases", []),
        })  # fmt: skip
    caller = {"user_id": me["id"], "name": me["name"], "email": me["email"]}
    return Answer({"authenticated_user": caller, "company_mail": company, "personal_gmail": people})


def _logs(call: Call) -> Answer:
    return everything(call.store.all("email_log", **call.query))


HANDLERS: dict[str, Handler] = {
    "list_email_threads": _threads,
    "get_email_thread": lambda c: Answer(_view(c, c.must("email_thread"))),
    "list_email_messages": _messages,
    "send_email": _send,
    "reply_to_email": _reply,
    "get_email_capabilities": _capabilities,
    "list_email_logs": _logs,
    "update_email_thread": _update_thread,
    "mark_email_threads_read": _mark_read,
}
JOBS = mail.JOBS

_SUBJECTS = (
    ("Your solar quote", "Here is the quote we talked about. It covers the panels, the inverter and the switchboard work."),
    ("Site visit on Thursday", "Our installer will be with you between 9 and 11 am. Please leave the side gate unlocked."),
    ("Battery brochure", "The brochure of the 10 kWh battery is attached, with the rebate on page two."),
    ("Invoice for the deposit", "The deposit of 30 percent secures your installation date."),
    ("Question about the warranty", "The panels carry 25 years, the inverter ten. Labour is covered for five."),
    ("Switchboard photos", "Could you send a photo of the switchboard with the cover open?"),
    ("Rebate paperwork", "Please sign the rebate form, then we can lodge it for you."),
    ("Maintenance plan renewal", "Your maintenance plan ends next month. Shall we renew it?"),
)
_ANSWERS = (
    "Thanks, that looks good. When could you start, and how many days would the crew be here? We are away in the "
    "last week of the month.",
    "Is the price including the switchboard, or does that come on top? Our electrician thought it was about $900 "
    "with the new meter panel.",
    "We are comparing with another quote, can you do better on the battery? It would help us to have an answer "
    "before the weekend.",
    "Thursday suits us. The dogs will be inside, and the key to the meter box hangs behind the door of the shed. "
    "Please bring shoe covers.",
    "Signed and attached. Please confirm that you have it, and tell me whether you need the rates notice as well. "
    "The bank asks for the same papers.",
    "Sorry for the delay, could you ring me after four? I have read everything and have two questions about the "
    "warranty and one about the deposit.",
)


def seed(s: Seeder) -> None:
    users = list(reversed(s.store.all("user")))
    connections: list[Record] = []
    for user in users[:3]:
        gmail = user["name"].lower().replace(" ", ".") + "@gmail.example"
        aliases = [user["email"], f"quotes.{user['email']}"]
        fields = {"user_id": user["id"], "email": gmail, "status": "active", "send_as_aliases": aliases}
        connections.append(s.record(300, **fields, calendar_synced=not connections))
    s.store.add("gmail_connection", connections)
    deals = s.rng.sample(s.store.all("opportunity", status="open"), 45)
    threads: list[Record] = []
    messages: list[Record] = []
    logs: list[Record] = []
    links: dict[str, list[tuple[str, str, dict[str, Any]]]] = {"contact": [], "opportunity": [], "company": []}
    for place, deal in enumerate(deals):
        contact = s.store.get("contact", deal["contact_id"])
        if not contact or not contact["email"]:
            continue
        subject, text = _SUBJECTS[place % len(_SUBJECTS)]
        age = 115 - place * 2.56
        exchange = s.rng.randint(1, 4)
        thread = s.record(age, subject=subject, is_automated=place % 6 == 5, status="archived" if place % 9 == 8 else "active")
        own: list[Record] = []
        for i in range(exchange):
            inbound = i % 2 == 1
            user = users[place % 3]
            sent = s.time(age - i * 0.6)
            ours_first = text if i == 0 else "Happy to help. I will come back to you today."
            body = s.rng.choice(_ANSWERS) if inbound else texts.letter(s.rng, contact["first_name"], ours_first)
            ours = {"email": "office@" + mail.DOMAIN, "name": "Brightside Energy"}
            people = [(contact["email"], name_of(contact)), (ours["email"], ours["name"])]
            (sender, sender_name), (to, to_name) = people if inbound else people[::-1]
            files: Record = {"attachments": []} if inbound else {"has_attachment": False, "attachment_filename": None}
            if inbound and "attached" in body:
                files = {"attachments": [{"name": "signed-form.pdf", "mimeType": "application/pdf", "size": 184_220}]}
            own.append({
                **s.record(age - i * 0.6), "thread_id": thread["id"], "direction": "inbound" if inbound else "outbound",
                "from_email": sender, "from_name": sender_name, "to_email": to, "to_name": to_name, "cc": [],
                "subject": subject if i == 0 else f"Re: {subject}", "html_body": f"<p>{body}</p>", "text_body": body,
                "provider": "postmark", "message_id": f"<{s.id()}@{mail.DOMAIN}>",
                "in_reply_to": own[-1]["message_id"] if own else None,
                "sender_user_id": None if inbound else user["id"], "sent_at": sent, **files,
            })  # fmt: skip
            if not inbound:
                bounced = place % 15 == 14
                logs.append({
                    **s.record(age - i * 0.6), "subject": own[-1]["subject"], "recipient_email": to, "recipient_name": to_name,
                    "sender_email": sender, "status": "bounced" if bounced else "delivered", "provider": "postmark",
                    "email_type": "automation" if thread["is_automated"] else "manual", "cc": None, "thread_id": thread["id"],
                    "sender_user_id": user["id"], "contact_id": contact["id"], "deal_id": deal["id"], "customer_id": None,
                    "message_id": own[-1]["message_id"], "sent_at": sent, "delivered_at": None if bounced else sent,
                    "error_message": "550 5.1.1 mailbox does not exist" if bounced else None,
                })  # fmt: skip
        last = own[-1]
        threads.append({
            **thread, "participants": [contact["email"], "office@" + mail.DOMAIN], "message_count": exchange,
            "is_read": last["direction"] == "outbound" or place % 4 != 0, "last_message_at": last["sent_at"],
            "last_message_direction": last["direction"], "snippet": last["text_body"][:200], "updated_at": last["created_at"],
        })  # fmt: skip
        messages += own
        links["contact"].append((thread["id"], contact["id"], {}))
        links["opportunity"].append((thread["id"], deal["id"], {}))
        if deal["customer_id"]:
            links["company"].append((thread["id"], deal["customer_id"], {}))
    s.store.add("email_thread", threads)
    s.store.add("email_message", messages)
    s.store.add("email_log", sorted(logs, key=lambda log: str(log["created_at"])))
    for kind, pairs in links.items():
        s.store.link_many(f"thread_{kind}", pairs)
