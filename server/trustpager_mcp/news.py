"""What replicas tell each other at once: short notes through Redis, heard by every server that works for somebody.

A note that is lost is no harm: whoever missed it finds out by itself. Nothing waits for one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

from .errors import ToolError
from .shared_state import SharedState

_CHANNEL = "news"
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
Hear = Callable[[dict[str, Any]], None]


class News:
    """Notes of a kind, each a flat object, to the other processes that share the state."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._own = uuid.uuid4().hex
        self._hearers: dict[str, Hear] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = False

    def hear(self, kind: str, hearer: Hear) -> None:
        """Call `hearer` with every note of a kind that another process sends."""
        self._hearers[kind] = hearer

    def tell(self, kind: str, **note: Any) -> None:
        """Send a note to the others, soon; it is lost while Redis is away, which is logged."""
        self._start(self._send(json.dumps({"from": self._own, "kind": kind, **note}).encode()))

    def listen(self) -> None:
        """Hear the others from now on, again after Redis was away. Needs a running event loop; more than once is once."""
        if not self._listening:
            self._listening = True
            self._start(self._listen())

    async def aclose(self) -> None:
        """Stop hearing and sending."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, note: bytes) -> None:
        try:
            await self._state.publish(_CHANNEL, note)
        except ToolError as error:
            logging.getLogger(__name__).warning("other servers are not told: %s", error.message)

    async def _listen(self) -> None:
        pause = _PAUSE
        while True:
            try:
                async for content in self._state.messages(_CHANNEL):
                    pause = _PAUSE
                    self._heard(content)
            except ToolError as error:
                logging.getLogger(__name__).warning("other servers are not heard: %s", error.message)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _heard(self, content: bytes) -> None:
        try:
            note = json.loads(content)
            if note.pop("from") != self._own and (hearer := self._hearers.get(note.pop("kind"))) is not None:
                hearer(note)
        except (ValueError, KeyError, TypeError, AttributeError):
            logging.getLogger(__name__).warning("a note that makes no sense came through Redis")
