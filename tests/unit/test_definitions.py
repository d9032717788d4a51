"""The data itself is linted: one rule a test."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.every_tool import of_every_tool
from trustpager_mcp.catalog import alternatives, default_catalog
from trustpager_mcp.definitions import PATTERN_WORDS
from trustpager_mcp.reference import known_record
from trustpager_mcp.validation import example, prepare

catalog = default_catalog()
TOOLS = sorted(catalog.tools)


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(n for v in schema.values() for n in nodes(v))]
    return [n for v in schema for n in nodes(v)] if isinstance(schema, list) else []


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}", text.lower()))


@of_every_tool
def test_the_schema_is_a_closed_object_without_references_or_root_combinators(name: str) -> None:
    schema = catalog.input_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert not {"oneOf", "anyOf", "allOf"} & set(schema)
    assert not [n for n in nodes(schema) if "$ref" in n]


@of_every_tool
def test_every_placeholder_of_the_path_is_a_parameter(name: str) -> None:
    tool = catalog.tools[name]
    wires = {p.wire for p in tool.parameters if p.location == "path"}
    assert wires == set(re.findall(r"/:(\w+)", tool.path))


@of_every_tool
def test_effect_agrees_with_the_method(name: str) -> None:
    tool = catalog.tools[name]
    if tool.method == "GET":
        assert tool.effect == "read"
    elif tool.method in ("PUT", "PATCH", "DELETE"):
        assert tool.effect != "read"


VERBS = frozenset(
    "acknowledge add analyze apply approve archive assign attach book bulk bundle buy cancel chat check coach compact convert create delete "
    "disable dispatch download duplicate edit enable enrol execute export fill fire generate get grant import invite link list log make mark "
    "move optimize preview provision publish query record reject release register remove rename render reorder replace reply reschedule resend "
    "reject revoke run save schedule search send set start submit summarize sync test transcribe trigger unassign unlink unpublish unsubscribe "
    "update upload upscale void wire write".split()
)
NAMED_BY_THE_REFERENCE = {"lead_gen_get_search"}
SMELLS = {
    "data",
    "object",
    "value",
    "values",
    "string",
    "text",
    "id",
    "the id",
    "payload",
    "body",
    "json",
    "parameter",
    "options",
}
# What a description says when there is no way back.
NO_WAY_BACK = re.compile(r"\b(for good|permanently|cannot be undone|can't be undone|irreversibl\w+)\b", re.IGNORECASE)


@of_every_tool
def test_the_name_begins_with_a_verb(name: str) -> None:
    assert name.split("_")[0] in VERBS or name in NAMED_BY_THE_REFERENCE


@of_every_tool
def test_every_parameter_has_a_type(name: str) -> None:
    properties = catalog.input_schema(name)["properties"]
    untyped = [k for k, s in properties.items() if not {"type", "enum", "anyOf", "oneOf"} & set(s)]
    assert untyped == []


@of_every_tool
def test_every_array_says_what_it_holds(name: str) -> None:
    arrays = [n for n in nodes(catalog.input_schema(name)) if n.get("type") == "array"]
    assert [n for n in arrays if not n.get("items")] == []


@of_every_tool
def test_an_object_has_a_schema_or_says_which_keys_it_takes(name: str) -> None:
    properties = catalog.input_schema(name)["properties"]
    objects = {k: s for k, s in properties.items() if as_list(s.get("type"))[:1] == ["object"]}
    schema_words = {"properties", "additionalProperties", "anyOf", "oneOf", "propertyNames"}
    assert [k for k, s in objects.items() if not schema_words & set(s) and not s.get("description")] == []


@of_every_tool
def test_no_description_repeats_the_name_or_says_nothing(name: str) -> None:
    tool = catalog.tools[name]
    assert letters(tool.description) not in (letters(tool.title), letters(name))
    smelly = [
        p.name
        for p in tool.parameters
        if p.description and (letters(p.description) == letters(p.name) or p.description.lower().rstrip(".") in SMELLS)
    ]
    assert smelly == []


def test_every_scope_is_one_that_the_reference_knows() -> None:
    prose_only = {"invoices:write", "automations-trigger:trigger"}
    assert catalog.scopes - set(known_record()["scopes"]) == prose_only


def test_every_scope_that_only_prose_names_is_only_also_needed() -> None:
    listed = {a for t in catalog.tools.values() for s in t.scopes for a in alternatives(s)}
    assert listed <= set(known_record()["scopes"])


@of_every_tool
def test_what_spends_credits_is_irreversible(name: str) -> None:
    tool = catalog.tools[name]
    if tool.credits is not None:
        assert tool.effect == "irreversible"


@of_every_tool
def test_what_the_description_calls_final_is_irreversible(name: str) -> None:
    tool = catalog.tools[name]
    if NO_WAY_BACK.search(tool.description):
        assert tool.effect == "irreversible"


@pytest.mark.parametrize(
    "name", [n for n in TOOLS if n.startswith(("delete_", "void_", "release_", "send_document", "send_email", "send_sms"))]
)
def test_deleting_voiding_and_sending_are_irreversible(name: str) -> None:
    assert catalog.tools[name].effect == "irreversible"


@of_every_tool
def test_the_write_flag_differs_from_the_effect_only_where_it_says_so(name: str) -> None:
    tool = catalog.tools[name]
    assert tool.write is None or tool.write != (tool.effect != "read")


@of_every_tool
def test_a_neighbour_is_another_tool_that_exists(name: str) -> None:
    neighbours = [n.tool for n in catalog.tools[name].neighbours]
    assert set(neighbours) <= set(TOOLS) - {name}


@of_every_tool
def test_rules_and_polls_name_what_exists(name: str) -> None:
    tool = catalog.tools[name]
    known = set(tool.parameter_by_name)
    for rule in tool.rules:
        assert {*rule.parameters, *(rule.when or {})} <= known
    if tool.poll:
        assert catalog.tools[tool.poll.tool].effect == "read"


@pytest.mark.parametrize("name", [n for n in TOOLS if catalog.tools[n].paging])
def test_a_paged_tool_takes_limit_and_cursor(name: str) -> None:
    assert {"limit", "cursor"} <= set(catalog.tools[name].parameter_by_name)


def test_an_operation_belongs_to_one_tool() -> None:
    operations = Counter(re.sub(r":\w+", ":id", o) for t in catalog.tools.values() for o in (t.operation, *t.aliases))
    assert [o for o, n in operations.items() if n > 1] == []


def test_titles_are_unique() -> None:
    counts = Counter(t.title for t in catalog.tools.values())
    assert [title for title, n in counts.items() if n > 1] == []


@of_every_tool
def test_an_intent_says_it_in_other_words_than_the_description(name: str) -> None:
    tool = catalog.tools[name]
    known = words(tool.description)
    assert [i for i in tool.intents if i.lower() in tool.description.lower()] == []
    assert sum(bool(words(i) - known) for i in tool.intents) >= 3


def test_intents_are_unique() -> None:
    counts = Counter(i.lower() for t in catalog.tools.values() for i in t.intents)
    assert [i for i, n in counts.items() if n > 1] == []


def test_descriptions_are_short() -> None:
    assert [n for n, t in catalog.tools.items() if len(t.description.split()) > 60] == []


def test_the_columns_of_an_answer_are_known_for_every_tool_that_names_its_entity() -> None:
    named = {t.returns.removesuffix("[]") for t in catalog.tools.values() if t.returns}
    assert named <= set(catalog.entities)


def test_an_entity_is_described_in_one_toolset() -> None:
    counts = Counter(name for toolset in catalog.toolsets.values() for name in toolset.entities)
    assert [name for name, n in counts.items() if n > 1] == []


@of_every_tool
def test_the_worked_example_is_a_call_that_is_accepted(name: str) -> None:
    tool = catalog.tools[name]
    assert prepare(catalog, tool, example(tool)) == example(tool)


def test_every_pattern_has_words_for_it_that_end_in_an_example_of_it() -> None:
    asked = {
        node["pattern"] for name in TOOLS for node in nodes(catalog.input_schema(name)) if isinstance(node.get("pattern"), str)
    }
    assert asked == set(PATTERN_WORDS)
    for pattern, said in PATTERN_WORDS.items():
        assert re.search(pattern, said.rsplit(" like ", 1)[1]), said
