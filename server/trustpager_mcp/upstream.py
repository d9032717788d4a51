"""The one door to the API: a request goes out, its answer comes back whole, within a time and a size.

httpx's requests and transport interface over aiohttp, which holds many callers; imported at the first call, not at start.
One attempt only: what is sent again, and when, is decided in `retries`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import UnreachableError
from .request_builder import Request, checked_url, encoded_body

if TYPE_CHECKING:
    import httpx

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
_MAX_CONNECTIONS = 128
_CONNECT_TIMEOUT = 10.0
OnData = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Response:
    """The API's answer, read whole."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class Upstream:
    """Sends requests, each once. `timeout` is in seconds.

    `make_app` makes an application in this process that takes the network's place; it is made at the first call.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        make_app: Callable[[], Any] | None = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
        user_agent: str = "trustpager-mcp",
    ) -> None:
        self.timeout = timeout
        self._user_agent = user_agent
        self._make_app = make_app
        self._max_bytes = max_bytes
        self._transport: httpx.AsyncBaseTransport | None = None

    def _connect(self) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            import httpx

            if self._make_app is not None:
                self._transport = httpx.ASGITransport(app=self._make_app(), client=("127.0.0.1", 0))
            else:
                self._transport = _network()
        return self._transport

    async def send(
        self, request: Request, headers: dict[str, str], *, seconds: float | None = None, on_data: OnData | None = None
    ) -> Response:
        """The answer to one request, within `seconds`. `on_data` gets the body of a successful answer as it comes.

        Raises ArgumentsError for what cannot be sent and UnreachableError, whose `sent` says whether the request left.
        """
        import httpx

        within = seconds or self.timeout
        outgoing = _outgoing(request, {"user-agent": self._user_agent, **headers}, within)
        transport = self._connect()
        try:
            async with asyncio.timeout(within):
                response = await transport.handle_async_request(outgoing)
                try:
                    return await self._read(response, on_data)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _silent(request, within) from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise _failure(request, error, within) from None
        except Exception as error:
            if type(error).__module__.split(".")[0] != "aiohttp":
                raise
            raise _broken(request, error) from None

    async def _read(self, response: httpx.Response, on_data: OnData | None) -> Response:
        headers = {k.decode("ascii", "replace").lower(): v.decode("latin-1") for k, v in response.headers.raw}
        decode = _decoder(headers.get("content-encoding", ""), self._max_bytes)
        chunks: list[bytes] = []
        size = 0
        async for raw in response.stream:  # type: ignore[union-attr]
            chunk = decode(raw) if decode else raw
            size += len(chunk)
            if size > self._max_bytes:
                raise UnreachableError(
                    f"the answer is larger than {self._max_bytes / 1024 / 1024:.3g} MB and was not read further.",
                    sent=True,
                    code="ANSWER_TOO_LARGE",
                    hint="Ask for less: a lower limit, narrower filters, or fields.",
                )
            chunks.append(chunk)
            if on_data is not None and response.status_code < 300:
                await on_data(chunk)
        if decode is not None and size and not decode.complete:
            raise UnreachableError("the answer's compression broke off: a part is missing.", sent=True, code="BAD_ANSWER")
        return Response(response.status_code, headers, b"".join(chunks))

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.aclose()


def _network() -> httpx.AsyncBaseTransport:
    from urllib.request import getproxies

    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    context = httpx.create_ssl_context()
    # Looked up once: aiohttp would read the environment anew for each request, which costs more than the request.
    behind_proxy = bool(getproxies().keys() & {"http", "https", "all"})

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=context, keepalive_timeout=30, ttl_dns_cache=60)
        # No cookies: what the API sets for one credential must never go out with another's request.
        made = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=behind_proxy)
        # aiohttp would quietly send a lost GET, PUT or DELETE again; what is sent again is decided in `retries`, which counts.
        made._retry_connection = False
        return made

    return AiohttpTransport(client=session, verify=False)


def _outgoing(request: Request, headers: dict[str, str], timeout: float) -> httpx.Request:
    import httpx

    sent = {
        "accept": "application/json, */*",
        "accept-encoding": "gzip, deflate",
        **headers,
    }
    content = encoded_body(request)
    if content is not None:
        sent["content-type"] = "application/json"
    files = [(f.field, (f.name, f.content, f.content_type)) for f in request.files]
    return httpx.Request(
        request.method,
        checked_url(request),
        headers=sent,
        content=content,
        data=dict(request.form) if files else None,
        files=files or None,
        extensions={"timeout": {"connect": min(_CONNECT_TIMEOUT, timeout), "read": timeout, "pool": timeout}},
    )


class _Decoder:
    """Gzip or deflate, never giving more than it is allowed to hold; `complete` once the end was seen."""

    def __init__(self, limit: int) -> None:
        self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._left = limit + 1

    def __call__(self, chunk: bytes) -> bytes:
        try:
            data = self._zlib.decompress(chunk, self._left)
        except zlib.error:
            raise UnreachableError("the answer's compression is broken.", sent=True, code="BAD_ANSWER") from None
        self._left = max(self._left - len(data), 1)
        return data

    @property
    def complete(self) -> bool:
        return self._zlib.eof


def _decoder(encoding: str, limit: int) -> _Decoder | None:
    return _Decoder(limit) if encoding.strip().lower() in ("gzip", "x-gzip", "deflate") else None


def _failure(request: Request, error: Exception, timeout: float) -> UnreachableError:
    """What went wrong on the wire. The transport calls any lost connection a connect time-out: its cause tells more."""
    import httpx

    cause: BaseException = error.__cause__ or error
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    if kinds & {"ClientConnectorCertificateError", "ClientConnectorSSLError", "SSLError"}:
        return UnreachableError(
            f"{request.host}: no secure connection ({_reason(cause)}). Nothing was sent.",
            code="TLS_FAILED",
            hint="The server's certificate is not trusted here: check TRUSTPAGER_BASE_URL, the machine's clock and its proxies.",
        )
    if kinds & {"ClientConnectorDNSError"}:
        return _not_reached(request, f"its name is not known ({_reason(cause)})")
    if kinds & {"ClientConnectorError", "ConnectionTimeoutError", "ClientProxyConnectionError", "InvalidURL"}:
        return _not_reached(request, _reason(cause))
    if cause is error and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return _not_reached(request, _reason(cause))
    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        return _silent(request, timeout)
    return _broken(request, cause)


def _not_reached(request: Request, reason: str) -> UnreachableError:
    return UnreachableError(
        f"{request.host} could not be reached: {reason}. Nothing was sent.",
        hint="Check the connection and TRUSTPAGER_BASE_URL, or try --sandbox.",
    )


def _silent(request: Request, timeout: float) -> UnreachableError:
    return UnreachableError(f"{request.host} did not answer within {timeout:.3g} s.", sent=True, code="TIMEOUT")


def _broken(request: Request, error: BaseException) -> UnreachableError:
    return UnreachableError(f"the connection to {request.host} broke: {_reason(error)}.", sent=True, code="CONNECTION_BROKEN")


def _reason(error: BaseException) -> str:
    if type(error).__name__ == "ClientPayloadError":
        return "its answer ended half way"
    return (str(error) or type(error).__name__)[:200]
