"""Load over HTTP: a mix of searches, lists, reads and writes from many callers with keys of their own.

    python bench/load.py [--seconds 3] [--latency 20] [--replicas 1] [--steps 1x1,8x8,256x200] [--json]

A step is CALLERSxTENANTS. Server, API and callers are processes on this machine and share its cores: with few of them, what
is measured at the top is the three together. The API answers every request after `--latency` ms. With faults and for long:
soak.py.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import processes

COMMAND = str(Path(sys.executable).parent / "trustpager-mcp")
STEPS = "1x1,8x8,32x32,128x100,256x200"
ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
MIX = ("list",) * 6 + ("read",) * 7 + ("write",) * 3 + ("search",) * 4
REQUESTS = ("send an email to a client", "move a deal to another stage", "what is due this week", "log a phone call")
CONTENT_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def contact(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:08x}-4b7d-4e0a-9c55-2d8f3b1a7e10", "first_name": "Jane", "last_name": f"Number {number}",
        "email": f"jane{number}@example.com", "phone": "+61 400 000 000", "status": "active", "tags": ["a", "b"],
        "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z", "notes": "Prefers mornings. " * 6,
    }  # fmt: skip


class Upstream(asyncio.Protocol):
    """The API: a list of 25 contacts, one contact, and a tool list that every key may read."""

    latency = 0.0
    page = json.dumps({"data": [contact(n) for n in range(25)], "pagination": {"next_cursor": "c", "has_more": True}}).encode()
    one = json.dumps({"data": contact(1)}).encode()
    tools = json.dumps({"data": {"tools": []}}).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport, self._rest = transport, b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            length = CONTENT_LENGTH.search(self._rest, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._rest) < whole:
                return
            method, target, _ = self._rest.split(b" ", 2)
            self._rest = self._rest[whole:]
            path = target.split(b"?")[0]
            body = self.tools if path.endswith(b"/tools") else self.page if path.endswith(b"/contacts") else self.one
            answer = self.one if method == b"POST" else body
            status = b"201 Created" if method == b"POST" else b"200 OK"
            head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(answer))
            asyncio.get_running_loop().call_later(self.latency, self._answer, head + answer)

    def _answer(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def serve_upstream(latency: float) -> None:
    """In a process of its own: prints its port and answers until it is ended."""

    async def run() -> None:
        Upstream.latency = latency
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


@dataclass(frozen=True)
class Measured:
    """Times in milliseconds, memory in MB over all replicas; `failures` by what they were."""

    callers: int
    tenants: int
    replicas: int
    calls_per_second: float
    p50: float
    p99: float
    cpu_ms_per_call: float
    memory: float
    memory_growth: float
    failures: dict[str, int]


def request(kind: str, number: int) -> dict[str, Any]:
    """One tools/call of the mix. Writes differ, or one tenant's repeats would be joined."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "list": ("list_contacts", {"limit": 25}),
        "read": ("get_contact", {"contact_id": ID}),
        "write": ("create_contact", {"first_name": "Load", "last_name": str(number)}),
        "search": ("find_tools", {"query": REQUESTS[number % len(REQUESTS)]}),
    }
    name, arguments = calls[kind]
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


