"""Exports: real XLSX and CSV files, saved ones with filters, relations and views."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from tests.contract.test_sandbox_support import NOBODY, Api, make, set_settings

COLUMN = "00000000-0000-4000-8000-00000000000{}"
FILTER = "00000000-0000-4000-8000-000000000100"


def csv_rows(response: httpx.Response) -> list[dict[str, str]]:
    assert response.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


def xlsx_rows(response: httpx.Response) -> list[tuple[Any, ...]]:
    assert response.headers["content-type"].endswith("spreadsheetml.sheet")
    sheet = load_workbook(io.BytesIO(response.content)).active
    assert sheet is not None
    return list(sheet.iter_rows(values_only=True))


async def export(api: Api, kind: str, **params: Any) -> list[dict[str, str]]:
    response = await api.send("GET", "/crm/export", params={"type": kind, "format": "csv", **params})
    assert response.status_code == 200, response.text
    rows = csv_rows(response)
    assert response.headers["x-row-count"] == str(len(rows))
    assert response.headers["x-truncated"] == "0"
    return rows


def root(field: str, n: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": COLUMN.format(n), "source": "root", "field": field, "header": field, **more}


def related(relation: str, field: str, mode: str, n: int = 2) -> dict[str, Any]:
    column = {"id": COLUMN.format(n), "source": "relation", "relation": relation, "relation_mode": mode}
    return {**column, "relation_field": field, "header": f"{relation} {field}"}


def where(field: str, op: str, *value: Any) -> dict[str, Any]:
    return {"id": FILTER, "field": field, "op": op, **({"value": value[0]} if value else {})}


async def template(api: Api, entity: str = "opportunity", *columns: dict[str, Any], **fields: Any) -> str:
    body = {"name": "Mine", "root_entity": entity, "columns": [*columns] or [root("name")], **fields}
    made: str = (await api.ok("POST", "/exports/templates", body, status=201))["id"]
    return made


async def preview(api: Api, made: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = await api.ok("POST", f"/exports/templates/{made}/preview", body)
    return found


async def run(api: Api, made: str, **body: Any) -> httpx.Response:
    response = await api.send("POST", f"/exports/templates/{made}/run", body)
    assert response.status_code == 200, response.text
    return response


async def test_every_kind_of_record_is_exported_as_both_files_with_the_same_rows() -> None:
    api = make()
    sizes = {"contacts": 400, "customers": 120, "deals": 300, "work-orders": len(api.workspace.store.all("work_order"))}
    for kind, size in sizes.items():
        response = await api.send("GET", "/crm/export", params={"type": kind})
        assert response.headers["content-disposition"] == f'attachment; filename="{kind}-2026-06-15.xlsx"'
        headers, *rows = xlsx_rows(response)
        assert len(rows) == size == int(response.headers["x-row-count"])
        lines = await export(api, kind)
        assert list(lines[0]) == list(headers)
        assert [line["ID"] for line in lines] == [row[0] for row in rows]
        assert isinstance(rows[0][headers.index("Created at")], datetime)


async def test_text_that_looks_like_a_formula_or_a_link_stays_text() -> None:
    api = make()
    await api.ok("POST", "/contacts", {"first_name": "=1+1", "last_name": 'Łukasz, "the\nroof"'}, status=201)
    response = await api.send("GET", "/crm/export", params={"type": "contacts", "search": "=1+1"})
    headers, row = xlsx_rows(response)
    assert row[headers.index("First name")] == "=1+1"
    (line,) = await export(api, "contacts", search="=1+1")
    assert line["Last name"] == 'Łukasz, "the\nroof"'


async def test_filters_keep_what_the_lists_keep() -> None:
    api = make()
    store = api.workspace.store
    deals = store.all("opportunity")
    assert len(await export(api, "deals", status="won")) == sum(d["status"] == "won" for d in deals)
    pipeline = (await api.get("/pipelines"))[0]
    assert len(await export(api, "deals", pipeline_id=pipeline["id"])) == len(store.linking("card", pipeline["id"]))
    stage = store.all("stage", pipeline_id=pipeline["id"])[0]
    staged = await export(api, "deals", stage_id=stage["id"])
    assert staged
    assert all(stage["name"] in line["Stage"] for line in staged)
    user = store.all("user")[0]
    assert len(await export(api, "deals", assigned_to=user["id"])) == len(store.linking("opportunity_user", user["id"]))
    person = deals[0]["contact_id"]
    assert deals[0]["id"] in [line["ID"] for line in await export(api, "deals", contact_id=person)]
    out = await export(api, "contacts", email_unsubscribed="true")
    kept = await export(api, "contacts", email_unsubscribed="false")
    assert out
    assert {line["Email unsubscribed"] for line in out} == {"Yes"}
    assert len(out) + len(kept) == 400
    company = next(c for c in store.all("company") if store.linking("employer", c["id"]))
    assert len(await export(api, "contacts", customer_id=company["id"])) == len(store.linking("employer", company["id"]))
    trades = await export(api, "customers", industry="Trades")
    assert {line["Industry"] for line in trades} == {"Trades"}
    suppliers, customers = [await export(api, "customers", **{f"is_{k}": "true"}) for k in ("supplier", "customer")]
    assert suppliers
    assert customers
    order = next(w for w in store.all("work_order") if w["assigned_to"])
    for name in ("assigned_to", "status_id", "deal_product_id", "schedule_date"):
        found = await export(api, "work-orders", **{name: order[name]})
        assert {line["ID"] for line in found} == {w["id"] for w in store.all("work_order") if w[name] == order[name]}


async def test_times_are_inclusive_and_search_looks_where_the_reference_says() -> None:
    api = make()
    made = await api.ok("POST", "/contacts", {"first_name": "Zebedee", "notes": "quagga"}, status=201)
    at = made["created_at"]
    assert [r["ID"] for r in await export(api, "contacts", created_after=at, created_before=at)] == [made["id"]]
    assert [r["ID"] for r in await export(api, "contacts", search="zebedee")] == [made["id"]]
    assert await export(api, "contacts", search="quagga") == []


async def test_custom_fields_become_columns() -> None:
    api = make()
    field = {"id": "cf_roof", "label": "Roof", "type": "text", "show_on_detail": True, "show_in_table": True}
    set_settings(api, custom_fields={"contact": [field], "deal": []})
    made = await api.ok("POST", "/contacts", {"first_name": "Zebedee", "metadata": {"cf_roof": "tiles"}}, status=201)
    (line,) = await export(api, "contacts", search="zebedee")
    assert (line["ID"], line["Roof"]) == (made["id"], "tiles")
    assert "Roof" not in (await export(api, "deals"))[0]
    assert "Access" in (await export(api, "work-orders"))[0]


async def test_a_key_needs_the_scope_of_what_it_exports_and_filters_of_other_kinds_are_refused() -> None:
    api = make()
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": ["contacts:read"]}, status=201))["key"]
    mine = api.as_key(key)
    assert len(await export(mine, "contacts")) == 400
    error = await mine.error("GET", "/crm/export", params={"type": "deals"}, status=403)
    assert error["details"] == {"missing_scopes": ["opportunities:read"]}
    error = await api.error("GET", "/crm/export", params={"type": "work-orders", "search": "x"})
    assert "search does not filter work-orders; their filters are created_after" in error["message"]
    await api.error("GET", "/crm/export", params={"type": "deals", "industry": "Trades"})
    await api.error("GET", "/crm/export")


async def test_at_most_fifty_thousand_rows_leave_at_once() -> None:
    api = make()
    at = "2025-01-01T00:00:00Z"
    many = ({"id": f"bulk-{i}", "first_name": "Bulk", "created_at": at, "updated_at": at} for i in range(50_001))
    api.workspace.store.add("contact", many)
    response = await api.send("GET", "/crm/export", params={"type": "contacts", "format": "csv", "search": "bulk"})
    assert (response.headers["x-row-count"], response.headers["x-truncated"]) == ("50000", "1")
    assert response.content.count(b"\r\n") == 50_001


async def test_the_catalogue_names_what_columns_and_filters_may_be_and_all_of_it_works() -> None:
    api = make()
    for entity in ("opportunity", "contact", "account", "work_order"):
        found = await api.get("/exports/field-catalog", root_entity=entity)
        columns = [root(f["field"]) for f in found["column_fields"]["root"]]
        columns += [
            related(r["relation"], field, mode)
            for r in found["column_fields"]["relation"] for field in r["fields"] for mode in r["relation_modes"] if mode != "explode"
        ]  # fmt: skip
        columns = [{**c, "id": f"00000000-0000-4000-8000-{i:012d}"} for i, c in enumerate(columns)]
        filters = [where(f["field"], "is_null") for f in found["filter_fields"]]
        made = await template(api, entity, *columns)
        assert (await preview(api, made))["row_count"] == 10
        await preview(api, made, filters=filters)
    tags = next(
        f for f in (await api.get("/exports/field-catalog", root_entity="opportunity"))["filter_fields"] if f["field"] == "tags"
    )
    assert tags["operators"][:2] == ["in", "not_in"]
    await api.error("GET", "/exports/field-catalog", params={"root_entity": "invoice"})


FILTERS: tuple[tuple[dict[str, Any], Any], ...] = (
    (where("status", "in", ["won", "lost"]), lambda d: d["status"] != "open"),
    (where("status", "not_in", ["won"]), lambda d: d["status"] != "won"),
    (where("tags", "in", ["vip", "finance"]), lambda d: {t["name"] for t in d["tags"]} & {"vip", "finance"}),
    (where("tags", "not_in", ["vip", "finance"]), lambda d: not {t["name"] for t in d["tags"]} & {"vip", "finance"}),
    (where("tags", "not_contains", "vip"), lambda d: "vip" not in {t["name"] for t in d["tags"]}),
    (where("tags", "is_null"), lambda d: not d["tags"]),
    (where("name", "contains", "SOLAR"), lambda d: "solar" in d["name"].lower()),
    (where("lead_source", "eq", "Website"), lambda d: d["lead_source"] == "website"),
    (where("lead_source", "neq", "website"), lambda d: d["lead_source"] != "website"),
    (where("value", "gte", 5000), lambda d: d["value"] >= 5000),
    (where("value", "between", [1000, 5000]), lambda d: 1000 <= d["value"] <= 5000),
    (where("created_at", "lte", "2026-01-31"), lambda d: d["created_at"][:10] <= "2026-01-31"),
    (where("created_at", "between", ["2026-01-01", "2026-01-31"]), lambda d: d["created_at"][:7] == "2026-01"),
    (where("won_at", "not_null"), lambda d: d["won_at"] is not None),
)


@pytest.mark.parametrize(("one", "holds"), FILTERS, ids=lambda p: f"{p['field']} {p['op']}" if isinstance(p, dict) else "")
async def test_every_operator_keeps_the_records_that_it_says(one: dict[str, Any], holds: Any) -> None:
    deals: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await MADE.listed("/opportunities", limit=100, **cursor)
        deals += page["data"]
        if not page["pagination"]["has_more"]:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    made = await template(MADE, "opportunity", root("id"), filters=[one], output={"format": "csv"})
    found = {line["id"] for line in csv_rows(await run(MADE, made))}
    assert found == {d["id"] for d in deals if holds(d)}
    assert 0 < len(found) < len(deals)


MADE = make()


@pytest.mark.parametrize(("entity", "path"), [("contact", "contacts"), ("account", "companies")])
async def test_tags_of_people_and_companies_are_filtered_and_exported(entity: str, path: str) -> None:
    api = make()
    found = (await api.ok("POST", "/lead-gen/search", {"query": "roofers", "location": "Perth", "max_results": 2}, status=201))[
        "results"
    ]
    body = {"result_ids": [found[0]["id"]], "tags": ["lead-gen", "roof"]}
    made = (await api.ok("POST", "/lead-gen/import", body, status=201))["records"][0]
    columns = [root("id"), root("tags", 2)]
    (row,) = (await preview(api, await template(api, entity, *columns, filters=[where("tags", "in", ["roof"])])))["rows"]
    assert row == [made["contact_id" if entity == "contact" else "customer_id"], "lead-gen, roof"]
    await template(api, entity, *columns, filters=[where("tags", "not_contains", "roof")])
    assert "tags" in (await api.get(f"/{path}", limit=1))[0]


async def test_references_are_filtered_by_any_of_a_deals_placements_and_people() -> None:
    store = MADE.workspace.store
    pipeline, user = store.all("pipeline")[-1], store.all("user")[0]
    stage = store.all("stage", pipeline_id=pipeline["id"])[0]
    for field, value, expected in (
        ("pipeline_id", pipeline["id"], store.linking("card", pipeline["id"])),
        ("assigned_to", user["id"], store.linking("opportunity_user", user["id"])),
        ("stage_id", stage["id"], [a for a in store.linking("card", pipeline["id"])
                                   if dict(store.linked("card", a))[pipeline["id"]]["stage_id"] == stage["id"]]),
    ):  # fmt: skip
        made = await template(MADE, "opportunity", root("id"), filters=[where(field, "in", [value])])
        assert (await preview(MADE, made))["total_records"] == len(expected)


async def test_the_four_ways_of_showing_related_records() -> None:
    api = make()
    company = await api.ok("POST", "/companies", {"name": "Four friends"}, status=201)
    for name in ("A", "B", "C", "D"):
        person = await api.ok("POST", "/contacts", {"first_name": name}, status=201)
        await api.ok("POST", f"/contacts/{person['id']}/employers/{company['id']}", status=201)
    mine = [where("name", "eq", "Four friends")]

    async def rows(mode: str) -> list[Any]:
        made = await template(api, "account", root("name"), related("contacts", "first_name", mode), filters=mine)
        return [r[1] for r in (await preview(api, made))["rows"]]

    assert await rows("primary") == ["A"]
    assert await rows("first_n") == ["A, B, C"]
    assert await rows("comma_joined") == ["A, B, C, D"]
    assert await rows("explode") == ["A", "B", "C", "D"]
    alone = [where("name", "eq", "Alone")]
    await api.ok("POST", "/companies", {"name": "Alone"}, status=201)
    made = await template(api, "account", root("name"), related("contacts", "first_name", "explode"), filters=alone)
    assert (await preview(api, made))["rows"] == [["Alone", None]]


async def test_formats_make_real_dates_and_amounts_and_sorting_is_by_root_columns_only() -> None:
    api = make()
    columns = [root("value", 1, format="currency"), root("won_at", 2, format="date"), root("created_at", 3, format="datetime"),
               root("tags", 4, format="array"), related("stage", "name", "primary", 5)]  # fmt: skip
    sort = [{"column_id": COLUMN.format(5), "direction": "asc"}, {"column_id": COLUMN.format(1), "direction": "desc"}]
    made = await template(api, "opportunity", *columns, sort=sort, filters=[where("status", "in", ["won"])])
    headers, *rows = xlsx_rows(await run(api, made))
    assert headers[4] == "stage name"
    values = [r[0] for r in rows]
    assert values == sorted(values, reverse=True)
    assert all(isinstance(r[1], datetime) and r[1].hour == 0 and isinstance(r[2], datetime) for r in rows)
    book = load_workbook(io.BytesIO((await run(api, made)).content))
    assert book.active is not None
    assert book.active["A2"].number_format == "#,##0.00"


async def test_the_file_is_named_by_the_template_and_a_csv_has_its_mark_unless_it_is_not_wanted() -> None:
    api = make()
    output = {"format": "csv", "filename_template": "{name}_{YYYY}/{MM}/{DD} {YYYY-MM-DD} é"}
    made = await template(api, output=output)
    response = await run(api, made)
    assert 'filename="Mine_2026_06_15 2026-06-15 _.csv"' in response.headers["content-disposition"]
    assert response.content.startswith(b"\xef\xbb\xbf")
    await api.ok("PATCH", f"/exports/templates/{made}", {"output": {**output, "bom": False}})
    assert not (await run(api, made)).content.startswith(b"\xef\xbb\xbf")


async def test_views_change_filters_and_sort_and_leave_the_template_alone() -> None:
    api = make()
    by_name = [{"column_id": COLUMN.format(1), "direction": "asc"}]
    made = await template(api, "opportunity", root("name"), root("status", 2), filters=[where("status", "in", ["won"])])
    path = f"/exports/templates/{made}/views"
    view = await api.ok("POST", path, {"name": "Lost", "filters": [where("status", "in", ["lost"])], "sort": by_name}, status=201)
    sorted_only = await api.ok("POST", path, {"name": "Sorted", "sort": by_name}, status=201)
    own, lost, ordered = [await preview(api, made, **b) for b in ({}, {"view_id": view["id"]}, {"view_id": sorted_only["id"]})]
    assert {r[1] for r in own["rows"]} == {"won"} == {r[1] for r in ordered["rows"]}
    assert {r[1] for r in lost["rows"]} == {"lost"}
    assert [r[0].lower() for r in lost["rows"]] == sorted(r[0].lower() for r in lost["rows"])
    headers, *rows = xlsx_rows(await run(api, made, view_id=view["id"]))
    assert headers == ("name", "status")
    assert len(rows) == lost["total_records"]
    override = await preview(api, made, view_id=view["id"], filters=[where("status", "in", ["open"])])
    assert {r[1] for r in override["rows"]} == {"open"}
    changed = await api.ok("PATCH", f"{path}/{view['id']}", {"name": "Gone"})
    assert (changed["name"], changed["filters"]) == ("Gone", view["filters"])
    assert [v["id"] for v in await api.get(path)] == [sorted_only["id"], view["id"]]
    other = await template(api)
    await api.error("POST", f"/exports/templates/{other}/preview", {"view_id": view["id"]}, status=404)
    await api.error("PATCH", f"/exports/templates/{other}/views/{view['id']}", {"name": "x"}, status=404)
    await api.ok("DELETE", f"{path}/{view['id']}", status=204)
    await api.ok("DELETE", f"/exports/templates/{made}", status=204)
    assert api.workspace.store.get("export_view", sorted_only["id"]) is None


WRONG = (
    ({"columns": [root("colour")]}, "opportunity has no colour"),
    ({"columns": [root("name"), root("value")]}, "an id of its own"),
    ({"columns": []}, "at least"),
    ({"columns": [related("friends", "name", "primary")]}, "no relation friends"),
    ({"columns": [related("stage", "height", "primary")]}, "stage has no height"),
    ({"filters": [where("colour", "eq", "x")]}, "opportunity has no colour"),
    ({"filters": [where("status", "eq", "won")]}, "takes in, not_in"),
    ({"filters": [where("status", "in", "won")]}, "needs a list"),
    ({"filters": [where("value", "between", [1])]}, "a list of two"),
    ({"filters": [where("value", "gte", "much")]}, "must be a number"),
    ({"filters": [where("created_at", "gte", "soon")]}, "ISO 8601"),
    ({"filters": [where("name", "not_contains", "x")]}, "takes eq, neq"),
    ({"sort": [{"column_id": NOBODY, "direction": "asc"}]}, "no column has the id"),
    ({"root_entity": "invoice"}, "must be one of opportunity"),
)


@pytest.mark.parametrize(("wrong", "why"), WRONG, ids=[why for _, why in WRONG])
async def test_an_export_that_cannot_be_run_is_refused_when_it_is_saved(wrong: dict[str, Any], why: str) -> None:
    body = {"name": "x", "root_entity": "opportunity", "columns": [root("name")], **wrong}
    error = await MADE.error("POST", "/exports/templates", body)
    assert error["code"] == "VALIDATION_ERROR"
    assert why in error["message"]


async def test_saved_exports_are_listed_searched_and_changed() -> None:
    api = make()
    assert {t["name"] for t in await api.get("/exports/templates")} == {"Won jobs", "Mailing list"}
    (people,) = await api.get("/exports/templates", root_entity="contact")
    assert [t["id"] for t in await api.get("/exports/templates", search="MAILING")] == [people["id"]]
    lines = csv_rows(await run(api, people["id"]))
    names = [line["Name"].lower() for line in lines]
    assert names == sorted(names)
    changed = await api.ok("PATCH", f"/exports/templates/{people['id']}", {"columns": [root("email")], "sort": []})
    assert [c["field"] for c in changed["columns"]] == ["email"]
    error = await api.error("PATCH", f"/exports/templates/{people['id']}", {"sort": [{"column_id": NOBODY, "direction": "asc"}]})
    assert "no column has the id" in error["message"]


async def test_at_most_a_quarter_of_a_million_rows_leave_a_saved_export() -> None:
    api = make()
    store = api.workspace.store
    company = store.all("company")[0]["id"]
    at = "2025-01-01T00:00:00Z"
    store.add("contact", ({"id": f"bulk-{i}", "first_name": "Bulk", "created_at": at} for i in range(501)))
    store.link_many("employer", [(f"bulk-{i}", company, {}) for i in range(501)])
    deals = ({"id": f"deal-{i}", "name": "Bulk", "status": "open", "customer_id": company, "created_at": at} for i in range(501))
    store.add("opportunity", deals)
    columns = [related("contacts", "first_name", "explode", 1), related("opportunities", "name", "explode", 2)]
    mine = [where("id", "eq", company)]
    made = await template(api, "account", *columns, filters=mine, output={"format": "csv"})
    response = await run(api, made)
    assert (response.headers["x-row-count"], response.headers["x-truncated"]) == ("250000", "1")


async def test_a_preview_may_bring_columns_of_its_own() -> None:
    api = make()
    made = await template(api, "opportunity", root("name"))
    shown = await preview(api, made, columns=[root("status", 7)])
    assert len(shown["headers"]) == 1
    assert {row[0] for row in shown["rows"]} <= {"open", "won", "lost"}
