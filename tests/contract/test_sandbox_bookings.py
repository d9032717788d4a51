"""Event types, working hours and bookings: which times are free, what a booking makes, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make, set_up

# NOW is Monday 15 June 2026, noon in Sydney; Wednesday is the 17th.
DAY = "2026-06-17"
JO = {"fullName": "Jo Field", "email": "jo@field.example", "phone": "+61400111222"}
TEN = {"date": DAY, "time": "10:00"}


async def event_type(api: Api, **fields: Any) -> str:
    made = await api.ok("POST", "/scheduled-event-types", {"name": "Chat", "is_bookable": True, **fields}, status=201)
    return str(made["id"])


async def only_hours(api: Api, start: str = "09:00", end: str = "12:00", **fields: Any) -> None:
    """The company is open between the hours on every weekday, and nobody is busy."""
    store = api.workspace.store
    for kind in ("booking", "calendar_event"):
        for record in store.all(kind):
            store.delete(kind, record["id"])
    hours = [{"day": day, "start": start, "end": end} for day in range(1, 6)]
    await api.ok("PUT", "/scheduling-availability", {"weekly_hours": hours, "timezone": "Australia/Sydney", **fields})


async def quiet(**fields: Any) -> tuple[Api, str]:
    """A sandbox where only the new event type matters."""
    api = make()
    await only_hours(api)
    return api, await event_type(api, **fields)


async def book(api: Api, type_id: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok(
        "POST", "/scheduling-bookings", {"event_type_id": type_id, **JO, **TEN, **fields}, status=201
    )
    return made


async def times(api: Api, type_id: str, day: str = DAY, **fields: Any) -> list[str]:
    body = {"event_type_id": type_id, "date_from": day, "date_to": day, **fields}
    answer = await api.ok("POST", "/scheduling-bookings/available-slots", body)
    return [slot["time"] for date in answer["dates"] for slot in date["slots"]]


async def outbox(api: Api, channel: str) -> list[dict[str, Any]]:
    return [m for m in (await api.ok("GET", "/__sandbox/outbox"))["outbox"] if m["channel"] == channel]


async def at(api: Api, now: str) -> None:
    await api.ok("POST", "/__sandbox/clock", {"now": now})


async def test_an_event_type_takes_defaults_and_a_slug_of_its_own() -> None:
    api = make()
    one = await api.ok("POST", "/scheduled-event-types", {"name": "Roof check!"}, status=201)
    two = await api.ok("POST", "/scheduled-event-types", {"name": "Roof check"}, status=201)
    assert (one["slug"], two["slug"], one["is_active"], one["booking_deal_behavior"]) == (
        "roof-check",
        "roof-check-2",
        True,
        "create",
    )
    path = f"/scheduled-event-types/{two['id']}"
    assert (await api.error("PATCH", path, {"slug": "roof-check"}, status=409))["code"] == "CONFLICT"
    await api.error("PATCH", path, {"slug": "Roof Check"})
    assert (await api.ok("PATCH", path, {"name": "Roof", "color": "blue"}))["color"] == "blue"
    assert (await api.get(path))["name"] == "Roof"
    orders = [t["sort_order"] for t in await api.get("/scheduled-event-types", limit=100)]
    assert orders == sorted(orders)
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"icon": "rocket"},
        {"event_queue_id": NOBODY},
        {"booking_stage_id": NOBODY},
        {"booking_assigned_user_ids": [NOBODY]},
        {"booking_default_products": [{"id": NOBODY}]},
        {"booking_notifications": {"late": [{"channels": ["pigeon"], "recipients": "booker"}]}},
        {"default_duration_minutes": 0},
        {"booking_deal_behavior": "sometimes"},
    ],
)
async def test_an_event_type_that_could_not_work_is_refused(wrong: dict[str, Any]) -> None:
    assert (await make().error("POST", "/scheduled-event-types", {"name": "X", **wrong}))["code"] == "VALIDATION_ERROR"


async def test_a_stage_must_be_one_of_the_pipeline() -> None:
    api = make()
    one, two = (await api.get("/pipelines"))[:2]
    body = {"name": "X", "booking_pipeline_id": one["id"], "booking_stage_id": two["stages"][0]["id"]}
    await api.error("POST", "/scheduled-event-types", body)


async def test_working_hours_are_kept_for_the_company_and_for_people_who_else_inherit_them() -> None:
    api = make()
    user = next(u["id"] for u in api.workspace.store.all("user") if u["role"] == "sales")
    company = await api.get("/scheduling-availability")
    assert (company["user_id"], company["timezone"]) == (None, "Australia/Sydney")
    inherited = await api.get("/scheduling-availability", user_id=user)
    assert (inherited["inherited"], inherited["weekly_hours"]) == (True, company["weekly_hours"])
    hours = [{"day": 6, "start": "08:00", "end": "10:00"}]
    await api.ok("PUT", "/scheduling-availability", {"user_id": user, "weekly_hours": hours, "timezone": "Australia/Perth"})
    await api.ok("PUT", "/scheduling-availability", {"user_id": user, "date_overrides": [{"date": DAY, "type": "blocked"}]})
    own = await api.get("/scheduling-availability", user_id=user)
    assert (own["weekly_hours"], own["timezone"], own["inherited"]) == (hours, "Australia/Perth", False)
    assert own["date_overrides"] == [{"date": DAY, "type": "blocked"}]
    assert (await api.get("/scheduling-availability"))["weekly_hours"] == company["weekly_hours"]
    assert (await api.get("/scheduling-availability", user_id="me"))["user_id"]
    await api.error("GET", "/scheduling-availability", params={"user_id": NOBODY}, status=404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekly_hours": [{"day": 7, "start": "09:00", "end": "17:00"}]},
        {"weekly_hours": [{"day": 1, "start": "17:00", "end": "09:00"}]},
        {"date_overrides": [{"date": DAY, "type": "custom"}]},
        {"timezone": "Sydney"},
    ],
)
async def test_working_hours_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    assert (await make().error("PUT", "/scheduling-availability", wrong))["code"] == "VALIDATION_ERROR"


async def test_slots_fill_the_working_hours_in_steps_and_end_with_them() -> None:
    api, kind = await quiet(default_duration_minutes=60, slot_interval_minutes=30)
    assert await times(api, kind) == ["09:00", "09:30", "10:00", "10:30", "11:00"]
    assert await times(api, kind, "2026-06-20") == []
    assert (await times(api, kind, timezone="Perth"))[0] == "07:00"


async def test_overrides_block_a_day_or_give_it_other_hours() -> None:
    api, kind = await quiet(default_duration_minutes=60, slot_interval_minutes=60)
    overrides = [{"date": DAY, "type": "blocked"}, {"date": "2026-06-20", "type": "custom", "start": "10:00", "end": "12:00"}]
    await only_hours(api, date_overrides=overrides)
    assert await times(api, kind) == []
    assert await times(api, kind, "2026-06-20") == ["10:00", "11:00"]


async def test_a_booking_takes_its_time_and_the_buffers_around_it() -> None:
    api, kind = await quiet(buffer_before_minutes=15, buffer_after_minutes=30)
    await book(api, kind)
    assert await times(api, kind) == ["09:00", "11:00", "11:30"]  # 10:30 is within half an hour of the end.
    other = await event_type(api, name="Plain")
    assert await times(api, other) == ["09:00", "11:00", "11:30"]


async def test_notice_and_horizon_bound_what_can_be_booked() -> None:
    api, kind = await quiet(min_notice_hours=46, max_advance_days=3)
    assert await times(api, kind) == ["10:30", "11:00", "11:30"]
    assert await times(api, kind, "2026-06-19") == []


async def test_every_host_must_be_free_and_at_work() -> None:
    api = make()
    await only_hours(api)
    one, two, *_ = (u["id"] for u in api.workspace.store.all("user") if u["role"] == "sales")
    kind = await event_type(api, booking_assigned_user_ids=[one, two])
    late = [{"day": 3, "start": "10:00", "end": "17:00"}]
    await api.ok("PUT", "/scheduling-availability", {"user_id": one, "weekly_hours": late, "timezone": "Australia/Sydney"})
    busy = {"id": NOBODY, "user_id": two, "start_time": f"{DAY}T00:30:00Z", "end_time": f"{DAY}T01:00:00Z"}
    api.workspace.store.add("calendar_event", [busy])
    assert await times(api, kind) == ["10:00", "11:00", "11:30"]
    alone = await event_type(api, name="Other", booking_assigned_user_ids=[one])
    await book(api, alone)
    assert await times(api, kind) == ["11:00", "11:30"]


async def test_slots_keep_wall_clock_time_when_summer_time_begins() -> None:
    api = make(now="2026-09-28T00:00:00Z")
    await only_hours(api)
    kind = await event_type(api, slot_interval_minutes=60, default_duration_minutes=60)
    body = {"event_type_id": kind, "date_from": "2026-10-02", "date_to": "2026-10-05"}
    answer = await api.ok("POST", "/scheduling-bookings/available-slots", body)
    assert [d["slots"][0]["start_time"] for d in answer["dates"]] == ["2026-10-01T23:00:00Z", "2026-10-04T22:00:00Z"]
    assert (answer["total_slots"], answer["dates"][1]["display"]) == (6, "Monday 5 October 2026")


async def test_a_range_of_slots_is_bounded_and_begins_today() -> None:
    api, kind = await quiet()
    answer = await api.ok("POST", "/scheduling-bookings/available-slots", {"event_type_slug": "chat"})
    assert (answer["event_type"]["id"], answer["date_from"], answer["date_to"]) == (kind, "2026-06-15", "2026-06-29")
    wrong = [("2026-06-17", "2026-07-18"), ("2026-06-17", "2026-06-16"), ("0001-01-01", "0001-01-02")]
    for first, last in wrong:
        body = {"event_type_id": kind, "date_from": first, "date_to": last}
        assert (await api.error("POST", "/scheduling-bookings/available-slots", body))["code"] == "VALIDATION_ERROR"


async def test_a_check_always_names_the_nearest_slots() -> None:
    api, kind = await quiet()
    await book(api, kind)
    body = {"event_type_name": "chatt", **TEN}
    taken = await api.ok("POST", "/scheduling-bookings/check-availability", body)
    assert (taken["available"], taken["nearest_before"]["time"], taken["nearest_after"]["time"]) == (False, "09:30", "10:30")
    free = await api.ok("POST", "/scheduling-bookings/check-availability", {**body, "time": "11:00"})
    assert (free["available"], free["requested"]["display"]) == (True, "Wednesday 17 June 2026 at 11:00 AM")
    error = await api.error("POST", "/scheduling-bookings/check-availability", {**TEN, "event_type_name": "qqqq"}, status=404)
    assert {"id", "name", "slug"} == set(error["details"]["event_types"][0])
    for day, before, after in (("2026-01-05", None, "2026-06-16"), ("2027-01-05", "2026-08-14", None)):
        far = await api.ok("POST", "/scheduling-bookings/check-availability", {**body, "date": day})
        assert [slot and slot["date"] for slot in (far["nearest_before"], far["nearest_after"])] == [before, after]
    closed = [{"date": f"2026-06-{day}", "type": "blocked"} for day in range(15, 31)]
    closed += [{"date": f"2026-07-{day:02}", "type": "blocked"} for day in range(1, 20)]
    await only_hours(api, date_overrides=closed)
    far = await api.ok("POST", "/scheduling-bookings/check-availability", body)
    assert (far["nearest_before"], far["nearest_after"]["date"]) == (None, "2026-07-20")


async def test_a_booking_makes_contact_company_and_opportunity_and_invites_everybody() -> None:
    api = make()
    await only_hours(api)
    pipeline = (await api.get("/pipelines"))[0]
    user = api.workspace.store.all("user")[0]
    product = (await api.get("/products"))[0]["id"]
    kind = await event_type(
        api, is_meeting=True, booking_pipeline_id=pipeline["id"], booking_assigned_user_ids=[user["id"]],
        booking_default_tags=[{"name": "booked"}], booking_default_products=[{"id": product, "quantity": 2}],
        booking_deal_name_template="{event_type} for {customer_name}, {date}", booking_lead_source="radio",
        booking_confirmation_message="See you!",
    )  # fmt: skip
    guest = {"email": "mate@field.example", "name": "Mate"}
    made = await book(api, kind, company_name="Field Farms", booker_state="WA", timezone="AEST", attendees=[guest])
    assert (made["status"], made["start_time"], made["message"]) == ("confirmed", f"{DAY}T00:00:00Z", "See you!")
    assert "management_token" not in made
    assert made["google_meet_link"].startswith("https://meet.google.com/")
    deal = await api.get(f"/opportunities/{made['deal_id']}", expand="products,assigned_users")
    assert (deal["name"], deal["lead_source"]) == ("Chat for Jo Field, Wednesday 17 June 2026", "radio")
    assert (deal["stage_name"], deal["customer_name"]) == (pipeline["stages"][0]["name"], "Field Farms")
    assert ([t["name"] for t in deal["tags"]], deal["products"][0]["quantity"]) == (["booked"], 2)
    assert [u["id"] for u in deal["assigned_users"]] == [user["id"]]
    contact = await api.get(f"/contacts/{made['contact_id']}")
    assert (contact["first_name"], contact["last_name"], contact["state"]) == ("Jo", "Field", "WA")
    assert (contact["timezone"], contact["phone"]) == ("Australia/Sydney", JO["phone"])
    invites = await outbox(api, "calendar_invite")
    assert {m["to"] for m in invites} == {JO["email"], guest["email"], user["email"]}
    token = (await api.get(f"/scheduling-bookings/{made['id']}"))["management_token"]
    assert f"/manage/{token}" in invites[0]["body"]


async def test_known_people_are_matched_and_what_is_known_of_them_stays() -> None:
    api = make()
    await only_hours(api)
    host, product = api.workspace.store.all("user")[0]["id"], (await api.get("/products"))[0]["id"]
    furnished: dict[str, Any] = {
        "booking_default_tags": [{"name": "booked"}], "booking_default_products": [{"id": product}],
        "booking_assigned_user_ids": [host],
    }  # fmt: skip
    kind = await event_type(api, booking_deal_behavior="update_or_create", **furnished)
    known = {"first_name": "Joanna", "email": "JO@field.example", "state": "NSW"}
    contact = await api.ok("POST", "/contacts", known, status=201)
    first = await book(api, kind, booker_state="WA", booker_timezone="Australia/Perth")
    second = await book(api, kind, time="11:00")
    assert first["contact_id"] == second["contact_id"] == contact["id"]
    assert first["deal_id"] == second["deal_id"]
    now = await api.get(f"/contacts/{contact['id']}")
    assert (now["first_name"], now["state"], now["timezone"]) == ("Joanna", "NSW", "Australia/Perth")
    deal = await api.ok("POST", "/opportunities", {"name": "Roof", "contact_id": contact["id"], "tags": ["hot"]}, status=201)
    third = await book(api, kind, date="2026-06-18")
    shown = await api.get(f"/opportunities/{third['deal_id']}", expand="products,assigned_users")
    assert (shown["id"], [t["name"] for t in shown["tags"]], shown["name"]) == (deal["id"], ["hot", "booked"], "Roof")
    assert ([p["product_id"] for p in shown["products"]], [u["id"] for u in shown["assigned_users"]]) == ([product], [host])
    await book(api, kind, date="2026-06-18", time="11:00")
    assert len((await api.get(f"/opportunities/{deal['id']}", expand="products"))["products"]) == 1
    await api.ok("DELETE", f"/opportunities/{deal['id']}", status=204)
    matching = await event_type(api, name="Match", booking_deal_behavior="never_create", **furnished)
    assert (await book(api, matching, time="09:00"))["deal_id"] == first["deal_id"]
    stranger = await book(api, matching, time="09:30", email="new@field.example", phone=None)
    assert stranger["deal_id"] is None


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"email": "doug@resolvency."}, 400, "INVALID_EMAIL"),
        ({"email": "doug", "time": "03:00"}, 400, "INVALID_EMAIL"),
        ({"attendees": [{"email": "a@b.example"}, {"email": "nobody"}]}, 400, "INVALID_ATTENDEE_EMAIL"),
        ({"timezone": "Middle Earth"}, 400, "VALIDATION_ERROR"),
        ({"time": "25:00"}, 400, "VALIDATION_ERROR"),
        ({"fullName": " "}, 400, "VALIDATION_ERROR"),
        ({"time": "10:07"}, 409, "SLOT_UNAVAILABLE"),
        ({"time": "03:00"}, 409, "SLOT_UNAVAILABLE"),
        ({"date": "2026-06-14"}, 409, "SLOT_UNAVAILABLE"),
    ],
)
async def test_what_cannot_be_booked_is_refused_with_the_documented_code(wrong: dict[str, Any], status: int, code: str) -> None:
    api, kind = await quiet()
    error = await api.error("POST", "/scheduling-bookings", {"event_type_id": kind, **JO, **TEN, **wrong}, status=status)
    assert error["code"] == code
    assert await outbox(api, "calendar_invite") == []


async def test_a_taken_slot_is_refused_with_the_nearest_free_ones() -> None:
    api, kind = await quiet()
    await book(api, kind)
    error = await api.error("POST", "/scheduling-bookings", {"event_type_id": kind, **JO, **TEN}, status=409)
    near = [error["details"][name]["time"] for name in ("nearest_before", "nearest_after")]
    assert near == ["09:30", "10:30"]
    assert "9:30 AM" in error["message"]
    await api.error("POST", "/scheduling-bookings", {**JO, **TEN})
    inactive = await event_type(api, name="Old", is_active=False)
    await api.error("POST", "/scheduling-bookings", {"event_type_id": inactive, **JO, **TEN})


async def test_bookings_are_listed_by_start_time_and_filtered() -> None:
    api, kind = await quiet()
    later, sooner = await book(api, kind, time="11:00"), await book(api, kind, date="2026-06-16")
    assert [b["id"] for b in await api.get("/scheduling-bookings")] == [sooner["id"], later["id"]]
    assert [b["id"] for b in await api.get("/scheduling-bookings", date_from=DAY, date_to=DAY)] == [later["id"]]
    assert await api.get("/scheduling-bookings", status="cancelled") == []
    assert await api.get("/scheduling-bookings", event_type_id=NOBODY) == []
    first = await api.listed("/scheduling-bookings", limit=1)
    second = await api.listed("/scheduling-bookings", limit=1, after=first["pagination"]["next_cursor"])
    assert second["data"][0]["id"] == later["id"]
    token = second["data"][0]
    await api.ok("PATCH", f"/scheduled-event-types/{kind}", {"name": "Long chat"})
    assert (await api.get(f"/scheduling-bookings/{later['id']}"))["event_type_name"] == "Long chat"
    assert (token["management_token_expires_at"], bool(token["management_token"])) == ("2026-06-18T01:30:00Z", True)


NOTICES = {
    "pre_meeting": [
        {"offset_minutes": 60, "channels": ["email", "sms"], "recipients": "all", "email_subject": "{event_type} at {time}",
         "email_body": "{booker_name} {duration} {management_url}"}
    ],
    "meeting_start": [{"channels": ["email"], "recipients": "team"}],
    "late": [{"channels": ["sms"], "recipients": "booker", "sms_body": "Coming, {booker_name}?"}],
    "no_show": [{"channels": ["email"], "recipients": "booker"}],
    "rebooking": [{"offset_minutes": 60, "channels": ["email"], "recipients": "booker", "email_body": "{rebook_link}"}],
}  # fmt: skip


async def test_reminders_go_out_at_their_time_to_those_they_are_for() -> None:
    api = make()
    await only_hours(api)
    user = api.workspace.store.all("user")[0]
    kind = await event_type(api, booking_notifications=NOTICES, booking_assigned_user_ids=[user["id"]])
    await book(api, kind, attendees=[{"email": "mate@field.example"}])
    await at(api, f"{DAY}T00:30:00Z")
    mails = await outbox(api, "email")
    assert [(m["to"], m["sent_at"][:16]) for m in mails] == [
        (JO["email"], "2026-06-16T23:00"), ("mate@field.example", "2026-06-16T23:00"), (user["email"], "2026-06-16T23:00"),
        (user["email"], f"{DAY}T00:00"),
    ]  # fmt: skip
    assert mails[0]["subject"] == "Chat at 10:00 AM"
    assert mails[0]["body"].startswith("Jo Field 30 minutes https://")
    assert [m["to"] for m in await outbox(api, "sms")] == [JO["phone"], user["phone"]]


async def test_a_cancelled_booking_frees_its_slot_stops_reminders_and_leaves_the_opportunity() -> None:
    api, kind = await quiet(booking_notifications=NOTICES)
    made = await book(api, kind)
    deal = await api.get(f"/opportunities/{made['deal_id']}")
    path = f"/scheduling-bookings/{made['id']}"
    cancelled = await api.ok("POST", f"{path}/cancel", {"cancellation_reason": "Rain"})
    assert (cancelled["status"], cancelled["cancellation_reason"]) == ("cancelled", "Rain")
    assert "10:00" in await times(api, kind)
    assert [m["to"] for m in await outbox(api, "calendar_cancellation")] == [JO["email"]]
    await at(api, f"{DAY}T04:00:00Z")
    assert await outbox(api, "email") == []
    assert await api.get(f"/opportunities/{made['deal_id']}") == deal
    for act in ("cancel", "mark-attended", "mark-late", "mark-no-show"):
        assert (await api.error("POST", f"{path}/{act}", status=409))["code"] == "CONFLICT"


async def test_attended_clears_the_next_action_and_logs_an_activity() -> None:
    api, kind = await quiet(booking_notifications=NOTICES)
    made = await book(api, kind, message="Two storeys", attendees=[{"email": "mate@field.example", "name": "Mate"}])
    store = api.workspace.store
    deal = store.get("opportunity", made["deal_id"])
    store.save("opportunity", {**deal, "next_action": "Ring", "next_action_date": DAY})
    assert (await api.ok("POST", f"/scheduling-bookings/{made['id']}/mark-attended"))["status"] == "attended"
    deal = await api.get(f"/opportunities/{made['deal_id']}")
    assert (deal["next_action"], deal["next_action_date"]) == (None, None)
    (activity,) = await api.get(f"/opportunities/{made['deal_id']}/activities")
    assert (activity["activity_type"], activity["subject"]) == ("meeting", "Chat: attended")
    assert all(part in activity["description"] for part in ("Two storeys", "Mate", JO["phone"], "17 June 2026 at 10:00 AM"))


async def test_late_and_no_show_tell_the_booker_and_invite_to_book_again() -> None:
    api, kind = await quiet(booking_notifications=NOTICES)
    made = await book(api, kind)
    path = f"/scheduling-bookings/{made['id']}"
    late = await api.ok("POST", f"{path}/mark-late")
    assert (late["status"], late["notifications_sent"]) == ("late", 1)
    assert [m["body"] for m in await outbox(api, "sms")] == ["Coming, Jo Field?"]
    talk = (await api.get("/sms/conversations"))[0]
    assert (talk["phone_number"], talk["last_message"], talk["contact_id"]) == (
        JO["phone"],
        "Coming, Jo Field?",
        made["contact_id"],
    )
    absent = await api.ok("POST", f"{path}/mark-no-show")
    assert (absent["status"], absent["notifications_sent"], absent["rebooking_reminders"]) == ("no_show", 1, 1)
    await at(api, "2026-06-15T03:30:00Z")
    assert (await outbox(api, "email"))[-1]["body"].endswith("/book/brightside-home-energy/chat")
    subjects = [a["subject"] for a in await api.get(f"/opportunities/{made['deal_id']}/activities")]
    assert subjects == ["Chat: no show", "Chat: late"]


async def test_a_booking_enrols_its_person_before_the_event_and_fires_automations() -> None:
    api = make()
    await only_hours(api)
    queue = await api.ok("POST", "/auto-queues", {"name": "Prep"}, status=201)
    step = {
        "action_type": "send_custom_email",
        "config": {"greeting": "Hi", "customMessage": "Soon: {{event_type_name}}"},
        "delay_minutes": 10,
    }
    await api.ok("POST", f"/auto-queues/{queue['id']}/steps", step, status=201)
    automation = {"name": "A", "trigger_type": "booking_created", "enabled": True}
    made = await api.ok("POST", "/automations", automation, status=201)
    kind = await event_type(api, event_queue_id=queue["id"], enrollment_offset_minutes=120)
    booking = await book(api, kind)
    (timer,) = await api.get(f"/auto-queues/{queue['id']}/enrollments")
    assert (timer["scheduled_for"][:16], timer["contact_id"]) == ("2026-06-16T22:10", booking["contact_id"])
    (run,) = await api.get(f"/automations/{made['id']}/runs")
    assert run["trigger_data"]["booking_id"] == booking["id"]
    await at(api, "2026-06-16T22:11:00Z")
    assert "Soon: Chat" in (await outbox(api, "email"))[0]["body"]
    later = await book(api, kind, date="2026-06-18")
    await api.ok("POST", f"/scheduling-bookings/{later['id']}/cancel")
    assert [t["status"] for t in await api.get(f"/auto-queues/{queue['id']}/enrollments")] == ["cancelled", "completed"]


async def test_the_notetaker_joins_once_records_and_is_charged_by_the_minute_when_the_meeting_is_over() -> None:
    api, kind = await quiet(is_meeting=True)
    made = await book(api, kind)
    path = f"/scheduling-bookings/{made['id']}/notetaker"
    first, again = await api.ok("POST", path), await api.ok("POST", path)
    assert (first["already_scheduled"], again["already_scheduled"]) == (False, True)
    assert first["joins_at"] == "2026-06-16T23:59:00Z"
    before = (await api.ok("GET", "/__sandbox/credits"))["balance"]
    await at(api, f"{DAY}T00:31:00Z")
    assert before - (await api.ok("GET", "/__sandbox/credits"))["balance"] == 30 * 23
    (listed,) = await api.get("/transcripts", booking_id=made["id"], participant_email=JO["email"])
    transcript = await api.get(f"/transcripts/{listed['id']}")
    assert (transcript["source"], transcript["type"], transcript["duration_seconds"]) == ("recall", "meeting", 1800)
    assert "\nJo Field: " in transcript["transcript_text"]
    linked = transcript["linked_entities"]
    assert ([d["id"] for d in linked["deals"]], [c["id"] for c in linked["contacts"]]) == (
        [made["deal_id"]],
        [made["contact_id"]],
    )


async def test_the_notetaker_refuses_what_it_cannot_record() -> None:
    api, kind = await quiet(is_meeting=False)
    plain = await book(api, kind)
    assert "google_meet_link" in (await api.error("POST", f"/scheduling-bookings/{plain['id']}/notetaker"))["message"]
    meeting = await event_type(api, name="Call", is_meeting=True)
    made = await book(api, meeting, time="11:00")
    set_up(api, "company_settings", notetaker_enabled=False)
    assert (await api.error("POST", f"/scheduling-bookings/{made['id']}/notetaker"))["code"] == "NOTETAKER_DISABLED"
    set_up(api, "company_settings", notetaker_enabled=True)
    await api.ok("POST", f"/scheduling-bookings/{made['id']}/cancel")
    assert "cancelled" in (await api.error("POST", f"/scheduling-bookings/{made['id']}/notetaker"))["message"]
