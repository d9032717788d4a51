"""The data itself is linted: one rule a test."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from trustpager_mcp.catalog import default_catalog

catalog = default_catalog()
TOOLS = sorted(catalog.tools)


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(n for v in schema.values() for n in nodes(v))]
    return [n for v in schema for n in nodes(v)] if isinstance(schema, list) else []


@pytest.mark.parametrize("name", TOOLS)
def test_the_schema_is_a_closed_object_without_references_or_root_combinators(name: str) -> None:
    schema = catalog.input_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert not {"oneOf", "anyOf", "allOf"} & set(schema)
    assert not [n for n in nodes(schema) if "$ref" in n]


@pytest.mark.parametrize("name", TOOLS)
def test_every_placeholder_of_the_path_is_a_parameter(name: str) -> None:
    tool = catalog.tools[name]
    wires = {p.wire for p in tool.parameters if p.location == "path"}
    assert wires == set(re.findall(r"/:(\w+)", tool.path))


@pytest.mark.parametrize("name", TOOLS)
def test_effect_agrees_with_the_method(name: str) -> None:
    tool = catalog.tools[name]
    if tool.method == "GET":
        assert tool.effect == "read"
    elif tool.method in ("PUT", "PATCH", "DELETE"):
        assert tool.effect != "read"


def test_intents_are_unique() -> None:
    counts = Counter(i.lower() for t in catalog.tools.values() for i in t.intents)
    assert [i for i, n in counts.items() if n > 1] == []


def test_descriptions_are_short() -> None:
    assert [n for n, t in catalog.tools.items() if len(t.description.split()) > 60] == []


def test_the_columns_of_an_answer_are_known_for_every_tool_that_names_its_entity() -> None:
    named = {t.returns.removesuffix("[]") for t in catalog.tools.values() if t.returns}
    assert named <= set(catalog.entities)