async def measure(urls: list[str], pids: list[int], callers: int, tenants: int, seconds: float) -> Measured:
    times: list[float] = []
    failures: Counter[str] = Counter()
    numbers = itertools.count()
    before = sum(map(processes.memory_mb, pids))
    headers = {"accept": "application/json, text/event-stream"}
    connector = aiohttp.TCPConnector(limit=callers)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def call(caller: int, number: int) -> None:
            key = {"x-api-key": f"tp_live_load_{caller % tenants}"}
            started = time.perf_counter()
            try:
                body = request(MIX[number % len(MIX)], number)
                async with http.post(urls[caller % tenants % len(urls)], json=body, headers=key) as answer:
                    text = await answer.text()
            except aiohttp.ClientError as error:
                failures[type(error).__name__] += 1
                return
            times.append((time.perf_counter() - started) * 1000)
            if answer.status != 200 or '"isError":true' in text or '"result"' not in text:
                failures[str(answer.status) if answer.status != 200 else "error result"] += 1

        async def caller(place: int, until: float) -> None:
            while time.perf_counter() < until:
                await call(place, next(numbers))

        await asyncio.gather(*(call(place, place) for place in range(max(callers, tenants))))
        times.clear()
        cpu, started = sum(map(processes.cpu_seconds, pids)), time.perf_counter()
        await asyncio.gather(*(caller(place, started + seconds) for place in range(callers)))
        took, cpu = time.perf_counter() - started, sum(map(processes.cpu_seconds, pids)) - cpu
    after = sum(map(processes.memory_mb, pids))
    p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    return Measured(
        callers, tenants, len(urls), round(len(times) / took, 1), round(statistics.median(times), 2), round(p99, 2),
        round(cpu * 1000 / len(times), 2), round(after, 1), round(after - before, 1), dict(failures),
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def answers(url: str) -> None:
    """Return when the server is there."""
    async with aiohttp.ClientSession() as http:
        for _ in range(200):
            try:
                async with http.get(url + "/readyz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def redis(stack: ExitStack) -> str | None:
    """The address of a Redis of our own that keeps nothing; None where none is installed."""
    if shutil.which("redis-server") is None:
        return None
    port = free_port()
    words = ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "")
    start(stack, *words, stdout=subprocess.DEVNULL)
    return f"redis://127.0.0.1:{port}/0"


def start(stack: ExitStack, *words: str, **keywords: Any) -> subprocess.Popen[str]:
    """A process that ends with the stack."""
    process = subprocess.Popen(words, text=True, **keywords)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def start_servers(
    stack: ExitStack, upstream: tuple[str, ...], count: int, *options: str, shared: str | None = None
) -> tuple[str, list[str], list[int]]:
    """Start the API (`upstream` is its command, which prints its port) and servers before it.

    Gives the API's address, the addresses of the servers' /mcp and their process ids.
    """
    api = start(stack, sys.executable, *upstream, stdout=subprocess.PIPE)
    assert api.stdout is not None
    host = f"http://127.0.0.1:{int(api.stdout.readline())}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRUSTPAGER_")}
    if shared:
        environment["TRUSTPAGER_REDIS"] = shared
    ports = [free_port() for _ in range(count)]
    words = (COMMAND, "serve", "--transport", "http", "--scopes", "all", "--base-url", f"{host}/functions/v1/api/v1", *options)
    servers = [start(stack, *words, "--port", str(port), stdout=subprocess.DEVNULL, env=environment) for port in ports]
    for port in ports:
        asyncio.run(answers(f"http://127.0.0.1:{port}"))
    return host, [f"http://127.0.0.1:{port}/mcp" for port in ports], [server.pid for server in servers]


def main() -> None:
    parser = argparse.ArgumentParser(description="Load over HTTP.")
    parser.add_argument("--seconds", type=float, default=3.0, help="per step")
    parser.add_argument("--latency", type=float, default=20.0, help="of the API, in milliseconds")
    parser.add_argument("--replicas", type=int, default=1, help="with two or more they share a Redis, if one is installed")
    parser.add_argument("--steps", default=STEPS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    steps = [tuple(map(int, step.split("x"))) for step in given.steps.split(",")]
    with ExitStack() as stack:
        shared = redis(stack) if given.replicas > 1 else None
        upstream = (__file__, "upstream", str(given.latency / 1000))
        _, urls, pids = start_servers(stack, upstream, given.replicas, shared=shared)
        if not given.json:
            print("callers tenants replicas  calls/s   p50 ms   p99 ms  CPU ms/call    MB  growth MB  failures")
        for callers, tenants in steps:
            m = asyncio.run(measure(urls, pids, callers, tenants, given.seconds))
            if given.json:
                print(json.dumps(asdict(m)), flush=True)
                continue
            print(
                f"{m.callers:7} {m.tenants:7} {m.replicas:8} {m.calls_per_second:8} {m.p50:8} {m.p99:8} {m.cpu_ms_per_call:12} "
                f"{m.memory:5} {m.memory_growth:10}  {m.failures or 'none'}",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["upstream"]:
        serve_upstream(float(sys.argv[2]))
    else:
        main()
