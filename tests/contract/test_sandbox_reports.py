"""Reports: the query engine against figures counted by hand, dashboards, cards, funnels and the digest."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

COUNT = {"field": "id", "aggregation": "count", "alias": "n"}
SUM = {"field": "value", "aggregation": "sum", "alias": "worth"}


async def query(api: Api, source: str = "deals", **spec: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok("POST", "/reports/query", {"source": source, **spec})
    return answer


async def rows(api: Api, source: str = "deals", **spec: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await query(api, source, **spec))["rows"]
    return found


async def every_deal(api: Api) -> list[dict[str, Any]]:
    deals, cursor = [], {}
    while True:
        page = await api.listed("/opportunities", limit=100, **cursor)
        deals += page["data"]
        if not page["pagination"]["has_more"]:
            return deals
        cursor = {"cursor": page["pagination"]["next_cursor"]}


def card(**fields: Any) -> dict[str, Any]:
    return {"title": "Card", "query_spec": {"source": "deals", "dimensions": ["status"]}, **fields}


async def dashboard(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok("POST", "/report-dashboards", {"name": "Mine", **fields}, status=201)
    return made


async def test_deals_are_counted_and_summed_by_status_as_the_list_has_them() -> None:
    api = make()
    deals = await every_deal(api)
    found = {r["status"]: r for r in await rows(api, measures=[COUNT, SUM], dimensions=["status"])}
    assert {s: r["n"] for s, r in found.items()} == Counter(d["status"] for d in deals)
    for status, row in found.items():
        assert row["worth"] == pytest.approx(sum(d["value"] for d in deals if d["status"] == status))


async def test_every_aggregation_is_right_and_an_empty_one_is_told_from_zero() -> None:
    api = make()
    values = [d["value"] for d in await every_deal(api) if d["status"] == "won"]
    measures = [{"field": "value", "aggregation": a} for a in ("count", "sum", "avg", "min", "max")]
    won = {"field": "status", "operator": "eq", "value": "won"}
    (row,) = await rows(api, measures=measures, filters=[won])
    assert row["value_count"] == len(values)
    assert (row["value_min"], row["value_max"]) == (min(values), max(values))
    assert row["value_sum"] == pytest.approx(sum(values))
    assert row["value_avg"] == pytest.approx(sum(values) / len(values), abs=0.01)
    nobody = {"field": "contact_id", "operator": "eq", "value": NOBODY}
    (row,) = await rows(api, measures=measures, filters=[nobody])
    assert row == {"value_count": 0, "value_sum": 0, "value_avg": None, "value_min": None, "value_max": None}


async def test_a_deal_in_two_pipelines_counts_in_both_and_once_in_the_whole() -> None:
    api = make()
    twice = [d for d in await every_deal(api) if len(d["placements"]) == 2]
    assert twice
    by_pipeline = await rows(api, measures=[COUNT], dimensions=["pipeline_name"])
    (whole,) = await rows(api, measures=[COUNT])
    assert sum(r["n"] for r in by_pipeline) == whole["n"] + len(twice)


async def test_what_a_filter_says_of_pipeline_and_stage_must_hold_for_one_and_the_same_placement() -> None:
    api = make()
    deal = next(d for d in await every_deal(api) if len(d["placements"]) == 2)
    first, second = deal["placements"]
    filters = [{"field": "id", "operator": "eq", "value": deal["id"]}]
    for pipeline, stage, expected in ((first, first, 1), (second, second, 1), (first, second, 0)):
        where = [
            {"field": "pipeline_id", "operator": "eq", "value": pipeline["pipeline_id"]},
            {"field": "stage_id", "operator": "eq", "value": stage["stage_id"]},
        ]
        (row,) = await rows(api, measures=[COUNT], filters=[*filters, *where])
        assert row["n"] == expected


FILTERS = (
    ({"field": "value", "operator": "gt", "value": 5000}, lambda d: d["value"] > 5000),
    ({"field": "value", "operator": "gte", "value": "5000"}, lambda d: d["value"] >= 5000),
    ({"field": "value", "operator": "lt", "value": 5000}, lambda d: d["value"] < 5000),
    ({"field": "value", "operator": "lte", "value": 5000}, lambda d: d["value"] <= 5000),
    ({"field": "status", "operator": "neq", "value": "open"}, lambda d: d["status"] != "open"),
    ({"field": "status", "operator": "in", "values": ["won", "lost"]}, lambda d: d["status"] != "open"),
    ({"field": "status", "operator": "not_in", "value": ["won", "lost"]}, lambda d: d["status"] == "open"),
    ({"field": "lead_source", "operator": "like", "value": "GOOGLE%"}, lambda d: d["lead_source"] == "google ads"),
    ({"field": "lead_source", "operator": "like", "value": "google"}, lambda _: False),
    ({"field": "lead_source", "operator": "contains", "value": "ADS"}, lambda d: d["lead_source"] == "google ads"),
    ({"field": "won_at", "operator": "is_null"}, lambda d: d["won_at"] is None),
    ({"field": "won_at", "operator": "is_not_null"}, lambda d: d["won_at"] is not None),
    ({"field": "deal_created_at", "operator": "gte", "value": "2026-01-01"}, lambda d: d["created_at"] >= "2026-01-01"),
)


@pytest.mark.parametrize(("one", "holds"), FILTERS, ids=lambda p: p["operator"] if isinstance(p, dict) else "")
async def test_every_operator_keeps_the_deals_that_it_says(one: dict[str, Any], holds: Any) -> None:
    deals = await every_deal(MADE)
    found = await rows(MADE, mode="drilldown", filters=[one], limit=1000)
    assert {r["id"] for r in found} == {d["id"] for d in deals if holds(d)}


MADE = make()


async def test_months_are_those_of_the_workspace_and_come_in_order() -> None:
    api = make()
    deal = await api.ok("POST", "/opportunities", {"name": "Late at night"}, status=201)
    await api.ok("POST", "/__sandbox/clock", {"now": "2026-06-30T15:00:00Z"})
    await api.ok("PATCH", f"/opportunities/{deal['id']}", {"status": "won"})
    only = [{"field": "id", "operator": "eq", "value": deal["id"]}]
    for granularity, first in (
        ("day", "2026-07-01"), ("week", "2026-06-29"), ("month", "2026-07-01"), ("quarter", "2026-07-01"), ("year", "2026-01-01"),
    ):  # fmt: skip
        time = {"field": "won_at", "granularity": granularity}
        assert await rows(api, measures=[COUNT], filters=only, time_dimension=time) == [{"won_at": first, "n": 1}]
    months = await rows(api, measures=[COUNT], time_dimension={"field": "deal_created_at"})
    assert [r["deal_created_at"] for r in months] == sorted(r["deal_created_at"] for r in months)
    assert sum(r["n"] for r in months) == 301


async def test_a_deal_that_is_reopened_is_no_longer_won() -> None:
    api = make()
    deal = await api.ok("POST", "/opportunities", {"name": "Undecided", "status": "won"}, status=201)
    assert deal["won_at"] is not None
    deal = await api.ok("PATCH", f"/opportunities/{deal['id']}", {"status": "lost"})
    assert (deal["won_at"], deal["lost_at"] is not None) == (None, True)
    deal = await api.ok("PATCH", f"/opportunities/{deal['id']}", {"status": "open"})
    assert (deal["won_at"], deal["lost_at"]) == (None, None)


async def test_a_drilldown_gives_the_rows_behind_a_figure_in_the_columns_that_are_asked_for() -> None:
    api = make()
    months = await rows(api, measures=[COUNT], time_dimension={"field": "won_at"})
    behind = await query(
        api, mode="drilldown", dimensions=["stage_name", "status"], drilldown_dimension="won_at",
        drilldown_value=months[0]["won_at"], time_dimension={"field": "won_at"},
    )  # fmt: skip
    assert [c["key"] for c in behind["columns"]] == ["stage_name", "status"]
    assert len(behind["rows"]) == months[0]["n"]
    assert all(list(r) == ["id", "name", "stage_name", "status"] for r in behind["rows"])
    (stage, *_) = await rows(api, measures=[COUNT], dimensions=["stage_name"])
    point = {"drilldown_dimension": "stage_name", "drilldown_value": stage["stage_name"]}
    assert len(await rows(api, mode="drilldown", limit=1000, **point)) == stage["n"]


async def test_rows_are_sorted_by_several_fields_and_the_older_spellings_of_sorting_are_taken() -> None:
    api = make()
    order = [{"field": "status", "direction": "asc"}, {"field": "value", "direction": "desc"}]
    found = await rows(api, mode="drilldown", order_by=order, limit=1000)
    values = {d["id"]: d["value"] for d in await every_deal(api)}
    assert [(r["status"], -values[r["id"]]) for r in found] == sorted((r["status"], -values[r["id"]]) for r in found)
    by_count = await rows(api, measures=[COUNT], dimensions=["status"], order_by={"field": "n", "direction": "asc"})
    assert by_count == await rows(api, measures=[COUNT], dimensions=["status"], sort=[{"field": "n"}])
    assert [r["n"] for r in by_count] == sorted(r["n"] for r in by_count)


async def test_a_limit_cuts_and_says_so() -> None:
    answer = await query(MADE, mode="drilldown")
    assert (answer["row_count"], answer["total_rows"], answer["truncated"]) == (100, 300, True)
    error = await MADE.error("POST", "/reports/query", {"source": "deals", "limit": 1001})
    assert "at most 1000" in error["message"]


async def test_overdue_tasks_are_those_that_are_open_and_were_due_before_today() -> None:
    api = make()
    before = (await rows(api, "tasks", measures=[COUNT], filters=[{"field": "is_overdue", "operator": "eq", "value": True}]))[0][
        "n"
    ]
    for due, status in (("2026-06-14", "pending"), ("2026-06-15", "pending"), ("2026-06-14", "completed")):
        await api.ok("POST", "/tasks", {"title": "x", "due_date": due, "status": status}, status=201)
    late = [{"field": "is_overdue", "operator": "eq", "value": True}]
    assert (await rows(api, "tasks", measures=[COUNT], filters=late))[0]["n"] == before + 1


async def test_the_client_of_a_task_is_its_contact_else_its_deal() -> None:
    api = make()
    contact = await api.ok("POST", "/contacts", {"first_name": "Ada", "last_name": "Byron"}, status=201)
    deal = await api.ok("POST", "/opportunities", {"name": "Heat pump"}, status=201)
    both = await api.ok("POST", "/tasks", {"title": "a", "contact_id": contact["id"], "deal_id": deal["id"]}, status=201)
    only = await api.ok("POST", "/tasks", {"title": "b", "deal_id": deal["id"]}, status=201)
    found = await rows(api, "tasks", mode="drilldown", dimensions=["client"], limit=1000)
    clients = {r["id"]: r["client"] for r in found}
    assert (clients[both["id"]], clients[only["id"]]) == ("Ada Byron", "Heat pump")


WRONG = (
    ({"source": "tasks", "filters": [{"field": "client", "operator": "eq", "value": "x"}]}, "display only"),
    ({"source": "tasks", "mode": "drilldown", "order_by": [{"field": "client"}]}, "display only"),
    ({"source": "tasks", "dimensions": ["stage_name"]}, "tasks has no stage_name"),
    ({"source": "tasks", "measures": [{"field": "value", "aggregation": "sum"}]}, "cannot measure value"),
    ({"source": "deals", "measures": [{"field": "id", "aggregation": "sum"}]}, "count, not sum"),
    ({"source": "deals", "time_dimension": {"field": "due_date"}}, "no time due_date"),
    ({"source": "deals", "filters": [{"field": "colour", "operator": "eq", "value": "x"}]}, "cannot be filtered"),
    ({"source": "deals", "filters": [{"field": "status", "operator": "in", "value": "won"}]}, "needs a list"),
    ({"source": "deals", "filters": [{"field": "status", "operator": "eq"}]}, "needs a value"),
    ({"source": "deals", "filters": [{"field": "status", "operator": "gt", "value": "a"}]}, "compares numbers and dates"),
    ({"source": "deals", "filters": [{"field": "value", "operator": "eq", "value": "much"}]}, "is not a number"),
    ({"source": "deals", "filters": [{"field": "value", "operator": "like", "value": "1%"}]}, "looks into text"),
    ({"source": "deals", "filters": [{"field": "won_at", "operator": "gt", "value": "soon"}]}, "is not an ISO 8601"),
    ({"source": "deals", "order_by": [{"field": "value"}]}, "give field, one of"),
    ({"source": "deals", "drilldown_dimension": "status", "drilldown_value": "won"}, "drilldown"),
    ({"source": "deals", "mode": "drilldown", "drilldown_dimension": "status"}, "go together"),
    ({"source": "deals", "measures": [COUNT, COUNT]}, "alias"),
    ({"source": "invoices"}, "must be one of deals, tasks"),
)


@pytest.mark.parametrize(("spec", "why"), WRONG, ids=[why for _, why in WRONG])
async def test_a_query_that_cannot_be_run_says_what_is_allowed(spec: dict[str, Any], why: str) -> None:
    error = await MADE.error("POST", "/reports/query", spec)
    assert error["code"] == "VALIDATION_ERROR"
    assert why in error["message"]


async def test_sources_name_every_field_and_mark_the_virtual_ones() -> None:
    found = {s["source"]: s for s in await MADE.get("/reports/sources")}
    assert set(found) == {"deals", "tasks"}
    virtual = [d["field"] for d in found["tasks"]["dimensions"] if d["virtual"]]
    assert virtual == ["client"]
    for name, source in found.items():
        for dimension in source["dimensions"]:
            await rows(MADE, name, measures=[COUNT], dimensions=[dimension["field"]])
        for time in source["time_dimensions"]:
            await rows(MADE, name, measures=[COUNT], time_dimension={"field": time["field"]})
        filters = [{"field": f["field"], "operator": "is_not_null"} for f in source["filters"]]
        await rows(MADE, name, measures=[COUNT], filters=filters)


async def test_each_template_makes_a_dashboard_whose_cards_all_run_and_a_pipeline_limits_them() -> None:
    api = make()
    templates = await api.get("/reports/templates")
    assert {t["key"] for t in templates} == {"sales_overview", "staff_accountability", "pipeline_health", "marketing_roi"}
    pipeline = (await api.get("/pipelines"))[0]
    for template in templates:
        made = await api.ok(
            "POST", "/report-dashboards", {"template": template["key"], "pipeline_id": pipeline["id"]}, status=201
        )
        assert made["name"] == template["name"]
        assert [c["title"] for c in made["cards"]] == [c["title"] for c in template["cards"]]
        for one in made["cards"]:
            assert {"field": "pipeline_id", "operator": "eq", "value": pipeline["id"]} in one["query_spec"]["filters"]
            await api.ok("POST", "/reports/query", one["query_spec"])
    error = await api.error("POST", "/report-dashboards", {"template": "sales_overview", "pipeline_id": NOBODY})
    assert "no pipeline" in error["message"]
    assert "template" in (await api.error("POST", "/report-dashboards", {"description": "no name"}))["message"]


async def test_a_dashboard_is_changed_listed_and_deleted_with_its_cards() -> None:
    api = make()
    made = await dashboard(api)
    one = await api.ok("POST", f"/report-dashboards/{made['id']}/cards", card(), status=201)
    changed = await api.ok("PATCH", f"/report-dashboards/{made['id']}", {"name": "Ours", "visibility": "restricted"})
    assert (changed["name"], changed["visibility"], len(changed["cards"])) == ("Ours", "restricted", 1)
    assert (await api.get("/report-dashboards"))[0]["card_count"] == 1
    await api.ok("DELETE", f"/report-dashboards/{made['id']}", status=204)
    await api.error("GET", f"/report-dashboards/{made['id']}", status=404)
    await api.error("DELETE", f"/report-cards/{one['id']}", status=404)


async def test_cards_keep_their_places_when_others_come_move_and_go() -> None:
    api = make()
    made = await dashboard(api)
    path = f"/report-dashboards/{made['id']}"

    async def titles() -> list[str]:
        cards = (await api.get(path))["cards"]
        assert [c["position"] for c in cards] == list(range(len(cards)))
        return [c["title"] for c in cards]

    cards = {t: await api.ok("POST", f"{path}/cards", card(title=t), status=201) for t in "abc"}
    await api.ok("POST", f"{path}/cards", card(title="first", position=0), status=201)
    assert await titles() == ["first", "a", "b", "c"]
    await api.ok("PATCH", f"/report-cards/{cards['c']['id']}", {"position": 1, "size": "lg"})
    assert await titles() == ["first", "c", "a", "b"]
    await api.ok("DELETE", f"/report-cards/{cards['a']['id']}", status=204)
    assert await titles() == ["first", "c", "b"]
    ids = [c["id"] for c in (await api.get(path))["cards"]]
    await api.ok("PUT", f"{path}/reorder", {"card_ids": ids[::-1]})
    assert await titles() == ["b", "c", "first"]
    error = await api.error("PUT", f"{path}/reorder", {"card_ids": ids[:2]})
    assert "every card" in error["message"]


async def test_a_card_whose_query_or_columns_cannot_work_is_refused_when_it_is_saved() -> None:
    api = make()
    made = await dashboard(api)
    path = f"/report-dashboards/{made['id']}/cards"
    error = await api.error("POST", path, card(query_spec={"source": "tasks", "dimensions": ["stage_name"]}))
    assert "tasks has no stage_name" in error["message"]
    error = await api.error("POST", path, card(display_config={"columns": ["colour"]}))
    assert "the query has no colour" in error["message"]
    error = await api.error("POST", path, card(display_config={"columns": list("abcdefghi")}))
    assert "at most 8" in error["message"]
    await api.error("POST", path, card(title=" "))
    one = await api.ok("POST", path, card(), status=201)
    for wrong in ({"query_spec": {"source": "deals", "dimensions": ["client"]}}, {"title": " "}):
        await api.error("PATCH", f"/report-cards/{one['id']}", wrong)
    await api.error("PATCH", f"/report-dashboards/{made['id']}", {"name": " "})


async def test_a_cards_query_takes_the_spellings_of_sorting_that_a_query_takes() -> None:
    api = make()
    path = f"/report-dashboards/{(await dashboard(api))['id']}/cards"
    down = {"field": "count", "direction": "desc"}
    for name, order in (("order_by", down), ("sort", down), ("sort", [down]), ("order_by", [down])):
        spec = {"source": "deals", "dimensions": ["status"], name: order}
        made = await api.ok("POST", path, card(query_spec=spec), status=201)
        assert made["query_spec"]["order_by"] == [down]
        changed = await api.ok("PATCH", f"/report-cards/{made['id']}", {"query_spec": spec})
        assert changed["query_spec"] == made["query_spec"]


async def test_access_is_granted_once_to_people_and_roles_that_exist_on_restricted_dashboards_only() -> None:
    api = make()
    made = await dashboard(api)
    path = f"/report-dashboards/{made['id']}/acl"
    role = {"principal_type": "role", "principal_id": "client_editor"}
    assert 'set visibility to "restricted" first' in (await api.error("POST", path, role))["message"]
    await api.ok("PATCH", f"/report-dashboards/{made['id']}", {"visibility": "restricted"})
    entry = await api.ok("POST", path, role, status=201)
    assert (entry["role_name"], entry["user_id"]) == ("client_editor", None)
    assert await api.ok("POST", path, role) == entry
    assert "no user" in (await api.error("POST", path, {"principal_type": "user", "principal_id": NOBODY}))["message"]
    assert "roles are" in (await api.error("POST", path, {"principal_type": "role", "principal_id": "queen"}))["message"]
    await api.ok("PATCH", f"/report-dashboards/{made['id']}", {"visibility": "all_users"})
    assert await api.get(path) == [entry]


async def test_a_restricted_dashboard_of_another_person_is_not_shown_until_access_is_given() -> None:
    api = make()
    made = await dashboard(api, visibility="restricted")
    store = api.workspace.store
    other = store.all("user")[0]["id"]
    store.save("report_dashboard", {**store.get("report_dashboard", made["id"]), "created_by": other})
    await api.error("GET", f"/report-dashboards/{made['id']}", status=404)
    assert made["id"] not in [d["id"] for d in await api.get("/report-dashboards")]


async def test_a_digest_shows_each_recipient_their_own_rows_and_reaches_nobody_twice() -> None:
    api = make()
    made = await dashboard(api, name="Weekly <numbers>")
    mine = {"field": "assigned_user_id", "operator": "eq", "value": "{{current_user_id}}"}
    spec = {"source": "deals", "mode": "drilldown", "filters": [mine], "limit": 1000, "dimensions": ["assigned_user_name"]}
    columns = ["assigned_user_name", {"key": "value", "label": "Worth"}]
    one = card(title="Mine", query_spec=spec, display_config={"columns": columns})
    await api.ok("POST", f"/report-dashboards/{made['id']}/cards", one, status=201)
    jack, priya = (u for u in api.workspace.store.all("user") if u["name"] in ("Jack Oduya", "Priya Raman"))
    people = [{"email": u["email"], "name": u["name"], "user_id": u["id"]} for u in (jack, priya, jack)]
    answer = await api.ok("POST", "/reports/send", {
        "dashboard_id": made["id"], "recipients": [*people, "boss@brightside.example"], "sender_name": "Mia",
        "intro_text": "Hi {{recipient.name}},\n\n1 < 2", "outro_text": "ignored", "outro_html": "<p>From {{company.name}}</p>",
    })  # fmt: skip
    assert (answer["sent"], answer["skipped"]) == (2, 1)
    assert [r["skipped_reason"] for r in answer["results"]] == [None, None, "empty_dashboard"]
    assert all(r["success"] for r in answer["results"])
    first, second = await api.outbox("email")
    for mail, own, other in ((first, jack, priya), (second, priya, jack)):
        assert (mail["to"], mail["subject"]) == (own["email"], "Weekly <numbers>")
        body = mail["html_body"]
        assert f"<p>Hi {own['name']},</p><p>1 &lt; 2</p>" in body
        assert f">{own['name']}</td>" in body
        assert other["name"] not in body
        assert ">Worth</th>" in body
        assert body.index("</table>") < body.index("<p>From Brightside Home Energy</p>")
        assert "ignored" not in body
    assert (await api.get("/email/logs"))[0]["email_type"] == "report_digest"


async def test_a_digest_is_logged_with_its_records_and_tells_what_became_of_each_recipient() -> None:
    api = make()
    made = await dashboard(api, template="sales_overview")
    deal = next(d for d in await every_deal(api) if d["contact_id"] and d["customer_id"])
    links = {"deal_id": deal["id"], "contact_id": deal["contact_id"], "customer_id": deal["customer_id"]}
    people = ["log-failed@brightside.example", "boss@brightside.example"]
    answer = await api.ok("POST", "/reports/send", {"dashboard_id": made["id"], "recipients": people, **links})
    became = {r["email"]: (r["success"], r["sent"]) for r in answer["results"]}
    assert became == {people[0]: (False, False), people[1]: (True, True)}
    assert answer["results"][0]["error"]["code"] == "EMAIL_LOG_FAILED"
    assert (answer["sent"], answer["skipped"]) == (1, 0)
    (log,) = await api.get("/email/logs", email_type="report_digest", deal_id=deal["id"])
    assert {name: log[name] for name in links} == links
    assert log["recipient_email"] == people[1]


async def test_an_empty_digest_is_sent_when_that_is_wanted() -> None:
    api = make()
    made = await dashboard(api)
    body = {"dashboard_id": made["id"], "recipients": ["boss@brightside.example"]}
    assert (await api.ok("POST", "/reports/send", body))["sent"] == 0
    assert await api.outbox("email") == []
    assert (await api.ok("POST", "/reports/send", {**body, "suppress_if_empty": False, "subject": "Nothing"}))["sent"] == 1
    assert (await api.outbox("email"))[0]["subject"] == "Nothing"


async def test_a_digest_that_cannot_be_sent_reaches_nobody() -> None:
    api = make()
    made = await dashboard(api, template="sales_overview")
    body = {"dashboard_id": made["id"], "recipients": ["a@b.example"]}
    error = await api.error("POST", "/reports/send", {**body, "email_provider": "gmail"})
    assert error["code"] == "GMAIL_NOT_CONNECTED"
    for wrong in ({"dashboard_id": NOBODY},):
        await api.error("POST", "/reports/send", {**body, **wrong}, status=404)
    for wrong in (
        {"recipients": ["a@b.example", {"email": "c@d.example", "user_id": NOBODY}]}, {"contact_id": NOBODY}, {"deal_id": NOBODY},
        {"customer_id": NOBODY}, {"email_config_id": NOBODY}, {"recipients": ["nobody"]}, {"recipients": []},
    ):  # fmt: skip
        await api.error("POST", "/reports/send", {**body, **wrong})
    assert await api.outbox("email") == []
    people = (await api.get("/email/capabilities"))["personal_gmail"]
    connected = next(p for p in people if p["gmail_connected"])
    config = (await api.get("/email/configs"))[0]
    await api.ok("PATCH", f"/email/configs/{config['id']}", {"gmail_sender_user_id": connected["user_id"]})
    await api.ok("POST", "/reports/send", {**body, "email_provider": "gmail", "email_config_id": config["id"]})
    (sent,) = await api.outbox("email")
    assert (sent["provider"], sent["from_email"]) == ("gmail", connected["gmail_email"])


async def test_a_funnel_is_set_replaced_and_deleted_and_holds_each_stage_once() -> None:
    api = make()
    pipeline = (await api.get("/pipelines"))[1]
    stages = [s["id"] for s in api.workspace.store.all("stage", pipeline_id=pipeline["id"])]
    await api.error("GET", "/report-funnels", status=400)
    body = {"pipeline_id": pipeline["id"], "steps": [{"name": "Begun", "stage_ids": stages[:2]}]}
    made = await api.ok("PUT", "/report-funnels", body)
    assert await api.get("/report-funnels", pipeline_id=pipeline["id"]) == made
    again = await api.ok("PUT", "/report-funnels", {**body, "steps": [{"name": "All", "stage_ids": stages}]})
    assert (again["id"], again["steps"][0]["name"]) == (made["id"], "All")
    for steps, why in (
        ([{"name": "x", "stage_ids": [NOBODY]}], "is no stage"),
        ([{"name": "x", "stage_ids": stages[:1]}, {"name": "y", "stage_ids": stages[:1]}], "one step only"),
        ([{"name": "x", "stage_ids": []}], "needs stages"),
    ):
        assert why in (await api.error("PUT", "/report-funnels", {**body, "steps": steps}))["message"]
    await api.ok("DELETE", f"/report-funnels/{made['id']}", status=204)
    assert (await api.get("/report-funnels", pipeline_id=pipeline["id"]))["steps"] == []
    await api.error("DELETE", f"/report-funnels/{made['id']}", status=404)
