"""Write docs/tools.md, the catalogue for people, from the definitions; `--check` says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from trustpager_mcp.catalog import Catalog, cost_text, default_catalog

PAGE = Path(__file__).parents[1] / "docs" / "tools.md"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def rendered(catalog: Catalog) -> str:
    count = f"{len(catalog.tools)} tools in {len(catalog.toolsets)} toolsets."
    lines = ["# Tools", "", f"{count} Written by `make format`; do not edit.", ""]
    for toolset in catalog.toolsets.values():
        lines += [f"## {toolset.title} (`{toolset.toolset}`)", "", f"{toolset.summary}", ""]
        lines += ["| tool | what it does | scopes | effect | credits |", "|---|---|---|---|---|"]
        for tool in toolset.tools:
            scopes = ", ".join(tool.scopes)
            cost = cost_text(tool).removeprefix("Costs ").rstrip(".")
            lines.append(f"| `{tool.name}` | {_cell(tool.description)} | {_cell(scopes)} | {tool.effect} | {cost} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    page = rendered(default_catalog())
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text() != page:
            sys.exit("docs/tools.md is not current; run `make format`")
    else:
        PAGE.write_text(page)
