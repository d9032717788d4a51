"""A soak with faults on: what a service does in an hour of bad weather, in ten minutes.

    python bench/soak.py [--seconds 600] [--callers 24] [--tenants 12] [--replicas 2] [--pause 0.25] [--seed 1] [--json]

The API drops connections, answers 429, 503 and 504, takes long or never answers, sends what is no JSON; often after it acted.
One caller in ten of those who write gives up and asks again, as clients do. The API counts what each write did, by the id in
it, so that in the end this can be told: writes done twice, writes acknowledged and not done, writes denied and yet done. All
three must be 0, or the exit status is 1. Servers share a Redis where one is installed, and a tenant keeps to one server, as
behind the proxy in deploy/.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import aiohttp
import load
import processes

TAIL = "4b7d-4e0a-9c55-2d8f3b1a7e10"
_MARK = re.compile(rb"([0-9a-f]{8})-" + TAIL.encode())
_KEY = re.compile(rb"\nidempotency-key: *([^\r\n]+)", re.IGNORECASE)
_CODE = re.compile(r'"text":"[A-Z_0-9]+|"error":\{"code":-?\d+')
FAULTS = {
    "drops the connection": 0.008,
    "acts and drops the connection": 0.008,
    "429": 0.01,
    "503": 0.01,
    "acts and 504": 0.008,
    "acts and no JSON": 0.005,
    "slow": 0.01,
    "acts and never answers": 0.002,
}
"""What the API does wrong, and how often: of a hundred requests six or so."""
LATENCY, WRITE_LATENCY, SLOW = 0.02, 1.0, 2.0
"""Seconds. Writes take so long that a caller has left well before the answer: for all that a server can know, one who leaves
in the very moment in which it is sent has got it."""
TIMEOUT = "4"
"""Seconds that the servers give an answer."""
MIX = ("list", "read", "search", "list", "create", "read", "update", "list", "keyed", "read")
WRITES = ("create", "update", "keyed")
GIVES_UP = 0.1
UNSURE = ("may have taken effect", "UNDER_WAY_ELSEWHERE", "STILL_UNCERTAIN", "nobody knows whether")


class Upstream(load.Upstream):
    """The API in bad weather. `GET /__counts` tells how often each write took effect."""

    counts: ClassVar[Counter[str]] = Counter()
    struck: ClassVar[Counter[str]] = Counter()
    keys: ClassVar[set[bytes]] = set()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            length = load.CONTENT_LENGTH.search(self._rest, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._rest) < whole:
                return
            request, self._rest = self._rest[:whole], self._rest[whole:]
            self._take(request, request[: request.find(b"\r\n\r\n")])

    def _take(self, request: bytes, head: bytes) -> None:
        method, target, _ = head.split(b" ", 2)
        if target == b"/__counts":
            body = json.dumps({"counts": self.counts, "struck": self.struck}).encode()
            return self._answer(_response(b"200 OK", body))
        fault = self._fault()
        if method != b"GET" and (fault in ("", "slow") or fault.startswith("acts")):
            self._act(request, head)
        latency = SLOW if fault == "slow" else LATENCY if method == b"GET" else WRITE_LATENCY
        match fault:
            case "drops the connection" | "acts and drops the connection":
                return self._transport.abort()
            case "acts and never answers":
                return None
            case "429":
                answer = _response(b"429 Too Many Requests", _error("RATE_LIMITED"), b"retry-after: 0\r\n")
            case "503":
                answer = _response(b"503 Service Unavailable", _error("UNAVAILABLE"))
            case "acts and 504":
                answer = _response(b"504 Gateway Timeout", b"<html>gateway timeout</html>")
            case "acts and no JSON":
                answer = _response(b"200 OK", b'{"data": {"id"')
            case _ if method == b"GET" and target.split(b"?")[0].endswith(b"/contacts"):
                answer = _response(b"200 OK", self.page)
            case _:
                answer = _response(b"201 Created" if method == b"POST" else b"200 OK", self.one)
        asyncio.get_running_loop().call_later(latency, self._answer, answer)
        return None

    def _fault(self) -> str:
        drawn = random.random()
        for name, share in FAULTS.items():
            drawn -= share
            if drawn < 0:
                self.struck[name] += 1
                return name
        return ""

    def _act(self, request: bytes, head: bytes) -> None:
        """Do what a write asks for; one with a key that was seen before is done already, as the API has it."""
        if key := _KEY.search(head):
            if key[1] in self.keys:
                return
            self.keys.add(key[1])
        if mark := _MARK.search(request):
            self.counts[mark[1].decode()] += 1


def _response(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n" % (status, len(body), more)
    return head + body


def _error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "bad weather"}}).encode()


def serve_upstream(seed: int) -> None:
    """In a process of its own: prints its port and answers until it is ended."""
    random.seed(seed)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


@dataclass
class Told:
    """What the servers said: writes by how they ended, failures of calls by kind."""

    calls: int = 0
    gave_up: int = 0
    done: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Report:
    """Memory in MB over all servers: when warm (a tenth of the time in), half way, and at the end."""

    seconds: float
    calls: int
    calls_per_second: float
    writes_done: int
    writes_unsure: int
    writes_unsure_and_done: int
    writes_denied: int
    gave_up_and_asked_again: int
    duplicate_writes: int
    lost_writes: int
    writes_denied_and_yet_done: int
    faults: dict[str, int]
    failures: dict[str, int]
    memory_warm: float
    memory_half: float
    memory_end: float

    @property
    def wrong(self) -> int:
        return self.duplicate_writes + self.lost_writes + self.writes_denied_and_yet_done


def request(kind: str, number: int, mark: str) -> dict[str, Any]:
    """One tools/call. What a write changes is named by its mark."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "list": ("list_contacts", {"limit": 25}),
        "read": ("get_contact", {"contact_id": f"{mark}-{TAIL}"}),
        "search": ("find_tools", {"query": load.REQUESTS[number % len(load.REQUESTS)]}),
        "create": ("call_write", {"tool": "create_contact", "args": {"first_name": f"{mark}-{TAIL}"}}),
        "update": ("call_write", {"tool": "update_contact", "args": {"contact_id": f"{mark}-{TAIL}", "first_name": "Soak"}}),
        "keyed": ("call_irreversible", {"tool": "fire_auto_schedule", "args": {"auto_schedule_id": f"{mark}-{TAIL}"}}),
    }
    name, arguments = calls[kind]
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


