"""Requests of clients up to 2025-11-25: what belongs to a call under way may come in a request of its own, to any server.

Such a client cancels a call by a notice, and answers what the server asks it within a call, each by another POST. Both name the
call by an id that is unique only among the client's own, so every client is given a session id to send along. It is a name, and
tells what the client can be asked; no server keeps it, and every server takes every one. The rest is as the SDK does it without
sessions: a transport and a dispatcher for each request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server import NotificationOptions, Server
from mcp.server.connection import Connection
from mcp.server.runner import serve_connection
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, REQUEST_CANCELLED, StreamableHTTPServerTransport
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware, TransportSecuritySettings
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher, cancelled_request_id_from_params
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import (
    DEFAULT_NEGOTIATED_VERSION,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from ...news import News

_NEWS = "follow-up"
_CANCELLED = "notifications/cancelled"
_MOST_EARLY = 1_000
_LONGEST_TOLD = 65_536
"""Bytes of a message that other servers are told of: a person's answer to a form is far shorter."""
_MOST_WAITING = 16
_ASKABLE = {"f": ("elicitation", "form"), "u": ("elicitation", "url"), "s": ("sampling", ""), "r": ("roots", "")}
"""What a client can be asked, by the letter that says so at the end of its session id."""

_Inbox = MemoryObjectSendStream[SessionMessage | Exception]


def is_of_an_older_era(version: str | None) -> bool:
    """Whether a request with this MCP-Protocol-Version, or without one, is a client's of the eras with a handshake."""
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


