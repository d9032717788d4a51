"""What an agent may say about a call besides the tool's own arguments: how to show, wait, preview, repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .definitions import Tool
from .errors import ArgumentsError

Detail = Literal["concise", "full"]
Format = Literal["table", "json", "markdown"]
_CHOICES = {"detail": ("concise", "full"), "format": ("table", "json", "markdown")}
_FLAGS = ("preview", "again")
_LARGEST = {"max_items": 10_000, "wait_seconds": 600}
OPTION_NAMES = frozenset({"fields", "idempotency_key", *_CHOICES, *_FLAGS, *_LARGEST})


@dataclass(frozen=True)
class CallOptions:
    """Options of one call, checked."""

    fields: tuple[str, ...] = ()
    """Dotted paths to show instead of the default ones; `("all",)` shows every field."""
    detail: Detail = "concise"
    format: Format = "table"
    max_items: int | None = None
    """Follow the cursor until that many rows are there."""
    wait_seconds: float = 0.0
    """How long to wait for an asynchronous operation to end."""
    preview: bool = False
    """Show the request that would be sent, and send nothing."""
    again: bool = False
    """Send a write anew although the same one was just sent."""
    idempotency_key: str | None = None


def take_options(
    tool: Tool, arguments: dict[str, Any], beside: dict[str, Any] | None = None
) -> tuple[CallOptions, dict[str, Any]]:
    """Options and remaining arguments. An option among the arguments counts unless the tool has a parameter of its name.

    `beside` holds options given apart from the arguments, which win. Raises ArgumentsError.
    """
    own = tool.parameter_by_name
    found = {k: v for k, v in arguments.items() if k in OPTION_NAMES and k not in own}
    rest = {k: v for k, v in arguments.items() if k not in found}
    found.update(beside or {})
    values = {name: _checked(name, value) for name, value in found.items() if value is not None}
    if "fields" in own and "fields" in rest and "fields" not in values and tool.effect == "read":
        values["fields"], rest = _shared_fields(rest)
    return CallOptions(**values), rest


def _shared_fields(arguments: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Where the API knows `fields` too, it chooses at the source as well, if the API can say it."""
    try:
        chosen = _field_names(arguments["fields"])
    except ArgumentsError:
        return (), arguments
    plain = chosen != ("all",) and not any("." in c for c in chosen)
    return chosen, {k: v for k, v in arguments.items() if k != "fields" or plain}


def _checked(name: str, value: Any) -> Any:
    if name == "fields":
        return _field_names(value)
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise _wrong(name, value, f"one of {', '.join(_CHOICES[name])}")
        return value
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise _wrong(name, value, "true or false")
        return value
    if name in _LARGEST:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LARGEST[name]:
            raise _wrong(name, value, f"a number above 0 and up to {_LARGEST[name]}")
        return int(value) if name == "max_items" else float(value)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not 0 < len(value) <= 255:
        raise _wrong(name, value, "1 to 255 printable ASCII characters")
    return value


def _field_names(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise _wrong("fields", value, 'a list of field names like ["name", "stage.name"]')
    return tuple(part.strip() for n in names for part in n.split(",") if part.strip())


def _wrong(name: str, value: Any, allowed: str) -> ArgumentsError:
    return ArgumentsError(f"{name} is {str(value)[:60]!r}; it must be {allowed}. Nothing was sent.")
