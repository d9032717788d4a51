"""`subscriptions/listen`: a client hears when what it may do has changed, and of nobody else's changes.

Every stream belongs to the credential that opened it. While one is open, its scopes are asked of the API as often as they
may be remembered, so that a listener hears of a change without calling anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ServerEvent, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged

MOST_STREAMS = 16
"""Open streams of one credential."""
_INTERNAL_ERROR = -32603
_SHORTEST_LOOK = 0.2
_CHANGED: tuple[ServerEvent, ...] = (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())


class Subscriptions:
    """The open streams of all credentials.

    `caller` names the credential of the request being handled; `look` asks for its scopes anew if they are older than `every`
    seconds.
    """

    def __init__(self, caller: Callable[[], str], look: Callable[[], Awaitable[Any]], every: float) -> None:
        self._caller = caller
        self._look = look
        self._every = max(every, _SHORTEST_LOOK)
        self._buses: dict[str, InMemorySubscriptionBus] = {}
        self._open: Counter[str] = Counter()
        self._telling: set[asyncio.Task[None]] = set()
        self._handler = ListenHandler(self)

    async def listen(self, ctx: Any, params: Any) -> Any:
        """Serve one stream, until the client leaves or the server closes. Raises MCPError when the credential has too many."""
        whose = self._caller()
        if self._open[whose] >= MOST_STREAMS:
            raise MCPError(_INTERNAL_ERROR, f"this credential has {MOST_STREAMS} subscriptions open; close one first")
        self._open[whose] += 1
        looking = asyncio.create_task(self._keep_looking())
        try:
            # What the credential may do now is what changes are seen against.
            await self._look()
            return await self._handler(ctx, params)
        finally:
            looking.cancel()
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
                self._buses.pop(whose, None)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """As the SDK's bus: the listener hears what changes for the caller of this request."""
        return self._buses.setdefault(self._caller(), InMemorySubscriptionBus()).subscribe(listener)

    async def publish(self, event: ServerEvent) -> None:
        """As the SDK's bus: to the streams of the caller of this request."""
        if (bus := self._buses.get(self._caller())) is not None:
            await bus.publish(event)

    def changed(self, whose: str) -> None:
        """Tell the streams of a credential, soon, that its tools, prompts and resources are others now."""
        if (bus := self._buses.get(whose)) is not None:
            task = asyncio.get_running_loop().create_task(_tell(bus))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def close(self) -> None:
        """End every stream in good order."""
        self._handler.close()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._look()


async def _tell(bus: InMemorySubscriptionBus) -> None:
    for event in _CHANGED:
        await bus.publish(event)
