from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.errors import ArgumentsError
from trustpager_mcp.validation import prepare

ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
catalog = default_catalog()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def prepared(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return prepare(catalog, catalog.tools[tool], arguments)


def problem(tool: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(ArgumentsError) as caught:
        prepared(tool, arguments)
    return f"{caught.value.message} {caught.value.hint}"


def test_an_unknown_argument_is_refused_with_the_nearest_name() -> None:
    assert "did you mean first_name" in problem("create_contact", {"first_nam": "Ann"})


def test_a_missing_argument_is_named_with_its_type_and_a_right_call() -> None:
    text = problem("move_opportunity", {"opportunity_id": ID})
    assert "pipeline_id (uuid) is required" in text
    assert f'"opportunity_id": "{ID}"' in text


def test_a_wrong_type_says_what_came_and_what_is_expected() -> None:
    text = problem("list_contacts", {"limit": "many"})
    assert '"many"' in text
    assert "a whole number" in text


def test_a_value_out_of_range_says_the_range() -> None:
    assert "1 to 100" in problem("list_contacts", {"limit": 500})


def test_a_value_outside_an_enum_lists_the_allowed_ones() -> None:
    assert "open, won, lost" in problem("list_opportunities", {"status": "closed"})


def test_a_text_of_another_form_is_told_what_form_in_words_with_an_example() -> None:
    text = problem("update_work_order", {"work_order_id": ID, "schedule_time": "9am"})
    assert 'schedule_time: got "9am", expected a time of 24 hours, HH:MM:SS, like 09:00:00' in text


def test_an_id_that_tries_to_leave_the_path_is_refused_before_anything_is_sent() -> None:
    text = problem("get_contact", {"contact_id": "../companies"})
    assert "UUID" in text
    assert "Nothing was sent" in text


@pytest.mark.parametrize(
    ("tool", "given_arguments", "meant"),
    [
        ("list_contacts", {"limit": "5"}, {"limit": 5}),
        ("list_contacts", {"email_unsubscribed": "true"}, {"email_unsubscribed": True}),
        ("list_opportunities", {"company_id": ID}, {"customer_id": ID}),
        ("list_opportunities", {"expand": ["contact", "products"]}, {"expand": "contact,products"}),
        ("get_contact", {"id": ID}, {"contact_id": ID}),
        ("get_contact", {"contactId": ID}, {"contact_id": ID}),
        ("create_contact", {"first_name": "A", "metadata": '{"a": 1}'}, {"first_name": "A", "metadata": {"a": 1}}),
        ("create_contact", {"args": {"first_name": "A"}}, {"first_name": "A"}),
        ("update_contact", {"contact_id": ID, "body": {"notes": "x"}}, {"contact_id": ID, "notes": "x"}),
    ],
)
def test_only_certain_repairs_are_made(tool: str, given_arguments: dict[str, Any], meant: dict[str, Any]) -> None:
    assert prepared(tool, given_arguments) == meant


def test_two_spellings_of_one_argument_are_not_merged() -> None:
    assert "company_id" in problem("list_opportunities", {"company_id": ID, "customer_id": ID})


@given(tool=st.sampled_from(sorted(catalog.tools)), arguments=st.dictionaries(st.text(max_size=12), JSON, max_size=4))
@settings(max_examples=150, deadline=None)
def test_no_argument_whatever_makes_validation_raise_anything_but_its_own_error(tool: str, arguments: dict[str, Any]) -> None:
    told = ""
    try:
        prepared(tool, arguments)
    except ArgumentsError as error:
        told = error.message
    assert len(told) < 2_000


def test_a_required_argument_that_null_clears_may_be_null() -> None:
    tool = next(
        t for t in catalog.tools.values() if [p for p in t.parameters if p.required and p.nullable and p.location == "body"]
    )
    cleared = next(p.name for p in tool.parameters if p.required and p.nullable)
    arguments = {p.name: ID for p in tool.parameters if p.location == "path"} | {cleared: None}
    assert prepared(tool.name, arguments)[cleared] is None
