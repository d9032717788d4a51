"""An API on a real socket that fails on order, and counts what took effect: PUT and DELETE only when they change something.

`plan` holds the faults of the coming requests; a request without one is answered well. A write's effect is counted before
its fault strikes when the fault `acts`, else not at all, so that a test can tell what a client could not know.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from trustpager_mcp.app import App
from trustpager_mcp.retries import Patience
from trustpager_mcp.settings import Settings

ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
QUICK = Patience(backoff=0.001, longest_wait=0.5, first_poll=0.001)


@dataclass
class Fault:
    kind: str = "ok"
    acts: bool = False
    retry_after: str | None = None


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FaultyUpstream:
    plan: deque[Fault] = field(default_factory=deque)
    answers: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    """Answers of the coming requests that have no fault; then the usual one."""
    always: Fault | None = None
    certificate: ssl.SSLContext | None = None
    port: int = 0
    """Where to listen; 0 takes any free port."""
    requests: list[Seen] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _keys: set[str] = field(default_factory=set)
    _stored: dict[str, bytes] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.arrived = asyncio.Condition()
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, ssl=self.certificate)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/functions/v1/api/v1"

    def fail(self, *kinds: str, acts: bool = False, retry_after: str | None = None) -> None:
        self.plan.extend(Fault(kind, acts, retry_after) for kind in kinds)

    def release(self) -> None:
        """Let the requests that are held be answered well."""
        self._released.set()

    async def received(self, count: int) -> None:
        """Wait until that many requests came in all."""
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: len(self.requests) >= count), 10)

    async def settled(self) -> None:
        """Wait until no request is without its answer: all were answered, or their clients have closed the connection."""
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: self.unanswered == 0), 10)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        seen = Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
        fault = self.plan.popleft() if self.plan else self.always or Fault()
        self.requests.append(seen)
        self.unanswered += 1
        found = method == "DELETE" and path in self._deleted
        if fault.acts or fault.kind == "ok":
            self._act(seen)
        try:
            async with self.arrived:
                self.arrived.notify_all()
            return await self._answer(fault, seen, found, reader, writer)
        finally:
            self.unanswered -= 1
            async with self.arrived:
                self.arrived.notify_all()

    def _act(self, seen: Seen) -> None:
        if seen.method == "GET":
            return
        key = seen.headers.get("idempotency-key")
        if key in self._keys or (seen.method == "DELETE" and seen.path in self._deleted):
            return
        if seen.method == "PUT" and self._stored.get(seen.path) == seen.body:
            return
        if seen.method == "PUT":
            self._stored[seen.path] = seen.body
        if key:
            self._keys.add(key)
        if seen.method == "DELETE":
            self._deleted.add(seen.path)
        self.effects[f"{seen.method} {seen.path} {seen.body.decode(errors='replace')}"] += 1

    async def _answer(
        self, fault: Fault, seen: Seen, gone: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        extra = {"retry-after": fault.retry_after} if fault.retry_after is not None else {}
        match fault.kind:
            case "ok" if self.answers:
                status, headers, body = self.answers.popleft()
                return await _send(writer, status, body, **{"content-type": "application/json", **headers})
            case "ok" if gone:
                return await _send(writer, 404, _error("NOT_FOUND", "no such record"))
            case "ok" if seen.method == "DELETE":
                return await _send(writer, 204, b"")
            case "ok":
                status = 201 if seen.method == "POST" else 200
                return await _send(writer, status, b'{"data":{"id":"6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10","name":"Ann"}}')
            case "reset":
                return _reset(writer)
            case "reset_midbody":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n" + b'{"data":')
                await writer.drain()
                return _reset(writer)
            case "held":
                await self._released.wait()
                self._act(seen)
                return await self._answer(Fault(), seen, gone, reader, writer)
            case "hang":
                # Until the client gives up: its side of the connection ends.
                await reader.read()
                return False
            case "slow_body":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
                await reader.read()
                return False
            case "too_many":
                return await _send(writer, 429, _error("RATE_LIMITED", "slow down"), **extra)
            case "server_error":
                return await _send(writer, 500, _error("INTERNAL", "trace 7f3a"), **extra)
            case "unavailable":
                return await _send(writer, 503, _error("UNAVAILABLE", "in maintenance"), **extra)
            case "html502":
                page = b"<html><head><title>502 Bad Gateway</title></head><body>" + b"x" * 5_000 + b"</body></html>"
                return await _send(writer, 502, page, **{"content-type": "text/html"})
            case "bad_json":
                return await _send(writer, 200, b'{"data": [{"id": ')
            case "plain_text":
                return await _send(writer, 200, b"the provider refused", **{"content-type": "text/plain"})
            case "truncated_gzip":
                return await _send(writer, 200, _gzip(b'{"data": "' + b"x" * 9_000 + b'"}')[:-20], **{"content-encoding": "gzip"})
            case "big":
                row = json.dumps({"id": "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10", "name": "n" * 480}).encode()
                return await _send(writer, 200, b'{"data":[' + b",".join([row] * 10_000) + b"]}")
            case "bomb":
                return await _send(writer, 200, _gzip(b"[" + b" " * 40_000_000), **{"content-encoding": "gzip"})
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
                while True:
                    writer.write(b" " * 65_536)
                    await writer.drain()
            case "redirect":
                return await _send(writer, 302, b"", location="https://elsewhere.example/steal")
            case "garbage":
                writer.write(b"220 smtp.example ESMTP\r\n\r\n")
                await writer.drain()
                return False
            case "empty":
                return await _send(writer, 200, b"")
            case "deep":
                return await _send(writer, 200, b"[" * 100_000 + b"]" * 100_000)
        raise AssertionError(f"no such fault: {fault.kind}")


@asynccontextmanager
async def app_on(upstream: FaultyUpstream, *, seconds: float = 10, **options: Any) -> AsyncIterator[App]:
    """An App that calls the upstream, with short times and answers of at most 8 MB."""
    settings = Settings(api_key="tp_live_secret", base_url=upstream.base, scopes=("all",), timeout=seconds, **options)
    app = App(settings, patience=QUICK, max_answer=8_000_000)
    try:
        yield app
    finally:
        await app.aclose()


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, **headers: str | None) -> bool:
    lines = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + (b"" if status == 204 else body))
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "request_id": "req_1"}}).encode()


def _gzip(content: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=31)
    return squeeze.compress(content) + squeeze.flush()
