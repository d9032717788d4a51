"""Calls that voice agents make: they ring, talk and end as the clock goes, and leave their traces."""

from __future__ import annotations

import math
import random
from uuid import uuid4

from ..engine import Answer, Call, Handler, everything
from ..errors import invalid, not_found
from ..people import by_phone, name_of, open_deals
from ..seed import Seeder
from ..store import Record
from ..timeline import log_activity
from ..world import Job, World, earliest, take_due
from .agents import provisioned, variables, voice_agent

CREDITS_PER_MINUTE = 12.0
_RINGS = 8.0
_SHOWN_IN_LIST = ("transcript", "transcript_object")


def _call(call: Call) -> Answer:
    """The call is registered and rings; the answer warns of variables that the flow expects and nobody gave."""
    agent = provisioned(voice_agent(call))
    if agent["published_flow"] is None:
        raise invalid("the agent is not published yet; publish it before it calls anybody")
    own = call.store.all("phone_number", outbound_voice_agent_config_id=agent["id"])[::-1]
    from_number = call.body.get("from_number") or (own[0]["phone_number"] if own else None)
    if from_number is None:
        raise invalid("give from_number, or assign the agent an outbound number first", field="from_number")
    number = next(iter(call.store.all("phone_number", phone_number=from_number)), None)
    if number is None:
        raise invalid(f"from_number: the workspace does not own {from_number}", field="from_number")
    if call.world.balance < CREDITS_PER_MINUTE:
        call.world.charge(CREDITS_PER_MINUTE, "voice_agent_minute")
    given = call.body.get("dynamic_variables") or {}
    expected = variables(agent)
    missing = [name for name in expected if name not in given]
    warnings = [
        f"dynamic variable {name} was not given" + (f"; the agent says {expected[name]!r}" if expected[name] is not None else "")
        for name in missing
    ]
    filled = {**{k: v for k, v in expected.items() if v is not None}, **given}
    record = _registered(call.world, agent, number, "outbound", call.body["to_number"], filled)
    call.world.send("call", record["to_number"], from_number=from_number, agent_id=agent["id"], call_id=record["call_id"])
    return Answer({**_view(record), "warnings": warnings}, status=201)


def _registered(world: World, agent: Record, own: Record, direction: str, other: str, variables: Record) -> Record:
    """A new call between an own number and another, about to ring."""
    contacts = by_phone(world.store, other)
    ends = (own["phone_number"], other) if direction == "outbound" else (other, own["phone_number"])
    record = world.fresh({
        "call_id": f"call_{uuid4().hex[:24]}", "agent_id": agent["id"], "agent_name": agent["agent_name"],
        "direction": direction, "from_number": ends[0], "to_number": ends[1], "phone_number_id": own["id"],
        "contact_id": contacts[0]["id"] if contacts else None, "call_status": "registered", "duration_ms": 0,
        "started_at": None, "ended_at": None, "disconnection_reason": None, "transcript": None, "recording_url": None,
        "dynamic_variables": variables, "credits_charged": 0.0, "due_at": world.clock.later(_RINGS),
    })  # fmt: skip
    world.store.add("agent_call", [record])
    return record


def ring_in(world: World, caller: str, own: Record) -> Record:
    """Somebody rings one of the numbers: its voice agent picks up, else the call goes to its transfer number.

    Raises VALIDATION_ERROR when it has neither.
    """
    agent = world.store.get("agent", own["inbound_voice_agent_config_id"] or "")
    if agent is None or agent["published_flow"] is None:
        if own["transfer_number"]:
            return _forward(world, caller, own)
        raise invalid(f"no published voice agent answers {own['phone_number']}", field="to")
    known = {k: v for k, v in variables(agent).items() if v is not None}
    return _view(_registered(world, agent, own, "inbound", caller, known))


def _forward(world: World, caller: str, own: Record) -> Record:
    """The call is put through to where the number is forwarded; its log entry."""
    contacts, now = by_phone(world.store, caller), world.clock.iso()
    world.send("call", own["transfer_number"], from_number=caller, forwarded_by=own["phone_number"])
    log = world.fresh({
        "direction": "inbound", "from_number": caller, "to_number": own["phone_number"], "status": "forwarded",
        "duration_seconds": 0, "started_at": now, "ended_at": now, "contact_id": contacts[0]["id"] if contacts else None,
        "phone_number_id": own["id"], "agent_call_id": None, "recording_url": None,
    })  # fmt: skip
    world.store.add("call_log", [log])
    return log


