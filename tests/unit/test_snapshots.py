"""Golden snapshots: what an agent sees of every tool changes only on purpose (`make snapshots`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trustpager_mcp.app import mcp_tool
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.meta_tools import listed
from trustpager_mcp.registry import Policy, Registry

FOLDER = Path(__file__).parents[1] / "snapshots"
catalog = default_catalog()
tools = {t["name"]: t for t in listed(Registry(catalog, Policy(scopes=catalog.scopes)))}
tools |= {name: mcp_tool(catalog, name) for name in catalog.tools}


@pytest.mark.parametrize("name", sorted(tools))
def test_the_tool_is_what_its_snapshot_says(name: str) -> None:
    file = FOLDER / f"{name}.json"
    assert file.exists(), "no snapshot; run `make snapshots` and read the change"
    assert json.loads(file.read_text()) == tools[name]


def test_no_snapshot_is_orphaned() -> None:
    assert {f.stem for f in FOLDER.glob("*.json")} == set(tools)
