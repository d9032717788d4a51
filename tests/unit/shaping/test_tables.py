from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Entity
from trustpager_mcp.shaping import View, present
from trustpager_mcp.shaping.untrusted import cleaned

LIST = default_catalog().tools["list_contacts"]
BOUNDARY = re.compile(r"</?outsider-[0-9]{6}>\n?")


def page(rows: list[Any], **pagination: Any) -> dict[str, Any]:
    return {"data": rows, "pagination": pagination}


def shown(payload: Any, **view: Any) -> str:
    return present(payload, View(LIST, **view)).text


def parsed(text: str) -> list[dict[str, str]]:
    body = text.split("\nshown ", 1)[0].split("\nmore fields:", 1)[0].split("\nno row has ", 1)[0]
    body = re.sub(r"^all rows: .*\n", "", BOUNDARY.sub("", body))
    return list(csv.DictReader(io.StringIO(body, newline=""), strict=True))


def test_a_list_is_a_table_with_a_footer_and_the_next_cursor() -> None:
    rows = [{"id": str(i), "name": f"n{i}", "x": None} for i in range(3)]
    lines = shown({**page(rows, next_cursor="abc"), "total": 9}).splitlines()
    assert lines == ["id,name", "0,n0", "1,n1", "2,n2", "shown 3 of 9; next page: cursor=abc"]


@pytest.mark.parametrize(
    "payload",
    [
        [{"id": "1", "name": "a"}],
        {"data": [{"id": "1", "name": "a"}]},
        {"results": [{"id": "1", "name": "a"}]},
        {"items": [{"id": "1", "name": "a"}], "nextCursor": None, "hasMore": False},
        {"data": {"items": [{"id": "1", "name": "a"}]}},
        {"data": {"contacts": [{"id": "1", "name": "a"}], "total": 1}},
    ],
)
def test_rows_are_found_in_every_envelope(payload: Any) -> None:
    assert shown(payload).splitlines()[:2] == ["id,name", "1,a"]


@pytest.mark.parametrize("pagination", [{"next_cursor": "c2", "has_more": True}, {"nextCursor": "c2"}, {"endCursor": "c2"}])
def test_paging_is_understood_in_either_spelling(pagination: dict[str, Any]) -> None:
    rows = [{"id": "1", "name": "a"}]
    assert shown({"data": rows, "pagination": pagination}).endswith("next page: cursor=c2")
    assert shown({"data": rows, **pagination}).endswith("next page: cursor=c2")


def test_what_every_row_says_is_said_once() -> None:
    text = shown(page([{"id": str(i), "status": "open", "n": i} for i in range(4)]))
    assert text.startswith("all rows: status=open\nid,n\n")


def test_left_out_fields_are_named_once_and_can_be_asked_for() -> None:
    rows = [{"id": str(i), "name": f"n{i}", "long": f"{i} " + "words " * 40, "email": f"a{i}@b.example"} for i in range(9)]
    text = shown(page(rows))
    assert "more fields: long" in text
    assert "a3@b.example" in shown(page(rows), fields=("email",))


def test_fields_choose_the_columns_and_look_into_nested_records() -> None:
    text = shown(page([{"id": "1", "owner": {"name": "Mia", "x": 1}, "n": 2}]), fields=("owner.name",))
    assert text.splitlines()[:2] == ["id,owner.name", "1,Mia"]


def test_a_field_that_no_row_has_is_told_with_those_there_are() -> None:
    assert "no row has nmae; fields here: id, name" in shown(page([{"id": "1", "name": "a"}]), fields=("nmae",))


def test_the_hints_of_an_entity_choose_the_columns_and_dear_ones_wait_for_full_detail() -> None:
    entity = Entity(columns=("id", "title", "due", "created_at", "owner_id"))
    owner = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
    rows = [
        {
            "id": str(i),
            "x": i,
            "title": f"t{i}",
            "due": f"2026-01-0{i + 1}",
            "created_at": f"2026-01-0{i + 1}T00:00:00Z",
            "owner_id": owner + str(i)[:0],
        }
        for i in range(2)
    ]
    assert shown(page(rows), entity=entity).startswith("id,title,due\n")
    assert shown(page(rows), entity=entity, detail="full").startswith("id,title,due,created_at,owner_id\n")


def test_the_pages_of_one_list_have_the_same_columns() -> None:
    entity = default_catalog().entities["contact"]
    kinds = {"display_name": "Mia", "email": "m@x.example", "phone": "+61400000000", "job_title": "Owner", "source": "web"}
    first = [{"id": str(i), **{k: f"{v}{i}" for k, v in kinds.items()}} for i in range(30)]
    second = [{"id": str(i), **{k: f"{v}{i}" for k, v in kinds.items()}} for i in range(7)]
    assert list(parsed(shown(page(first), entity=entity))[0]) == list(parsed(shown(page(second), entity=entity))[0])


