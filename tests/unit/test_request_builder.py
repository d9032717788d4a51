from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.every_tool import of_every_tool
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Parameter, Tool
from trustpager_mcp.errors import ArgumentsError
from trustpager_mcp.request_builder import build
from trustpager_mcp.validation import example, prepare

ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
BASE = "https://crm.example/functions/v1/api/v1"
catalog = default_catalog()


def tool_with(*parameters: Parameter, operation: str = "GET /things/:id", **more: object) -> Tool:
    fields = {"name": "get_thing", "title": "t", "description": "d", "intents": ("a", "b", "c"), "scopes": (), "effect": "read"}
    return Tool.model_validate({**fields, "idempotent": True, "operation": operation, "parameters": parameters, **more})


def test_a_patch_sends_its_id_in_the_path_and_the_rest_in_the_body() -> None:
    request = build(catalog.tools["update_contact"], {"contact_id": ID, "first_name": "Ann", "landline": None}, BASE)
    assert (request.method, request.url) == ("PATCH", f"{BASE}/contacts/{ID}")
    assert request.json == {"first_name": "Ann", "landline": None}


def test_null_is_left_out_where_the_api_gives_it_no_meaning() -> None:
    assert build(catalog.tools["list_contacts"], {"search": None, "limit": 5}, BASE).query == (("limit", "5"),)


def test_booleans_and_arrays_stand_in_the_query_as_the_api_spells_them() -> None:
    parameters = [
        Parameter.model_validate({"name": "tag", "in": "query", "type": "array"}),
        Parameter.model_validate({"name": "open", "in": "query", "type": "boolean"}),
    ]
    request = build(tool_with(*parameters, operation="GET /things"), {"tag": ["a", "b"], "open": True}, BASE)
    assert request.query == (("tag", "a"), ("tag", "b"), ("open", "true"))


def test_a_dotted_wire_name_becomes_a_nested_body() -> None:
    parameter = Parameter.model_validate({"name": "params_flag", "wire": "params.flag", "in": "body", "type": "boolean"})
    request = build(tool_with(parameter, operation="POST /things"), {"params_flag": False}, BASE)
    assert request.json == {"params": {"flag": False}}


def test_an_array_body_is_sent_whole() -> None:
    parameter = Parameter.model_validate({"name": "items", "wire": "(body)", "in": "body", "type": "array"})
    request = build(tool_with(parameter, operation="PUT /things", body="whole"), {"items": [1, 2]}, BASE)
    assert request.json == [1, 2]


def test_a_functions_operation_leaves_the_api_path() -> None:
    assert (
        build(tool_with(operation="POST /evie-grant", base="functions"), {}, BASE).url
        == "https://crm.example/functions/v1/evie-grant"
    )


@pytest.mark.parametrize("value", ["..", ".", "", "a\nb"])
def test_a_path_value_that_could_change_the_path_is_refused(value: str) -> None:
    parameter = Parameter.model_validate({"name": "thing", "wire": "id", "in": "path", "type": "string", "required": True})
    with pytest.raises(ArgumentsError):
        build(tool_with(parameter), {"thing": value}, BASE)


@given(st.text(min_size=1).filter(lambda s: s not in (".", "..") and s.isprintable()))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_any_path_value_stays_one_segment(value: str) -> None:
    parameter = Parameter.model_validate({"name": "thing", "wire": "id", "in": "path", "type": "string", "required": True})
    path = urlsplit(build(tool_with(parameter), {"thing": value}, BASE).url).path
    assert path.count("/") == 6
    assert unquote(path.rsplit("/", 1)[1]) == value


@of_every_tool
def test_the_worked_example_of_every_tool_is_valid_and_builds(name: str) -> None:
    tool = catalog.tools[name]
    arguments = example(tool)
    if not tool.rules:
        prepare(catalog, tool, arguments)
    assert ":" not in urlsplit(build(tool, arguments, BASE).url).path
