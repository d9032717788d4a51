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


def test_every_threat_names_a_test() -> None:
    threats = re.split(r"^(?=\*\*)", PAGE.split("## What is not held off")[0], flags=re.MULTILINE)[1:]
    assert len(threats) >= 12
    assert [t.splitlines()[0] for t in threats if "::test_" not in t] == []
