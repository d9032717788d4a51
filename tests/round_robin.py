"""The plainest proxy: each request goes to the next server, whoever sent it, and its answer comes back as it comes.

python tests/round_robin.py PORT SERVER_PORT SERVER_PORT ...
"""

from __future__ import annotations

import asyncio
import re
import sys
from itertools import cycle

_CHUNK = 65_536


async def main(port: int, servers: list[int]) -> None:
    """Serve until the process ends."""
    turns = cycle(servers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _pass_on(reader, writer, next(turns))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: int) -> None:
    """One request and its answer; a connection is for one request, so that the next one has another turn."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"^content-length:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE)
    body = await reader.readexactly(int(length[1])) if length else b""
    first, *lines = head.rstrip("\r\n").split("\r\n")
    kept = [line for line in lines if not line.lower().startswith("connection:")]
    there, back = await asyncio.open_connection("127.0.0.1", server)
    try:
        back.write("\r\n".join([first, *kept, "connection: close", "", ""]).encode("latin-1") + body)
        await back.drain()
        # A client that leaves is a call that is cancelled: the server has to see it leave.
        left = asyncio.ensure_future(reader.read())
        answer = asyncio.ensure_future(_copy(there, writer))
        await asyncio.wait({left, answer}, return_when=asyncio.FIRST_COMPLETED)
        for task in (left, answer):
            task.cancel()
        await asyncio.gather(left, answer, return_exceptions=True)
    finally:
        back.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
