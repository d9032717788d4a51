"""Pure functions over records: what to drop, what a dotted path means, how nested values become one cell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import to_json

LABELS = ("display_name", "full_name", "name", "title", "subject", "label", "email")
_MAX_DEPTH = 60
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def is_empty(value: Any) -> bool:
    """None, an empty string, list or object: nothing an agent could use."""
    return value is None or (not value and isinstance(value, (str, list, dict)))


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and _UUID.fullmatch(value) is not None


def compact(value: Any) -> str:
    """Compact JSON, not escaped to ASCII."""
    try:
        return to_json(value).decode()
    except ValueError:
        # A lone surrogate, or nested too deep for the quick way.
        pass
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def pruned(value: Any, depth: int = 0) -> Any:
    """The value without nulls and empties, all the way down; zeros and false stay, and so do the places of list elements."""
    if depth > _MAX_DEPTH and isinstance(value, (dict, list)) and value:
        return f"(nested deeper than {_MAX_DEPTH} levels)"
    if isinstance(value, dict):
        kept = {k: pruned(v, depth + 1) for k, v in value.items()}
        return {k: v for k, v in kept.items() if not is_empty(v)}
    if isinstance(value, list):
        return [pruned(v, depth + 1) for v in value]
    return value


def pick(record: Any, path: str) -> Any:
    """The value at a dotted path (`stage.name`); lists are looked through; None where there is none."""
    if isinstance(record, dict) and path in record:
        return record[path]
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
    """One cell of a concise table: scalars as they are, objects by their name, lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        for key in LABELS:
            if isinstance(value.get(key), str) and value[key]:
                return str(value[key])
        return compact(pruned(value))
    if isinstance(value, list):
        return "; ".join(label(v) for v in value)
    return str(value)


def exact(value: Any) -> str:
    """One cell that loses nothing: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else "" if is_empty(value) else compact(value)


def present_keys(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The keys that hold anything in any row, in the order they appear."""
    seen: dict[str, None] = {}
    for row in rows:
        for key, value in row.items():
            if key not in seen and not is_empty(value):
                seen[key] = None
    return list(seen)


def unknown_fields(rows: list[dict[str, Any]], fields: Iterable[str]) -> list[str]:
    """Those of the asked fields whose first part no row has as a key."""
    known = {k for row in rows for k in row}
    return [f for f in fields if f not in known and f.split(".", 1)[0] not in known]
