"""Waiting for an operation that the API finishes later, as its definition says where to look."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from .callers import Caller
from .definitions import Poll, Tool
from .retries import Patience

_FAILED = ("failed", "error", "cancelled", "canceled")
Look = Callable[[dict[str, Any]], Awaitable[Any]]


def state(poll: Poll, payload: Any) -> str | None:
    """What the record says of its progress."""
    data = payload.get("data", payload) if isinstance(payload, dict) else None
    for part in poll.field.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return None if data is None else str(data)


def ended(poll: Poll, payload: Any) -> bool:
    return state(poll, payload) in poll.until


def failed(poll: Poll, payload: Any) -> bool:
    """It ended, and not well."""
    return state(poll, payload) in _FAILED


def where_to_look(reader: Tool, payload: Any, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The reading tool's arguments: ids from the answer, else from the call; None when one is missing."""
    data = payload.get("data", payload) if isinstance(payload, dict) else {}
    data = data if isinstance(data, dict) else {}
    found: dict[str, Any] = {}
    for parameter in reader.parameters:
        if not parameter.required:
            continue
        short = "_".join(parameter.name.split("_")[-2:])
        value = data.get(parameter.name, data.get(short, arguments.get(parameter.name)))
        if value is None:
            value = data.get(parameter.wire, data.get("id"))
        if value is None:
            return None
        found[parameter.name] = value
    return found


async def wait_for(poll: Poll, look: Look, where: dict[str, Any], seconds: float, caller: Caller, patience: Patience) -> Any:
    """The record when it has ended, else as it was last seen when the time is over. Raises what `look` raises."""
    deadline = time.monotonic() + seconds
    started = time.monotonic()
    pause = patience.first_poll
    payload: Any = None
    while True:
        await anyio.sleep(min(pause, max(deadline - time.monotonic(), 0.0)))
        payload = await look(where)
        if ended(poll, payload) or time.monotonic() >= deadline:
            return payload
        waited = time.monotonic() - started
        await caller.progress(f"{poll.field} is {state(poll, payload)} after {waited:.0f} s; waiting up to {seconds:g} s")
        pause = min(pause * 1.6, patience.longest_poll)
