"""Write tests/snapshots/<tool>.json for every tool and remove those of tools that are gone."""

from __future__ import annotations

import json
from pathlib import Path

from trustpager_mcp.app import mcp_tool
from trustpager_mcp.catalog import default_catalog

FOLDER = Path(__file__).parents[1] / "tests" / "snapshots"


def rendered(name: str) -> str:
    return json.dumps(mcp_tool(default_catalog(), name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    names = set(default_catalog().tools)
    for file in FOLDER.glob("*.json"):
        if file.stem not in names:
            file.unlink()
    for name in sorted(names):
        (FOLDER / f"{name}.json").write_text(rendered(name))
    print(f"{len(names)} snapshots")
