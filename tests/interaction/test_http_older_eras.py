"""Clients up to 2025-11-25 over HTTP, message by message: what they cancel and answer comes in requests of its own.

With a real client, at one server and at two, the same is in test_calls (giving up) and test_policy (a person is asked).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from tests.faulty_upstream import ID, FaultyUpstream, app_on
from tests.http_processes import ACCEPT, PLAIN, free_port, server
from trustpager_mcp.app import build_server
from trustpager_mcp.transports.http.older_eras import OlderEras

VERSION = {"mcp-protocol-version": "2025-11-25"}
CANCELLED = -32800


@dataclass
class Older:
    """A client of an older era."""

    http: httpx.AsyncClient
    session: str

    async def post(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Everything that is said in the answer to a message."""
        return [said async for said in self.stream(message)]

    async def stream(self, message: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """As `post`, one by one as it comes."""
        headers = {**VERSION, "mcp-session-id": self.session}
        async with self.http.stream("POST", "/mcp", json={"jsonrpc": "2.0", **message}, headers=headers) as answer:
            assert answer.status_code in (200, 202)
            if answer.headers.get("content-type") == "application/json":
                yield json.loads(await answer.aread())
                return
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line.removeprefix("data: "))

    async def create(self, request: int | str, first_name: str) -> dict[str, Any]:
        """The answer to a write."""
        (answer,) = await self.post(calling(request, "call_write", tool="create_contact", args={"first_name": first_name}))
        return answer

    async def cancel(self, request: int | str) -> None:
        await self.post({"method": "notifications/cancelled", "params": {"requestId": request}})

    async def answer(self, question: dict[str, Any], confirm: bool) -> None:
        """What a person says to a question of the server's."""
        await self.post({"id": question["id"], "result": {"action": "accept", "content": {"confirm": confirm}}})


def calling(request: int | str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": request, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def deleting(request: int | str, contact: str = ID) -> dict[str, Any]:
    return calling(request, "call_irreversible", tool="delete_contact", args={"contact_id": contact})


def introduction(**capabilities: Any) -> dict[str, Any]:
    about = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "older", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about}


@asynccontextmanager
async def client(url: str, key: str = "tp_live_one") -> AsyncIterator[Older]:
    """A client whose person can be asked."""
    headers = {**ACCEPT, "x-api-key": key}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20, verify=PLAIN, trust_env=False) as http:
        yield Older(http, (await http.post("/mcp", json=introduction(elicitation={}))).headers["mcp-session-id"])


@pytest.fixture
async def upstream() -> AsyncIterator[FaultyUpstream]:
    async with FaultyUpstream() as api:
        yield api


@pytest.fixture
async def url(upstream: FaultyUpstream) -> AsyncIterator[str]:
    with server("--base-url", upstream.base, "--scopes", "all", "--confirm", "strict") as process:
        yield process.url


def deletions(upstream: FaultyUpstream) -> list[str]:
    return [seen.path for seen in upstream.requests if seen.method == "DELETE"]


