"""Pure functions over records: what to drop, how nested values become one cell."""

from __future__ import annotations

import json
from typing import Any

_LABELS = ("display_name", "name", "title", "subject", "label", "email")


def is_empty(value: Any) -> bool:
    """None, an empty string, list or object: nothing an agent could use."""
    return value is None or value == "" or value == [] or value == {}


def pruned(value: Any) -> Any:
    """The value without nulls and empties, all the way down; zeros and false stay."""
    if isinstance(value, dict):
        kept = {k: pruned(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if not is_empty(v)}
    if isinstance(value, list):
        return [pruned(v) for v in value]
    return value


def pick(record: Any, path: str) -> Any:
    """The value at a dotted path (`stage.name`); lists are looked through; None where there is none."""
    value = record
    for part in path.split("."):
        if isinstance(value, list):
            found = [v for v in (pick(item, part) for item in value) if v is not None]
            value = found or None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def label(value: Any) -> str:
    """One cell of a table: scalars as they are, objects by their name, lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        for key in _LABELS:
            if isinstance(value.get(key), str) and value[key]:
                return str(value[key])
        return json.dumps(pruned(value), ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, list):
        return "; ".join(label(v) for v in value)
    return str(value)


def cell(value: Any) -> str:
    """A CSV cell: quoted only where it must be; line breaks become spaces."""
    text = " ".join(label(value).split()) if not isinstance(value, (int, float)) else label(value)
    if any(c in text for c in ',"'):
        return '"' + text.replace('"', '""') + '"'
    return text
