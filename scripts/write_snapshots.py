"""Write tests/snapshots/<tool>.json for every tool, and for the meta tools; remove those of tools that are gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trustpager_mcp.app import mcp_tool
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.meta_tools import listed
from trustpager_mcp.registry import Policy, Registry

FOLDER = Path(__file__).parents[1] / "tests" / "snapshots"


def shown() -> dict[str, dict[str, Any]]:
    """Every tool as an agent with every scope sees it, by name: the meta tools as in the profile lean, then all others."""
    catalog = default_catalog()
    meta = {t["name"]: t for t in listed(Registry(catalog, Policy(scopes=catalog.scopes)))}
    return {**meta, **{name: mcp_tool(catalog, name) for name in catalog.tools}}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    tools = shown()
    for file in FOLDER.glob("*.json"):
        if file.stem not in tools:
            file.unlink()
    for name, tool in sorted(tools.items()):
        (FOLDER / f"{name}.json").write_text(json.dumps(tool, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(tools)} snapshots")
