"""Recordings become transcripts by the clock; coaching is listed and filtered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, make

AUDIO: dict[str, Any] = {"recording_url": "https://audio.example/a.mp3?duration=150", "title": "Call with Jo", "type": "call"}


async def test_a_recording_is_charged_by_the_minute_and_linked_when_it_is_done() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Jo", "email": "jo@home.example"}, status=201)
    other = await api.ok("POST", "/contacts", {"first_name": "Al", "phone": "+61412345678"}, status=201)
    deal = await api.ok("POST", "/opportunities", {"name": "Roof", "contact_id": contact["id"]}, status=201)
    balance = (await api.ok("GET", "/__sandbox/credits"))["balance"]
    people = [{"email": "JO@home.example", "name": "Jo"}, {"phone": "0412 345 678", "role": "callee"}]
    author = (await api.get("/company/users"))[-1]["user_id"]
    body = {
        **AUDIO,
        "participants": people,
        "created_by": author,
        "source_id": "CA1",
        "metadata": {"a": 1},
        "model": "gpt-4o-transcribe",
    }
    started = await api.ok("POST", "/transcripts/transcribe", body, status=201)
    assert (started["type"], started["transcription_status"], started["transcript_text"]) == ("phone_call", "pending", None)
    assert (started["inbox_path"], started["source"], started["model"]) == ("/inbox/phone-calls", "api", "whisper-1")
    assert started["metadata"] == {"a": 1, "source_id": "CA1"}
    assert (await api.ok("GET", "/__sandbox/credits"))["balance"] == balance - 3 * 12
    assert started["occurred_at"][:19] == started["created_at"][:19]
    await api.advance(60)
    done = await api.get(f"/transcripts/{started['id']}")
    assert (done["transcription_status"], done["duration_seconds"]) == ("complete", 150)
    assert "Jo: " in done["transcript_text"]
    assert {c["id"] for c in done["linked_entities"]["contacts"]} == {contact["id"], other["id"]}
    assert [d["id"] for d in done["linked_entities"]["deals"]] == [deal["id"]]
    activity = (await api.get(f"/contacts/{contact['id']}/activities"))[0]
    assert (activity["activity_type"], activity["subject"], activity["deal_id"]) == ("call", "Call with Jo", deal["id"])
    assert activity["user_id"] == author
    voicemail = await api.ok("POST", "/transcripts/transcribe", {**AUDIO, "type": "voicemail"}, status=201)
    assert voicemail["inbox_path"] == "/inbox"


async def test_an_existing_transcript_is_overwritten() -> None:
    api = make()
    old = (await api.get("/transcripts", source="recall"))[0]
    body = {**AUDIO, "type": "meeting", "existing_transcript_id": old["id"]}
    await api.ok("POST", "/transcripts/transcribe", body)
    renewed = await api.get(f"/transcripts/{old['id']}")
    assert (renewed["title"], renewed["transcription_status"], renewed["inbox_path"]) == (
        "Call with Jo",
        "pending",
        "/inbox/meetings",
    )
    assert renewed["linked_entities"] == {"contacts": [], "deals": []}
    assert renewed["booking_id"] == old["booking_id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"recording_url": "http://audio.example/a.mp3"}, {"recording_url": "ftp://x"}, {"type": "fax"}, {"created_by": NOBODY},
        {"recording_url": "https://api.twilio.com/2010/Recordings/RE1"}, {"recording_auth": "nocolon"},
        {"existing_transcript_id": NOBODY}, {"participants": [{"role": "boss"}]},
    ],
)  # fmt: skip
async def test_what_cannot_be_transcribed_is_refused_and_not_charged(wrong: dict[str, Any]) -> None:
    api = make()
    balance = await api.ok("GET", "/__sandbox/credits")
    await api.error("POST", "/transcripts/transcribe", {**AUDIO, **wrong})
    assert await api.ok("GET", "/__sandbox/credits") == balance


async def test_the_credentials_of_a_recording_are_not_kept() -> None:
    api = make()
    body = {**AUDIO, "recording_url": "https://api.twilio.com/r/RE1?duration=60", "recording_auth": "AC1:secret-token"}
    sent = await api.send("POST", "/transcripts/transcribe", body)
    assert sent.status_code == 201
    assert "secret-token" not in sent.text + (await api.send("GET", "/transcripts")).text
    assert "secret-token" not in str(api.workspace.store.all("transcript"))


async def test_too_few_credits_stop_a_transcription() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/credits", {"balance": 35})
    error = await api.error("POST", "/transcripts/transcribe", AUDIO, status=402)
    assert (error["code"], error["details"]["required"]) == ("INSUFFICIENT_CREDITS", 36)
    assert not await api.get("/transcripts", source="api")


async def test_transcripts_are_filtered_and_the_latest_comes_first() -> None:
    api = make()
    everything = await api.get("/transcripts", limit=100)
    times = [t["occurred_at"] for t in everything]
    assert times == sorted(times, reverse=True)
    assert "transcript_text" not in everything[0]
    assert await api.get("/transcripts", type="call") == await api.get("/transcripts", type="phone_call")
    assert {t["type"] for t in await api.get("/transcripts", type="voicemail")} == {"voicemail"}
    assert {t["source"] for t in await api.get("/transcripts", source="recall")} == {"recall"}
    assert await api.get("/transcripts", transcription_status="pending") == []
    middle = times[10]
    after, before = (
        await api.get("/transcripts", occurred_after=middle, limit=100),
        await api.get("/transcripts", occurred_before=middle),
    )
    assert (len(after), len(after) + len(before)) == (11, len(everything) + 1)
    email = everything[0]["participants"][1]["email"]
    assert everything[0]["id"] in {t["id"] for t in await api.get("/transcripts", participant_email=email)}
    assert await api.get("/transcripts", booking_id=NOBODY) == []
    recorded = (await api.get("/transcripts", source="recall"))[0]
    assert await api.get("/transcripts", booking_id=recorded["booking_id"]) == [recorded]
    booking = await api.get(f"/scheduling-bookings/{recorded['booking_id']}")
    assert [c["id"] for c in recorded["linked_entities"]["contacts"]] == [booking["contact_id"]]
    pages = await api.listed("/transcripts", limit=20)
    rest = await api.listed("/transcripts", limit=20, cursor=pages["pagination"]["next_cursor"])
    assert [t["id"] for t in pages["data"] + rest["data"]] == [t["id"] for t in everything]


async def test_a_deleted_transcript_takes_its_coaching_along() -> None:
    api = make()
    result = (await api.get("/transcripts/coaching", framework="SPIN"))[0]
    path = f"/transcripts/{result['transcript_id']}"
    assert [r["id"] for r in await api.get(f"{path}/coaching")] == [result["id"]]
    assert await api.get(f"/transcripts/coaching/{result['id']}") == result
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    await api.error("GET", f"/transcripts/coaching/{result['id']}", status=404)


async def test_coaching_is_filtered_by_framework_source_and_member() -> None:
    api = make()
    some = (await api.get("/transcripts/coaching"))[0]
    for name in ("framework", "source_type", "team_member_id"):
        found = await api.get("/transcripts/coaching", **{name: some[name]})
        assert {r[name] for r in found} == {some[name]}
    await api.error("GET", "/transcripts/coaching", params={"framework": "AIDA"})
