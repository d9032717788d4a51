"""Each threat in docs/security.md names tests that hold its answer: they exist, and no threat is without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^- `(\S+?)::(\w+)`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)


THREATS = re.split(r"^(?=\*\*)", PAGE.split("## What is not held off")[0], flags=re.MULTILINE)[1:]
KNOWN_AS = (
    "prompt injection",
    "confused deputy",
    "token theft",
    "tool poisoning",
    "DNS rebinding",
    "replay",
    "runaway agent",
    "multi-tenant leak",
)


def test_every_threat_names_a_test() -> None:
    assert len(THREATS) >= 12
    assert [t.splitlines()[0] for t in THREATS if "::test_" not in t] == []


@pytest.mark.parametrize("name", KNOWN_AS)
def test_the_threats_that_a_reader_looks_for_are_found_by_their_usual_names(name: str) -> None:
    assert len([t for t in THREATS if name.lower() in t.split("\n\n")[0].lower()]) >= 1
