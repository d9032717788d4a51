"""Server and sandbox processes on free ports, and the plainest of clients: one POST a request."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests import forked

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of a client that speaks no TLS: reading the certificates of the machine would take it 40 ms."""
ACCEPT = {"accept": "application/json, text/event-stream"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Process:
    """A process that serves at `url` (without a path); `log` is what it wrote on standard error, once it has ended."""

    url: str
    popen: subprocess.Popen[str]
    log: str = ""

    @property
    def mcp(self) -> str:
        return self.url + "/mcp"

    def end(self) -> int:
        """Wait for the end after a signal; the exit status."""
        _, self.log = self.popen.communicate(timeout=30)
        return self.popen.returncode


@contextmanager
def started(words: list[str], port: int, path: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    """A process that answers at `path` when the block begins, and is gone when it ends."""
    popen = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)
    process = Process(f"http://127.0.0.1:{port}", popen)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=9, verify=PLAIN), trust_env=False) as client:
            client.get(process.url + path, timeout=20)
        yield process
    finally:
        if popen.poll() is None:
            popen.terminate()
            process.end()


@contextmanager
def server(*options: str, port: int | None = None, program: str | None = None, **env: str) -> Iterator[Process]:
    """`trustpager-mcp serve --transport http` with these options and these variables only, forked if no program is named."""
    port = port or free_port()
    words = [program or forked.command(), "serve", "--transport", "http", "--port", str(port), *options]
    with started(words, port, "/healthz", env) as process:
        yield process


@contextmanager
def sandbox_api() -> Iterator[Process]:
    """The practice workspace as an API in a process of its own."""
    port = free_port()
    with started([forked.command(), "sandbox", "--port", str(port)], port, "/__sandbox/clock") as process:
        yield process


@contextmanager
def running_redis() -> Iterator[Process]:
    """A Redis that keeps nothing on disk. Skips the test where none is installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen([*words, "--dir", folder], stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            while "Ready to accept connections" not in (line := process.stdout.readline()):
                assert line, "Redis ended at its start"
            yield Process(f"redis://127.0.0.1:{port}/0", process)
        finally:
            process.kill()


def base_url(api: Process) -> str:
    return api.url + "/functions/v1/api/v1"


def control(api: Process, name: str, body: dict[str, Any] | None = None) -> Any:
    """One of the sandbox's controls: POST with a body, else GET."""
    address = f"{api.url}/__sandbox/{name}"
    method = "GET" if body is None else "POST"
    answer = httpx.request(method, address, json=body, timeout=20, trust_env=False, verify=PLAIN)
    assert answer.status_code < 300, answer.text
    return answer.json()


@dataclass
class Tenant:
    """A caller with a key of its own (or none), over one kept-alive connection or several."""

    url: str
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Tenant:
        own = {"x-api-key": self.key} if self.key else {}
        self._http = httpx.AsyncClient(headers={**ACCEPT, **own, **self.headers}, timeout=60, trust_env=False, verify=PLAIN)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def rpc(self, method: str, params: dict[str, Any], **headers: str) -> httpx.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self._http.post(self.url, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def call(self, tool: str, /, **arguments: Any) -> tuple[str, bool]:
        """The text of a tool's answer, and whether it is an error."""
        answer = await self.rpc("tools/call", {"name": tool, "arguments": arguments})
        return text_of(answer)


def body_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer, which comes as JSON or as the last event of a stream."""
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    text = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")][-1] if is_stream else answer.text
    body: dict[str, Any] = json.loads(text)
    return body


def text_of(answer: httpx.Response) -> tuple[str, bool]:
    """The text of a tool's answer, and whether it is an error."""
    body = body_of(answer)
    assert "result" in body, body
    return body["result"]["content"][0]["text"], body["result"].get("isError", False)
