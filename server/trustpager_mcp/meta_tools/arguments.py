"""Reading the meta tools' own arguments."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from typing import Any

from ..errors import ArgumentsError


def text(tool: str, arguments: dict[str, Any], name: str) -> str:
    """A required text argument. Raises ArgumentsError."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ArgumentsError(
            f"{tool}: {name} is required and must be text, got {_shown(value)}.",
            hint=f'Call it like {{"{name}": "..."}}.',
        )
    return value.strip()


def texts(tool: str, arguments: dict[str, Any], name: str, most: int) -> list[str]:
    """A required text or list of texts, also as JSON in a text; doubles are dropped. Raises ArgumentsError."""
    value = arguments.get(name)
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = arguments[name]
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise ArgumentsError(
            f"{tool}: {name} is required and must be text or a list of texts, got {_shown(value)}.",
            hint=f'Call it like {{"{name}": "..."}} or {{"{name}": ["...", "..."]}}.',
        )
    if len(values) > most:
        raise ArgumentsError(f"{tool}: {name} holds {len(values)} texts, at most {most} are allowed.", hint="Ask in parts.")
    return list(dict.fromkeys(v.strip() for v in values))


def choice(tool: str, arguments: dict[str, Any], name: str, allowed: Collection[str]) -> str | None:
    """An optional argument that is one of a few words; None when it is not given. Raises ArgumentsError."""
    value = arguments.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and (word := value.strip().lower().replace(" ", "_").replace("-", "_")) in allowed:
        return word
    near = difflib.get_close_matches(str(value), allowed, n=3, cutoff=0.5)
    told = f"Did you mean {' or '.join(near)}?" if near else f"Allowed: {', '.join(allowed)}."
    raise ArgumentsError(f"{tool}: {name} is {_shown(value)}, which does not exist here. {told}")


def flag(tool: str, arguments: dict[str, Any], name: str) -> bool:
    """An optional switch, off when it is not given. Raises ArgumentsError."""
    value = arguments.get(name)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ArgumentsError(f"{tool}: {name} must be true or false, got {_shown(value)}.")


def only(tool: str, arguments: dict[str, Any], known: Collection[str]) -> None:
    """Raise ArgumentsError for an argument that the tool does not take."""
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            told = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}."
            raise ArgumentsError(f"{tool}: unknown argument {_shown(name)}: {told}")


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:80]