def _other(record: Record) -> str:
    """The number that is not the workspace's."""
    number: str = record["to_number" if record["direction"] == "outbound" else "from_number"]
    return number


def _view(record: Record) -> Record:
    return {k: v for k, v in record.items() if k != "due_at"}


def _brief(record: Record) -> Record:
    return {k: v for k, v in _view(record).items() if k not in _SHOWN_IN_LIST}


def _outcome(record: Record, most_ms: int | None = None) -> tuple[str, int]:
    """Who picks up, and for how many seconds: the same for the same number and agent. An agent picks up every time.

    `most_ms` is the agent's own limit (max_call_duration_ms), at which it hangs up.
    """
    rng = random.Random(f"{record['agent_name']}/{_other(record)}")
    chance = rng.random() if record["direction"] == "outbound" else 1.0
    if chance < 0.15:
        return "dial_no_answer", 0
    if chance < 0.3:
        return "voicemail_reached", rng.randint(10, 35)
    ended_by, seconds = rng.choice(["user_hangup", "agent_hangup"]), rng.randint(40, 420)
    if most_ms is not None and seconds * 1000 > most_ms:
        return "max_duration_reached", max(1, most_ms // 1000)
    return ended_by, seconds


def _next(world: World) -> str | None:
    due = (earliest(world, "agent_call", call_status=status) for status in ("registered", "ongoing"))
    return min((at for at in due if at is not None), default=None)


def _progress(world: World) -> None:
    """Ringing calls are answered or not; talks come to their end."""
    for record in take_due(world, "agent_call"):
        agent = world.store.get("agent", record["agent_id"]) or {}
        reason, seconds = _outcome(record, (agent.get("published_settings") or {}).get("max_call_duration_ms"))
        if record["call_status"] == "registered" and seconds:
            talking = {"call_status": "ongoing", "started_at": world.clock.iso(), "due_at": world.clock.later(seconds)}
            world.store.save("agent_call", {**record, **talking})
            world.emit("call_started", _event(record))
        else:
            _end(world, record, reason, seconds)


def _event(record: Record) -> Record:
    """What an automation learns of a call."""
    names = ("call_id", "direction", "from_number", "to_number", "contact_id")
    return {**{k: record[k] for k in names}, "voice_agent_id": record["agent_id"]}


def _script(world: World, record: Record, reason: str) -> str | None:
    if reason == "dial_no_answer":
        return None
    contact = world.store.get("contact", record["contact_id"] or "")
    name = str(record["dynamic_variables"].get("customer_name") or (contact or {}).get("first_name") or "there")
    opening = f"Agent: Hi {name}, this is {record['agent_name'].split(',')[0]} from Brightside Energy."
    if reason == "voicemail_reached":
        return f"{opening} Sorry to miss you, please ring us back when it suits."
    if record["direction"] == "inbound":
        return f"{opening} How can I help?\nUser: Could somebody ring me about a battery?\nAgent: Of course, today after four."
    return "\n".join([
        opening, "User: Oh hello, yes.", "Agent: I am calling about your enquiry. Is now a good moment?",
        "User: Sure. I wanted to know when somebody could come and look at the roof.",
        "Agent: We can come this week. I will have the office send you two times.", "User: Great, thank you. Bye.",
    ])  # fmt: skip


def _end(world: World, record: Record, reason: str, seconds: int) -> None:
    """What a finished call leaves: its log, a transcript, an activity, and its minutes charged."""
    store, now = world.store, world.clock.iso()
    answered = seconds > 0
    cost = min(world.balance, math.ceil(seconds / 60) * CREDITS_PER_MINUTE)
    if cost:
        world.charge(cost, "voice_agent_minute")
    text = _script(world, record, reason)
    ended = {
        **record, "call_status": "ended" if answered else "not_connected", "duration_ms": seconds * 1000, "ended_at": now,
        "disconnection_reason": reason, "transcript": text, "credits_charged": cost, "due_at": None, "updated_at": now,
    }  # fmt: skip
    store.save("agent_call", ended)
    states = {"dial_no_answer": "no-answer", "voicemail_reached": "voicemail"}
    log = {
        "direction": record["direction"], "from_number": record["from_number"], "to_number": record["to_number"],
        "status": states.get(reason, "completed"), "duration_seconds": seconds, "started_at": record["started_at"] or now,
        "ended_at": now, "contact_id": record["contact_id"], "phone_number_id": record["phone_number_id"],
        "agent_call_id": record["id"], "recording_url": None,
    }  # fmt: skip
    store.add("call_log", [world.fresh(log)])
    contact = store.get("contact", record["contact_id"] or "")
    deals = open_deals(store, [contact["id"]]) if contact else []
    if contact:
        subject = f"AI call with {record['agent_name']}: {states.get(reason, 'answered')}"
        log_activity(world, "call", subject, text, contact_id=contact["id"], deal_id=deals[0]["id"] if deals else None)
    if text:
        _transcribe(world, ended, contact, deals)
    event = {**_event(ended), "duration_seconds": seconds}
    world.emit("call_ended", event)
    if text:
        analysis = {"call_summary": text.splitlines()[-1], "user_sentiment": "Neutral", "custom_analysis": {}}
        world.emit("call_analyzed", {**event, "call_status": states.get(reason, "completed"), **analysis})


def _transcribe(world: World, record: Record, contact: Record | None, deals: list[Record]) -> None:
    """What was said, among the transcripts, linked to whom it was said to."""
    outbound, other = record["direction"] == "outbound", _other(record)
    person = {"name": name_of(contact) if contact else None, "email": contact["email"] if contact else None, "phone": other}
    transcript = world.fresh({
        "title": f"{record['direction'].title()} call - {person['name'] or other}", "type": "phone_call", "source": "retell",
        "transcription_status": "complete", "transcript_text": record["transcript"], "booking_id": None, "recording_url": None,
        "occurred_at": record["started_at"], "duration_seconds": record["duration_ms"] // 1000,
        "inbox_path": "/inbox/phone-calls", "participants": [{**person, "role": "callee" if outbound else "caller"}],
        "metadata": {"agent_call_id": record["id"], "source_id": record["call_id"]}, "created_by": None,
    })  # fmt: skip
    world.store.add("transcript", [transcript])
    if contact:
        world.store.link("transcript_contact", transcript["id"], contact["id"])
    for deal in deals:
        world.store.link("transcript_opportunity", transcript["id"], deal["id"])


def _get(call: Call) -> Answer:
    record = call.store.get("agent_call", call.ids["callId"])
    if record is None:
        raise not_found("call", call.ids["callId"])
    return Answer(_view(record))


HANDLERS: dict[str, Handler] = {
    "start_agent_call": _call,
    "list_agent_calls": lambda c: everything([_brief(r) for r in c.store.all("agent_call", agent_id=voice_agent(c)["id"])]),
    "get_agent_call": _get,
}
JOBS = (Job(_next, _progress),)


def seed(s: Seeder) -> None:
    agent = s.store.all("agent", agent_name="Max, quote follow-up")[0]
    own = s.store.all("phone_number", outbound_voice_agent_config_id=agent["id"])[0]
    people = s.rng.sample([c for c in s.store.all("contact") if c["phone"]], 18)
    calls = []
    for place, contact in enumerate(people):
        age = 50 - place * 2.5
        reason, seconds = _outcome({"agent_name": agent["agent_name"], "direction": "outbound", "to_number": contact["phone"]})
        calls.append(
            s.record(
                age, call_id=f"call_{s.rng.getrandbits(96):024x}", agent_id=agent["id"], agent_name=agent["agent_name"],
                direction="outbound", from_number=own["phone_number"], to_number=contact["phone"], phone_number_id=own["id"],
                contact_id=contact["id"], call_status="ended" if seconds else "not_connected", duration_ms=seconds * 1000,
                started_at=s.time(age), ended_at=s.time(age - seconds / 86_400), disconnection_reason=reason,
                transcript=f"Agent: Hi {contact['first_name']}, any questions about the quote?\nUser: No, it is clear, thanks."
                if seconds else None,
                recording_url=None, dynamic_variables={"customer_name": contact["first_name"]}, credits_charged=0.0, due_at=None,
            )
        )  # fmt: skip
    s.store.add("agent_call", calls)
