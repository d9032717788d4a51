"""A line of find_tools is enough to make a valid call: each is parsed as an agent would read it, and the call validated."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.every_tool import of_every_tool
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Tool
from trustpager_mcp.errors import ArgumentsError
from trustpager_mcp.meta_tools import find_line
from trustpager_mcp.signatures import full_type, needed_type, signature
from trustpager_mcp.validation import prepare

catalog = default_catalog()
SAMPLES: dict[str, Any] = {
    "uuid": "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10", "string": "some text", "date": "2026-03-31", "datetime": "2026-03-31T09:00:00Z",
    "HH:MM": "09:30", "email": "a@b.example", "url": "https://a.example", "E.164 phone": "+61412345678", "#rrggbb": "#00ff00",
    "IANA zone": "Australia/Perth", "cron": "0 8 * * 1-5", "comma-separated string": "a,b", "integer": 1, "number": 1,
    "boolean": True, "object": {}, "any": "x",
}  # fmt: skip
PATTERNED = ("#00ff00", "+61412345678", "office", "2026-03-31 09:30", "0 8 * * 1")


class Reader:
    """Reads a signature and invents a value for every argument that it demands."""

    def __init__(self, line: str) -> None:
        self.name, rest = line.split("(", 1)
        self.text = rest

    def call(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for part in split(self.text[: closing(self.text)], ", "):
            if match := re.fullmatch(r"(?:one|any) of \((.*)\)", part):
                part = split(match[1], " / ")[0]
            part, _, condition = part.partition(" if ")
            if condition and any(arguments.get(k) != v for k, v in (c.split("=") for c in condition.split(" and "))):
                continue
            if ": " in part:
                name, kind = part.split(": ", 1)
                arguments[name] = value(kind)
        return arguments


def value(kind: str) -> Any:
    first, *others = (k.strip() for k in split(kind, "|"))
    if set(others) - {"null", "…"}:
        return int(first) if first.isdigit() else first
    if match := re.fullmatch(r"(.*)\[\](?: (\d+)\.\.\d+ items| ≤\d+ items| ≥(\d+) items)?", first):
        return [value(match[1].strip("()"))] * int(match[2] or match[3] or 1)
    if first.startswith("{"):
        inner = split(first[1:-1], ", ")
        return {k.strip("[]"): value(v) for k, v in (p.split(": ", 1) for p in inner if ": " in p)}
    if match := re.fullmatch(r"(integer|number) (?:≥(\d+)|(\d+)\.\.\d+|≤\d+)", first):
        return int(match[2] or match[3] or 0)
    if match := re.fullmatch(r"string (?:≥(\d+)|(\d+)\.\.\d+|≤\d+) chars", first):
        return "x" * int(match[1] or match[2] or 1)
    if match := re.fullmatch(r"string .*?/(.*)/", first):
        return next(text for text in PATTERNED if re.search(match[1], text))
    return SAMPLES[first]


def closing(text: str) -> int:
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return place
    raise AssertionError(f"no closing bracket in {text}")


def split(text: str, separator: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and text.startswith(separator, place):
            parts.append(text[start:place])
            start = place + len(separator)
    return [*parts, text[start:]]


def refusal(tool: Tool, line: str) -> str:
    try:
        prepare(catalog, tool, Reader(line).call())
    except ArgumentsError as error:
        return f"{line} → {error.message}"
    return ""


@pytest.mark.parametrize("length", [{}, {"optional": 2, "most_values": 8}, {"optional": 0, "words": 6, "most_values": 8}])
def test_ninety_eight_percent_of_all_tools_can_be_called_from_their_line_alone(length: dict[str, int]) -> None:
    refused = [text for tool in catalog.tools.values() if (text := refusal(tool, find_line(tool, **length)))]
    assert len(refused) <= len(catalog.tools) * 0.02, "\n".join(refused)


@pytest.mark.parametrize(
    ("schema", "needed", "full"),
    [
        ({"type": "string", "format": "date-time"}, "datetime", "datetime"),
        ({"type": ["string", "null"]}, "string|null", "string|null"),
        ({"enum": ["a", 2, None]}, "a|2|null", "a|2|null"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}, "(a|b)[] ≤3 items", "(a|b)[] ≤3 items"),
        ({"type": "string", "minLength": 1}, "string", "string ≥1 chars"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string | …", "string | integer"),
        ({"type": "object"}, "object", "object"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{[key]: number}", "{[key]: number}"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "integer", "default": 3}, "b": {"type": "string"}},
                "required": ["b"],
            },
            "{b: string, …}",
            "{a?: integer = 3, b: string}",
        ),
        ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}, "{…}", "{a?: any}"),
    ],
)
def test_a_schema_reads_like_typescript(schema: dict[str, Any], needed: str, full: str) -> None:
    assert (needed_type(schema), full_type(schema)) == (needed, full)


@of_every_tool
def test_every_required_argument_stands_in_the_signature_and_every_enum_value_of_it(name: str) -> None:
    line = signature(catalog.tools[name], optional=0)
    for parameter in catalog.tools[name].parameters:
        if parameter.required:
            assert f"{parameter.name}: " in line
            assert all(str(v) in line for v in parameter.enum)
