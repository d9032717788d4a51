"""read_result: read on in an answer of which an agent saw a part."""

from __future__ import annotations

from typing import Any

from ..dispatcher import Dispatcher, Result
from ..errors import ArgumentsError
from ..results import ReadRequest
from .arguments import text

NAME = "read_result"
DESCRIPTION = "Read on in an earlier answer by its handle."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "handle": {"type": "string"},
        "rows": {"type": "string"},
        "fields": {"type": "string"},
        "filter": {"type": "string"},
        "search": {"type": "string"},
        "text_of": {"type": "string"},
    },
    "required": ["handle"],
}
_ALLOWED = tuple(SCHEMA["properties"])


def read_result(dispatcher: Dispatcher, arguments: dict[str, Any]) -> Result:
    """The asked part of a kept answer. Raises ToolError."""
    if unknown := [k for k in arguments if k not in _ALLOWED]:
        raise ArgumentsError(f"{NAME}: unknown argument {unknown[0]!r}; it takes {', '.join(_ALLOWED)}.")
    fields = arguments.get("fields") or []
    if isinstance(fields, str):
        fields = fields.split(",")
    if not isinstance(fields, list) or not all(isinstance(f, str) for f in fields):
        raise ArgumentsError(f'{NAME}: fields must be a list of names like ["name", "email"].')
    request = ReadRequest(
        handle=text(NAME, arguments, "handle").removeprefix("trustpager://results/"),
        rows=_word(arguments, "rows"),
        fields=tuple(f.strip() for f in fields if f.strip()),
        filter=arguments.get("filter"),
        search=_word(arguments, "search"),
        text_of=_word(arguments, "text_of"),
    )
    shaped = dispatcher.read_result(request)
    return Result(shaped.text, shaped.data)


def _word(arguments: dict[str, Any], name: str) -> str | None:
    value = arguments.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ArgumentsError(f"{NAME}: {name} must be text, got {str(value)[:60]!r}.")
    return str(value)
