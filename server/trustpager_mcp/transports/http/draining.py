"""Shutting down without losing a call: not ready first, then no new connections, then the calls in flight end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType

import uvicorn

from .operations import Operations


class DrainingServer(uvicorn.Server):
    """On the first signal /readyz turns to 503 for `delay` seconds, in which requests are still taken, so that a balancer that
    looks there stops sending before the socket closes. A second signal skips the wait."""

    def __init__(
        self, config: uvicorn.Config, operations: Operations, delay: float, close_streams: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._operations, self._delay, self._close_streams = operations, delay, close_streams
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)  # type: ignore[arg-type]

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        # Subscriptions last as long as their clients like, and are no calls to wait for.
        self._close_streams()
        await super().shutdown(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = not self._operations.draining
        self._operations.drain()
        if first and self._delay and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._delay, super().handle_exit, sig, frame)
            return
        super().handle_exit(sig, frame)
