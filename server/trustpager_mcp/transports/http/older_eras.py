"""Requests of clients up to 2025-11-25: what belongs to a call under way may come in a request of its own, to any server.

Such a client cancels a call by a notice, and answers what the server asks it within a call, each by another POST. Both name the
call by an id that is unique only among the client's own, so every client is given a session id to send along. It is a name, and
tells what the client can be asked; no server keeps it, and every server takes every one.

An answer is JSON, as the SDK gives it in the newer era, or a stream of events from when there is something to say before it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Any

import anyio
from mcp.server import NotificationOptions, Server
from mcp.server.connection import Connection
from mcp.server.runner import ServerRunner, aclose_shielded
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, check_accept_headers
from mcp.server.transport_security import (
    DEFAULT_MAX_REQUEST_BODY_SIZE,
    RequestBodyLimitMiddleware,
    TransportSecurityMiddleware,
    TransportSecuritySettings,
)
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp_types import (
    DEFAULT_NEGOTIATED_VERSION,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from ...news import News
from .older_calls import CANCELLED, OlderCall

_NEWS = "follow-up"
_MOST_EARLY = 1_000
_LONGEST_OVERTAKEN = 10.0
"""Seconds by which a call may come after the notice that cancels it; later its id was used again."""
_LONGEST_TOLD = 65_536
"""Bytes of a message that other servers are told of: a person's answer to a form is far shorter."""
_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_ASKABLE = {"f": ("elicitation", "form"), "u": ("elicitation", "url"), "s": ("sampling", ""), "r": ("roots", "")}
"""What a client can be asked, by the letter that says so at the end of its session id."""


def is_of_an_older_era(version: str | None) -> bool:
    """Whether a request with this MCP-Protocol-Version, or without one, is a client's of the eras with a handshake."""
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


class OlderEras:
    """The ASGI application for POSTs of the older eras.

    `whose` tells the fingerprint of the caller's credential, so that nobody reaches a call of somebody else's. `news` reaches
    the servers where the call may run instead. After `silence` seconds a waiting client gets a sign of life, so that no proxy
    takes the connection for dead.
    """

    def __init__(
        self,
        server: Server[Any],
        security: TransportSecuritySettings,
        whose: Callable[[], str],
        news: News | None,
        *,
        silence: float = 15.0,
    ) -> None:
        self._server = server
        self._security = TransportSecurityMiddleware(security)
        self._whose = whose
        self._news = news
        self._silence = silence
        self._calls: dict[str, OlderCall] = {}
        self._cancelled_early: OrderedDict[str, float] = OrderedDict()
        """When a call was cancelled that is not here: it has ended, runs elsewhere, or has been overtaken on the way."""
        self._introduction = server.create_initialization_options(NotificationOptions(tools_changed=True))
        self._application = RequestBodyLimitMiddleware(self._serve, DEFAULT_MAX_REQUEST_BODY_SIZE)
        if news is not None:
            news.hear(_NEWS, self._heard)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        http = Request(scope, receive)
        message = _unacceptable(http) or await self._security.validate_request(http, is_post=True) or await _posted(http)
        if isinstance(message, Response):
            return await message(scope, receive, send)
        client = _Client(self._whose(), http.headers.get(MCP_SESSION_ID_HEADER, ""))
        if isinstance(message, JSONRPCRequest):
            return await self._answer(client, message, http, send)
        if belonging := _belonging(message):
            self._follow(client.name(belonging[0]), belonging[1])
        return await Response(status_code=202)(scope, receive, send)

    async def _answer(self, client: _Client, request: JSONRPCRequest, http: Request, send: Any) -> None:
        capabilities = client.capabilities
        call = OlderCall(request, http, can_ask=bool(capabilities))
        name = client.name(request.id)
        if name is not None:
            self._calls[name] = call
            if self._cancelled_early.pop(name, -inf) > time.monotonic() - _LONGEST_OVERTAKEN:
                call.hear(JSONRPCNotification(jsonrpc="2.0", method=CANCELLED))
        version = http.headers.get(MCP_PROTOCOL_VERSION_HEADER, DEFAULT_NEGOTIATED_VERSION)

        async def work() -> dict[str, Any]:
            connection = Connection.from_envelope(version, None, capabilities)
            runner = ServerRunner(self._server, connection, {}, init_options=self._introduction)
            try:
                return await runner.on_request(call, request.method, request.params)
            finally:
                await aclose_shielded(connection)

        headers = []
        if request.method == "initialize":
            headers = [(MCP_SESSION_ID_HEADER.encode(), _new_session(request.params).encode())]
        try:
            await self._exchange(call, work, http, send, headers)
        finally:
            if name is not None and self._calls.get(name) is call:
                del self._calls[name]

    async def _exchange(self, call: OlderCall, work: Any, http: Request, send: Any, headers: list[tuple[bytes, bytes]]) -> None:
        """Run a call and send its answer; a client that leaves ends both."""
        answers: list[JSONRPCResponse | JSONRPCError] = []

        async def run() -> None:
            answers.append(await call.run(work))
            call.close()

        async def watch() -> None:
            while (await http.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(watch)
            tasks.start_soon(call.live, self._silence)
            streaming = False
            async with call.said:
                async for said in call.said:
                    if not streaming:
                        streaming = True
                        await send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *headers]})
                    event = _event(said) if said else b": still at work\r\n\r\n"
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            (answer,) = answers
            if streaming:
                await send({"type": "http.response.body", "body": _event(answer)})
            else:
                body = _dumped(answer)
                plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 200, "headers": [*plain, *headers]})
                await send({"type": "http.response.body", "body": body})
            tasks.cancel_scope.cancel()

    def _follow(self, call: str | None, message: JSONRPCMessage) -> None:
        """Hand a message to its call, here or at whichever server has it."""
        if call is None or self._handed(call, message) or self._news is None:
            return
        content = message.model_dump_json(by_alias=True, exclude_unset=True)
        if len(content) <= _LONGEST_TOLD:
            self._news.tell(_NEWS, call=call, message=content)

    def _heard(self, note: dict[str, Any]) -> None:
        self._handed(str(note["call"]), jsonrpc_message_adapter.validate_json(note["message"]))

    def _handed(self, name: str, message: JSONRPCMessage) -> bool:
        """Whether the call is under way here. One that is not, and is cancelled, may still be on its way."""
        if (call := self._calls.get(name)) is not None:
            call.hear(message)
            return True
        if isinstance(message, JSONRPCNotification):
            self._cancelled_early[name] = time.monotonic()
            if len(self._cancelled_early) > _MOST_EARLY:
                self._cancelled_early.popitem(last=False)
        return False


