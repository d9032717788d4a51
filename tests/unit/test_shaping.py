from __future__ import annotations

import csv
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.shaping import MAX_CHARACTERS, shape

catalog = default_catalog()
LIST = catalog.tools["list_contacts"]
GET = catalog.tools["get_contact"]


def page(rows: list[Any], **pagination: Any) -> dict[str, Any]:
    return {"data": rows, "pagination": pagination}


def test_a_list_is_a_table_with_a_footer_and_the_next_cursor() -> None:
    rows = [{"id": str(i), "name": f"n{i}", "x": None} for i in range(3)]
    text = shape(LIST, {**page(rows, next_cursor="abc"), "total": 9}).text
    assert text.splitlines() == ["id,name", "0,n0", "1,n1", "2,n2", "shown 3 of 9; next page: cursor=abc"]


def test_what_every_row_says_is_said_once() -> None:
    text = shape(LIST, page([{"id": str(i), "status": "open", "n": i} for i in range(4)])).text
    assert text.startswith("all rows: status=open\nid,n\n")


def test_fields_choose_the_columns_and_look_into_nested_records() -> None:
    text = shape(LIST, page([{"id": "1", "owner": {"name": "Mia", "x": 1}, "n": 2}]), fields=("owner.name",)).text
    assert text.splitlines()[:2] == ["id,owner.name", "1,Mia"]


def test_a_record_drops_nulls_and_empties_but_keeps_zero_and_false() -> None:
    assert shape(GET, {"data": {"id": "1", "a": None, "b": "", "c": [], "d": 0, "e": False}}).text == '{"id":"1","d":0,"e":false}'


def test_rows_that_do_not_fit_are_disclosed() -> None:
    rows = [{"id": str(i), "text": "x" * 500} for i in range(200)]
    text = shape(LIST, page(rows), fields=("text",)).text
    assert len(text) <= MAX_CHARACTERS
    assert "did not fit" in text


def test_a_huge_field_of_a_record_is_named_as_left_out() -> None:
    text = shape(GET, {"data": {"id": "1", "blob": "x" * 1_000_000}}).text
    assert len(text) <= MAX_CHARACTERS
    assert '"left_out":{"blob":' in text


CELLS = st.one_of(st.none(), st.text(), st.integers(), st.booleans())


@given(st.lists(st.fixed_dictionaries({"id": st.uuids().map(str)}, optional={"a": CELLS, "b": CELLS}), min_size=1, max_size=30))
@settings(deadline=None)
def test_every_id_survives_and_the_table_parses(rows: list[dict[str, Any]]) -> None:
    lines = shape(LIST, page(rows)).text.split("\n")
    header = next(i for i, line in enumerate(lines) if line.split(",")[0] == "id")
    parsed = list(csv.reader(lines[header + 1 : header + 1 + len(rows)]))
    assert [r[0] for r in parsed] == [r["id"] for r in rows]
