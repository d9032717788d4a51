"""Calls that a client of the older eras cancels: its notice comes in a request of its own, and perhaps to another server.

A newer client closes the request. An older one names the call by an id that is unique only among its own, so every such client is
given a session id to send along. The id is a name and nothing more: none is kept, and every server takes every one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, REQUEST_CANCELLED
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params

from ...news import News

_NEWS = "cancelled"
_MOST_EARLY = 1_000


class Cancellations:
    """The calls under way at this server, by what a notice can name them: caller, session and request id.

    `whose` tells the fingerprint of the caller's credential, so that nobody cancels a call of somebody else's. `news` reaches
    the servers where the call may run instead.
    """

    def __init__(self, server: Server[Any], whose: Callable[[], str], news: News | None) -> None:
        self._whose = whose
        self._news = news
        self._running: dict[str, anyio.CancelScope] = {}
        self._early: OrderedDict[str, None] = OrderedDict()
        """Notices whose call is not here: it has ended, runs elsewhere, or has been overtaken on the way."""
        server.middleware.append(self._cancellable)
        if news is not None:
            news.hear(_NEWS, self._heard)

    async def _cancellable(self, ctx: Any, call_next: Any) -> Any:
        """Middleware: a call ends when its notice comes, and is answered as the SDK answers a cancelled one."""
        session = ctx.request.headers.get(MCP_SESSION_ID_HEADER) if ctx.request is not None else None
        if session is None or ctx.method not in ("tools/call", "notifications/cancelled"):
            return await call_next(ctx)
        if ctx.method == "tools/call":
            return await self._run(self._name(session, ctx.request_id), ctx, call_next)
        request = cancelled_request_id_from_params(ctx.params)
        if request is not None and not self._cancel(call := self._name(session, request)) and self._news is not None:
            self._news.tell(_NEWS, call=call)
        return await call_next(ctx)

    async def _run(self, call: str, ctx: Any, call_next: Any) -> Any:
        if call not in self._early:
            scope = self._running[call] = anyio.CancelScope()
            try:
                with scope:
                    return await call_next(ctx)
            finally:
                if self._running.get(call) is scope:
                    del self._running[call]
        raise MCPError(REQUEST_CANCELLED, "Request cancelled")

    def _heard(self, note: dict[str, Any]) -> None:
        self._cancel(note["call"])

    def _cancel(self, call: str) -> bool:
        """Whether the call was under way here."""
        if (scope := self._running.get(call)) is not None:
            scope.cancel()
            return True
        self._early[call] = None
        if len(self._early) > _MOST_EARLY:
            self._early.popitem(last=False)
        return False

    def _name(self, session: str, request: str | int) -> str:
        """A digest: it goes through Redis, where neither caller nor session has to be known."""
        return hashlib.sha256(f"{self._whose()}\n{session}\n{request}".encode()).hexdigest()


def introducing(send: Any, headers: Mapping[str, str]) -> Any:
    """The ASGI `send` that gives a client of the older eras a session id at its start, when it brings neither id nor version."""
    if MCP_SESSION_ID_HEADER in headers or MCP_PROTOCOL_VERSION_HEADER in headers:
        return send

    async def introduced(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] < 300:
            own = (MCP_SESSION_ID_HEADER.encode(), secrets.token_hex(16).encode())
            message = {**message, "headers": [*message["headers"], own]}
        await send(message)

    return introduced