def test_no_rows_say_so() -> None:
    assert shown(page([])) == "No results."


def test_json_and_markdown_hold_the_same_cells() -> None:
    rows = [{"id": str(i), "name": f"n|{i}"} for i in range(3)]
    as_json = json.loads(shown(page(rows, next_cursor="c"), format="json"))
    assert as_json["rows"] == rows
    assert as_json["next_cursor"] == "c"
    assert "| 1 | n\\|1 |" in shown(page(rows), format="markdown")


def test_moments_are_shown_in_the_zone_with_their_offset_and_exactly_where_all_is_asked() -> None:
    rows = page([{"id": "1", "starts": "2026-01-05T03:04:05.678901+00:00"}, {"id": "2", "starts": "2026-07-05T03:04:05Z"}])
    assert "1,2026-01-05 03:04Z" in shown(rows)
    assert "1,2026-01-05 14:04+11:00" in shown(rows, zone="Australia/Sydney")
    assert "2,2026-07-05 13:04+10:00" in shown(rows, zone="Australia/Sydney")
    assert "2026-01-05T03:04:05.678901+00:00" in shown(rows, fields=("all",))


def test_phone_numbers_and_money_are_untouched() -> None:
    rows = page([{"id": "1", "phone": "+61412345678", "value": 1234.5}, {"id": "2", "phone": "0412 345 678", "value": 12000.0}])
    text = shown(rows)
    assert "1,1234.5,+61412345678" in text or "1,+61412345678,1234.5" in text
    assert "0412 345 678" in text
    assert "12000.0" in text


KEYS = st.sampled_from(["name", "status", "value", "owner", "note", "tags"])
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=30).filter(
    lambda t: cleaned(t) == (t, 0)
)
VALUES = st.recursive(
    st.one_of(st.none(), TEXT, st.integers(-(10**12), 10**12), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=5,
)
ROWS = st.lists(
    st.builds(lambda i, rest: {"id": str(i), **rest}, st.uuids(), st.dictionaries(KEYS, VALUES, max_size=5)),
    min_size=1,
    max_size=30,
)


@given(ROWS, st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_a_cursor_loop_recovers_every_row_and_with_all_fields_every_value(rows: list[dict[str, Any]], size: int) -> None:
    recovered: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        part = rows[cursor : cursor + size]
        following = str(cursor + size) if cursor + size < len(rows) else None
        text = shown(page(part, next_cursor=following), fields=("all",))
        recovered += parsed(text)
        found = re.search(r"next page: cursor=(\d+)$", text)
        cursor = int(found[1]) if found else None
    assert len(recovered) == len(rows)
    for row, got in zip(rows, recovered, strict=True):
        for key, value in row.items():
            if value in (None, "", [], {}):
                assert got.get(key, "") == ""
            else:
                assert got[key] == (
                    value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                )


@given(ROWS)
@settings(deadline=None, max_examples=60)
def test_every_id_survives_by_default(rows: list[dict[str, Any]]) -> None:
    view = View(LIST, default_catalog().entities["contact"])
    for chosen in (view, replace(view, detail="full"), replace(view, fields=("name", "owner"))):
        assert [r["id"] for r in parsed(present(page(rows), chosen).text)] == [r["id"] for r in rows]


def test_another_record_is_shown_by_the_name_that_stands_beside_its_id() -> None:
    entity = Entity(columns=("id", "owner_id", "stage_id", "deal_id"))
    other = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e1"
    rows = [
        {"id": str(i), "owner_id": f"{other}{i}", "owner_name": f"Mia {i}", "stage_id": f"{other}{i}", "stage": {"name": f"s{i}"},
         "deal_id": f"{other}{i}"}
        for i in range(3)
    ]  # fmt: skip
    assert shown(page(rows), entity=entity).startswith("id,owner_name,stage.name\n0,Mia 0,s0\n")
    assert shown(page(rows), entity=entity, detail="full").startswith("id,owner_id,stage_id,deal_id\n")


def test_an_id_of_another_record_does_not_crowd_out_what_tells_the_row() -> None:
    entity = Entity(columns=("id", "subject_id", "kind"))
    rows = [{"id": str(i), "subject_id": f"6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e1{i}", "kind": f"k{i}"} for i in range(3)]
    assert shown(page(rows), entity=entity).startswith("id,kind\n0,k0\n")
    assert "more fields: subject_id" in shown(page(rows), entity=entity)


def test_what_stands_beside_the_rows_is_clipped_and_kept_whole() -> None:
    kept: list[Any] = []
    beside = {"variables": [f"contact.field_{n}" for n in range(40)]}
    text = shown({"data": [{"id": "1"}], **beside}, keep=lambda spilled: kept.append(spilled.value) or "rx")
    assert 'whole: read_result("rx")' in text
    assert kept == [beside]
    assert "read_result" not in shown({"data": [{"id": "1"}], "variables": ["contact.email"]}, keep=lambda _: "rx")
