"""Referrals: the chain from referrer to opportunity, thanks sent once, requests, and the leaderboard."""

from __future__ import annotations

from typing import Any

from tests.contract.test_sandbox_support import NOBODY, Api, set_settings
from tests.contract.test_sandbox_support import make as make_seeded

DAY = 86_400


async def contact(api: Api, name: str, *, silent: bool = False, unsubscribed: bool = False) -> dict[str, Any]:
    """A contact; a silent one has no email address."""
    body = {"first_name": name} if silent else {"first_name": name, "email": f"{name.lower()}@people.example"}
    made: dict[str, Any] = await api.ok("POST", "/contacts", body, status=201)
    if unsubscribed:
        made = await api.ok("PATCH", f"/contacts/{made['id']}", {"email_unsubscribed": True})
    return made


def make() -> Api:
    """A sandbox whose workspace takes any category of referral."""
    api = make_seeded()
    set_settings(api, referral_categories=[])
    return api


async def deal(api: Api, name: str = "Solar") -> str:
    made: str = (await api.ok("POST", "/opportunities", {"name": name}, status=201))["id"]
    return made


async def referral(api: Api, referrer: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok("POST", "/referrals", {"referrer_contact_id": referrer, **fields}, status=201)
    return made


async def attribution(api: Api, deal_id: str) -> tuple[Any, Any]:
    shown = await api.get(f"/opportunities/{deal_id}")
    return shown["primary_referrer_contact_id"], shown["primary_referrer_category"]


async def test_the_opportunity_shows_its_most_recent_referral_through_every_change() -> None:
    api = make()
    bob, ann = (await contact(api, "Bob"))["id"], (await contact(api, "Ann"))["id"]
    one, two = await deal(api), await deal(api)
    first = await referral(api, bob, referred_deal_id=one, category="Builder")
    second = await referral(api, ann, referred_deal_id=one)
    assert (first["status"], first["source"], first["converted_at"]) == ("pending", "manual", None)
    assert await attribution(api, one) == (ann, None)
    expanded = await api.get(f"/opportunities/{one}", expand="referrer")
    assert expanded["referrer"]["first_name"] == "Ann"
    await api.ok("PATCH", f"/referrals/{second['id']}", {"category": "Neighbour"})
    assert await attribution(api, one) == (ann, "Neighbour")
    await api.ok("PATCH", f"/referrals/{second['id']}", {"referred_deal_id": two})
    assert await attribution(api, one) == (bob, "Builder")
    assert await attribution(api, two) == (ann, "Neighbour")
    await api.ok("DELETE", f"/referrals/{first['id']}", status=204)
    assert await attribution(api, one) == (None, None)
    await api.get(f"/contacts/{bob}")
    await api.error("GET", f"/referrals/{first['id']}", status=404)


async def automation(api: Api, trigger: str, action: dict[str, Any]) -> str:
    body = {"name": "A", "trigger_type": trigger, "enabled": True}
    made: str = (await api.ok("POST", "/automations", body, status=201))["id"]
    await api.ok("POST", f"/automations/{made}/actions", {"sequence": 1, **action}, status=201)
    return made


async def test_every_write_sets_off_the_automations_that_wait_for_referrals() -> None:
    api = make()
    action = {"action_type": "add_tasks", "config": {"tasks": [{"title": "{{category}} is {{status}}"}]}}
    await automation(api, "referral_attributed", action)
    bob, before = await contact(api, "Bob"), len(await api.get("/tasks", search="Builder is", limit=100))
    one = await referral(api, bob["id"], referred_deal_id=await deal(api), category="Builder")
    await api.ok("PATCH", f"/referrals/{one['id']}", {"status": "accepted"})
    await api.ok("POST", f"/referrals/{one['id']}/convert")
    made = await api.get("/tasks", search="Builder is", limit=100)
    assert before == 0
    assert sorted(t["title"] for t in made) == ["Builder is accepted", "Builder is converted", "Builder is pending"]


async def test_an_automation_attributes_a_deal_to_its_referrer() -> None:
    api = make()
    bob = await contact(api, "Bob")
    config = {"referrer_contact_id": bob["id"], "category": "Builder"}
    await automation(api, "deal_created", {"action_type": "attribute_referral", "config": config})
    one = await deal(api)
    assert await attribution(api, one) == (bob["id"], "Builder")
    assert [r["referred_deal_id"] for r in await api.get("/referrals", referrer_contact_id=bob["id"])] == [one]


async def test_converting_thanks_the_referrer_by_email_exactly_once() -> None:
    api = make()
    bob = await contact(api, "Bob")
    one = await referral(api, bob["id"])
    stamped = await api.ok("PATCH", f"/referrals/{one['id']}", {"status": "converted"})
    assert stamped["converted_at"]
    assert await api.outbox("email") == []
    converted = await api.ok("POST", f"/referrals/{one['id']}/convert")
    assert (converted["thank_you_sent"], converted["converted_at"]) == (True, stamped["converted_at"])
    again = await api.ok("POST", f"/referrals/{one['id']}/convert")
    assert (again["thank_you_sent"], again["status"]) == (False, "converted")
    (mail,) = await api.outbox("email")
    assert (mail["to"], "Brightside Home Energy" in mail["html_body"]) == (bob["email"], True)
    assert (await api.get("/email/logs"))[0]["email_type"] == "referral_thank_you"
    reopened = await api.ok("PATCH", f"/referrals/{one['id']}", {"status": "declined"})
    assert reopened["converted_at"] is None


async def test_nobody_is_thanked_who_cannot_or_will_not_be_written_to() -> None:
    api = make()
    for person in (await contact(api, "Quiet", silent=True), await contact(api, "Tired", unsubscribed=True)):
        one = await referral(api, person["id"])
        converted = await api.ok("POST", f"/referrals/{one['id']}/convert")
        assert (converted["status"], converted["thank_you_sent"]) == ("converted", False)
    assert await api.outbox("email") == []


async def test_referrals_are_filtered_and_paged_by_twenty() -> None:
    api = make()
    bob, ann = await contact(api, "Bob"), await contact(api, "Ann")
    made = [await referral(api, bob["id"], referred_contact_id=ann["id"], category="CT") for _ in range(21)]
    whole = await api.listed("/referrals", referrer_contact_id=bob["id"])
    assert (len(whole["data"]), whole["pagination"]["has_more"]) == (20, True)
    rest = await api.listed("/referrals", referrer_contact_id=bob["id"], after=whole["pagination"]["next_cursor"])
    assert [r["id"] for r in rest["data"]] == [made[0]["id"]]
    await api.ok("PATCH", f"/referrals/{made[3]['id']}", {"status": "accepted"})
    assert [r["id"] for r in await api.get("/referrals", category="CT", status="accepted")] == [made[3]["id"]]
    assert len(await api.get("/referrals", referred_contact_id=ann["id"], limit=100)) == 21


async def test_links_must_exist_and_categories_be_those_of_the_workspace_where_it_has_some() -> None:
    api = make()
    bob = await contact(api, "Bob")
    for wrong in ({"referrer_contact_id": NOBODY}, {"referred_contact_id": NOBODY}, {"referred_deal_id": NOBODY}):
        await api.error("POST", "/referrals", {"referrer_contact_id": bob["id"], **wrong})
    error = await api.error("POST", "/referrals", {"referrer_contact_id": bob["id"], "referred_contact_id": bob["id"]})
    assert "refer themselves" in error["message"]
    set_settings(api, referral_categories=["CT", "MRI"])
    error = await api.error("POST", "/referrals", {"referrer_contact_id": bob["id"], "category": "XR"})
    assert "one of CT, MRI" in error["message"]
    await referral(api, bob["id"], category="MRI")


async def test_a_request_is_sent_opened_and_submitted_and_becomes_contact_deal_and_referral() -> None:
    api = make()
    bob = await contact(api, "Bob")
    made = await api.ok("POST", "/referrals/request", {
        "contact_id": bob["id"], "subject_override": "A favour, {{contact.first_name}}?", "intro_html": "<p>Dear {{contact.first_name}}</p>",
    }, status=201)  # fmt: skip
    (mail,) = await api.outbox("email")
    assert (mail["to"], mail["subject"]) == (bob["email"], "A favour, Bob?")
    assert "<p>Dear Bob</p>" in mail["html_body"]
    assert made["public_url"] in mail["html_body"]
    assert made["public_url"].endswith(made["token"])
    (listed,) = await api.get("/referrals/requests", contact_id=bob["id"], status="sent")
    assert listed["id"] == made["request_id"]
    visit = {"channel": "referral", "token": made["token"]}
    await api.ok("POST", "/__sandbox/inbound", visit, status=201)
    assert (await api.get("/referrals/requests", contact_id=bob["id"]))[0]["status"] == "viewed"
    friend = {"first_name": "Ann", "last_name": "Lee", "email": "ann@people.example", "notes": "Has a big roof"}
    await api.ok("POST", "/__sandbox/inbound", {**visit, "friend": friend}, status=201)
    (done,) = await api.get("/referrals/requests", contact_id=bob["id"], status="submitted")
    row = await api.get(f"/referrals/{done['referral_id']}")
    assert (row["referrer_contact_id"], row["source"], row["notes"]) == (bob["id"], "form", "Has a big roof")
    assert (await api.get(f"/contacts/{row['referred_contact_id']}"))["email"] == "ann@people.example"
    opportunity = await api.get(f"/opportunities/{row['referred_deal_id']}")
    assert (opportunity["contact_id"], opportunity["lead_source"]) == (row["referred_contact_id"], "referral")
    assert opportunity["primary_referrer_contact_id"] == bob["id"]
    answer = await api.client.post("/__sandbox/inbound", json={**visit, "friend": friend})
    assert answer.status_code == 409
    assert len(await api.get("/referrals", referrer_contact_id=bob["id"])) == 1


async def test_a_request_expires_with_the_clock() -> None:
    api = make()
    bob = await contact(api, "Bob")
    made = await api.ok("POST", "/referrals/request", {"contact_id": bob["id"], "expires_in_days": 2}, status=201)
    await api.advance(2 * DAY - 60)
    assert (await api.get("/referrals/requests", contact_id=bob["id"]))[0]["status"] == "sent"
    await api.advance(61)
    assert [r["id"] for r in await api.get("/referrals/requests", contact_id=bob["id"], status="expired")] == [made["id"]]
    assert await api.get("/referrals/requests", contact_id=bob["id"], status="sent") == []
    answer = await api.client.post("/__sandbox/inbound", json={"channel": "referral", "token": made["token"], "friend": {}})
    assert answer.status_code == 410
    answer = await api.client.post("/__sandbox/inbound", json={"channel": "referral", "token": "unknown"})
    assert answer.status_code == 404


async def test_a_submission_without_a_name_leaves_nothing_behind() -> None:
    api = make()
    bob = await contact(api, "Bob")
    made = await api.ok("POST", "/referrals/request", {"contact_id": bob["id"]}, status=201)
    body = {"channel": "referral", "token": made["token"], "friend": {"email": "no address"}}
    before = len(api.workspace.store.all("contact"))
    assert (await api.client.post("/__sandbox/inbound", json=body)).status_code == 400
    assert len(api.workspace.store.all("contact")) == before
    assert (await api.get("/referrals/requests", contact_id=bob["id"]))[0]["status"] == "sent"


async def test_a_request_that_cannot_reach_anybody_is_refused() -> None:
    api = make()
    silent, gone = await contact(api, "Silent", silent=True), await contact(api, "Gone", unsubscribed=True)
    for wrong, why in ((silent["id"], "no email address"), (gone["id"], "unsubscribed"), (NOBODY, "no contact")):
        assert why in (await api.error("POST", "/referrals/request", {"contact_id": wrong}))["message"]
    assert await api.outbox("email") == []


async def test_the_leaderboard_ranks_by_conversions_then_by_referrals() -> None:
    api = make()
    for row in api.workspace.store.all("referral"):
        api.workspace.store.delete("referral", row["id"])
    bob, ann, joe = [await contact(api, n) for n in ("Bob", "Ann", "Joe")]
    for person, statuses in (
        (bob, ["converted", "pending", "pending", "pending"]), (ann, ["converted", "converted"]), (joe, ["pending"] * 5),
    ):  # fmt: skip
        for status in statuses:
            await referral(api, person["id"], status=status)
    board = await api.get("/referrals/leaderboard")
    counted = [(p["contact"]["name"], p["total_referrals"], p["converted_referrals"], p["conversion_rate"]) for p in board]
    assert counted == [("Ann", 2, 2, 1.0), ("Bob", 4, 1, 0.25), ("Joe", 5, 0, 0.0)]
    won = await api.get("/referrals/leaderboard", only_converted=True, limit=1)
    assert [(p["contact"]["name"], p["total_referrals"]) for p in won] == [("Ann", 2)]
    assert len(await api.get("/referrals/leaderboard", only_converted=True)) == 2
    await api.error("GET", "/referrals/leaderboard", params={"limit": 51})


async def test_the_seeded_referrals_agree_with_what_the_opportunities_show() -> None:
    api = make()
    rows = await api.get("/referrals", limit=100)
    assert len(rows) > 10
    for row in rows:
        assert await attribution(api, row["referred_deal_id"]) == (row["referrer_contact_id"], row["category"])
        assert (row["converted_at"] is not None) == (row["status"] == "converted")
    assert {r["status"] for r in await api.get("/referrals/requests")} == {"sent", "viewed", "expired"}
