from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.errors import UpstreamError
from trustpager_mcp.shaping import View, present, shape_error

tools = default_catalog().tools
WHOLE: dict[str, Any] = {
    "id": "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10",
    "name": "Roof repair",
    "status": "open",
    "value": 900,
    "description": "A long description that nobody needs to read again. " * 9,
    "created_at": "2026-01-05T03:04:05Z",
    "owner_id": "7f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10",
}


def written(payload: Any, tool: str = "update_opportunity", **view: Any) -> str:
    return present({"data": payload}, View(tools[tool], **view)).text


def test_a_write_answers_with_what_it_changed_and_not_the_whole_record() -> None:
    text = written(WHOLE, sent=("value",), keep=lambda _: "rx")
    assert text.startswith("Done: update_opportunity.")
    assert "value: 900" in text
    assert "name: Roof repair" in text
    assert "nobody needs" not in text
    assert '3 more fields: read_result("rx")' in text


def test_values_of_before_are_told_where_the_api_tells_them() -> None:
    text = written({**WHOLE, "previous": {"value": 500, "name": "Roof repair"}}, sent=("value",))
    assert "value: 500 → 900" in text


def test_a_field_that_was_cleared_is_told_as_cleared() -> None:
    assert "value: (cleared)" in written({**WHOLE, "value": None}, sent=("value",))


def test_what_is_shown_only_once_is_never_left_out() -> None:
    text = written(
        {**WHOLE, "secret": "whsec_1", "public_url": "https://x.example/1", "warnings": ["no email"]},
        tool="create_outgoing_webhook",
    )
    assert "whsec_1" in text
    assert "https://x.example/1" in text
    assert "no email" in text


def test_a_small_record_is_shown_whole() -> None:
    assert written({"id": "1", "label": "x", "n": 3}) == "Done: update_opportunity.\nid: 1\nlabel: x\nn: 3"


def test_a_bulk_write_tells_what_was_done_and_every_failure_with_its_index() -> None:
    payload = {
        "created": [{"id": str(i), "name": f"n{i}"} for i in range(3)],
        "errors": [{"index": 3, "code": "VALIDATION_ERROR", "message": "phone is no number"}],
    }
    text = written(payload, tool="bulk_create_contacts")
    assert "created: 3" in text
    assert "2,n2" in text
    assert "errors: 1" in text
    assert "phone is no number" in text


def test_an_error_keeps_code_details_hint_and_request_id() -> None:
    slots = [{"start": f"2026-01-05T0{i}:00:00Z"} for i in range(3)]
    error = UpstreamError(
        "that slot is taken", code="SLOT_UNAVAILABLE", details={"nearest_slots": slots}, hint="Book one of them.", request_id="q1"
    )
    text = shape_error(error)
    assert text.startswith("SLOT_UNAVAILABLE: that slot is taken")
    assert "2026-01-05T02:00:00Z" in text
    assert text.endswith("Book one of them.\nrequest_id: q1")


def test_missing_entities_of_a_validation_error_are_named() -> None:
    error = UpstreamError(
        "invalid",
        code="VALIDATION_ERROR",
        details={"missing": [{"entity": "stage", "id": "s1"}, {"entity": "contact", "id": "c9"}]},
    )
    assert "s1" in shape_error(error)
    assert "c9" in shape_error(error)


@pytest.mark.parametrize("size", [10, 400, 5_000, 100_000])
@pytest.mark.parametrize("unit", ["word ", "x", "6f1c2e9a-", "𓀀", "您好", '{"', "qzx kvw "])
def test_an_error_is_at_most_300_tokens(unit: str, size: int, count_tokens: Callable[[str], int]) -> None:
    long = unit * size
    error = UpstreamError(long, code=long, details={long: [long] * 20}, hint=long, request_id=long)
    assert count_tokens(shape_error(error)) <= 300


@given(message=st.text(), details=st.recursive(st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)), hint=st.text())
def test_any_error_is_at_most_300_tokens(count_tokens: Callable[[str], int], message: str, details: Any, hint: str) -> None:
    assert count_tokens(shape_error(UpstreamError(message, details=details, hint=hint))) <= 300
