"""Integrations: Xero out of the workspace's own records, the other platforms plausibly, actions with their effects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make


async def platform(api: Api, name: str) -> str:
    found: str = next(i["id"] for i in await api.get("/integrations") if i["platform_type"] == name)
    return found


async def query(api: Api, query_type: str, **params: Any) -> Any:
    path = f"/integrations/{await platform(api, query_type.split('_')[0])}/query"
    return await api.ok("POST", path, {"query_type": query_type, "params": params})


async def act(api: Api, action_type: str, params: dict[str, Any], status: int = 201, **body: Any) -> Any:
    path = f"/integrations/{await platform(api, action_type.split('_')[0])}/action"
    if status >= 400:
        return await api.error("POST", path, {"action_type": action_type, "params": params, **body}, status=status)
    return (await api.ok("POST", path, {"action_type": action_type, "params": params, **body}, status=status))["result"]


async def deal_with_products(api: Api) -> dict[str, Any]:
    deals = await api.get("/opportunities", limit=100)
    found: dict[str, Any] = next(d for d in deals if d["customer_id"])
    return found


async def test_integrations_are_listed_and_read() -> None:
    api = make()
    listed = await api.get("/integrations")
    assert {"xero", "slack", "zoom"} <= {i["platform_type"] for i in listed}
    assert await api.get(f"/integrations/{listed[0]['id']}") == listed[0]
    await api.error("GET", f"/integrations/{NOBODY}", status=404)


async def test_a_query_belongs_to_its_platform_and_needs_an_active_connection() -> None:
    api = make()
    slack = f"/integrations/{await platform(api, 'slack')}/query"
    error = await api.error("POST", slack, {"query_type": "xero_contacts"})
    assert "slack_channels" in error["message"]
    facebook = f"/integrations/{await platform(api, 'facebook')}"
    assert (await api.error("POST", f"{facebook}/query", {"query_type": "facebook_pages"}, status=409))[
        "code"
    ] == "INTEGRATION_INACTIVE"
    body = {"action_type": "facebook_conversion", "params": {"event_name": "Lead"}}
    await api.error("POST", f"{facebook}/action", body, status=409)
    await api.error("POST", slack, {"query_type": "slack_secrets"})


@pytest.mark.parametrize(
    ("query_type", "key"),
    [
        ("xero_contacts", "Contacts"), ("xero_accounts", "Accounts"), ("xero_tax_rates", "TaxRates"), ("xero_invoices", "Invoices"),
        ("slack_channels", "channels"), ("slack_users", "users"), ("calcom_event_types", "event_types"),
        ("zoom_users", "users"), ("portant_templates", "templates"), ("activecampaign_lists", "lists"),
        ("activecampaign_tags", "tags"), ("activecampaign_automations", "automations"),
    ],
)  # fmt: skip
async def test_queries_answer_with_what_the_platform_would_list(query_type: str, key: str) -> None:
    assert (await query(make(), query_type))[key]


async def test_xero_contacts_are_the_workspaces_companies_and_can_be_searched() -> None:
    api = make()
    company = await api.ok("POST", "/companies", {"name": "Unique Umbrellas", "email": "u@u.example"}, status=201)
    (found,) = (await query(api, "xero_contacts", search="umbrellas"))["Contacts"]
    assert (found["Name"], found["EmailAddress"], found["trustpager_id"]) == ("Unique Umbrellas", "u@u.example", company["id"])
    assert (await query(api, "xero_contact_detail", contact_id=found["ContactID"]))["Contacts"] == [found]
    assert (await query(api, "xero_contacts", page=99))["Contacts"] == []
    xero = f"/integrations/{await platform(api, 'xero')}/query"
    for name in ("xero_contact_detail", "xero_invoices_by_contact", "xero_aged_receivables", "xero_aged_payables"):
        await api.error("POST", xero, {"query_type": name})
        await api.error("POST", xero, {"query_type": name, "params": {"contact_id": NOBODY}}, status=404)


async def test_invoices_are_filtered_by_status_and_date_in_both_spellings() -> None:
    api = make()
    every = (await query(api, "xero_invoices"))["Invoices"]
    paid = (await query(api, "xero_invoices", statuses="PAID"))["Invoices"]
    assert paid
    assert {i["Status"] for i in paid} == {"PAID"}
    recent = (await query(api, "xero_invoices", date_from="2026-05-01"))["Invoices"]
    assert (
        recent
        == (await query(api, "xero_invoices", dateFrom="2026-05-01"))["Invoices"]
        == [i for i in every if i["Date"] >= "2026-05-01"]
    )
    await api.error(
        "POST",
        f"/integrations/{await platform(api, 'xero')}/query",
        {"query_type": "xero_invoices", "params": {"date_to": "soon"}},
    )


async def test_the_aged_summary_adds_up_and_agrees_with_the_invoices() -> None:
    api = make()
    for kind in ("receivables", "payables"):
        summary = await query(api, f"xero_aged_{kind}_summary")
        contacts = summary["contacts"]
        outstanding = [c["total_outstanding"] for c in contacts]
        assert outstanding == sorted(outstanding, reverse=True)
        assert summary["totals"]["total"] == pytest.approx(sum(outstanding))
        buckets = ("current", "days_1_30", "days_31_60", "days_61_90", "days_90_plus")
        for entry in [*contacts]:
            assert entry["total_outstanding"] == pytest.approx(sum(entry[b] for b in buckets))
    open_invoices = [i for i in (await query(api, "xero_invoices"))["Invoices"] if i["Status"] == "AUTHORISED"]
    summary = await query(api, "xero_aged_receivables_summary")
    assert summary["totals"]["total"] == pytest.approx(sum(i["AmountDue"] for i in open_invoices))
    assert summary["as_at"] == "2026-06-15"
    report = await query(api, "xero_aged_receivables", contact_id=summary["contacts"][0]["contact_id"])
    assert len(report["Reports"][0]["Rows"][0]["Rows"]) == summary["contacts"][0]["invoice_count"]


async def test_profit_and_loss_and_balance_sheet_are_reports_over_the_asked_time() -> None:
    api = make()
    year = await query(api, "xero_profit_and_loss", from_date="2025-07-01", toDate="2026-06-30")
    rows = {
        row["Cells"][0]["Value"]: float(row["Cells"][1]["Value"]) for s in year["Reports"][0]["Rows"][1:] for row in s["Rows"]
    }
    assert rows["Net profit"] == pytest.approx(rows["Sales"] - rows["Cost of goods sold"])
    sheet = await query(api, "xero_balance_sheet", date="2026-06-15")
    sums = {
        row["Cells"][0]["Value"]: float(row["Cells"][1]["Value"]) for s in sheet["Reports"][0]["Rows"][1:] for row in s["Rows"]
    }
    assert sums["Retained earnings"] == pytest.approx(
        sums["Business account"] + sums["Accounts receivable"] - sums["Accounts payable"], abs=0.02
    )
    months = (await query(api, "xero_profit_and_loss", from_date="2026-05-01", to_date="2026-05-31", periods=2))["Reports"][0][
        "Rows"
    ]
    assert [c["Value"] for c in months[0]["Cells"]] == ["", "31 May 26", "30 Apr 26", "31 Mar 26"]
    april = await query(api, "xero_profit_and_loss", from_date="2026-04-01", to_date="2026-04-30")
    assert april["Reports"][0]["Rows"][1]["Rows"][0]["Cells"][1] == months[1]["Rows"][0]["Cells"][2]
    cash = await query(api, "xero_balance_sheet", payments_only=True, periods=1, timeframe="YEAR")
    assert cash["Reports"][0]["Rows"][1]["Rows"][1]["Cells"][1:] == [{"Value": "0.00"}] * 2
    xero = f"/integrations/{await platform(api, 'xero')}/query"
    tracked = {"query_type": "xero_profit_and_loss", "params": {"tracking_category_id": NOBODY}}
    await api.error("POST", xero, tracked, status=404)
    for wrong in ({"periods": 12}, {"timeframe": "DAY"}):
        await api.error("POST", xero, {"query_type": "xero_balance_sheet", "params": wrong})
    body = {"query_type": "xero_profit_and_loss", "params": {"from_date": "2026-06-01", "to_date": "2026-05-01"}}
    await api.error("POST", xero, body)


async def test_an_invoice_is_made_of_the_deals_products_and_shows_on_the_deal_and_in_xero() -> None:
    api = make()
    deal = await deal_with_products(api)
    for action in ("xero_create_invoice", "xero_create_contact_and_invoice"):
        invoice = await act(api, action, {"email_mode": "none"}, data={"deal": {"id": deal["id"]}})
        assert invoice["total"] == pytest.approx(sum(line["quantity"] * line["unit_amount"] for line in invoice["line_items"]))
        assert invoice["id"] in {i["id"] for i in await api.get(f"/opportunities/{deal['id']}/invoices")}
        in_xero = next(i for i in (await query(api, "xero_invoices"))["Invoices"] if i["InvoiceID"] == invoice["id"])
        assert in_xero["Contact"]["ContactID"] == invoice["xero_contact_id"]
    assert (await api.ok("GET", "/__sandbox/outbox"))["outbox"] == []
    empty = await api.ok("POST", "/opportunities", {"name": "No one"}, status=201)
    await act(api, "xero_create_invoice", {}, status=400, data={"deal": {"id": empty["id"]}})
    await act(api, "xero_create_invoice", {}, status=400)
    await act(api, "xero_create_invoice", {}, status=404, data={"deal": {"id": NOBODY}})


async def test_the_invoices_email_goes_to_the_chosen_contact_with_its_tags_filled() -> None:
    api = make()
    deal = await deal_with_products(api)
    data = {"deal": {"id": deal["id"]}}
    contact = await api.get(f"/contacts/{deal['contact_id']}")
    if not api.workspace.store.all("email_config", is_default=True):
        await act(api, "xero_create_invoice", {"email_mode": "trustpager"}, status=400, data=data)
        api.workspace.store.add("email_config", [api.workspace.world.fresh({"is_default": True})])
    params = {
        "email_mode": "trustpager",
        "email_subject": "{{xero.invoice_number}} for {{contact.first_name}}",
    }
    invoice = await act(api, "xero_create_invoice", params, data=data)
    sent = (await api.ok("GET", "/__sandbox/outbox"))["outbox"][-1]
    assert sent["to"] == contact["email"]
    assert sent["subject"] == f"{invoice['number']} for {contact['first_name']}"
    assert sent["attachments"] == [f"{invoice['number']}.pdf"]
    assert sent["pay_now_url"]
    (log,) = await api.get("/email/logs", email_type="invoice", deal_id=deal["id"])
    assert (log["contact_id"], log["subject"]) == (contact["id"], sent["subject"])
    await act(api, "xero_create_invoice", {**params, "email_attach_pdf": False}, data=data)
    assert (await api.outbox("email"))[-1]["attachments"] == []
    other = (await api.get("/contacts"))[0]
    second = {"email_mode": "xero", "email_recipient_source": "secondary_contact", "email_recipient_contact_id": other["id"]}
    await act(api, "xero_create_invoice", second, data=data)
    assert (await api.ok("GET", "/__sandbox/outbox"))["outbox"][-1]["to"] == other["email"]
    for wrong in ({"email_recipient_source": "secondary_contact"}, {"email_recipient_source": "boss"}):
        await act(api, "xero_create_invoice", {"email_mode": "xero", **wrong}, status=400, data=data)
    count = len(api.workspace.store.all("invoice"))
    await act(api, "xero_create_invoice", {"email_mode": "xero", "email_recipient_source": "boss"}, status=400, data=data)
    assert len(api.workspace.store.all("invoice")) == count


async def test_an_invoice_is_updated() -> None:
    api = make()
    invoice = (await query(api, "xero_invoices", statuses="AUTHORISED"))["Invoices"][0]
    changed = await act(api, "xero_update_invoice", {"invoice_id": invoice["InvoiceID"], "status": "paid"}, status=200)
    assert changed["status"] == "paid"
    lines = [{"Description": "Panel", "Quantity": 2, "UnitAmount": 99.5}]
    relined = await act(api, "xero_update_invoice", {"invoice_id": invoice["InvoiceID"], "line_items": lines}, status=200)
    assert (relined["total"], relined["line_items"][0]["unit_amount"]) == (199, 99.5)
    assert invoice["InvoiceID"] in {i["InvoiceID"] for i in (await query(api, "xero_invoices", statuses="PAID"))["Invoices"]}
    await act(api, "xero_update_invoice", {"invoice_id": NOBODY}, status=404)
    await act(api, "xero_update_invoice", {}, status=400)
    await act(api, "xero_update_invoice", {"invoice_id": invoice["InvoiceID"], "status": "lost"}, status=400)


REPEATING = {"schedule_period": 2, "schedule_unit": "MONTHLY", "account_code": "200", "tax_type": "OUTPUT"}


async def test_a_repeating_invoice_takes_one_kind_of_products_and_skips_usage_based_ones() -> None:
    api = make()
    deal = await deal_with_products(api)
    line = (await api.get(f"/opportunities/{deal['id']}/products"))[0]["id"]
    data = {"deal": {"id": deal["id"]}}
    contact = (await query(api, "xero_contacts"))["Contacts"][0]["ContactID"]
    own = {**REPEATING, "contact_id": contact}
    made = await act(api, "xero_create_repeating_invoice", {**own, "deal_product_ids": [line]}, data=data)
    assert (made["approve_for_sending"], len(made["line_items"]), made["sent_to_contact"]) == (True, 1, True)
    assert (made["contact_id"], made["next_date"]) == (contact, "2026-08-15")
    fixed = await api.ok("POST", "/products", {"name": "Care plan", "price": 20}, status=201)
    usage = await api.ok("POST", "/products", {"name": "Power", "price": 1}, status=201)
    api.workspace.store.save("product", {**usage, "category": "Usage-Based"})
    params = {**own, "product_ids": [fixed["id"], usage["id"]], "approve_for_sending": False}
    made = await act(api, "xero_create_repeating_invoice", params)
    assert (made["approve_for_sending"], made["skipped_products"], len(made["line_items"])) == (False, [usage["id"]], 1)
    await act(api, "xero_create_repeating_invoice", {**own, "contact_id": NOBODY, "product_ids": [fixed["id"]]}, status=404)
    wrong: list[dict[str, Any]] = [
        {**own}, {**own, "product_ids": [fixed["id"]], "deal_product_ids": [line]},
        {**own, "deal_product_ids": [line]}, {**own, "product_ids": [usage["id"]]},
        {"product_ids": [fixed["id"]]}, {**own, "product_ids": ["x"]}, {**own, "schedule_unit": "DAILY", "product_ids": [fixed["id"]]},
        {**own, "schedule_period": 0, "product_ids": [fixed["id"]]},
    ]  # fmt: skip
    for params in wrong:
        await act(api, "xero_create_repeating_invoice", params, status=400)


async def test_repeating_invoices_are_raised_by_the_clock_and_emailed_by_xero_unless_that_is_switched_off() -> None:
    api = make()
    deal = await deal_with_products(api)
    billed = await api.ok("POST", "/companies", {"name": "Cycle Works", "email": "pay@cycle.example"}, status=201)
    weekly = {**REPEATING, "contact_id": billed["id"], "schedule_unit": "WEEKLY"}
    line = (await api.get(f"/opportunities/{deal['id']}/products"))[0]["id"]
    made = await act(
        api, "xero_create_repeating_invoice", {**weekly, "deal_product_ids": [line]}, data={"deal": {"id": deal["id"]}}
    )
    product = await api.ok("POST", "/products", {"name": "Care plan", "price": 20}, status=201)
    quiet = {**weekly, "product_ids": [product["id"]], "approve_for_sending": False}
    await act(api, "xero_create_repeating_invoice", quiet)
    await api.advance(29 * 86_400)
    invoices = (await query(api, "xero_invoices_by_contact", contact_id=made["contact_id"]))["Invoices"]
    assert [(i["Date"], i["Contact"]["Name"] == "Cycle Works") for i in invoices if i["Total"] == 20] == [
        ("2026-07-13", True),
        ("2026-06-29", True),
    ]
    raised = [i for i in await api.get(f"/opportunities/{deal['id']}/invoices") if i.get("repeating_invoice_id") == made["id"]]
    assert len(raised) == 2
    sent = [m["subject"] for m in await api.outbox("email") if m.get("via") == "xero"]
    assert sent == [f"Invoice {i['number']}" for i in reversed(raised)]


async def test_what_happens_in_xero_and_calcom_sets_off_automations_and_webhooks() -> None:
    api = make()
    await api.ok("POST", "/webhooks/outgoing", {"name": "All", "url": "https://ears.example/x", "events": ["*"]}, status=201)
    deal = await deal_with_products(api)
    invoice = await act(api, "xero_create_invoice", {}, data={"deal": {"id": deal["id"]}})
    for status in ("overdue", "paid", "paid"):
        await act(api, "xero_update_invoice", {"invoice_id": invoice["id"], "status": status}, status=200)
    await act(api, "xero_create_contact", {"name": "Hand Made"})
    await act(api, "calcom_create_booking", {"event_type_id": 1, "start": "2026-06-16T01:00:00Z", "email": "a@b.example"})
    told = await api.outbox("webhook")
    assert [m["event"] for m in told] == [
        "xero_invoice_created",
        "xero_invoice_paid",
        "xero_contact_created",
        "calcom_booking_created",
    ]
    paid = told[1]["payload"]["data"]
    assert (paid["invoice_number"], paid["deal_id"], paid["amount_due"]) == (invoice["number"], deal["id"], 0)
    assert paid["total"] == invoice["total"]


async def test_a_xero_contact_can_be_made_by_hand() -> None:
    api = make()
    made = await act(api, "xero_create_contact", {"name": "Hand Made", "email": "h@m.example"})
    assert (await query(api, "xero_contacts", search="hand made"))["Contacts"][0]["ContactID"] == made["ContactID"]
    await act(api, "xero_create_contact", {}, status=400)


async def test_the_other_platforms_act_and_leave_their_traces() -> None:
    api = make()
    deal = (await api.get("/opportunities"))[0]["id"]
    await act(api, "slack_send_message", {"channel": "#sales", "text": "Won!"}, status=200)
    message = (await api.ok("GET", "/__sandbox/outbox"))["outbox"][-1]
    assert (message["channel"], message["to"], message["body"]) == ("slack", "#sales", "Won!")
    meeting = await act(api, "zoom_create_meeting", {"topic": "Quote", "start_time": "2026-06-16T01:00:00Z"})
    assert (await query(api, "zoom_meetings"))["meetings"][0]["id"] == meeting["id"]
    booking = await act(
        api, "calcom_create_booking", {"event_type_id": 1, "start": "2026-06-16T01:00:00Z", "email": "a@b.example"}
    )
    with_guest = await act(api, "calcom_add_guests", {"booking_id": booking["id"], "guests": ["c@d.example"]}, status=200)
    assert (await query(api, "calcom_bookings"))["bookings"] == [with_guest]
    document = await act(
        api, "portant_generate_document", {"template_id": "tpl_1", "name": "Pack"}, status=200, data={"deal": {"id": deal}}
    )
    assert document["id"] in {d["id"] for d in await api.get(f"/opportunities/{deal}/documents")}
    await act(api, "activecampaign_add_to_automation", {"automation_id": "1", "email": "a@b.example"}, status=200)
    for action, params in {
        "slack_send_message": {"channel": "nowhere", "text": "x"}, "zoom_create_meeting": {"topic": "x", "start_time": "soon"},
        "calcom_create_booking": {"event_type_id": 1}, "portant_generate_document": {}, "activecampaign_add_to_automation": {},
    }.items():  # fmt: skip
        await act(api, action, params, status=400)


async def test_a_conversion_is_sent_when_the_connection_is_active() -> None:
    api = make()
    facebook = await platform(api, "facebook")
    record = api.workspace.store.get("integration", facebook)
    assert record is not None
    api.workspace.store.save("integration", {**record, "status": "active"})
    assert (await act(api, "facebook_conversion", {"event_name": "Lead"}, status=200))["status"] == "accepted"
    for name, key in (("facebook_pages", "pages"), ("facebook_leadgen_forms", "forms"), ("facebook_ad_accounts", "ad_accounts")):
        assert (await query(api, name))[key]
