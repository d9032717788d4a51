"""Recordings turned into text by the clock, linked to whom they are about, and coaching on them."""

from __future__ import annotations

import math
import random
import re
from urllib.parse import parse_qs, urlsplit

from ..checks import moment
from ..engine import Answer, Call, Handler, everything, page
from ..errors import invalid
from ..ordered import named
from ..people import by_email, by_phone, name_of, open_deals
from ..phones import to_e164
from ..scheduling.bookings import participants
from ..seed import Seeder
from ..store import Record, Store
from ..timeline import log_activity
from ..world import Job, World, earliest, take_due

CREDITS_PER_MINUTE = 12.0
_INBOX = {"phone_call": "/inbox/phone-calls", "meeting": "/inbox/meetings", "voicemail": "/inbox"}
_WORK_PER_MINUTE = 6.0
"""Seconds that a minute of audio takes."""


def _seconds(url: str) -> int:
    """How long a recording is: as `duration` in its URL says (seconds), else what its URL hashes to, 1 to 30 minutes."""
    said = parse_qs(urlsplit(url).query).get("duration", [""])[0]
    if re.fullmatch(r"\d{1,5}", said) and int(said) > 0:
        return int(said)
    return random.Random(url).randint(60, 1800)


def _kind(name: str) -> str:
    return "phone_call" if name == "call" else name


def _check(call: Call) -> None:
    body = named(call.body, "title")
    url = urlsplit(body["recording_url"])
    if url.scheme != "https":
        raise invalid("recording_url must begin with https://", field="recording_url")
    if (url.hostname or "").endswith("api.twilio.com") and not body.get("recording_auth"):
        raise invalid("recording_auth (ACCOUNT_SID:AUTH_TOKEN) is needed for a Twilio recording URL", field="recording_auth")
    if body.get("recording_auth") and ":" not in body["recording_auth"]:
        raise invalid("recording_auth must be USER:PASSWORD", field="recording_auth")
    call.reference("user", body.get("created_by"), "created_by")
    call.reference("transcript", body.get("existing_transcript_id"), "existing_transcript_id")


def _transcribe(call: Call) -> Answer:
    """Charged by the started minute and pending until the clock has done the work; the credentials are not kept."""
    _check(call)
    body = call.body
    seconds = _seconds(body["recording_url"])
    minutes = math.ceil(seconds / 60)
    cost = minutes * CREDITS_PER_MINUTE
    call.world.charge(cost, "transcription")
    kind = _kind(body["type"])
    metadata = {**(body.get("metadata") or {}), **({"source_id": body["source_id"]} if body.get("source_id") else {})}
    fields = {
        "title": body["title"], "type": kind, "source": body.get("source", "api"), "transcription_status": "pending",
        "transcript_text": None, "occurred_at": body.get("occurred_at") or call.clock.iso(), "duration_seconds": seconds,
        "booking_id": None, "recording_url": body["recording_url"], "inbox_path": _INBOX[kind],
        "participants": body.get("participants") or [], "metadata": metadata, "created_by": body.get("created_by"),
        "model": "whisper-1", "due_at": call.clock.later(minutes * _WORK_PER_MINUTE),
    }  # fmt: skip
    if existing := body.get("existing_transcript_id"):
        # A Notetaker recording that is transcribed again is still the booking's.
        before = call.must("transcript", existing)
        record = {**before, **fields, "booking_id": before["booking_id"], "updated_at": call.clock.iso()}
        _unlink(call.store, existing)
        call.store.save("transcript", record)
    else:
        record = call.fresh(fields)
        call.store.add("transcript", [record])
    return Answer({**_view(call.store, record), "credits_charged": cost}, status=201 if not existing else 200)


def _unlink(store: Store, transcript_id: str) -> None:
    for kind in ("contact", "opportunity"):
        for other, _ in store.linked(f"transcript_{kind}", transcript_id):
            store.unlink(f"transcript_{kind}", transcript_id, other)