@dataclass(frozen=True)
class Callers:
    """What all callers have in common. `until` is a time of the performance counter."""

    http: aiohttp.ClientSession
    numbers: Iterator[int]
    until: float
    pause: float
    told: Told

    async def call(self, url: str, key: str) -> None:
        """Call one server with one key until the time is over, and note what was said."""
        while time.perf_counter() < self.until:
            number = next(self.numbers)
            kind, mark = MIX[number % len(MIX)], f"{number:08x}"
            if kind in WRITES and random.random() < GIVES_UP:
                self.told.gave_up += 1
                try:
                    async with asyncio.timeout(random.uniform(0.001, 0.05)):
                        await self._one(url, key, kind, number, mark)
                except TimeoutError:
                    await self._one(url, key, kind, number, mark)
            else:
                await self._one(url, key, kind, number, mark)
            await asyncio.sleep(random.uniform(0, 2 * self.pause))

    async def _one(self, url: str, key: str, kind: str, number: int, mark: str) -> None:
        try:
            async with self.http.post(url, json=request(kind, number, mark), headers={"x-api-key": key}) as answer:
                note(self.told, kind, mark, answer.status, await answer.text())
        except aiohttp.ClientError as error:
            self.told.failures[f"{kind}: {type(error).__name__}"] += 1
            self.told.unsure.add(mark)


def note(told: Told, kind: str, mark: str, status: int, answer: str) -> None:
    told.calls += 1
    failed = status != 200 or '"isError":true' in answer or '"result"' not in answer
    if failed:
        said = _CODE.search(answer)
        told.failures[f"{kind}: {said[0].partition(':')[2] if said else f'{status} {answer[:60]}'}"] += 1
    if kind in WRITES:
        unsure = failed and any(words in answer for words in UNSURE)
        (told.unsure if unsure else told.denied if failed else told.done).add(mark)


async def soak(host: str, urls: list[str], pids: list[int], given: argparse.Namespace) -> Report:
    told, numbers = Told(), itertools.count()
    started = time.perf_counter()
    memory: list[float] = []

    async def watch() -> None:
        for share in (0.1, 0.5, 1.0):
            await asyncio.sleep(max(started + given.seconds * share - time.perf_counter(), 0))
            memory.append(sum(map(processes.memory_mb, pids)))
            if not given.json:
                print(f"{time.perf_counter() - started:6.0f} s  {told.calls:7} calls  {memory[-1]:6.1f} MB", flush=True)

    headers = {"accept": "application/json, text/event-stream"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as http:
        callers = Callers(http, numbers, started + given.seconds, given.pause, told)
        keys = [n % given.tenants for n in range(given.callers)]
        await asyncio.gather(watch(), *(callers.call(urls[n % len(urls)], f"tp_live_soak_{n}") for n in keys))
        took = time.perf_counter() - started
        async with http.get(host + "/__counts") as answer:
            seen = await answer.json()
    did: dict[str, int] = seen["counts"]
    return Report(
        seconds=round(took, 1),
        calls=told.calls,
        calls_per_second=round(told.calls / took, 1),
        writes_done=len(told.done),
        writes_unsure=len(told.unsure),
        writes_unsure_and_done=sum(mark in did for mark in told.unsure),
        writes_denied=len(told.denied),
        gave_up_and_asked_again=told.gave_up,
        duplicate_writes=sum(times > 1 for times in did.values()),
        lost_writes=sum(mark not in did for mark in told.done),
        writes_denied_and_yet_done=sum(mark in did for mark in told.denied),
        faults=dict(sorted(seen["struck"].items())),
        failures=dict(told.failures.most_common()),
        memory_warm=round(memory[0], 1),
        memory_half=round(memory[1], 1),
        memory_end=round(memory[2], 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A soak over HTTP with faults on.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--callers", type=int, default=24)
    parser.add_argument("--tenants", type=int, default=12)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.25, help="of a caller between two calls, in seconds on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    random.seed(given.seed)
    with ExitStack() as stack:
        shared = load.redis(stack) if given.replicas > 1 else None
        upstream = (__file__, "upstream", str(given.seed))
        host, urls, pids = load.start_servers(stack, upstream, given.replicas, "--timeout", TIMEOUT, shared=shared)
        report = asyncio.run(soak(host, urls, pids, given))
    if given.json:
        print(json.dumps(asdict(report)))
    else:
        for name, value in asdict(report).items():
            print(f"{name.replace('_', ' '):28} {value}")
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["upstream"]:
        serve_upstream(int(sys.argv[2]))
    else:
        main()
