"""No result over its limits, whatever the API answers; what is left out is told."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.results import Presentation, ReadRequest, read
from trustpager_mcp.shaping import Download, Limits, View, present

Count = Callable[[str], int]

tools = default_catalog().tools
random_text = random.Random(7)
PROSE = "The customer asked for a revised quote before Friday and wants to know about the warranty. "
WORDS = " ".join("".join(random_text.choices(string.ascii_lowercase, k=random_text.randint(3, 10))) for _ in range(2_000))


def nested(levels: int) -> Any:
    value: Any = {"end": PROSE}
    for level in range(levels):
        value = {f"level_{level}": value, "note": PROSE} if level % 2 else [value]
    return value


def contact(i: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{i:08d}-4b7d-4e0a-9c55-2d8f3b1a7e10", "display_name": f"Mia {i}", "email": f"mia{i}@example.com", **more}


FLOODS: dict[str, Any] = {
    "10,000 rows": {"data": [contact(i, notes=PROSE) for i in range(10_000)], "pagination": {"next_cursor": "c9"}},
    "rows with 1 MB fields": {"data": [contact(i, notes=PROSE * 11_000) for i in range(3)]},
    "a record with a 1 MB field": {"data": contact(1, notes=PROSE * 11_000)},
    "50 levels": {"data": nested(50)},
    "50 levels in rows": {"data": [{"id": str(i), "x": nested(50)} for i in range(300)]},
    "a record of 20,000 fields": {"data": {f"field_{i}": PROSE for i in range(20_000)}},
    "rows of 3,000 fields": {"data": [{f"field_{i}": f"{i}" for i in range(3_000)}] * 3},
    "a field name of 100,000 characters": {"data": [{"id": "1", "k" * 100_000: PROSE}] * 3},
    "one word of 1 MB": {"data": {"id": "1", "word": "a" * 1_000_000}},
    "rare characters": {"data": {"id": "1", "notes": "𓀀𓀁𓀂 " * 30_000}},
    "random words": {"data": [{"id": str(i), "notes": WORDS} for i in range(40)]},
    "Chinese": {"data": {"id": "1", "notes": "您好，我们已经收到您关于安装太阳能系统的咨询。" * 10_000}},
    "a long list of texts": {"data": [PROSE] * 5_000},
    "blanks after a bracket": {"data": {"id": "1", "notes": ("<" + " " * 200_000) * 3}},
    "open tags": {"data": {"id": "1", "notes": "<p " * 100_000 + "<!--" * 50_000}},
    "quotes and blank lines": {"data": {"id": "1", "notes": "> x\n\n" * 50_000 + "-" * 100_000}},
    "a million of one letter in rows": {"data": [{"id": "1", "x": "A" * 1_000_000}] * 2},
    "a plain text": PROSE * 20_000,
    "a scalar": {"data": 5},
    "text beside the rows": {"data": [contact(1)], "meta_text": PROSE * 9_000, "more": [1] * 50_000},
    "20,000 nested rows": {"data": {"id": "1", "rows": [contact(i) for i in range(20_000)]}},
    "a wide CSV file": Download(
        "x.csv", "text/csv", (",".join(f"column {i}" for i in range(5_000)) + "\n" + "x," * 5_000).encode()
    ),
    "a CSV file of long cells": Download("x.csv", "text/csv", ("a,b\n" + f"{'x y ' * 40_000},2\n" * 10).encode()),
}
VIEWS: list[dict[str, Any]] = [
    {},
    {"fields": ("all",)},
    {"detail": "full"},
    {"format": "json"},
    {"format": "markdown", "fields": ("all",)},
    {"fields": ("notes", "x", "word")},
    {"format": "json", "fields": ("all",), "detail": "full"},
]


@pytest.mark.parametrize("tool", ["list_contacts", "update_contact"])
@pytest.mark.parametrize("options", VIEWS, ids=str)
@pytest.mark.parametrize("payload", FLOODS.values(), ids=FLOODS.keys())
def test_no_result_is_over_8000_tokens_or_40000_characters(
    payload: Any, options: dict[str, Any], tool: str, count_tokens: Count
) -> None:
    text = present(payload, View(tools[tool], default_catalog().entities["contact"], **options)).text
    assert text
    assert len(text) <= 40_000
    assert count_tokens(text) <= 8_000
    if options.get("format") == "json" and not isinstance(payload, (str, Download)) and tool == "list_contacts":
        json.loads(text)


def test_a_smaller_limit_is_kept_as_well(count_tokens: Count) -> None:
    for payload in FLOODS.values():
        text = present(payload, View(tools["list_contacts"], limits=Limits(1_000, 4_000))).text
        assert len(text) <= 4_000
        assert count_tokens(text) <= 1_000


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=400)),
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=20), inner, max_size=8)),
    max_leaves=40,
)


@given(
    payload=JSON,
    options=st.sampled_from(VIEWS),
    tool=st.sampled_from(["list_contacts", "get_contact", "update_contact", "bulk_create_contacts"]),
)
@settings(deadline=None, max_examples=200)
def test_any_answer_becomes_a_text_within_small_limits(
    payload: Any, options: dict[str, Any], tool: str, count_tokens: Count
) -> None:
    text = present(payload, View(tools[tool], limits=Limits(1_000, 4_000), **options)).text
    assert text
    assert len(text) <= 4_000
    assert count_tokens(text) <= 1_000


def test_rows_that_did_not_fit_are_told_and_read_on_until_the_last() -> None:
    presentation = Presentation()
    rows = [contact(i) for i in range(1_000)]
    text = present({"data": rows}, presentation.view(tools["list_contacts"], None, "me")).text
    seen = re.findall(r"^(\d{8})-", text, re.MULTILINE)
    while found := re.search(r'did not fit: read_result\("(\w+)", rows="([\d-]+)"\)', text):
        text = read(presentation, "me", ReadRequest(found[1], rows=found[2])).text
        seen += re.findall(r"^(\d{8})-", text, re.MULTILINE)
    assert seen == [f"{i:08d}" for i in range(1_000)]