def _work(world: World) -> None:
    """The text arrives, with links and an activity for everybody who took part and is known."""
    for record in take_due(world, "transcript", transcription_status="pending"):
        done = {**record, "transcription_status": "complete", "transcript_text": _text(record), "due_at": None}
        world.store.save("transcript", {**done, "updated_at": world.clock.iso()})
        contacts = _known(world.store, record["participants"])
        deals = open_deals(world.store, [c["id"] for c in contacts])
        for contact in contacts:
            world.store.link("transcript_contact", record["id"], contact["id"])
            deal = next((d["id"] for d in deals if d["contact_id"] == contact["id"]), None)
            kind = "meeting" if record["type"] == "meeting" else "call"
            links = {"contact_id": contact["id"], "deal_id": deal}
            log_activity(
                world, kind, record["title"], "Transcribed.", **links, transcript_id=record["id"], user_id=record["created_by"]
            )
        for deal in deals:
            world.store.link("transcript_opportunity", record["id"], deal["id"])


def _known(store: Store, participants: list[Record]) -> list[Record]:
    found: dict[str, Record] = {}
    for person in participants:
        contact = by_email(store, person["email"]) if person.get("email") else None
        if contact is None and person.get("phone"):
            contact = next(iter(by_phone(store, to_e164(person["phone"]) or person["phone"])), None)
        if contact:
            found[contact["id"]] = contact
    return list(found.values())


def _text(record: Record) -> str:
    people = [p.get("name") or f"Speaker {i + 1}" for i, p in enumerate(record["participants"])] or ["Speaker 1", "Speaker 2"]
    first, last = people[0], people[-1]
    return "\n".join([
        f"{first}: Thanks for taking the time. This is about {record['title']}.",
        f"{last}: No worries. We would like to know what the whole job costs.",
        f"{first}: I will send the figures today, with the rebate taken off.",
        f"{last}: Good. If they fit, we can start next month.",
    ])  # fmt: skip


def _view(store: Store, record: Record) -> Record:
    """A transcript with the records that it is linked to."""
    contacts = (store.get("contact", i) for i, _ in store.linked("transcript_contact", record["id"]))
    deals = (store.get("opportunity", i) for i, _ in store.linked("transcript_opportunity", record["id"]))
    linked = {
        "contacts": [{"id": c["id"], "name": name_of(c)} for c in contacts if c],
        "deals": [{"id": d["id"], "name": d["name"]} for d in deals if d],
    }
    return {**{k: v for k, v in record.items() if k != "due_at"}, "linked_entities": linked}


def _in_list(store: Store, record: Record) -> Record:
    return {k: v for k, v in _view(store, record).items() if k != "transcript_text"}


def _list(call: Call) -> Answer:
    q = call.query
    equal: Record = {k: q[k] for k in ("source", "transcription_status", "booking_id") if k in q}
    if "type" in q:
        equal["type"] = _kind(q["type"])
    rows = [(n, t) for n, t in call.store.numbered("transcript", **equal) if _within(t, q)]
    if "participant_email" in q:
        wanted = q["participant_email"].lower()
        rows = [(n, t) for n, t in rows if any((p.get("email") or "").lower() == wanted for p in t["participants"])]
    return page(call, rows, lambda t: _in_list(call.store, t), _latest_first)


def _latest_first(sequence: int, record: Record) -> tuple[float, int]:
    at = moment(record["occurred_at"])
    return (-at.timestamp() if at else 0.0, -sequence)


def _within(record: Record, query: Record) -> bool:
    at = moment(record["occurred_at"])
    after, before = moment(query.get("occurred_after")), moment(query.get("occurred_before"))
    if at is None:
        return after is None and before is None
    return (after is None or at >= after) and (before is None or at <= before)