async def test_a_call_is_cancelled_by_its_own_clients_notice(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own:
        upstream.fail("hang")
        before = len(upstream.requests)
        call = asyncio.create_task(own.create(7, "Ann"))
        await upstream.received(before + 1)
        await own.cancel(7)
        assert (await call)["error"]["code"] == CANCELLED
        await upstream.settled()


async def test_a_call_goes_on_when_strangers_and_other_calls_are_cancelled(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own, client(url) as same_key, client(url, "tp_live_two") as other_key:
        other_key.session = own.session
        upstream.fail("held")
        before = len(upstream.requests)
        call = asyncio.create_task(own.create(7, "Ann"))
        await upstream.received(before + 1)
        for stranger in (same_key, other_key):
            await stranger.cancel(7)
            assert "result" in await stranger.create(8, "Bob")
        await own.cancel(6)
        assert "result" in await own.create(8, "Cid")
        upstream.release()
        assert not (await call)["result"]["isError"]


async def test_a_notice_that_overtakes_its_call_keeps_it_from_being_sent(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own:
        await own.cancel("a")
        assert "result" in await own.create("b", "Bob")
        before = len(upstream.requests)
        assert (await own.create("a", "Ann"))["error"]["code"] == CANCELLED
        assert len(upstream.requests) == before
        # A notice is for one call.
        assert "result" in await own.create("a", "Ann")


async def test_questions_of_calls_at_once_are_told_apart_and_each_answer_counts_for_its_own(
    url: str, upstream: FaultyUpstream
) -> None:
    other = ID.replace("6f", "00")
    async with client(url) as own:
        kept, gone = own.stream(deleting(1)), own.stream(deleting(2, other))
        first, second = await anext(kept), await anext(gone)
        assert (first["method"], second["method"]) == ("elicitation/create", "elicitation/create")
        assert first["id"] != second["id"]
        await own.answer(second, True)
        assert not (await anext(gone))["result"]["isError"]
        await own.answer(first, False)
        assert "DECLINED" in (await anext(kept))["result"]["content"][0]["text"]
    assert [path.rpartition("/")[2] for path in deletions(upstream)] == [other]


async def test_a_strangers_yes_is_nobodys(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own, client(url) as same_key, client(url, "tp_live_two") as other_key:
        other_key.session = own.session
        answers = own.stream(deleting(1))
        question = await anext(answers)
        for stranger in (same_key, other_key):
            await stranger.answer(question, True)
            await stranger.create(2, "Bob")
        assert deletions(upstream) == []
        await own.answer(question, False)
        assert "DECLINED" in (await anext(answers))["result"]["content"][0]["text"]
    assert deletions(upstream) == []


async def test_a_question_is_withdrawn_with_its_call(url: str, upstream: FaultyUpstream) -> None:
    async with client(url) as own:
        answers = own.stream(deleting(1))
        question = await anext(answers)
        await own.cancel(1)
        withdrawn, answer = [said async for said in answers]
        assert (withdrawn["method"], withdrawn["params"]["requestId"]) == ("notifications/cancelled", question["id"])
        assert answer["error"]["code"] == CANCELLED
        await own.answer(question, True)
        await own.create(2, "Bob")
    assert deletions(upstream) == []


@pytest.mark.parametrize(
    "stray",
    [
        {"id": "1", "result": {}},
        {"id": "1:", "result": {}},
        {"id": "x:7", "result": {"action": "accept"}},
        {"id": 1, "result": {}},
        {"id": ":::", "error": {"code": 1, "message": "no"}},
        {"method": "notifications/cancelled", "params": {}},
        {"method": "notifications/cancelled"},
        {"method": "notifications/cancelled", "params": {"requestId": [1]}},
        {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
    ],
)
async def test_a_message_that_belongs_to_nothing_is_taken_and_forgotten(url: str, stray: dict[str, Any]) -> None:
    async with client(url) as own:
        assert await own.post(stray) == []
        assert "result" in await own.create(2, "Bob")


async def test_a_session_id_comes_with_the_introduction_and_nothing_depends_on_it(url: str) -> None:
    async with client(url) as one, client(url) as other:
        assert one.session != other.session
        for session in ({}, {"mcp-session-id": "never-given"}):
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            answer = await one.http.post("/mcp", json=ping, headers={**VERSION, **session})
            assert answer.status_code == 200
            assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        ({"elicitation": {}}, True),
        ({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}, True),
        ({"elicitation": {"url": {}}}, False),
        ({"sampling": {}, "roots": {}}, False),
        ({"elicitation": "yes"}, False),
        ({}, False),
    ],
)
async def test_only_who_declared_forms_is_asked(url: str, upstream: FaultyUpstream, capabilities: Any, asked: bool) -> None:
    async with client(url) as own:
        answer = await own.http.post("/mcp", json=introduction(**capabilities))
        own.session = answer.headers.get("mcp-session-id", "none")
        said = await anext(own.stream(deleting(1)))
        assert (said.get("method") == "elicitation/create") is asked
        assert asked or "CANNOT_ASK" in said["result"]["content"][0]["text"]
    assert deletions(upstream) == []


@pytest.mark.parametrize(
    ("headers", "body", "status", "told"),
    [
        ({"accept": "application/json"}, "{}", 406, "text/event-stream"),
        ({"accept": "text/event-stream"}, "{}", 406, "application/json"),
        ({"content-type": "text/plain"}, "{}", 415, "application/json"),
        ({}, "{", 400, "Parse error"),
        ({}, "[" * 100_000, 400, "Parse error"),
        ({}, '{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}', 400, "one JSON-RPC message"),
        ({}, "[]", 400, "one JSON-RPC message"),
        ({}, '{"jsonrpc": "1.0", "id": 1, "method": "ping"}', 400, "one JSON-RPC message"),
    ],
)
async def test_what_is_no_message_is_refused_and_told_what_would_be_one(
    url: str, headers: dict[str, str], body: str, status: int, told: str
) -> None:
    async with client(url) as own:
        answer = await own.http.post("/mcp", content=body, headers={"content-type": "Application/JSON", **headers})
        assert answer.status_code == status
        assert told in answer.json()["error"]["message"]
        assert answer.json()["id"] is None


async def test_a_client_that_waits_long_gets_signs_of_life_until_its_answer(upstream: FaultyUpstream) -> None:
    async with app_on(upstream, seconds=20) as app:
        port = free_port()
        security = TransportSecuritySettings(allowed_hosts=[f"127.0.0.1:{port}"])
        older = OlderEras(build_server(app), security, lambda: "", None, silence=0.02)
        http_server = uvicorn.Server(uvicorn.Config(older, port=port, log_level="error", lifespan="off"))
        serving = asyncio.create_task(http_server.serve())
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=8, verify=PLAIN), headers=ACCEPT) as http:
            upstream.fail("held")
            request = {"jsonrpc": "2.0", **calling(1, "call_read", tool="get_contact", args={"contact_id": ID})}
            async with http.stream("POST", f"http://127.0.0.1:{port}/mcp", json=request) as answer:
                heard = []
                async for line in answer.aiter_lines():
                    heard += [line] if line else []
                    upstream.release()
        http_server.should_exit = True
        await serving
    assert heard[0] == ": still at work"
    assert json.loads(heard[-1].removeprefix("data: "))["result"]["isError"] is False