def _unacceptable(http: Request) -> Response | None:
    """What is wrong with the headers of a POST, told in more words than the SDK's check has."""
    if not all(check_accept_headers(http)):
        return _refusal(406, INVALID_REQUEST, "Not Acceptable: accept both application/json and text/event-stream")
    if http.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _refusal(415, INVALID_REQUEST, "Unsupported Media Type: the content type has to be application/json")
    return None


async def _posted(http: Request) -> JSONRPCMessage | Response:
    """The message of a POST, or what is wrong with it."""
    try:
        content = from_json(await http.body(), allow_inf_nan=False)
    except ValueError as error:
        return _refusal(400, PARSE_ERROR, f"Parse error: {error}")
    try:
        message = jsonrpc_message_adapter.validate_python(content, by_name=False)
        # A request whose id is none must not pass for a notification.
        if not (isinstance(message, JSONRPCNotification) and "id" in content):
            return message
    except ValidationError:
        pass
    return _refusal(400, INVALID_REQUEST, "The body has to be one JSON-RPC message: a request, a notification or a response")


def _refusal(status: int, code: int, why: str) -> Response:
    error = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=why))
    return Response(_dumped(error), status, media_type="application/json")


def _dumped(message: JSONRPCMessage) -> bytes:
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode()


def _event(message: JSONRPCMessage) -> bytes:
    return b"event: message\r\ndata: " + _dumped(message) + b"\r\n\r\n"


class _Client:
    """Who posted something: whose credential it is, and the session id that came with it, or "" ."""

    def __init__(self, whose: str, session: str) -> None:
        self._whose = whose
        self._session = session

    @property
    def capabilities(self) -> dict[str, Any]:
        """Those that let it be asked, as it declared them."""
        found: dict[str, dict[str, Any]] = {}
        for letter in self._session.partition("-")[2]:
            if letter in _ASKABLE:
                name, mode = _ASKABLE[letter]
                found.setdefault(name, {}).update({mode: {}} if mode else {})
        return found

    def name(self, request: str | int) -> str | None:
        """What a request of this client's is known by: a digest, for it goes through Redis, where no session has to be known."""
        if not self._session:
            return None
        return hashlib.sha256(f"{self._whose}\n{self._session}\n{request}".encode()).hexdigest()


def _new_session(introduction: dict[str, Any] | None) -> str:
    """A session id for a client that sent `initialize` with these parameters."""
    declared = (introduction or {}).get("capabilities")
    letters = _letters(declared) if isinstance(declared, dict) else ""
    return secrets.token_hex(16) + (f"-{letters}" if letters else "")


def _letters(declared: dict[str, Any]) -> str:
    elicitation = declared.get("elicitation")
    # Elicitation that is declared without a mode means forms.
    modes = (elicitation or {"form": {}}) if isinstance(elicitation, dict) else {}
    return "".join(
        letter for letter, (name, mode) in _ASKABLE.items() if (mode in modes if name == "elicitation" else name in declared)
    )


def _belonging(message: JSONRPCMessage) -> tuple[str | int, JSONRPCMessage] | None:
    """The id of the call that a message belongs to, and the message; None where it belongs to none."""
    if isinstance(message, JSONRPCNotification) and message.method == CANCELLED:
        request = cancelled_request_id_from_params(message.params)
        return None if request is None else (request, message)
    if isinstance(message, JSONRPCResponse | JSONRPCError) and isinstance(message.id, str):
        return message.id.partition(":")[2], message
    return None
