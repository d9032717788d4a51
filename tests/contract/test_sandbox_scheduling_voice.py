"""Booking by telephone: text to read out, and failures that no agent can take for success."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import pytest

from tests.contract.test_sandbox_bookings import DAY, event_type, only_hours, outbox
from tests.contract.test_sandbox_support import BASE, NOBODY, Api, make
from trustpager_mcp.sandbox.scheduling import spoken

PHONE = "+61400111222"
SARAH = {"slot": f"{DAY} 10:00", "name": "Sarah Jones", "email": "sarah@jones.example", "phone": PHONE, "state": "NSW"}


async def speak(api: Api, path: str, body: dict[str, Any] | None = None) -> str:
    """The text of a voice endpoint, which always answers 200."""
    response = await api.client.post(f"{BASE}/scheduling/voice/{path}", json=body or {})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return response.text


async def quiet(**fields: Any) -> tuple[Api, str]:
    api = make()
    await only_hours(api)
    return api, await event_type(api, **fields)


async def confirmed(api: Api) -> list[str]:
    return [b["start_time"] for b in await api.get("/scheduling-bookings", status="confirmed")]


async def test_slots_are_read_out_with_what_they_are_for_and_the_key_that_books_them() -> None:
    api = make()
    await only_hours(api)
    user = api.workspace.store.all("user")[0]
    kind = await event_type(api, description="A look at the roof.", booking_assigned_user_ids=[user["id"]])
    text = await speak(api, f"{kind}/slots", {"preferred_day": "wednesday", "preferred_time": "around 10am"})
    assert all(part in text for part in ("Chat", "30 minutes", user["name"], "A look at the roof.", "Wednesday 17 June 2026"))
    assert re.findall(r'slot:"([^"]+)"', text) == [f"{DAY} {t}" for t in ("09:00", "09:30", "10:00", "10:30", "11:00")]
    assert "{" not in text


async def test_slots_are_in_the_zone_of_the_state_even_from_the_calls_own_variables() -> None:
    api, kind = await quiet()
    for body in (
        {"preferred_day": DAY, "state": "WA"},
        {"preferred_day": DAY, "state": "WA", "timezone": "Australia/Sydney"},
        {"preferred_day": DAY, "timezone": "Australia/Perth"},
        {"args": {"preferred_day": DAY}, "call": {"retell_llm_dynamic_variables": {"state": "Western Australia"}}},
    ):
        text = await speak(api, f"{kind}/slots", body)
        assert "Australia/Perth" in text
        assert f'slot:"{DAY} 07:00"' in text


async def test_slots_that_do_not_suit_are_replaced_by_the_nearest_and_said_so() -> None:
    api, kind = await quiet()
    text = await speak(api, f"{kind}/slots", {"preferred_day": "wednesday", "preferred_time": "evening"})
    assert "Nothing is free at the preferred" in text
    assert f'slot:"{DAY} 09:00"' in text
    assert (await speak(api, f"{NOBODY}/slots")).startswith("NO SLOTS:")
    assert (await speak(api, "no-uuid/slots")).startswith("NO SLOTS:")


TODAY = date(2026, 6, 17)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", "2026-06-17", "2026-06-17"),
        ("tomorrow please", "2026-06-18", "2026-06-18"),
        ("Monday", "2026-06-22", "2026-06-22"),
        ("friday", "2026-06-19", "2026-06-19"),
        ("next friday", "2026-06-26", "2026-06-26"),
        ("next monday", "2026-06-22", "2026-06-22"),
        ("this week", "2026-06-17", "2026-06-21"),
        ("next week", "2026-06-22", "2026-06-28"),
        ("2026-06-20", "2026-06-20", "2026-06-20"),
        ("2026-06-09", "2026-06-23", "2026-06-23"),
        ("asap", "2026-06-17", "2026-07-01"),
        ("whenever", "2026-06-17", "2026-07-01"),
    ],
)
def test_what_callers_say_of_days_means_dates(said: str, first: str, last: str) -> None:
    assert [d.isoformat() for d in spoken.days(said, TODAY)] == [first, last]


@pytest.mark.parametrize(
    ("said", "hours"),
    [("morning", {9, 11}), ("in the afternoon", {13, 15}), ("evening", {18}), ("around 2pm", {13, 15}), ("15:00", {15}), ("", {9, 11, 13, 15, 18}), ("around 2", {13, 15})],
)  # fmt: skip
def test_what_callers_say_of_times_selects_hours(said: str, hours: set[int]) -> None:
    suits = spoken.time_test(said)
    assert {hour for hour in (9, 11, 13, 15, 18) if suits(datetime(2026, 6, 17, hour))} == hours


@pytest.mark.parametrize("wrap", [lambda args: args, lambda args: {"call": {}, "name": "book", "args": args}])
async def test_a_booked_slot_is_confirmed_in_a_sentence_with_everything_to_say(wrap: Any) -> None:
    api, kind = await quiet(is_meeting=True, description="A look at the roof.")
    text = await speak(api, f"{kind}/book", wrap(SARAH))
    (booking,) = await api.get("/scheduling-bookings")
    said = ("Chat (30 minutes) is booked for Sarah Jones", "10:00 AM until 10:30 AM", "A look at the roof.", booking["id"])
    assert all(part in text for part in (*said, booking["google_meet_link"]))
    assert booking["customer_phone"] == PHONE
    assert [m["to"] for m in await outbox(api, "calendar_invite")] == [SARAH["email"]]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"slot": "{{chosen_slot}}"}, "template variable"),
        ({"name": "{{ name }}"}, "template variable"),
        ({"email": "{{email}}"}, "template variable"),
        ({"email": "sarah at jones"}, "email address"),
        ({"slot": "Wednesday at ten"}, "slots tool"),
        ({"slot": "2026-02-30 10:00"}, "calendar"),
        ({"slot": f"{DAY} 03:00"}, "no longer free"),
        ({"name": ""}, "name is missing"),
        ({"slot": 10}, "must be text"),
    ],
)
async def test_a_booking_that_fails_says_so_first_with_status_200(wrong: dict[str, Any], why: str) -> None:
    api, kind = await quiet()
    text = await speak(api, f"{kind}/book", {**SARAH, **wrong})
    assert text.startswith("**BOOKING FAILED")
    assert why in text
    assert await confirmed(api) == []


async def test_a_taken_slot_is_answered_with_the_nearest_ones_and_their_keys() -> None:
    api, kind = await quiet()
    await speak(api, f"{kind}/book", SARAH)
    text = await speak(api, f"{kind}/book", {**SARAH, "email": "other@x.example"})
    assert text.startswith("**BOOKING FAILED")
    assert f'slot:"{DAY} 09:30"' in text
    assert f'slot:"{DAY} 10:30"' in text


async def test_a_caller_with_one_booking_cancels_it_by_any_form_of_the_number() -> None:
    for body in (
        {"phone": "0400 111 222", "reason": "Ill"},
        {"args": {"reason": "Ill"}, "call": {"from_number": PHONE}},
        {"args": {"reason": "Ill"}, "call": {"direction": "outbound", "from_number": "+61290001234", "to_number": PHONE}},
    ):
        api, kind = await quiet()
        await speak(api, f"{kind}/book", SARAH)
        text = await speak(api, "cancel-booking", body)
        assert text.startswith("The Chat on Wednesday 17 June 2026 at 10:00 AM is cancelled.")
        (booking,) = await api.get("/scheduling-bookings", status="cancelled")
        assert booking["cancellation_reason"] == "Ill"


async def test_a_caller_with_several_bookings_is_asked_and_chooses_by_number_id_or_name() -> None:
    api, kind = await quiet()
    other = await event_type(api, name="Roof check")
    await speak(api, f"{kind}/book", SARAH)
    await speak(api, f"{other}/book", {**SARAH, "slot": f"{DAY} 11:00"})
    await speak(api, f"{kind}/book", {**SARAH, "slot": "2026-06-18 09:00"})
    asked = await speak(api, "cancel-booking", {"phone": PHONE})
    assert "3 upcoming bookings" in asked
    assert "2. Roof check on Wednesday 17 June 2026 at 11:00 AM" in asked
    assert len(await confirmed(api)) == 3
    assert "3 upcoming" in await speak(api, "cancel-booking", {"phone": PHONE, "booking_selector": "chat"})
    assert (await speak(api, "cancel-booking", {"phone": PHONE, "booking_selector": "9"})).startswith(
        "BOOKING CANCELLATION FAILED:"
    )
    assert "Roof check" in await speak(api, "cancel-booking", {"phone": PHONE, "booking_selector": "roof"})
    last = (await api.get("/scheduling-bookings", status="confirmed"))[-1]
    assert last["id"] in await speak(api, "cancel-booking", {"phone": PHONE, "booking_selector": last["id"][:8]})
    assert "is cancelled" in await speak(api, "cancel-booking", {"phone": PHONE, "booking_selector": 1})
    assert await confirmed(api) == []


@pytest.mark.parametrize("body", [{}, {"phone": "abc"}, {"phone": "+61400000999"}, {"phone": "{{phone}}"}])
async def test_a_cancellation_that_finds_nothing_says_so_first(body: dict[str, Any]) -> None:
    assert (await speak(make(), "cancel-booking", body)).startswith("BOOKING CANCELLATION FAILED:")


async def test_a_booking_is_moved_with_its_opportunity_and_its_old_time_is_free_again() -> None:
    api, kind = await quiet()
    automation = await api.ok(
        "POST", "/automations", {"name": "A", "trigger_type": "booking_rescheduled", "enabled": True}, status=201
    )
    await speak(api, f"{kind}/book", SARAH)
    (before,) = await api.get("/scheduling-bookings")
    text = await speak(api, "reschedule-booking", {"phone": PHONE, "new_slot": "2026-06-18 09:00"})
    assert "is moved and now booked for Sarah Jones on Thursday 18 June 2026 at 9:00 AM" in text
    (after,) = await api.get("/scheduling-bookings", status="confirmed")
    assert (after["start_time"], after["deal_id"], after["contact_id"]) == (
        "2026-06-17T23:00:00Z",
        before["deal_id"],
        before["contact_id"],
    )
    assert (await api.get(f"/scheduling-bookings/{before['id']}"))["status"] == "cancelled"
    (run,) = await api.get(f"/automations/{automation['id']}/runs")
    assert run["trigger_data"]["previous_start_time"] == before["start_time"]


async def test_a_move_that_fails_leaves_the_booking_as_it_was() -> None:
    api, kind = await quiet()
    await speak(api, f"{kind}/book", SARAH)
    before = await api.get("/scheduling-bookings")
    for body, why in (
        ({"new_slot": f"{DAY} 03:00"}, "no longer free"),
        ({}, "new_slot is missing"),
        ({"new_slot": "soon"}, "slots tool"),
        ({"new_slot": f"{DAY} 11:00", "booking_selector": "roof"}, "There are:\n1. Chat"),
    ):
        text = await speak(api, "reschedule-booking", {"phone": PHONE, **body})
        assert text.startswith("RESCHEDULE FAILED:")
        assert why in text
    assert await api.get("/scheduling-bookings") == before
    perth = {"phone": PHONE, "new_slot": f"{DAY} 09:00", "timezone": "Australia/Perth"}
    assert "9:00 AM" in await speak(api, "reschedule-booking", perth)
    assert await confirmed(api) == [f"{DAY}T01:00:00Z"]
