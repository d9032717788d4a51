"""Work orders: statuses by label or id, the calendar, the team, and the client's portal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make

SHARED = make()
"""A workspace for tests that look at their own records only."""


async def a_line(api: Api) -> dict[str, Any]:
    """A line item of a new opportunity."""
    deal = await api.ok("POST", "/opportunities", {"name": "Roof"}, status=201)
    product = await api.ok("POST", "/products", {"name": "Panel", "price": 10}, status=201)
    line: dict[str, Any] = await api.ok(
        "POST", f"/opportunities/{deal['id']}/products", {"product_id": product["id"]}, status=201
    )
    return line


async def order(api: Api, **fields: Any) -> dict[str, Any]:
    line = await a_line(api)
    made: dict[str, Any] = await api.ok("POST", "/work-orders", {"deal_product_id": line["id"], **fields}, status=201)
    return made


async def test_a_work_order_is_pending_today_all_day_and_shows_on_its_opportunity() -> None:
    api = make(now="2026-06-15T22:00:00Z")
    made = await order(api)
    assert (made["status"], made["schedule_date"], made["schedule_time"], made["assigned_to"]) == (
        "Pending",
        "2026-06-16",
        None,
        None,
    )
    assert await api.get(f"/opportunities/{made['deal_id']}/work-orders") == [made]
    assert await api.get(f"/work-orders/{made['id']}") == made
    further = {"deal_product_id": made["deal_product_id"], "sort_order": -1}
    first = await api.ok("POST", "/work-orders", further, status=201)
    assert [o["id"] for o in await api.get(f"/deals/{made['deal_id']}/work-orders")] == [first["id"], made["id"]]


async def test_a_status_is_named_by_its_label_in_any_case_or_by_its_id() -> None:
    api = make()
    made = await order(api, status="in progress")
    assert made["status"] == "In Progress"
    path = f"/work-orders/{made['id']}"
    done = await api.ok("PATCH", path, {"status": "COMPLETE"})
    assert (done["status"], done["status_id"] == made["status_id"]) == ("Complete", False)
    assert (await api.ok("PATCH", path, {"status_id": made["status_id"]}))["status"] == "In Progress"
    assert "Pending, In Progress, Complete" in (await api.error("PATCH", path, {"status": "Lost"}))["message"]
    await api.error("PATCH", path, {"status_id": NOBODY})
    await api.error("PATCH", path, {"status": "Pending", "status_id": made["status_id"]})


async def test_null_unassigns_and_makes_an_order_last_all_day() -> None:
    api = make()
    user = api.workspace.store.all("user")[0]["id"]
    made = await order(
        api, assigned_to=user, schedule_date="2026-07-01", schedule_time="09:00:00", data={"gate": 1}, sort_order=3
    )
    assert (made["assigned_to"], made["schedule_time"], made["data"], made["sort_order"]) == (user, "09:00:00", {"gate": 1}, 3)
    changed = await api.ok("PATCH", f"/work-orders/{made['id']}", {"assigned_to": None, "schedule_time": None})
    assert (changed["assigned_to"], changed["schedule_time"], changed["schedule_date"]) == (None, None, "2026-07-01")


async def test_work_orders_are_listed_by_line_status_person_and_day() -> None:
    api = make()
    user = api.workspace.store.all("user")[0]["id"]
    made = await order(api, assigned_to=user, schedule_date="2031-01-01")
    for name in ("deal_product_id", "schedule_date"):
        assert [o["id"] for o in await api.get("/work-orders", **{name: made[name]})] == [made["id"]]
    for name in ("assigned_to", "status_id"):
        assert {o[name] for o in await api.get("/work-orders", **{name: made[name]}, limit=100)} == {made[name]}
    first = await api.listed("/work-orders", limit=1)
    assert first["data"][0]["id"] == made["id"]
    assert (await api.listed("/work-orders", limit=1, after=first["pagination"]["next_cursor"]))["data"][0]["id"] != made["id"]
    await api.ok("DELETE", f"/work-orders/{made['id']}", status=204)
    assert await api.get("/work-orders", schedule_date="2031-01-01") == []


@pytest.mark.parametrize(
    "wrong", [{"deal_product_id": NOBODY}, {"assigned_to": NOBODY}, {"schedule_time": "9am"}, {"schedule_date": "1/7"}]
)
async def test_a_work_order_for_nothing_or_nobody_is_refused(wrong: dict[str, Any]) -> None:
    api = SHARED.as_key("tp_live_sandbox_full")
    line = await a_line(api)
    assert (await api.error("POST", "/work-orders", {"deal_product_id": line["id"], **wrong}))["code"] == "VALIDATION_ERROR"


async def test_a_client_gets_a_portal_link_with_a_pin_that_the_caller_does_not_see() -> None:
    api = make()
    made = await order(api)
    body = {"deal_id": made["deal_id"], "recipient_email": "jo@client.example", "recipient_name": "Jo", "expires_in_days": 7}
    answer = await api.ok("POST", "/work-orders/send-work-status", {**body, "personal_message": "Nearly there"})
    assert (answer["success"], answer["expires_at"][:10]) == (True, "2026-06-22")
    (mail,) = (await api.ok("GET", "/__sandbox/outbox"))["outbox"]
    assert mail["to"] == "jo@client.example"
    assert all(part in mail["body"] for part in (answer["token"], "Your PIN", "Nearly there"))
    assert "pin" not in answer
    page, visitor = mail["url"].removeprefix(ORIGIN), api.as_key(None)
    assert (await visitor.get(page))["recipient_name"] == "Jo"
    pin = mail["body"].rpartition(": ")[2]
    await visitor.error("POST", page, {"pin": "none"}, status=403)
    shown = await visitor.ok("POST", page, {"pin": pin})
    assert (shown["deal_name"], [(o["title"], o["status"]) for o in shown["work_orders"]]) == ("Roof", [("Panel", "Pending")])
    await api.advance(7 * 86_400)
    await visitor.error("POST", page, {"pin": pin}, status=409)
    del body["expires_in_days"]
    await api.error("POST", "/work-orders/send-work-status", {**body, "expires_in_days": 10**12})
    again = await api.ok("POST", "/work-orders/send-work-status", body)
    assert again["expires_at"][:10] == "2026-07-22"


async def test_a_portal_needs_work_orders_and_an_address_to_send_from() -> None:
    api = make()
    line = await a_line(api)
    body = {"deal_id": line["opportunity_id"], "recipient_email": "jo@client.example", "recipient_name": "Jo"}
    assert "no work orders" in (await api.error("POST", "/work-orders/send-work-status", body))["message"]
    await api.ok("POST", "/work-orders", {"deal_product_id": line["id"]}, status=201)
    for config in api.workspace.store.all("email_config"):
        api.workspace.store.delete("email_config", config["id"])
    assert "no email configuration" in (await api.error("POST", "/work-orders/send-work-status", body))["message"]
    await api.error("POST", "/work-orders/send-work-status", {**body, "deal_id": NOBODY}, status=404)
