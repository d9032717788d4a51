"""The one door to the API: httpx over a transport that holds many callers, with a deadline and a size limit.

The HTTP stack is imported at the first call, not at start: listing tools needs none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import UnreachableError
from .request_builder import Request

if TYPE_CHECKING:
    import httpx

MAX_RESPONSE_BYTES = 64 * 1024 * 1024


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
    """Sends requests. `asgi_app` replaces the network by an application in this process (the sandbox)."""

    def __init__(self, *, timeout: float = 30.0, asgi_app: Any = None) -> None:
        self._timeout = timeout
        self._asgi_app = asgi_app
        self._client: httpx.AsyncClient | None = None

    def _connect(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            transport: httpx.AsyncBaseTransport
            if self._asgi_app is not None:
                transport = httpx.ASGITransport(app=self._asgi_app, client=("127.0.0.1", 0))
            else:
                from httpx_aiohttp import AiohttpTransport

                transport = AiohttpTransport()
            self._client = httpx.AsyncClient(transport=transport, timeout=self._timeout, follow_redirects=False)
        return self._client

    async def send(self, request: Request, headers: dict[str, str]) -> Response:
        """The answer to one request. Raises UnreachableError, saying whether the API may have acted on it."""
        import anyio
        import httpx

        client = self._connect()
        host = httpx.URL(request.url).netloc.decode()
        try:
            with anyio.fail_after(self._timeout):
                return await self._exchange(client, request, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            # The aiohttp transport tells a refused connection as ConnectTimeout.
            raise UnreachableError(
                f"{host} could not be reached: {str(error) or type(error).__name__}. Nothing was sent.",
                hint="Check the connection and TRUSTPAGER_BASE_URL, or try --sandbox.",
            ) from None
        except (httpx.TimeoutException, TimeoutError):
            raise UnreachableError(
                f"{host} did not answer within {self._timeout:g} s.",
                sent=True,
                code="TIMEOUT",
                hint=_after_silence(request),
            ) from None
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"the connection to {host} broke: {str(error) or type(error).__name__}.",
                sent=True,
                code="CONNECTION_BROKEN",
                hint=_after_silence(request),
            ) from None

    @staticmethod
    async def _exchange(client: httpx.AsyncClient, request: Request, headers: dict[str, str]) -> Response:
        files = {name: ("upload", value) for name, value in request.files} or None
        async with client.stream(
            request.method,
            request.url,
            params=list(request.query) or None,
            json=request.json,
            files=files,
            headers={"accept": "application/json, */*", **headers},
        ) as response:
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise UnreachableError(
                        f"the answer is larger than {MAX_RESPONSE_BYTES // 1024 // 1024} MB and was not read further.",
                        sent=True,
                        code="ANSWER_TOO_LARGE",
                        hint="Ask for less: a lower limit, narrower filters, or fields.",
                    )
                chunks.append(chunk)
            return Response(response.status_code, dict(response.headers), b"".join(chunks))

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


def _after_silence(request: Request) -> str:
    if request.method == "GET":
        return "Nothing was changed; try again."
    return "It may have taken effect: read the record before sending it again."
