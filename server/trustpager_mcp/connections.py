"""How a request leaves and its answer comes in: over the network by aiohttp, or to an application in this process by httpx.

Both give an `Incoming` whose body is read in pieces. Which failure means what is known here, next to the library that raises it;
time, size and compression are bounded by `upstream`. Each library is imported when the first request needs it.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from .errors import UnreachableError
from .request_builder import Request, checked_url, encoded_body

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import httpx

_MAX_CONNECTIONS = 128
_CONNECT_TIMEOUT = 10.0
_LARGE = 256 * 1024


@dataclass(frozen=True)
class Outgoing:
    """One request as it leaves: everything encoded. `host` is for what is told of it."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    host: str


class Incoming(Protocol):
    """An answer whose head is there. `headers` have lower-case names."""

    status: int
    headers: dict[str, str]

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, still compressed where it is."""
        ...

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        ...


class Connections(Protocol):
    """Where requests go."""

    async def open(self, outgoing: Outgoing, seconds: float) -> Incoming:
        """Send one request, once. `seconds` bounds the whole exchange, so a connection has to be there in less."""
        ...

    def failure(self, outgoing: Outgoing, error: Exception) -> UnreachableError | None:
        """What a failure of `open` or of reading means; None when it is none of the wire's."""
        ...

    async def aclose(self) -> None: ...


def outgoing(request: Request, headers: dict[str, str]) -> Outgoing:
    """The request encoded. Raises ArgumentsError for what cannot be sent."""
    sent = {"accept": "application/json, */*", "accept-encoding": "gzip, deflate", **headers}
    content = encoded_body(request)
    if content is not None:
        sent["content-type"] = "application/json"
    elif request.files:
        content, sent["content-type"] = _form(request)
    return Outgoing(request.method, checked_url(request), sent, content, request.host)


def _form(request: Request) -> tuple[bytes, str]:
    """A multipart body, and its content type with the boundary."""
    import httpx

    files = [(f.field, (f.name, f.content, f.content_type)) for f in request.files]
    form = httpx.Request(request.method, request.url, data=dict(request.form), files=files)
    return form.read(), form.headers["content-type"]


class Network:
    """HTTP/1.1 over pooled connections; see ARCHITECTURE.md for what each library costs a request."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._context: ssl.SSLContext | None = None

    def _connect(self) -> aiohttp.ClientSession:
        from urllib.request import getproxies

        import aiohttp

        # Looked up once: aiohttp would read the environment anew for each request, which costs more than the request.
        behind_proxy = bool(getproxies().keys() & {"http", "https", "all"})
        connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=30, ttl_dns_cache=60)
        # No cookies: what the API sets for one credential must never go out with another's request.
        jar = aiohttp.DummyCookieJar()
        session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=behind_proxy, auto_decompress=False)
        # aiohttp would quietly send a lost GET, PUT or DELETE again; what is sent again is decided in `retries`, which counts.
        session._retry_connection = False
        return session

    def _certificates(self) -> ssl.SSLContext:
        if self._context is None:
            import httpx

            self._context = httpx.create_ssl_context()
        return self._context

    async def open(self, outgoing: Outgoing, seconds: float) -> Incoming:
        from yarl import URL

        if self._session is None:
            self._session = self._connect()
        response = await self._session.request(
            outgoing.method,
            # Encoded already, but for a host that is not ASCII.
            URL(outgoing.url, encoded=outgoing.url.isascii()),
            headers=outgoing.headers,
            data=_in_pieces(outgoing.content),
            allow_redirects=False,
            ssl=self._certificates() if outgoing.url.startswith("https:") else True,
            # Earlier than the whole exchange's end, so that a request that never left is known as such.
            timeout=_connect_within(min(_CONNECT_TIMEOUT, seconds * 0.9)),
        )
        return _NetworkAnswer(response)

    def failure(self, outgoing: Outgoing, error: Exception) -> UnreachableError | None:
        import aiohttp

        if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)):
            return UnreachableError(
                f"{outgoing.host}: no secure connection ({_reason(error)}). Nothing was sent.",
                code="TLS_FAILED",
                hint="The server's certificate is not trusted here: check TRUSTPAGER_BASE_URL, this machine's clock and proxies.",
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return _not_reached(outgoing, f"its name is not known ({_reason(error)})")
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)):
            return _not_reached(outgoing, _reason(error))
        if isinstance(error, (aiohttp.ClientError, OSError, ValueError)) and not isinstance(error, TimeoutError):
            return _broken(outgoing, error)
        return None

    async def aclose(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


@lru_cache(maxsize=64)
def _connect_within(seconds: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=seconds)


def _in_pieces(content: bytes | None) -> bytes | io.BytesIO | None:
    """A large body as a file, of which a piece at a time is written, so that other calls go on."""
    return io.BytesIO(content) if content is not None and len(content) > _LARGE else content


class _NetworkAnswer:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = _plain(response.raw_headers)

    async def pieces(self) -> AsyncIterator[bytes]:
        content = self._response.content
        while piece := await content.readany():
            yield piece

    async def close(self) -> None:
        self._response.close()


class InProcess:
    """An ASGI application in this process, made at the first request, as if it were on this machine's loopback."""

    def __init__(self, make_app: Callable[[], Any]) -> None:
        self._make_app = make_app
        self._transport: httpx.ASGITransport | None = None

    async def open(self, outgoing: Outgoing, seconds: float) -> Incoming:  # noqa: ARG002
        import httpx

        if self._transport is None:
            self._transport = httpx.ASGITransport(app=self._make_app(), client=("127.0.0.1", 0))
        request = httpx.Request(outgoing.method, outgoing.url, headers=outgoing.headers, content=outgoing.content)
        return _AppAnswer(await self._transport.handle_async_request(request))

    def failure(self, outgoing: Outgoing, error: Exception) -> UnreachableError | None:
        import httpx

        return _broken(outgoing, error) if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)) else None

    async def aclose(self) -> None:
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.aclose()


class _AppAnswer:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = _plain(response.headers.raw)

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._response.stream:  # type: ignore[union-attr]
            yield piece

    async def close(self) -> None:
        await self._response.aclose()


def _plain(headers: Any) -> dict[str, str]:
    return {name.decode("ascii", "replace").lower(): value.decode("latin-1") for name, value in headers}


def _not_reached(outgoing: Outgoing, reason: str) -> UnreachableError:
    return UnreachableError(
        f"{outgoing.host} could not be reached: {reason}. Nothing was sent.",
        hint="Check the connection and TRUSTPAGER_BASE_URL, or try --sandbox.",
    )


def _broken(outgoing: Outgoing, error: BaseException) -> UnreachableError:
    return UnreachableError(f"the connection to {outgoing.host} broke: {_reason(error)}.", sent=True, code="CONNECTION_BROKEN")


def _reason(error: BaseException) -> str:
    if type(error).__name__ == "ClientPayloadError":
        return "its answer ended half way"
    return (str(error) or type(error).__name__)[:200]