def _delete(call: Call) -> Answer:
    """With its links and the coaching on it."""
    record = call.must("transcript")
    for result in call.store.all("coaching_result", transcript_id=record["id"]):
        call.store.delete("coaching_result", result["id"])
    call.store.unlink_everywhere(record["id"])
    call.store.delete("transcript", record["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "transcribe_recording": _transcribe,
    "list_transcripts": _list,
    "get_transcript": lambda c: Answer(_view(c.store, c.must("transcript"))),
    "delete_transcript": _delete,
    "list_transcript_coaching": lambda c: everything(c.store.all("coaching_result", transcript_id=c.must("transcript")["id"])),
    "list_coaching_results": lambda c: everything(c.store.all("coaching_result", **c.query)),
    "get_coaching_result": lambda c: Answer(c.must("coaching_result")),
}
JOBS = (Job(lambda world: earliest(world, "transcript", transcription_status="pending"), _work),)

_COACHING = (
    ("SPIN", "Asked about the situation at length", "Dig into what the high bills mean for the family"),
    ("BANT", "Settled budget and authority early", "Ask when they want the system running"),
    ("Challenger", "Taught the customer about feed-in tariffs", "Take control of the next step"),
    ("MEDDIC", "Found the person who signs", "Put the saving into a figure"),
)


def _recording(s: Seeder, booking: Record) -> Record:
    """What the Notetaker wrote down of a booking."""
    host = s.store.get("user", next(iter(booking["assigned_user_ids"]), "")) or s.store.all("user")[-1]
    start, end = moment(booking["start_time"]), moment(booking["end_time"])
    assert start is not None
    assert end is not None
    fields: Record = {
        "title": f"{booking['event_type_name']}: {booking['customer_name']}", "type": "meeting", "source": "recall",
        "participants": participants(booking, host), "booking_id": booking["id"], "occurred_at": booking["start_time"],
        "duration_seconds": int((end - start).total_seconds()),
        "transcription_status": "complete", "recording_url": None, "inbox_path": _INBOX["meeting"], "metadata": {},
        "created_by": host["id"], "model": "whisper-1", "due_at": None,
    }  # fmt: skip
    return s.record((s.now - end).total_seconds() / 86_400, **fields, transcript_text=_text(fields))


def seed(s: Seeder) -> None:
    users = list(reversed(s.store.all("user")))
    deals = [d for d in s.store.all("opportunity", status="open") if s.store.get("contact", d["contact_id"] or "")]
    transcripts, results = [], []
    links: list[tuple[str, str]] = []
    for i, deal in enumerate(s.rng.sample(deals, 30)):
        contact = s.store.get("contact", deal["contact_id"])
        assert contact is not None
        user, age, kind = users[i % 3], 120 - i * 3.5, ("phone_call", "meeting", "phone_call", "voicemail")[i % 4]
        people = [
            {"name": user["name"], "email": user["email"], "phone": None, "role": "caller"},
            {"name": name_of(contact), "email": contact["email"], "phone": contact["phone"], "role": "callee"},
        ]
        fields: Record = {
            "title": f"{'Meeting' if kind == 'meeting' else 'Call'} - {name_of(contact)}", "type": kind, "participants": people,
            "source": {"meeting": "zoom", "voicemail": "twilio-call"}.get(kind, "manual"), "occurred_at": s.time(age),
        }  # fmt: skip
        fields |= {
            "transcription_status": "complete",
            "transcript_text": _text(fields),
            "duration_seconds": s.rng.randint(60, 2400),
        }
        fields |= {
            "booking_id": None,
            "recording_url": None,
            "inbox_path": _INBOX[kind],
            "metadata": {},
            "created_by": user["id"],
        }
        record = s.record(age, **fields, model="whisper-1", due_at=None)
        transcripts.append(record)
        links.append((record["id"], contact["id"]))
        s.store.link("transcript_opportunity", record["id"], deal["id"])
        if i % 2 == 0 and kind != "voicemail":
            framework, strength, advice = _COACHING[i // 2 % 4]
            scores = {"overall_score": s.rng.randint(55, 92), "strengths": [strength], "improvements": [advice]}
            about = {"transcript_id": record["id"], "source_type": kind, "team_member_id": user["id"], "framework": framework}
            results.append(s.record(age - 0.1, **about, **scores, summary=f"{strength}. {advice}."))
    for booking in [b for b in s.store.all("booking", status="attended") if b["google_meet_link"]][:6]:
        record = _recording(s, booking)
        transcripts.append(record)
        links.append((record["id"], booking["contact_id"]))
        s.store.link("transcript_opportunity", record["id"], booking["deal_id"])
        s.store.save("booking", {**booking, "notetaker_status": "recorded"})
    s.store.add("transcript", transcripts)
    s.store.add("coaching_result", results)
    s.store.link_many("transcript_contact", [(a, b, {}) for a, b in links])
