"""The requests that the search is measured by name real tools and stay apart from what feeds the index."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from trustpager_mcp.catalog import default_catalog

FILE = Path(__file__).resolve().parents[2] / "bench" / "search" / "requests.jsonl"
STYLES = {"p": "plain", "s": "synonym", "t": "terse", "a": "agentic", "c": "confusable", "y": "typo"}


@pytest.fixture(scope="module")
def requests() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def split_of(identifier: str) -> str:
    return "dev" if hashlib.sha256(identifier.encode()).digest()[0] % 2 == 0 else "test"


def repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_ids_are_sorted_unique_and_begin_with_the_letter_of_their_style(requests: list[dict[str, Any]]) -> None:
    ids = [r["id"] for r in requests]
    assert ids == sorted(set(ids))
    assert [r["id"] for r in requests if not re.fullmatch(r"[a-z]\d{3}", r["id"]) or STYLES.get(r["id"][0]) != r["style"]] == []


def test_no_request_is_asked_twice(requests: list[dict[str, Any]]) -> None:
    assert repeated([normal(r["request"]) for r in requests]) == []


def test_every_request_accepts_one_to_four_different_tools_of_the_catalogue(requests: list[dict[str, Any]]) -> None:
    known = set(default_catalog().tools)
    assert {r["id"]: r["accept"] for r in requests if not set(r["accept"]) <= known} == {}
    assert [r["id"] for r in requests if not 1 <= len(r["accept"]) <= 4 or repeated(r["accept"])] == []


def test_there_are_at_least_560_requests_and_80_of_each_style(requests: list[dict[str, Any]]) -> None:
    counts = Counter(r["style"] for r in requests)
    assert counts.total() >= 560
    assert {style for style in STYLES.values() if counts[style] < 80} == set()


def test_every_toolset_is_wanted_by_at_least_three_requests_besides_typos(requests: list[dict[str, Any]]) -> None:
    toolset_of = default_catalog().toolset_of
    clean = [r for r in requests if r["style"] != "typo"]
    wanted = Counter(toolset for r in clean for toolset in {toolset_of[name] for name in r["accept"]})
    assert {toolset for toolset in toolset_of.values() if wanted[toolset] < 3} == set()


def test_terse_requests_have_at_most_three_words(requests: list[dict[str, Any]]) -> None:
    assert [r["request"] for r in requests if r["style"] == "terse" and len(r["request"].split()) > 3] == []


def test_a_typo_differs_from_its_twin_in_spelling_alone(requests: list[dict[str, Any]]) -> None:
    by_id = {r["id"]: r for r in requests}
    typos = [r for r in requests if r["style"] == "typo"]
    assert [r["id"] for r in requests if ("twin" in r) != (r["style"] == "typo")] == []
    assert [r["id"] for r in typos if by_id[r["twin"]]["style"] == "typo"] == []
    assert [r["id"] for r in typos if by_id[r["twin"]]["accept"] != r["accept"]] == []
    likeness = {r["id"]: SequenceMatcher(None, normal(r["request"]), normal(by_id[r["twin"]]["request"])).ratio() for r in typos}
    assert {identifier: ratio for identifier, ratio in likeness.items() if not 0.7 < ratio < 1} == {}


def test_the_split_follows_the_id_and_a_typo_goes_with_its_twin(requests: list[dict[str, Any]]) -> None:
    assert [r["id"] for r in requests if r["split"] != split_of(r.get("twin", r["id"]))] == []
    dev = sum(r["split"] == "dev" for r in requests)
    assert 0.4 < dev / len(requests) < 0.6


def test_no_request_is_an_intent_of_a_tool(requests: list[dict[str, Any]]) -> None:
    intents = {normal(intent) for tool in default_catalog().tools.values() for intent in tool.intents}
    assert [r["id"] for r in requests if normal(r["request"]) in intents] == []
