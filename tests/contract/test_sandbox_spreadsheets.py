"""Spreadsheets: columns and their types, rows in order, and rows that merge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

DROPDOWN = {"header": "Status", "data_type": "dropdown", "options": ["Open", {"value": "Done", "color": "green"}]}


async def template(api: Api, *columns: Any, **fields: Any) -> dict[str, Any]:
    given = [c if isinstance(c, dict) else {"header": c[0], "data_type": c[1]} for c in columns]
    body = {"name": "Plan", **({"columns": given} if given else {}), **fields}
    made: dict[str, Any] = await api.ok("POST", "/spreadsheets/templates", body, status=201)
    return made


def ids(made: dict[str, Any]) -> dict[str, str]:
    return {c["header"]: c["id"] for c in made["columns"]}


async def sheet(api: Api, made: dict[str, Any], **fields: Any) -> str:
    body = {"template_id": made["id"], "name": "Sheet", **fields}
    found: str = (await api.ok("POST", "/spreadsheets", body, status=201))["id"]
    return found


async def column(api: Api, sheet_id: str, column_id: str) -> list[Any]:
    """The cells of a column, top to bottom; the rows' numbers must be without gaps."""
    rows = await api.get(f"/spreadsheets/{sheet_id}/rows")
    assert [r["row_index"] for r in rows] == list(range(len(rows)))
    return [r["cells"].get(column_id) for r in rows]


async def test_a_template_without_columns_gets_item_and_notes() -> None:
    api = make()
    made = await template(api)
    assert [(c["header"], c["data_type"]) for c in made["columns"]] == [("Item", "text"), ("Notes", "long_text")]
    assert await api.get(f"/spreadsheets/templates/{made['id']}") == made


@pytest.mark.parametrize(("columns", "why"), [
    ([{"header": "S", "data_type": "dropdown"}], "at least 2"),
    ([{"header": "S", "data_type": "dropdown", "options": ["one", " "]}], "at least 2"),
    ([{"header": " ", "data_type": "text"}], "must not be empty"),
    ([{"header": "A", "data_type": "text"}, {"header": "a", "data_type": "text"}], "two columns"),
    ([{"header": "A", "data_type": "colour"}], "must be one of text"),
    ([{"id": NOBODY, "header": "A", "data_type": "text"}], "no column"),
])  # fmt: skip
async def test_columns_that_cannot_work_are_refused(columns: list[dict[str, Any]], why: str) -> None:
    error = await make().error("POST", "/spreadsheets/templates", {"name": "x", "columns": columns})
    assert why in error["message"]


async def test_templates_are_searched_archived_and_deleted_with_their_sheets_and_rows() -> None:
    api = make()
    made = await template(api, ("Task", "text"), name="Zebra plan")
    one = await sheet(api, made)
    await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": {}}, status=201)
    assert [t["id"] for t in await api.get("/spreadsheets/templates", search="zebra")] == [made["id"]]
    await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"is_archived": True})
    assert await api.get("/spreadsheets/templates", search="zebra") == []
    assert len(await api.get("/spreadsheets/templates", search="zebra", include_archived=True)) == 1
    assert "archived" in (await api.error("POST", "/spreadsheets", {"template_id": made["id"], "name": "x"}))["message"]
    await api.ok("DELETE", f"/spreadsheets/templates/{made['id']}", status=204)
    await api.error("GET", f"/spreadsheets/{one}", status=404)
    assert api.workspace.store.all("spreadsheet_row", spreadsheet_id=one) == []


async def test_new_columns_leave_rows_as_they_are_and_a_removed_columns_cells_may_be_sent_back() -> None:
    api = make()
    made = await template(api, ("Task", "text"), ("Cost", "number"))
    task, cost = ids(made).values()
    one = await sheet(api, made)
    row = await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": {task: "Dig", cost: 5}}, status=201)
    kept = {"id": task, "header": "Job", "data_type": "text"}
    retired = {"id": cost, "header": "Cost", "data_type": "number", "archived": True}
    await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"columns": [kept, retired]})
    whole = await api.get(f"/spreadsheets/{one}")
    assert (whole["parent_columns"], whole["rows"][0]["cells"]) == ([kept, retired], {task: "Dig", cost: 5})
    await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"columns": [kept, DROPDOWN]})
    whole = await api.get(f"/spreadsheets/{one}")
    assert [c["header"] for c in whole["parent_columns"]] == ["Job", "Status"]
    assert whole["parent_columns"][0]["id"] == task
    assert whole["rows"][0]["cells"] == {task: "Dig", cost: 5}
    path = f"/spreadsheets/{one}/rows/{row['id']}"
    assert (await api.ok("PATCH", path, {"cells": {task: "Fill", cost: 5}}))["cells"] == {task: "Fill", cost: 5}
    assert "no such column" in (await api.error("PATCH", path, {"cells": {cost: 6}}))["message"]
    assert "at least one" in (await api.error("PATCH", f"/spreadsheets/templates/{made['id']}", {"columns": []}))["message"]
    assert (await api.ok("PATCH", path, {"cells": {task: "Alone"}}))["cells"] == {task: "Alone"}


