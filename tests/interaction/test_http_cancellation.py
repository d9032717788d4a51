"""Calls that a client of the older eras cancels over HTTP, where its notice is a request of its own. The newer era: test_calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.faulty_upstream import FaultyUpstream
from tests.http_processes import ACCEPT, PLAIN, server

VERSION = {"mcp-protocol-version": "2025-11-25"}
INTRODUCTION = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "older", "version": "1"}},
}
CANCELLED = -32800


@dataclass
class Older:
    """A client of an older era: what it sends, message by message."""

    http: httpx.AsyncClient
    session: str

    async def call(self, request: int | str, first_name: str) -> Any:
        """The answer to a write, as JSON-RPC."""
        arguments = {"tool": "create_contact", "args": {"first_name": first_name}}
        message = {"jsonrpc": "2.0", "id": request, "method": "tools/call"}
        return await self._post({**message, "params": {"name": "call_write", "arguments": arguments}})

    async def cancel(self, request: int | str) -> None:
        await self._post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request}})

    async def _post(self, message: dict[str, Any]) -> Any:
        answer = await self.http.post("/mcp", json=message, headers={**VERSION, "mcp-session-id": self.session})
        if answer.status_code == 202:
            return None
        (told,) = (line for line in answer.text.splitlines() if line.startswith("data: {"))
        return httpx.Response(200, text=told.removeprefix("data: ")).json()


@asynccontextmanager
async def client(url: str, key: str = "tp_live_one") -> AsyncIterator[Older]:
    headers = {**ACCEPT, "x-api-key": key}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20, verify=PLAIN, trust_env=False) as http:
        yield Older(http, (await http.post("/mcp", json=INTRODUCTION)).headers["mcp-session-id"])


@pytest.fixture
async def upstream() -> AsyncIterator[FaultyUpstream]:
    async with FaultyUpstream() as api:
        yield api


@pytest.fixture
async def url(upstream: FaultyUpstream) -> AsyncIterator[str]:
    with server("--base-url", upstream.base, "--scopes", "all") as process:
        yield process.url


async def test_a_call_is_cancelled_by_its_own_clients_notice_and_by_nobody_elses(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own, client(url) as same_key, client(url, "tp_live_two") as other_key:
        other_key.session = own.session
        upstream.fail("hang")
        before = len(upstream.requests)
        call = asyncio.create_task(own.call(7, "Ann"))
        await upstream.received(before + 1)
        for stranger in (same_key, other_key):
            await stranger.cancel(7)
            assert "result" in await stranger.call(8, "Bob")
        await own.cancel(6)
        assert not call.done()
        await own.cancel(7)
        assert (await call)["error"]["code"] == CANCELLED
        await upstream.settled()


async def test_a_call_goes_on_when_strangers_and_other_calls_are_cancelled(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own, client(url) as same_key:
        upstream.fail("held")
        before = len(upstream.requests)
        call = asyncio.create_task(own.call(7, "Ann"))
        await upstream.received(before + 1)
        await same_key.cancel(7)
        await own.cancel(6)
        assert "result" in await own.call(8, "Bob")
        upstream.release()
        assert not (await call)["result"]["isError"]


async def test_a_notice_that_overtakes_its_call_keeps_it_from_being_sent(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own:
        await own.cancel("a")
        assert "result" in await own.call("b", "Bob")
        before = len(upstream.requests)
        assert (await own.call("a", "Ann"))["error"]["code"] == CANCELLED
        assert len(upstream.requests) == before


async def test_a_client_gets_a_session_id_at_its_start_which_nothing_depends_on(url: str) -> None:
    async with client(url) as one, client(url) as other:
        assert one.session != other.session
        for session in ({}, {"mcp-session-id": "never-given"}):
            answer = await one.http.post(
                "/mcp", json={**INTRODUCTION, "method": "ping", "params": {}}, headers={**VERSION, **session}
            )
            assert answer.status_code == 200
            assert "mcp-session-id" not in answer.headers
