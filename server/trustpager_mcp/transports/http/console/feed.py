"""What this server's calls were, for the operator who watches: recent ones, sums, errors by kind, what is held.

Fed with the records of the audit log. Argument values are kept only where the operator had them logged; results never are.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ....audit import CallRecord
from ....definitions import Tool
from ....redaction import one_line, without_secrets

MOST_CALLS = 500
MOST_HELD = 100
MOST_KINDS = 100
_OTHER = "other"
_MAX_ARGUMENTS = 2_000
_FAILURES = ("refused", "declined", "failed", "uncertain", "broken")
_BETWEEN_MESSAGES = 0.1
_SIGN_OF_LIFE = 15.0

Event = dict[str, Any]
_of_this_request: ContextVar[list[Event] | None] = ContextVar("calls_of_this_request", default=None)


class CallFeed:
    """The calls of one process since it started: the newest `MOST_CALLS`, and sums over all of them.

    `tools` are those of the catalogue: a call that was refused early tells no effect of its own.
    """

    def __init__(self, tools: Mapping[str, Tool], *, with_arguments: bool = False) -> None:
        self._tools = tools
        self._with_arguments = with_arguments
        self._calls: deque[Event] = deque(maxlen=MOST_CALLS)
        self._held: deque[Event] = deque(maxlen=MOST_HELD)
        self._errors: dict[str, Event] = {}
        self._totals: Counter[str] = Counter()
        self._credits = 0.0
        self._milliseconds = 0.0
        self._last = 0
        self._watchers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def observe(self, record: CallRecord) -> None:
        """Take one call that has ended: an observer of the audit log."""
        event = self._event(record)
        mine = _of_this_request.get()
        if mine is not None:
            mine.append(event)
        self._calls.append(event)
        self._totals.update(calls=1, tokens=record.tokens, failures=record.outcome in _FAILURES)
        self._totals.update(held=record.outcome == "queued", unpriced=record.credits is None)
        self._credits += record.credits or 0.0
        self._milliseconds += record.duration_ms
        if record.approval_id:
            self._held.append(event)
        if event["code"]:
            self._count_error(event)
        self._wake()

    def _event(self, record: CallRecord) -> Event:
        self._last += 1
        tool = self._tools.get(record.tool)
        event: Event = {
            "id": self._last,
            "time": record.time,
            "tool": one_line(without_secrets(record.tool), 64),
            "effect": tool.effect if tool else None,
            "outcome": record.outcome,
            "code": one_line(record.code, 64) if record.code else None,
            "status": record.status,
            "attempts": record.attempts,
            "joined": record.joined,
            "ms": record.duration_ms,
            "tokens": record.tokens,
            "credits": record.credits,
            "who": record.credential,
            "approval_id": record.approval_id,
            "from_console": _of_this_request.get() is not None,
        }
        if self._with_arguments:
            event["arguments"] = _bounded(record.arguments)
        return event

    def _count_error(self, event: Event) -> None:
        code = event["code"] if event["code"] in self._errors or len(self._errors) < MOST_KINDS else _OTHER
        kind = self._errors.setdefault(code, {"code": code, "count": 0})
        kind.update(count=kind["count"] + 1, last=event["time"], tool=event["tool"])

    def since(self, seen: int) -> dict[str, Any]:
        """The calls after number `seen`, oldest first, as far as they are kept; and the sums of now."""
        return {
            "calls": [e for e in self._calls if e["id"] > seen],
            "totals": {
                **{name: self._totals[name] for name in ("calls", "failures", "tokens", "held", "unpriced")},
                "credits": round(self._credits, 4),
                "mean_ms": round(self._milliseconds / self._last, 1) if self._last else 0.0,
            },
            "errors": sorted(self._errors.values(), key=lambda k: -k["count"]),
            "held": list(self._held),
        }

    async def messages(self) -> AsyncIterator[str]:
        """Server-sent events for one watcher until it goes away or the server shuts down, each with what is new.

        However fast calls come, a watcher gets ten messages a second, and a slow one is behind by the kept calls at most.
        """
        self._loop = asyncio.get_running_loop()
        changed, seen = asyncio.Event(), 0
        self._watchers.add(changed)
        try:
            while not self._closed:
                changed.clear()
                news = self.since(seen)
                seen = self._last
                yield f"data: {json.dumps(news, separators=(',', ':'))}\n\n"
                while not self._closed and not changed.is_set():
                    try:
                        await asyncio.wait_for(changed.wait(), _SIGN_OF_LIFE)
                    except TimeoutError:
                        yield ": still here\n\n"
                await asyncio.sleep(0 if self._closed else _BETWEEN_MESSAGES)
        finally:
            self._watchers.discard(changed)

    def close(self) -> None:
        """End every stream of messages. Safe to call from a signal handler."""
        self._closed = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for watcher in self._watchers:
            watcher.set()


@contextmanager
def calls_of_this_request() -> Iterator[list[Event]]:
    """The calls that are made in the block, which are marked as the console's own."""
    mine: list[Event] = []
    token = _of_this_request.set(mine)
    try:
        yield mine
    finally:
        _of_this_request.reset(token)


def _bounded(arguments: dict[str, Any]) -> str:
    text = json.dumps(without_secrets(arguments), ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_ARGUMENTS else f"{text[:_MAX_ARGUMENTS]}… ({len(text)} characters)"
