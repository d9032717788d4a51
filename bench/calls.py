"""Calls through the server over stdio beside the same requests made with httpx: time added, calls a second, CPU a call."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import processes
from mcp import StdioServerParameters
from mcp.client import Client

COMMAND = str(Path(sys.executable).parent / "trustpager-mcp")
ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
CALLERS = 32
RECORD = {"id": ID, **{f"field_{n}": f"value {n} of a contact" for n in range(40)}}
ANSWER = json.dumps({"data": RECORD}).encode()
Call = Callable[[], Awaitable[object]]


class Upstream(asyncio.Protocol):
    """Answers every request with one contact, as quickly as can be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
        self._transport.write((head + ANSWER) * len(requests))


def serve_upstream() -> None:
    """In a process of its own: `python bench/calls.py upstream` prints its port and answers."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


async def one_after_the_other(call: Call, count: int) -> list[float]:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        await call()
        times.append((time.perf_counter() - started) * 1000)
    return times


async def all_at_once(call: Call, seconds: float) -> float:
    """Calls a second with 32 callers."""
    done = 0
    started = time.perf_counter()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            await call()
            done += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return done / (time.perf_counter() - started)


async def main() -> None:
    upstream = await asyncio.create_subprocess_exec(sys.executable, __file__, "upstream", stdout=asyncio.subprocess.PIPE)
    assert upstream.stdout is not None
    base = f"http://127.0.0.1:{int(await upstream.stdout.readline())}"
    server = StdioServerParameters(
        command=COMMAND, args=["serve", "--base-url", base, "--scopes", "all"], env={"TRUSTPAGER_API_KEY": "bench"}
    )
    try:
        async with httpx.AsyncClient() as direct, Client(server) as client:
            await client.list_tools()
            pid = next(p for p in processes.children() if p != upstream.pid)
            arguments = {"tool": "get_contact", "args": {"contact_id": ID}}

            async def through_us() -> None:
                result = await client.call_tool("call_read", arguments)
                assert not result.is_error

            async def directly() -> None:
                (await direct.get(f"{base}/contacts/{ID}")).json()

            await one_after_the_other(through_us, 50)
            ours: list[float] = []
            theirs: list[float] = []
            for _ in range(6):
                ours += await one_after_the_other(through_us, 50)
                theirs += await one_after_the_other(directly, 50)
            own, other = statistics.median(ours), statistics.median(theirs)
            print(f"a read over stdio: p50 {own:.2f} ms; directly {other:.2f} ms; added {own - other:.2f} ms (aim 0.8)")
            before = processes.cpu_seconds(pid)
            rate = await all_at_once(through_us, 4.0)
            cpu = (processes.cpu_seconds(pid) - before) / (rate * 4.0) * 1000
            print(
                f"{CALLERS} callers over stdio: {rate:.0f} calls/s (aim 1,200), {cpu:.2f} ms of the server's CPU a call (aim 0.8)"
            )
    finally:
        upstream.terminate()
        await upstream.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["upstream"]:
        serve_upstream()
    else:
        asyncio.run(main())
