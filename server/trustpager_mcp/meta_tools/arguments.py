"""Reading the meta tools' own arguments."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ArgumentsError


def text(tool: str, arguments: dict[str, Any], name: str) -> str:
    """A required text argument. Raises ArgumentsError."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ArgumentsError(
            f"{tool}: {name} is required and must be text, got {json.dumps(value, default=str)[:80]}.",
            hint=f'Call it like {{"{name}": "..."}}.',
        )
    return value.strip()