CELLS = (
    ("number", "five", "a number"), ("number", True, "a number"), ("boolean", "yes", "true or false"), ("date", "soon", "date"),
    ("user_ref", NOBODY, "a user"), ("opportunity_ref", "x", "an opportunity"), ("text", 5, "text"), ("long_text", {}, "text"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "why"), CELLS)
async def test_a_cell_must_fit_its_column(kind: str, value: Any, why: str) -> None:
    api = make()
    made = await template(api, ("Cell", kind))
    one = await sheet(api, made)
    error = await api.error("POST", f"/spreadsheets/{one}/rows", {"cells": {ids(made)["Cell"]: value}})
    assert why in error["message"]
    assert (await api.get(f"/spreadsheets/{one}"))["rows"] == []
    await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": {ids(made)["Cell"]: None}}, status=201)


async def test_a_dropdown_takes_its_options_and_references_take_records() -> None:
    api = make()
    made = await template(api, DROPDOWN, ("Who", "user_ref"), ("Job", "opportunity_ref"))
    status, who, job = ids(made).values()
    one = await sheet(api, made)
    deal = (await api.get("/opportunities"))[0]
    user = api.workspace.store.all("user")[0]
    cells = {status: "Done", who: user["id"], job: deal["id"]}
    assert (await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": cells}, status=201))["cells"] == cells
    error = await api.error("POST", f"/spreadsheets/{one}/rows", {"cells": {status: "Maybe"}})
    assert "one of Open, Done" in error["message"]
    error = await api.error("POST", f"/spreadsheets/{one}/rows", {"cells": {"Status": "Done"}})
    assert status in error["message"]


async def test_a_sheet_shows_on_its_opportunity_and_moves_with_it() -> None:
    api = make()
    first, second = (await api.get("/opportunities"))[:2]
    made = await template(api)
    one = await sheet(api, made, opportunity_id=first["id"])
    listed = {s["id"]: s for s in await api.get(f"/opportunities/{first['id']}/spreadsheets")}
    assert listed[one] == (await api.get("/spreadsheets", template_id=made["id"]))[0]
    assert listed[one]["opportunity_id"] == first["id"]
    changed = await api.ok("PATCH", f"/spreadsheets/{one}", {"opportunity_id": second["id"], "name": "Other"})
    assert (changed["opportunity_id"], changed["name"]) == (second["id"], "Other")
    assert one not in [s["id"] for s in await api.get(f"/opportunities/{first['id']}/spreadsheets")]
    assert [s["id"] for s in await api.get("/spreadsheets", opportunity_id=second["id"], template_id=made["id"])] == [one]
    assert (await api.ok("PATCH", f"/spreadsheets/{one}", {"opportunity_id": None}))["opportunity_id"] is None
    await api.ok("PATCH", f"/spreadsheets/{one}", {"is_archived": True})
    assert await api.get("/spreadsheets", template_id=made["id"]) == []
    assert len(await api.get("/spreadsheets", template_id=made["id"], include_archived=True)) == 1
    await api.ok("DELETE", f"/spreadsheets/{one}", status=204)
    await api.get(f"/spreadsheets/templates/{made['id']}")
    for wrong in ({"template_id": NOBODY}, {"opportunity_id": NOBODY}, {"name": " "}):
        await api.error("POST", "/spreadsheets", {"template_id": made["id"], "name": "x", **wrong})


async def test_rows_are_appended_moved_and_deleted_without_gaps() -> None:
    api = make()
    made = await template(api)
    item = ids(made)["Item"]
    one = await sheet(api, made)
    rows = {t: await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": {item: t}}, status=201) for t in "abcd"}
    path = f"/spreadsheets/{one}/rows"
    assert (await api.ok("PATCH", f"{path}/{rows['d']['id']}", {"row_index": 1}))["row_index"] == 1
    assert await column(api, one, item) == ["a", "d", "b", "c"]
    await api.ok("PATCH", f"{path}/{rows['a']['id']}", {"row_index": 99})
    assert await column(api, one, item) == ["d", "b", "c", "a"]
    await api.ok("DELETE", f"{path}/{rows['b']['id']}", status=204)
    assert await column(api, one, item) == ["d", "c", "a"]
    other = await sheet(api, made)
    await api.error("PATCH", f"/spreadsheets/{other}/rows/{rows['a']['id']}", {"row_index": 0}, status=404)
    await api.error("DELETE", f"/spreadsheets/{other}/rows/{rows['a']['id']}", status=404)


async def test_bulk_rows_keep_their_order_and_the_bad_ones_are_told_by_index() -> None:
    api = make()
    made = await template(api, ("Item", "text"), ("Cost", "number"))
    item, cost = ids(made).values()
    one = await sheet(api, made)
    rows = [{"cells": {item: "a"}}, {"cells": {cost: "much"}}, {}, {"cells": {item: "b", cost: 2}}]
    answer = await api.ok("POST", f"/spreadsheets/{one}/rows/bulk", {"rows": rows}, status=201)
    assert [r["index"] for r in answer["created"]] == [0, 2, 3]
    assert [(e["index"], e["code"]) for e in answer["errors"]] == [(1, "VALIDATION_ERROR")]
    assert await column(api, one, item) == ["a", None, "b"]
    error = await api.error("POST", f"/spreadsheets/{one}/rows/bulk", {"rows": [{}] * 101})
    assert "at most 100" in error["message"]


async def test_rows_and_imports_take_the_templates_order() -> None:
    api = make()
    sort = [{"column": "Cost", "direction": "desc"}, {"column": "Item", "direction": "asc"}]
    made = await template(api, ("Item", "text"), ("Cost", "number"), default_sort=sort)
    item, cost = ids(made).values()
    one = await sheet(api, made)
    rows = [{"cells": {item: i, cost: c}} for i, c in (("b", 2), ("none", None), ("c", 10), ("a", 2))]
    await api.ok("POST", f"/spreadsheets/{one}/rows/bulk", {"rows": rows}, status=201)
    assert await column(api, one, item) == ["c", "a", "b", "none"]
    await api.ok("POST", f"/spreadsheets/{one}/rows", {"cells": {item: "d", cost: 3}}, status=201)
    assert await column(api, one, item) == ["c", "d", "a", "b", "none"]
    by_name = [{"column": "Item", "direction": "asc"}]
    await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"default_sort": by_name})
    assert await column(api, one, item) == ["a", "b", "c", "d", "none"]
    cleared = await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"default_sort": None})
    assert cleared["default_sort"] is None
    unknown = [{"column": "Colour", "direction": "asc"}]
    error = await api.error("PATCH", f"/spreadsheets/templates/{made['id']}", {"default_sort": unknown})
    assert "no column Colour" in error["message"]


