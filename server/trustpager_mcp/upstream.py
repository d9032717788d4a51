"""The one door to the API: a request goes out, its answer comes back whole, within a time and a size.

One attempt only: what is sent again, and when, is decided in `retries`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .connections import Connections, Incoming, InProcess, Network, outgoing
from .errors import UnreachableError
from .request_builder import Request

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
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
        self._max_bytes = max_bytes
        self._connections: Connections = InProcess(make_app) if make_app is not None else Network()

    async def send(
        self, request: Request, headers: dict[str, str], *, seconds: float | None = None, on_data: OnData | None = None
    ) -> Response:
        """The answer to one request, within `seconds`. `on_data` gets the body of a successful answer as it comes.

        Raises ArgumentsError for what cannot be sent and UnreachableError, whose `sent` says whether the request left.
        """
        within = seconds or self.timeout
        leaving = outgoing(request, {"user-agent": self._user_agent, **headers})
        try:
            async with asyncio.timeout(within):
                answer = await self._connections.open(leaving, within)
                try:
                    return await self._read(answer, on_data)
                finally:
                    await answer.close()
        except UnreachableError:
            raise
        except Exception as error:
            if (failure := self._connections.failure(leaving, error)) is not None:
                raise failure from None
            if isinstance(error, TimeoutError):
                raise UnreachableError(
                    f"{leaving.host} did not answer within {within:.3g} s.", sent=True, code="TIMEOUT"
                ) from None
            raise

    async def _read(self, answer: Incoming, on_data: OnData | None) -> Response:
        decode = _decoder(answer.headers.get("content-encoding", ""), self._max_bytes)
        chunks: list[bytes] = []
        size = 0
        async for raw in answer.pieces():
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
            if on_data is not None and answer.status < 300:
                await on_data(chunk)
        if decode is not None and size and not decode.complete:
            raise UnreachableError("the answer's compression broke off: a part is missing.", sent=True, code="BAD_ANSWER")
        return Response(answer.status, answer.headers, b"".join(chunks))

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._connections.aclose()


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
