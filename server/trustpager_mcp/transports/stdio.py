"""MCP over this process's standard input and output.

Where these are pipes, as every client makes them, the event loop reads and writes them itself, and the SDK's loop is given them
as its streams. The SDK hands each line to a worker thread, then through two streams in memory, and back the same way, which
costs more than the rest of its work; it stays in charge where they are no pipes, and on Windows.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
import mcp_types as types
from mcp.server import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from ..app import App, build_server
from .plain_calls import PlainCalls

_LONGEST_LINE = 64 * 1024 * 1024


async def serve(app: App) -> None:
    """Serve until the client closes the stream."""
    server = build_server(app)
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    try:
        async with _streams(server) as (reader, writer):
            await server.run(reader, writer, options)
    finally:
        await app.aclose()


@asynccontextmanager
async def _streams(server: Server[Any]) -> AsyncIterator[Any]:
    """The SDK's two ends; over pipes it gets no plain calls to see."""
    if not (_is_pipe(0) and _is_pipe(1)) or sys.platform == "win32":
        async with stdio_server() as streams:
            yield streams
        return
    wire_in, wire_out = os.dup(0), os.dup(1)
    try:
        # What handlers or their children print must not get between the messages.
        _divert()
        outgoing = await Outgoing.open(wire_out)
        async with asyncio.TaskGroup() as tasks:
            calls = PlainCalls(server, tasks, outgoing.write)
            incoming = await Incoming.open(wire_in, calls.take)
            yield incoming, outgoing
            calls.close()
        outgoing.close()
        incoming.close()
    finally:
        os.dup2(wire_in, 0)
        os.dup2(wire_out, 1)


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _divert() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)


class _Stream:
    """What the SDK expects of either end of a connection: `_streams` opens and closes them, nobody else does."""

    async def aclose(self) -> None:
        """Left open: the pipe may still have to carry what was written."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Incoming(_Stream):
    """The messages of a pipe, one a line, but for those that `take` takes; for a line that is none, what is wrong with it."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport, take: Callable[[bytes], bool]) -> None:
        self._reader = reader
        self._transport = transport
        self._take = take

    @classmethod
    async def open(cls, descriptor: int, take: Callable[[bytes], bool]) -> Incoming:
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return cls(reader, transport, take)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            while line := await self._reader.readline():
                if not self._take(line):
                    return SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            return error
        raise StopAsyncIteration

    async def receive(self) -> SessionMessage | Exception:
        """The next message. Raises anyio.EndOfStream when the client has closed the pipe."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    def close(self) -> None:
        self._transport.close()


class Outgoing(_Stream):
    """A pipe to write messages to, those of one turn of the event loop together; `send` waits while the reader is behind."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._lines: list[bytes] = []

    @classmethod
    async def open(cls, descriptor: int) -> Outgoing:
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(os.dup(descriptor), "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def send(self, item: SessionMessage, /) -> None:
        """Write one message. Raises anyio.BrokenResourceError when the client has closed the pipe."""
        text: str = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        await self.write(text.encode())

    async def write(self, line: bytes) -> None:
        """Write one line, its end not included. Raises anyio.BrokenResourceError when the client has closed the pipe."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(line)
        try:
            await self._writer.drain()
        except OSError:
            raise anyio.BrokenResourceError from None

    def _flush(self) -> None:
        if self._lines:
            self._writer.write(b"\n".join((*self._lines, b"")))
            self._lines.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()