RULES = {
    "group_by": ["Who"], "period_start": "From", "period_end": "To", "tolerance_days": 1,
    "concat_columns": {"Notes": {"separator": "; ", "order_by": "From"}},
}  # fmt: skip


async def test_rows_of_one_group_merge_when_their_periods_meet() -> None:
    api = make()
    columns = (("Who", "text"), ("From", "date"), ("To", "date"), ("Notes", "text"), ("Place", "text"))
    made = await template(api, *columns, merge_rules=RULES)
    who, start, end, notes, place = ids(made).values()
    one = await sheet(api, made)
    path = f"/spreadsheets/{one}/rows"

    def cells(name: str, first: str, last: str, note: str, **more: str) -> dict[str, Any]:
        return {"cells": {who: name, start: first, end: last, notes: note, **more}}

    await api.ok("POST", path, cells("Sam", "2026-06-10", "2026-06-12", "second"), status=201)
    merged = await api.ok("POST", path, cells("Sam", "2026-06-08", "2026-06-09", "first", **{place: "Shed"}))
    assert merged["merged"] is True
    assert merged["cells"] == {who: "Sam", start: "2026-06-08", end: "2026-06-12", notes: "first; second", place: "Shed"}
    await api.ok("POST", path, cells("Sam", "2026-06-20", "2026-06-21", "later"), status=201)
    await api.ok("POST", path, cells("Jo", "2026-06-10", "2026-06-12", "other"), status=201)
    answer = await api.ok("POST", f"{path}/bulk", {"rows": [cells("Sam", "2026-06-13", "2026-06-13", "third")]}, status=201)
    assert answer["created"][0]["merged"] is True
    assert answer["created"][0]["cells"][notes] == "first; second; third"
    assert len(await api.get(path)) == 3
    for wrong, why in (
        ({"group_by": ["X"]}, "no column X"),
        ({"period_start": "Who"}, "must be a date"),
        ({"group_by": []}, "must"),
    ):
        error = await api.error("PATCH", f"/spreadsheets/templates/{made['id']}", {"merge_rules": {**RULES, **wrong}})
        assert why in error["message"]
    await api.ok("PATCH", f"/spreadsheets/templates/{made['id']}", {"merge_rules": None})
    await api.ok("POST", path, cells("Sam", "2026-06-13", "2026-06-13", "alone"), status=201)


@pytest.mark.parametrize("path", ["/spreadsheets", "/spreadsheets/templates"])
async def test_lists_go_on_after_the_last_id_of_the_page_before(path: str) -> None:
    everyone = [r["id"] for r in await MADE.get(path)]
    first = await MADE.listed(path, limit=1)
    for cursor in (everyone[0], first["pagination"]["next_cursor"]):
        assert [r["id"] for r in await MADE.get(path, after=cursor)] == everyone[1:]
    for wrong in ({"limit": 101}, {"limit": 0}, {"after": NOBODY}):
        await MADE.error("GET", path, params=wrong)


MADE = make()


async def test_the_seeded_sheets_have_columns_rows_and_an_opportunity() -> None:
    api = make()
    found = await api.get("/spreadsheets", limit=50)
    assert len(found) == 9
    for one in found:
        whole = await api.get(f"/spreadsheets/{one['id']}")
        assert whole["opportunity_id"]
        known = {c["id"] for c in whole["parent_columns"]}
        assert whole["rows"]
        assert all(set(r["cells"]) == known for r in whole["rows"])