class OlderEras:
    """The ASGI application for POSTs of the older eras.

    `whose` tells the fingerprint of the caller's credential, so that nobody reaches a call of somebody else's. `news` reaches
    the servers where the call may run instead.
    """

    def __init__(
        self, server: Server[Any], security: TransportSecuritySettings, whose: Callable[[], str], news: News | None
    ) -> None:
        self._server = server
        self._security = security
        self._whose = whose
        self._news = news
        self._calls: dict[str, _Inbox] = {}
        self._cancelled_early: OrderedDict[str, None] = OrderedDict()
        """Calls that were cancelled and are not here: they have ended, run elsewhere, or have been overtaken on the way."""
        self._introduction = server.create_initialization_options(NotificationOptions(tools_changed=True))
        self._application = RequestBodyLimitMiddleware(self._serve, DEFAULT_MAX_REQUEST_BODY_SIZE)
        if news is not None:
            news.hear(_NEWS, self._heard)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        exchange = _Exchange(self._whose(), headers.get(MCP_SESSION_ID_HEADER, ""))
        version = headers.get(MCP_PROTOCOL_VERSION_HEADER) or DEFAULT_NEGOTIATED_VERSION
        capabilities = exchange.capabilities
        transport = StreamableHTTPServerTransport(None, security_settings=self._security)
        async with transport.connect() as (read, write), anyio.create_task_group() as tasks:
            inbox, messages = anyio.create_memory_object_stream[SessionMessage | Exception](_MOST_WAITING)
            dispatcher = JSONRPCDispatcher(
                messages,
                _Outbox(write),
                transport_builder=lambda _: TransportContext(kind="streamable-http", can_send_request=bool(capabilities)),
                inline_methods=frozenset({"initialize"}),
            )
            tasks.start_soon(self._take, exchange, read, write, inbox)
            tasks.start_soon(self._answer, dispatcher, Connection.from_envelope(version, None, capabilities))
            try:
                await transport.handle_request(scope, receive, send if exchange.session else _introducing(send, exchange))
            finally:
                if exchange.call and self._calls.get(exchange.call) is inbox:
                    del self._calls[exchange.call]
                inbox.close()
                with anyio.CancelScope(shield=True):
                    await transport.terminate()

    async def _answer(self, dispatcher: JSONRPCDispatcher, connection: Connection) -> None:
        await serve_connection(
            self._server, dispatcher, connection=connection, lifespan_state={}, init_options=self._introduction
        )

    async def _take(self, exchange: _Exchange, read: Any, write: Any, inbox: _Inbox) -> None:
        """Give what was posted to this request's dispatcher, or to that of the call which it belongs to."""
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async for item in read:
                message = item.message if isinstance(item, SessionMessage) else None
                if isinstance(message, JSONRPCRequest):
                    exchange.opens(message)
                    if exchange.call in self._cancelled_early:
                        error = ErrorData(code=REQUEST_CANCELLED, message="Request cancelled")
                        await write.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=message.id, error=error)))
                        continue
                    if exchange.call:
                        self._calls[exchange.call] = inbox
                elif message is not None and (belonging := _belonging(message)):
                    call, message = belonging
                    self._follow(exchange.named(call), message)
                    continue
                await inbox.send(item)

    def _follow(self, call: str | None, message: JSONRPCMessage) -> None:
        """Hand a message to its call, here or at whichever server has it."""
        if call is None or self._handed(call, message) or self._news is None:
            return
        content = message.model_dump_json(by_alias=True, exclude_unset=True)
        if len(content) <= _LONGEST_TOLD:
            self._news.tell(_NEWS, call=call, message=content)

    def _heard(self, note: dict[str, Any]) -> None:
        self._handed(str(note["call"]), jsonrpc_message_adapter.validate_json(note["message"]))

    def _handed(self, call: str, message: JSONRPCMessage) -> bool:
        """Whether the call is under way here. One that is not, and is cancelled, may still be on its way."""
        if (inbox := self._calls.get(call)) is not None:
            with suppress(anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
                inbox.send_nowait(SessionMessage(message))
            return True
        if isinstance(message, JSONRPCNotification):
            self._cancelled_early[call] = None
            if len(self._cancelled_early) > _MOST_EARLY:
                self._cancelled_early.popitem(last=False)
        return False


class _Exchange:
    """One POST: whose it is, and the session id that came with it, or "" ."""

    def __init__(self, whose: str, session: str) -> None:
        self._whose = whose
        self.session = session
        self.new_session = ""
        """The session id that the client is given, once it has introduced itself."""
        self.call: str | None = None
        """What the request is known by that was posted, if others can belong to it."""

    @property
    def capabilities(self) -> dict[str, Any]:
        """Those of the client that let it be asked, as it declared them."""
        found: dict[str, dict[str, Any]] = {}
        for letter in self.session.partition("-")[2]:
            if letter in _ASKABLE:
                name, mode = _ASKABLE[letter]
                found.setdefault(name, {}).update({mode: {}} if mode else {})
        return found

    def opens(self, request: JSONRPCRequest) -> None:
        """Take note of the request that was posted; `initialize` makes a session id."""
        self.call = self.named(request.id)
        if request.method == "initialize":
            declared = (request.params or {}).get("capabilities")
            letters = _letters(declared) if isinstance(declared, dict) else ""
            self.new_session = secrets.token_hex(16) + (f"-{letters}" if letters else "")

    def named(self, request: str | int) -> str | None:
        """What a request of this client's is known by: a digest, for it goes through Redis, where no session has to be known."""
        if not self.session:
            return None
        return hashlib.sha256(f"{self._whose}\n{self.session}\n{request}".encode()).hexdigest()


def _letters(declared: dict[str, Any]) -> str:
    elicitation = declared.get("elicitation")
    # Elicitation that is declared without a mode means forms.
    modes = (elicitation or {"form": {}}) if isinstance(elicitation, dict) else {}
    return "".join(
        letter for letter, (name, mode) in _ASKABLE.items() if (mode in modes if name == "elicitation" else name in declared)
    )


def _introducing(send: Any, exchange: _Exchange) -> Any:
    """The ASGI `send` that gives the client its session id, which is known when the answer has something to say."""
    held: list[Any] = []

    async def introduced(message: Any) -> None:
        if message["type"] == "http.response.start":
            held.append(message)
            return
        if held:
            start = held.pop()
            own = [(MCP_SESSION_ID_HEADER.encode(), exchange.new_session.encode())] if exchange.new_session else []
            await send({**start, "headers": [*start["headers"], *own]})
        await send(message)

    return introduced


class _Outbox:
    """What the server sends in the answer to a request; its own requests by ids that name the call they belong to."""

    def __init__(self, write: Any) -> None:
        self._write = write
        self.aclose = write.aclose

    async def send(self, item: SessionMessage) -> None:
        message, call = item.message, getattr(item.metadata, "related_request_id", None)
        if isinstance(message, JSONRPCRequest):
            message = message.model_copy(update={"id": f"{message.id}:{call}"})
        elif isinstance(message, JSONRPCNotification) and message.method == _CANCELLED and message.params:
            message = message.model_copy(
                update={"params": {**message.params, "requestId": f"{message.params['requestId']}:{call}"}}
            )
        await self._write.send(SessionMessage(message, item.metadata))

    async def __aenter__(self) -> _Outbox:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _belonging(message: JSONRPCMessage) -> tuple[str | int, JSONRPCMessage] | None:
    """The id of the call that a message belongs to, and the message as that call's dispatcher wants it."""
    if isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
        request = cancelled_request_id_from_params(message.params)
        return None if request is None else (request, message)
    if isinstance(message, JSONRPCResponse | JSONRPCError) and isinstance(message.id, str):
        own, _, call = message.id.partition(":")
        return (call, message.model_copy(update={"id": own}))
    return None
