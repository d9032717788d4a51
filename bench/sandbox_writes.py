"""Writes a second that the sandbox holds for 16 callers, kept in a file: over HTTP, and as tools of one MCP process.

python bench/sandbox_writes.py [seconds]
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import httpx

from trustpager_mcp.toolkit import Toolkit

COMMAND = str(Path(sys.executable).parent / "trustpager-mcp")
FULL = {"authorization": "Bearer tp_live_sandbox_full"}
CALLERS, AIM = 16, 200
Write = Callable[[int, int], Awaitable[object]]


async def rate(seconds: float, write: Write) -> tuple[int, float]:
    """How many writes were acknowledged, and how many that is a second."""
    started = time.perf_counter()
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        i = 0
        while time.perf_counter() - started < seconds:
            await write(number, i)
            done, i = done + 1, i + 1

    await asyncio.gather(*(caller(n) for n in range(CALLERS)))
    return done, done / (time.perf_counter() - started)


def kinds(caller: int, i: int) -> tuple[str, str, dict[str, object]]:
    """A mix of writes: contacts, companies, activities."""
    return (
        ("/contacts", "create_contact", {"first_name": f"Caller {caller}", "last_name": str(i)}),
        ("/companies", "create_company", {"name": f"Company {caller}-{i}"}),
        ("/activities", "create_activity", {"activity_type": "note", "subject": f"Note {caller}-{i}"}),
    )[i % 3]


def start(file: str) -> tuple[subprocess.Popen[bytes], int]:
    """A sandbox on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return subprocess.Popen([COMMAND, "sandbox", "--port", str(port), "--db", file], stdout=subprocess.DEVNULL), port


async def over_http(seconds: float, file: str) -> tuple[int, float, int]:
    server, port = start(file)
    base = f"http://127.0.0.1:{port}/functions/v1/api/v1"
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=6), headers=FULL) as patient:
            before = (await patient.get(f"{base}/contacts", timeout=20)).json()["total"]
        async with aiohttp.ClientSession(headers=FULL, raise_for_status=True) as api:

            async def write(caller: int, i: int) -> None:
                path, _, body = kinds(caller, i)
                async with api.post(base + path, json=body) as answer:
                    await answer.read()

            done, a_second = await rate(seconds, write)
            async with api.get(f"{base}/contacts") as answer:
                after = (await answer.json())["total"]
        return done, a_second, after - before
    finally:
        server.kill()
        server.wait()


async def in_process(seconds: float, file: str) -> tuple[int, float]:
    async with Toolkit(sandbox=True, db=file, scopes=("all",)) as toolkit:

        async def write(caller: int, i: int) -> None:
            _, tool, arguments = kinds(caller, i)
            result = await toolkit.call(tool, arguments)
            if result.is_error:
                raise RuntimeError(result.text)

        return await rate(seconds, write)


async def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        done, a_second, contacts = await over_http(seconds, f"{folder}/http.db")
        print(
            f"HTTP, {CALLERS} callers, file: {done} writes, {a_second:.0f}/s (aim {AIM}); {contacts} contacts of them are there"
        )
        done, a_second = await in_process(seconds, f"{folder}/tools.db")
        print(f"tools of one process, {CALLERS} callers, file: {done} writes, {a_second:.0f}/s (aim {AIM})")


asyncio.run(main())
