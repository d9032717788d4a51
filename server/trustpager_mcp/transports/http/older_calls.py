"""One request of a client up to 2025-11-25 while it is answered: what it is told and asked meanwhile, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

import anyio
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data, progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import (
    INTERNAL_ERROR,
    REQUEST_TIMEOUT,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from starlette.requests import Request

CANCELLED = "notifications/cancelled"
_SECONDS_TO_WITHDRAW = 5.0


class OlderCall:
    """A request and its way back to the client: a DispatchContext of the SDK.

    `said` is what the client hears before the answer, message by message, until `close()`; None is a sign of life.
    """

    def __init__(self, request: JSONRPCRequest, http: Request, *, can_ask: bool) -> None:
        self.request_id = request.id
        self.transport = TransportContext(kind="streamable-http", can_send_request=can_ask, headers=http.headers)
        self.can_send_request = can_ask
        self.message_metadata = ServerMessageMetadata(request_context=http)
        self.cancel_requested = anyio.Event()
        self._progress_token = progress_token_from_params(request.params)
        self._scope = anyio.CancelScope()
        self._numbers = count(1)
        self._questions: dict[str, _Question] = {}
        self._saying, self.said = anyio.create_memory_object_stream[JSONRPCMessage | None](0)

    async def run(self, work: Callable[[], Awaitable[dict[str, Any]]]) -> JSONRPCResponse | JSONRPCError:
        """The answer that `work` comes to."""
        try:
            with self._scope:
                if not self.cancel_requested.is_set():
                    return JSONRPCResponse(jsonrpc="2.0", id=self.request_id, result=await work())
        except Exception as error:
            known = handler_exception_to_error_data(error)
            return self._failed(known or ErrorData(code=INTERNAL_ERROR, message="Internal server error"))
        return self._failed(ErrorData(code=REQUEST_CANCELLED, message="Request cancelled"))

    def close(self) -> None:
        """Nothing more is said."""
        self._saying.close()

    def _failed(self, error: ErrorData) -> JSONRPCError:
        return JSONRPCError(jsonrpc="2.0", id=self.request_id, error=error)

    def hear(self, message: JSONRPCMessage) -> None:
        """What the client says to this call: that it is cancelled, or the answer to a question. Anything else is passed over."""
        if isinstance(message, JSONRPCNotification):
            self.cancel_requested.set()
            self._scope.cancel()
        elif isinstance(message, JSONRPCResponse | JSONRPCError) and (question := self._questions.get(str(message.id))):
            question.answer = message
            question.answered.set()

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Say something that wants no answer."""
        del opts
        # JSON-RPC has no null for parameters that are not there.
        given = {} if params is None else {"params": dict(params)}
        said = JSONRPCNotification(jsonrpc="2.0", method=method, **given)
        await self._say(said)

    async def live(self, silence: float) -> None:
        """Give a sign of life every `silence` seconds, until cancelled."""
        while True:
            await anyio.sleep(silence)
            await self._say(None)

    async def _say(self, message: JSONRPCMessage | None) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._saying.send(message)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell of progress, if the client asked to hear of it."""
        if self._progress_token is not None:
            told = {"progressToken": self._progress_token, "progress": progress, "total": total, "message": message}
            await self.notify("notifications/progress", {k: v for k, v in told.items() if v is not None})

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client something. Raises MCPError: what the client answers with one, or that it did not answer in time."""
        if not self.can_send_request:
            raise NoBackChannelError(method)
        # The id names the call: the answer comes in another request, perhaps to another server.
        name = f"{next(self._numbers)}:{self.request_id}"
        question = self._questions[name] = _Question()
        try:
            await self._saying.send(JSONRPCRequest(jsonrpc="2.0", id=name, method=method, params=dict(params or {})))
            with anyio.fail_after((opts or {}).get("timeout")):
                await question.answered.wait()
        except TimeoutError:
            raise MCPError(REQUEST_TIMEOUT, f"Request {method!r} timed out") from None
        finally:
            del self._questions[name]
            if question.answer is None:
                with anyio.move_on_after(_SECONDS_TO_WITHDRAW, shield=True):
                    await self.notify(CANCELLED, {"requestId": name, "reason": "nobody waits for the answer any more"})
        if isinstance(question.answer, JSONRPCError):
            raise MCPError.from_error_data(question.answer.error)
        assert question.answer is not None
        return question.answer.result


class _Question:
    """A request of the server's, until it is answered."""

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.answer: JSONRPCResponse | JSONRPCError | None = None
