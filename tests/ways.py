"""The four ways to a server, behind one `Agent`: in this process, over stdio, over HTTP, and over HTTP to two replicas.

A test says `async with serve("--sandbox") as agent` and runs in each of them. Over HTTP servers are shared by all tests with
the same options, and a caller's key goes with its requests; the workspace of `--sandbox` is then an API process that all
servers talk to, and that a module finds fresh.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any, Protocol

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import Agent, connect
from tests.http_processes import PLAIN, Process, base_url, control, free_port, running_redis, sandbox_api, server, started
from trustpager_mcp.app import build_server
from trustpager_mcp.cli.options import make_app
from trustpager_mcp.cli.serve import _LISTENING
from trustpager_mcp.cli.serve import serve as serve_command
from trustpager_mcp.settings import SANDBOX_KEY

WAYS = ("in-process", "stdio", "http", "two-replicas")
_MOST_SERVERS = 4
"""Sets of options whose servers are kept running; the one that was not used for longest ends first."""
_SECRET = "a secret that seals the confirmations of replicas"


class Serve(Protocol):
    """As `connect`: serve with these options, and connect."""

    def __call__(
        self, *options: str, mode: Any = "auto", person: Any = None, **env: str
    ) -> AbstractAsyncContextManager[Agent]: ...


class Servers:
    """The processes behind the ways over HTTP, started when first needed."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: OrderedDict[tuple[str, ...], tuple[str, ExitStack]] = OrderedDict()
        self._api: Process | None = None
        self._redis: Process | None = None

    @property
    def api(self) -> Process:
        """The practice workspace that all servers share."""
        if self._api is None:
            self._api = self._stack.enter_context(sandbox_api())
        return self._api

    def fresh(self) -> None:
        """Let the workspace be as it was made."""
        if self._api is not None:
            control(self._api, "reset", {})

    def url(self, way: str, options: tuple[str, ...]) -> str:
        """Where /mcp is served in this way with these options."""
        key = (way, *options)
        if key not in self._running:
            while len(self._running) >= _MOST_SERVERS:
                self._running.popitem(last=False)[1][1].close()
            stack = ExitStack()
            made = self._one(stack, options) if way == "http" else self._two(stack, options)
            self._running[key] = (made, stack)
        self._running.move_to_end(key)
        return self._running[key][0]

    def close(self) -> None:
        for _, stack in self._running.values():
            stack.close()
        self._stack.close()

    @staticmethod
    def _one(stack: ExitStack, options: tuple[str, ...]) -> str:
        return stack.enter_context(server(*options)).mcp

    def _two(self, stack: ExitStack, options: tuple[str, ...]) -> str:
        if self._redis is None:
            self._redis = self._stack.enter_context(running_redis())
        port, ports = free_port(), [free_port(), free_port()]
        variables = {"TRUSTPAGER_REDIS": self._redis.url, "TRUSTPAGER_CONFIRM_SECRET": _SECRET}
        for own in ports:
            stack.enter_context(server(*options, "--allowed-hosts", f"127.0.0.1:{port}", port=own, **variables))
        words = [sys.executable, __file__.replace("ways.py", "round_robin.py"), str(port), *map(str, ports)]
        return stack.enter_context(started(words, port, "/healthz")).mcp


def serving(way: str, servers: Servers) -> Serve:
    """`serve` for one of the ways."""
    if way == "stdio":
        return connect

    @asynccontextmanager
    async def serve(*options: str, mode: Any = "auto", person: Any = None, **env: str) -> AsyncIterator[Agent]:
        words, key = _split(options, env, servers)
        if way == "in-process":
            async with _in_process([*words, *(["--api-key", key] if key else [])], mode, person) as agent:
                yield agent
            return
        url = servers.url(way, tuple(words))
        headers = {"x-api-key": key} if key else {}
        if way == "two-replicas":
            await _introduced(url, headers)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False, verify=PLAIN) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, elicitation_callback=person) as client,
        ):
            yield Agent(client)

    return serve


async def _introduced(url: str, headers: dict[str, str]) -> None:
    """Let both servers see the caller's key, so that none asks the API about it in the middle of a test."""
    async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False, verify=PLAIN) as http:
        for _ in range(2):
            await http.post(url, json={})


def _split(options: tuple[str, ...], env: dict[str, str], servers: Servers) -> tuple[list[str], str | None]:
    """The options that make a server, and the caller's key, which is none of them."""
    words = list(options)
    for name, value in env.items():
        words += ["--" + name.removeprefix("TRUSTPAGER_").lower().replace("_", "-"), value]
    key = None
    if "--sandbox" in words:
        at = words.index("--sandbox")
        words[at : at + 1] = ["--base-url", base_url(servers.api)]
        key = SANDBOX_KEY
    if "--api-key" in words:
        at = words.index("--api-key")
        key = words[at + 1]
        del words[at : at + 2]
    return words, key


@asynccontextmanager
async def _in_process(words: list[str], mode: Any, person: Any) -> AsyncIterator[Agent]:
    with serve_command.make_context("serve", words) as context:
        options = {k: v for k, v in context.params.items() if k not in (*_LISTENING, "transport", "record_searches", "workers")}
        app = make_app(options.pop("tools"), options)
    try:
        async with Client(build_server(app), mode=mode, elicitation_callback=person) as client:
            yield Agent(client)
    finally:
        await app.aclose()
