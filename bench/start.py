"""Start and memory to the first tools/list over stdio, beside an empty server on the same SDK; what is imported until then."""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import processes
from mcp import StdioServerParameters
from mcp.client import Client

COMMAND = str(Path(sys.executable).parent / "trustpager-mcp")
EMPTY_SERVER = str(Path(__file__).parent / "empty_server.py")
SERVERS = {
    "empty server": (sys.executable, EMPTY_SERVER),
    "with a key": (COMMAND, "serve", "--scopes", "all"),
    "sandbox": (COMMAND, "serve", "--sandbox", "--scopes", "all"),
}
ROUNDS = 5
LATE = ("httpx", "aiohttp", "jsonschema", "tenacity", "trustpager_mcp.sandbox")
"""What tools/list has no use for."""


async def start(command: tuple[str, ...]) -> tuple[float, float, float]:
    """Seconds, seconds of the server's CPU, and megabytes to the first tools/list."""
    started = time.perf_counter()
    server = StdioServerParameters(command=command[0], args=list(command[1:]), env={"TRUSTPAGER_API_KEY": "tp_live_bench"})
    async with Client(server) as client:
        await client.list_tools()
        seconds, server_pid = time.perf_counter() - started, processes.children()[-1]
        return seconds, processes.cpu_seconds(server_pid), processes.memory_mb(server_pid)


def imports() -> list[tuple[int, str]]:
    """Microseconds of each import until the server waits for its client, with what each brings along."""
    program = "import sys; sys.argv = ['trustpager-mcp', 'serve', '--scopes', 'all']; from trustpager_mcp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    lines = re.findall(r"import time:\s+\d+ \|\s+(\d+) \| \s*(\S+)", done.stderr)
    return sorted(((int(spent), name) for spent, name in lines), reverse=True)


async def main() -> None:
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in SERVERS}
    for _ in range(ROUNDS):
        for name, command in SERVERS.items():
            figures[name].append(await start(command))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()}
    empty, empty_cpu, empty_memory = medians.pop("empty server")
    print(
        f"cold start to tools/list: an empty server on the same SDK {empty:.2f} s, CPU {empty_cpu:.2f} s, {empty_memory:.0f} MB"
    )
    for name, (seconds, cpu, memory) in medians.items():
        times = f"{seconds / empty:.2f} times in time, {cpu / empty_cpu:.2f} times in CPU, aim 1.15"
        print(f"  {name:12} {seconds:.2f} s, CPU {cpu:.2f} s ({times}), {memory - empty_memory:+.0f} MB (aim 25)")
    profile = imports()
    print("imports until the server waits for its client, ms with what each brings along")
    for name in ("mcp", "mcp_types", "pydantic", "click", "trustpager_mcp.definitions", "trustpager_mcp.app"):
        print(f"  {name:28} {next((spent for spent, known in profile if known == name), 0) / 1000:6.1f}")
    loaded = [name for _, name in profile]
    print(f"imported too early: {', '.join(late for late in LATE if late in loaded) or 'nothing'}")


if __name__ == "__main__":
    asyncio.run(main())
