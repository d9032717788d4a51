"""Write tools/*.json in the one canonical form, or say which files are not: `--check`.

Keys stand in the order of the format, defaults are left out, every parameter stands on a line of its own.
`--schema` writes the JSON Schema of the format itself to schemas/toolset.schema.json (checked by `--check` too).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trustpager_mcp.definitions import Toolset, data_directory, load_toolsets

INLINE = {"parameters", "also_needs", "neighbours", "rules"}


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def render(toolset: Toolset) -> str:
    document = toolset.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = ["{"]
    for key in ("toolset", "title", "summary"):
        lines.append(f'  "{key}": {_line(document[key])},')
    if entities := document.get("entities"):
        lines.append('  "entities": {')
        lines.append(",\n".join(f"    {_line(name)}: {_line(hints)}" for name, hints in entities.items()))
        lines.append("  },")
    lines.append('  "tools": [')
    lines.append(",\n".join(_tool(t) for t in document["tools"]))
    lines += ["  ]", "}"]
    return "\n".join(lines) + "\n"


def _tool(tool: dict[str, Any]) -> str:
    rows = []
    for key, value in tool.items():
        if key == "parameters":
            value = [{k: v for k, v in p.items() if not (k == "wire" and v == p["name"])} for p in value]
        if key in INLINE and value:
            body = ",\n".join(f"        {_line(v)}" for v in value)
            rows.append(f'      "{key}": [\n{body}\n      ]')
        else:
            rows.append(f'      "{key}": {_line(value)}')
    return "    {\n" + ",\n".join(rows) + "\n    }"


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    wanted = {data_directory("tools") / f"{toolset.toolset}.json": render(toolset) for toolset in load_toolsets()}
    format_file = Path(__file__).parents[1] / "schemas" / "toolset.schema.json"
    wanted[format_file] = json.dumps(Toolset.model_json_schema(by_alias=True), indent=1) + "\n"
    stale = [file for file, text in wanted.items() if not file.exists() or file.read_text() != text]
    if check:
        for file in stale:
            print(f"{file.name}: not in canonical form; run scripts/format_definitions.py")
        return bool(stale)
    for file in stale:
        file.write_text(wanted[file])
    print(f"{len(stale)} of {len(wanted)} files rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
