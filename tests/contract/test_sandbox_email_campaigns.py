"""Bulk mailings from draft to clicks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, ORIGIN, Api, make

HOUR = 3600


async def draft(api: Api, **fields: Any) -> dict[str, Any]:
    body = {"name": "News", "subject": "{{contact.greeting}}", "body_html": "<p>Dear {{ first_name }}</p>", "segment_filter": {}}
    campaign: dict[str, Any] = await api.ok("POST", "/email-campaigns", {**body, **fields}, status=201)
    return campaign


async def tagged(api: Api, tag: str, *addresses: str) -> None:
    """Contacts with opportunities that carry a tag."""
    for number, address in enumerate(addresses):
        contact = await api.ok("POST", "/contacts", {"first_name": f"P{number}", "email": address}, status=201)
        deal = {"name": "D", "contact_id": contact["id"], "tags": [tag]}
        await api.ok("POST", "/opportunities", deal, status=201)


async def test_a_campaign_is_sent_to_its_audience_once_per_address_and_filled_in() -> None:
    api = make()
    await tagged(api, "newsletter", "a@x.example", "b@x.example", "A@x.example")
    content = {"intro_text": "News for {{first_name}}", "cta_text": "Read", "cta_url": "https://x.example"}
    campaign = await draft(api, segment_filter={"tags": [{"name": "Newsletter"}]}, **content)
    assert (campaign["status"], campaign["show_reply_button"]) == ("draft", True)
    preview = await api.get(f"/email-campaigns/{campaign['id']}/preview-audience")
    assert preview["total"] == len(preview["sample"]) == 2
    started = await api.ok("POST", f"/email-campaigns/{campaign['id']}/send")
    assert (started["status"], started["recipient_count"]) == ("sending", 2)
    done = await api.get(f"/email-campaigns/{campaign['id']}")
    assert (done["status"], done["sent_count"]) == ("sent", 2)
    mails = await api.outbox("email")
    assert [m["subject"] for m in mails] == ["Hi P0", "Hi P1"]
    assert "Dear P0" in mails[0]["html_body"]
    assert "https://x.example" in mails[0]["html_body"]
    assert mails[0]["html_body"].startswith("<p>News for P0</p>")
    assert "mailto:office@mail.trustpager.net" in mails[0]["html_body"]
    assert len(await api.get("/email/logs", email_type="campaign")) == 2


async def test_recipients_move_from_sent_to_delivered_opened_and_clicked_as_time_passes() -> None:
    api = make()
    campaign = await draft(api)
    path = f"/email-campaigns/{campaign['id']}"
    await api.ok("POST", f"{path}/send")
    assert {r["status"] for r in await api.get(f"{path}/recipients", limit=100)} == {"sent"}
    await api.advance(120)
    delivered = await api.get(path)
    assert (delivered["delivered_count"], delivered["opened_count"]) == (delivered["recipient_count"], 0)
    await api.advance(48 * HOUR)
    later = await api.get(path)
    assert later["recipient_count"] > later["opened_count"] > later["clicked_count"] > 0
    assert later["delivered_count"] == delivered["delivered_count"]
    clicked = await api.get(f"{path}/recipients", status="clicked", limit=100)
    assert len(clicked) == later["clicked_count"]
    assert all(r["sent_at"] < r["delivered_at"] < r["opened_at"] < r["clicked_at"] for r in clicked)
    assert [r["id"] for r in await api.get(f"{path}/recipients", search=clicked[0]["email"])] == [clicked[0]["id"]]
    left = [u for u in await api.get("/email-campaigns/unsubscribes", limit=100) if u["campaign_id"] == campaign["id"]]
    assert later["unsubscribed_count"] == len(left) > 0
    assert {u["reason"] for u in left} == {"link_click"}
    assert (await api.get(f"/contacts/{left[0]['contact_id']}"))["email_unsubscribed"] is True
    assert (await api.get(f"{path}/preview-audience"))["total"] == later["recipient_count"] - len(left)


async def test_the_link_in_a_mailing_and_the_mail_programs_button_unsubscribe() -> None:
    api = make()
    await tagged(api, "few", "a@x.example", "b@x.example")
    campaign = await draft(api, segment_filter={"tags": [{"name": "few"}]}, show_reply_button=False)
    path = f"/email-campaigns/{campaign['id']}"
    await api.ok("POST", f"{path}/send")
    await api.get(path)
    mails = await api.outbox("email")
    assert "mailto:" not in mails[0]["html_body"]
    links = [m["headers"]["List-Unsubscribe"].strip("<>").removeprefix(ORIGIN) for m in mails]
    assert ORIGIN + links[0] in mails[0]["html_body"]
    for method, link in zip(("GET", "POST"), links, strict=True):
        await api.as_key(None).ok(method, link)
    await api.as_key(None).error("GET", f"/functions/v1/public/unsubscribe/{NOBODY}", status=404)
    gone = (await api.get("/email-campaigns/unsubscribes"))[:2]
    assert [(u["email"], u["reason"], u["campaign_id"]) for u in gone] == [
        ("b@x.example", "unsubscribe_header", campaign["id"]), ("a@x.example", "link_click", campaign["id"]),
    ]  # fmt: skip
    seen = await api.get(path)
    assert (seen["unsubscribed_count"], (await api.get(f"{path}/preview-audience"))["total"]) == (2, 0)


async def test_a_bounced_recipient_gets_no_further_mailing() -> None:
    api = make()
    await tagged(api, "few", "bounce@x.example", "complain@x.example", "fine@x.example")
    campaign = await draft(api, segment_filter={"tags": [{"name": "few"}]})
    await api.ok("POST", f"/email-campaigns/{campaign['id']}/send")
    await api.advance(HOUR)
    (bounced,) = await api.get(f"/email-campaigns/{campaign['id']}/recipients", status="bounced")
    assert bounced["email"] == "bounce@x.example"
    assert bounced["bounced_at"]
    gone = {
        (u["email"], u["reason"]) for u in await api.get("/email-campaigns/unsubscribes") if u["campaign_id"] == campaign["id"]
    }
    assert gone == {("bounce@x.example", "hard_bounce"), ("complain@x.example", "complaint")}
    assert (await api.get(f"/email-campaigns/{campaign['id']}"))["unsubscribed_count"] == 0
    second = await draft(api, segment_filter={"tags": [{"name": "few"}]})
    assert (await api.get(f"/email-campaigns/{second['id']}/preview-audience"))["total"] == 1


async def test_a_large_audience_goes_out_in_batches_of_500() -> None:
    api = make()
    records = [{"first_name": "N", "email": f"n{i}@bulk.example"} for i in range(600)]
    for part in range(0, 600, 100):
        await api.ok("POST", "/contacts/bulk-create", {"records": records[part : part + 100]}, status=201)
    campaign = await draft(api)
    await api.ok("POST", f"/email-campaigns/{campaign['id']}/send")
    assert (await api.get(f"/email-campaigns/{campaign['id']}"))["sent_count"] == 500
    await api.advance(2)
    done = await api.get(f"/email-campaigns/{campaign['id']}")
    assert done["status"] == "sent"
    assert done["sent_count"] == done["recipient_count"] > 900


async def test_opted_out_contacts_are_left_out_unless_the_filter_says_otherwise() -> None:
    api = make()
    out = (await api.listed("/contacts", email_unsubscribed="true"))["total"]
    campaign = await draft(api)
    path = f"/email-campaigns/{campaign['id']}"
    preview = await api.get(f"{path}/preview-audience")
    without = preview["total"]
    assert len(preview["sample"]) == 50 < without
    await api.ok("PATCH", path, {"segment_filter": {"exclude_unsubscribed": False}})
    assert (await api.get(f"{path}/preview-audience"))["total"] == without + out


async def test_an_audience_may_be_those_in_a_pipeline_or_stage() -> None:
    api = make()
    deal = next(d for d in await api.get("/opportunities", limit=100) if d["placements"] and d["contact_id"])
    card = deal["placements"][0]
    whole = await draft(api, segment_filter={"pipeline_ids": [card["pipeline_id"]]})
    stage = await draft(api, segment_filter={"stage_id": card["stage_id"]})
    counts = [(await api.get(f"/email-campaigns/{c['id']}/preview-audience"))["total"] for c in (whole, stage)]
    assert counts[0] > counts[1] > 0
    for wrong in ({"tag": "x"}, {"stage_id": NOBODY}, {"tags": ["x"]}):
        await api.error("POST", "/email-campaigns", {"name": "x", "segment_filter": wrong})


async def test_a_scheduled_campaign_goes_out_at_its_time() -> None:
    api = make()
    campaign = await draft(api, scheduled_for="2026-06-16T09:00:00+10:00")
    path = f"/email-campaigns/{campaign['id']}"
    assert (campaign["status"], campaign["scheduled_for"]) == ("scheduled", "2026-06-15T23:00:00Z")
    await api.advance(20 * HOUR)
    assert await api.outbox("email") == []
    await api.advance(2 * HOUR)
    done = await api.get(path)
    assert (done["status"], done["sent_at"][:16]) == ("sent", "2026-06-15T23:00")
    assert len(await api.outbox("email")) == done["sent_count"] > 0


async def test_clearing_the_time_makes_a_draft_again_and_a_time_gone_by_is_refused() -> None:
    api = make()
    campaign = await draft(api, scheduled_for="2026-06-16T00:00:00Z")
    assert (await api.ok("PATCH", f"/email-campaigns/{campaign['id']}", {"scheduled_for": None}))["status"] == "draft"
    await api.advance(48 * HOUR)
    assert await api.outbox("email") == []
    await api.error("PATCH", f"/email-campaigns/{campaign['id']}", {"scheduled_for": "2026-06-16T00:00:00Z"})


async def test_a_scheduled_campaign_that_cannot_go_out_fails_with_its_reason_and_may_be_deleted() -> None:
    api = make()
    body = {"name": "Empty", "scheduled_for": "2026-06-16T00:00:00Z"}
    campaign = await api.ok("POST", "/email-campaigns", body, status=201)
    await api.advance(24 * HOUR)
    (failed,) = await api.get("/email-campaigns", status="failed")
    assert (failed["id"], "subject and body_html" in failed["failure_reason"]) == (campaign["id"], True)
    await api.ok("DELETE", f"/email-campaigns/{campaign['id']}", status=204)
    await api.error("GET", f"/email-campaigns/{campaign['id']}", status=404)


@pytest.mark.parametrize(
    ("lack", "word"),
    [({"subject": ""}, "subject"), ({"segment_filter": {"tags": [{"name": "nobody-has-this"}]}}, "no contact")],
)
async def test_what_is_incomplete_or_reaches_nobody_is_not_sent(lack: dict[str, Any], word: str) -> None:
    api = make()
    campaign = await draft(api, **lack)
    assert word in (await api.error("POST", f"/email-campaigns/{campaign['id']}/send"))["message"]
    without = await api.ok("POST", "/email-campaigns", {"name": "x", "subject": "s", "body_html": "b"}, status=201)
    assert "segment_filter" in (await api.error("POST", f"/email-campaigns/{without['id']}/send"))["message"]
    assert await api.outbox("email") == []


async def test_a_sent_campaign_is_neither_sent_again_nor_changed_nor_deleted() -> None:
    api = make()
    path = f"/email-campaigns/{(await api.get('/email-campaigns', status='sent'))[0]['id']}"
    for method, tail, body in (("POST", "/send", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None)):
        assert (await api.error(method, path + tail, body, status=409))["code"] == "CONFLICT"


async def test_the_sender_is_the_default_identity_unless_named() -> None:
    api = make()
    configs = {c["from_email_handle"]: c["id"] for c in await api.get("/email/configs")}
    assert (await draft(api))["email_config_id"] == configs["office"]
    named = await draft(api, email_config_id=configs["service"], segment_filter={"tags": [{"name": "vip"}]})
    await api.ok("POST", f"/email-campaigns/{named['id']}/send")
    await api.get("/email-campaigns")
    assert {m["from_email"] for m in await api.outbox("email")} == {"service@mail.trustpager.net"}
    await api.error("POST", "/email-campaigns", {"name": "x", "email_config_id": NOBODY})


async def test_campaigns_and_unsubscribes_are_paged() -> None:
    api = make()
    first = await api.listed("/email-campaigns", limit=3)
    rest = await api.listed("/email-campaigns", limit=3, after=first["pagination"]["next_cursor"])
    assert len({c["id"] for c in first["data"] + rest["data"]}) == first["total"] == 4
    assert len(await api.get("/email-campaigns/unsubscribes", limit=2)) == 2
