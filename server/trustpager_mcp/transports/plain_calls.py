"""A plain `tools/call` over a pipe on its short way: from its line to its answer's line past the SDK's loop, models and streams.

The SDK reads a message into models, carries it through streams in memory, opens a session and checks the request and its result
against several versions of the protocol. That is right for everything else and costs a call as much again as the work that it
asks for. What is not plain (another method, another key, a newer era, a client that has not introduced itself, spans being
collected) goes the SDK's way, which alone knows what is wrong with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from mcp.server import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp_types import CONNECTION_CLOSED, ErrorData
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from ..app import guarded
from ..tracing import tracing

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

_METHOD = "tools/call"
_MESSAGE_KEYS = {"jsonrpc", "id", "method", "params"}
_PARAMS_KEYS = frozenset(("name", "arguments", "_meta"))
_VERSIONS = ("2025-06-18", "2025-11-25")
"""Those in which a result of text and resource links is sent as it is."""
_NEWER_ERA = "io.modelcontextprotocol/"
"""Begins the keys of `_meta` that only newer versions have."""

Send = Callable[[bytes], Awaitable[None]]
"""Writes one line. Raises anyio.BrokenResourceError when the client has closed the pipe."""


@dataclass(frozen=True)
class PlainParams:
    """What the handler of `tools/call` reads of its request."""

    name: str
    arguments: dict[str, Any] | None


class _Client:
    """What the handler wants of its request's session: a pipe has one channel for all that is said to the client."""

    can_send_request = True

    def __init__(self, session: ServerSession, progress_token: str | int | None) -> None:
        self._session = session
        self._progress_token = progress_token

    @property
    def protocol_version(self) -> str:
        return self._session.protocol_version

    @property
    def client_capabilities(self) -> types.ClientCapabilities | None:
        return self._session.client_capabilities

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self._progress_token is not None:
            await self._session.send_progress_notification(self._progress_token, progress, total, message)

    async def send_notification(self, notification: types.ServerNotification, *, related_request_id: object) -> None:
        del related_request_id
        await self._session.send_notification(notification)

    async def elicit_form(self, message: str, schema: dict[str, Any], *, related_request_id: object) -> types.ElicitResult:
        del related_request_id
        return await self._session.elicit_form(message, schema)


@dataclass(frozen=True)
class _Context:
    """What the handler reads of its request's context."""

    session: _Client
    request_id: str | int


class PlainCalls:
    """The plain calls of one connection: each runs in a task of `tasks`, and `send` writes its answer."""

    def __init__(self, server: Server[Any], tasks: asyncio.TaskGroup, send: Send) -> None:
        entry = server.get_request_handler(_METHOD)
        assert entry is not None
        self._handler = entry.handler
        server.middleware.append(self._opening)
        self._tasks = tasks
        self._send = send
        self._session: ServerSession | None = None
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._closed = False

    async def _opening(self, ctx: Any, call_next: Any) -> Any:
        """Middleware that sees the client introduce itself."""
        result = await call_next(ctx)
        if ctx.method == "initialize":
            self._session = ctx.session
        return result

    def take(self, line: bytes) -> bool:
        """Whether the line is a plain call, or the end of one, and is taken care of."""
        if self._session is None or self._session.protocol_version not in _VERSIONS or tracing():
            return False
        try:
            message = from_json(line, allow_inf_nan=False)
        except ValueError:
            return False
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return False
        if message.get("method") == "notifications/cancelled":
            return self._cancelled(message)
        return _is_plain(message) and self._started(message, self._session)

    def _cancelled(self, message: dict[str, Any]) -> bool:
        params = message.get("params")
        scope = self._scopes.get(str(params.get("requestId"))) if isinstance(params, dict) else None
        if scope is None:
            return False
        scope.cancel()
        return True

    def _started(self, message: dict[str, Any], session: ServerSession) -> bool:
        key = str(message["id"])
        if key in self._scopes:
            return False
        scope = self._scopes[key] = anyio.CancelScope()
        params = message["params"]
        context = _Context(_Client(session, (params.get("_meta") or {}).get("progressToken")), message["id"])
        self._tasks.create_task(self._run(key, scope, context, PlainParams(params["name"], params.get("arguments"))))
        return True

    async def _run(self, key: str, scope: anyio.CancelScope, context: _Context, params: PlainParams) -> None:
        """One call from its arguments to its answer; one that the client cancelled has none."""
        answer = b""
        try:
            with scope:
                answer = await self._answer(context, params)
        finally:
            del self._scopes[key]
        if scope.cancel_called:
            if not self._closed:
                return
            answer = _refusal(context, ErrorData(code=CONNECTION_CLOSED, message="Connection closed"))
        with suppress(anyio.BrokenResourceError):
            await self._send(answer)

    async def _answer(self, context: _Context, params: PlainParams) -> bytes:
        async def handle(ctx: Any) -> bytes:
            result: Any = await self._handler(ctx, params)
            shown = {"content": result["content"], "isError": result["isError"]}
            return to_json({"jsonrpc": "2.0", "id": context.request_id, "result": shown})

        try:
            answer: bytes = await guarded(context, handle)
            return answer
        except (MCPError, ValidationError) as error:
            told = handler_exception_to_error_data(error)
            assert told is not None
            return _refusal(context, told)

    def close(self) -> None:
        """The client has closed the pipe: what still runs ends, and is told so to whoever reads on."""
        self._closed = True
        for scope in self._scopes.values():
            scope.cancel()


def _refusal(context: _Context, error: ErrorData) -> bytes:
    return to_json({"jsonrpc": "2.0", "id": context.request_id, "error": error.model_dump(by_alias=True, exclude_none=True)})


def _is_plain(message: dict[str, Any]) -> bool:
    params = message.get("params")
    return (
        message.get("method") == _METHOD
        and message.keys() == _MESSAGE_KEYS
        and isinstance(message["id"], (int, str))
        and not isinstance(message["id"], bool)
        and isinstance(params, dict)
        and _PARAMS_KEYS.issuperset(params)
        and isinstance(params.get("name"), str)
        and isinstance(params.get("arguments"), (dict, type(None)))
        and ("_meta" not in params or _is_plain_meta(params["_meta"]))
    )


def _is_plain_meta(meta: Any) -> bool:
    if not isinstance(meta, dict) or any(key.startswith(_NEWER_ERA) for key in meta):
        return False
    token = meta.get("progressToken", "")
    return isinstance(token, (int, str)) and not isinstance(token, bool)
