"""MCP over this process's standard input and output.

Where these are pipes, as every client makes them, the event loop reads and writes them itself. The SDK hands each line to a
worker thread and back, which costs more than the rest of its work; it stays in charge where they are no pipes, and on Windows.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server import NotificationOptions
from mcp.server.stdio import stdio_server

from ..app import App, build_server

_LONGEST_LINE = 64 * 1024 * 1024


async def serve(app: App) -> None:
    """Serve until the client closes the stream."""
    server = build_server(app)
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    try:
        async with _streams() as (reader, writer):
            await server.run(reader, writer, options)
    finally:
        await app.aclose()


@asynccontextmanager
async def _streams() -> AsyncIterator[Any]:
    if not (_is_pipe(0) and _is_pipe(1)) or sys.platform == "win32":
        async with stdio_server() as streams:
            yield streams
        return
    wire_in, wire_out = os.dup(0), os.dup(1)
    try:
        # What handlers or their children print must not get between the messages.
        _divert()
        lines = await Lines.open(wire_in)
        output = await Output.open(wire_out)
        async with stdio_server(stdin=lines, stdout=output) as streams:  # type: ignore[arg-type]
            yield streams
        output.close()
        lines.close()
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


class Lines:
    """The lines of a pipe, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self._reader = reader
        self._transport = transport

    @classmethod
    async def open(cls, descriptor: int) -> Lines:
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return cls(reader, transport)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                line = await self._reader.readline()
            except ValueError:
                line = b"(a line that is too long)\n"
            if not line:
                return
            yield line

    def close(self) -> None:
        self._transport.close()


class Output:
    """A pipe to write texts to; `flush` waits while the reader is behind."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, descriptor: int) -> Output:
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(os.dup(descriptor), "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def write(self, text: str) -> None:
        self._writer.write(text.encode())

    async def flush(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()
