"""Which record a call acts on, in words: a person who confirms a deletion should read a name, not a UUID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .definitions import Tool

_NAMES = ("name", "title", "subject", "display_name", "full_name", "file_name", "email", "phone", "number")


def target_reader(tool: Tool, visible: Mapping[str, Tool]) -> Tool | None:
    """The visible tool that reads the record in the call's path: the longest GET path that the call's path begins with."""
    best: Tool | None = None
    if tool.base != "api" or ":" not in tool.path:
        return None
    own = {p.wire: p.name for p in tool.parameters if p.location == "path"}
    for other in visible.values():
        if other.method != "GET" or other.effect != "read" or other.base != "api" or other.response != "json" or other.credits:
            continue
        if other.path != tool.path and not tool.path.startswith(other.path + "/"):
            continue
        if not other.path.rsplit("/", 1)[1].startswith(":") or (best is not None and len(other.path) <= len(best.path)):
            continue
        needed = [p for p in other.parameters if p.required or p.location == "path"]
        if all(p.location == "path" and own.get(p.wire) == p.name for p in needed):
            best = other
    return best


def record_name(reader: Tool, payload: Any) -> str:
    """`contact: Jane Smith`: what the record of a reader's answer is and is called; empty when it has no name."""
    data = payload.get("data", payload) if isinstance(payload, dict) else None
    if not isinstance(data, dict):
        return ""
    whole = " ".join(str(data[k]) for k in ("first_name", "last_name") if isinstance(data.get(k), str) and data[k])
    name = whole or next((data[k] for k in _NAMES if isinstance(data.get(k), str) and data[k]), "")
    return f"{(reader.returns or 'record').replace('_', ' ')}: {name}" if name else ""
