"""The scopes of a key change while servers run: who finds out, when, and who is told."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from anyio.abc import TaskStatus
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError

from tests import forked
from tests.http_processes import ACCEPT, PLAIN, Process, base_url, control, running_redis, server
from trustpager_mcp.subscriptions import MOST_STREAMS
from trustpager_mcp.toolkit import Toolkit

READ, WRITE = ["contacts:read"], ["contacts:read", "contacts:write"]
ANN = {"tool": "create_contact", "args": {"first_name": "Ann"}}


@pytest.fixture(scope="module")
def replicas(api: Process) -> Iterator[tuple[Process, Process]]:
    options = ["--base-url", base_url(api), "--scopes-ttl", "1"]
    with (
        running_redis() as redis,
        server(*options, TRUSTPAGER_REDIS=redis.url) as one,
        server("--base-url", base_url(api), TRUSTPAGER_REDIS=redis.url) as other,
    ):
        yield one, other


def key(api: Process) -> str:
    return str(control(api, "keys", {"scopes": READ})["key"])


def grant(api: Process, whose: str, scopes: list[str]) -> None:
    control(api, "keys", {"key": whose, "scopes": scopes})


def asked(api: Process) -> int:
    return len([r for r in control(api, "requests")["requests"] if r["path"].endswith("/_meta/tools")])


async def found(connected: Client) -> str:
    return str((await connected.call_tool("find_tools", {"query": "create a contact"})).content[0].text)  # type: ignore[union-attr]


@asynccontextmanager
async def client(process: Process, whose: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"x-api-key": whose}, timeout=60, verify=PLAIN) as http,
        Client(streamable_http_client(process.mcp, http_client=http)) as made,
    ):
        yield made


async def test_a_scope_that_was_just_granted_counts_at_the_next_call(api: Process) -> None:
    own = key(api)
    async with Toolkit(own, base_url=base_url(api), scopes_ttl=0.0) as toolkit:
        assert (await toolkit.call("call_write", ANN)).code == "MISSING_SCOPE"
        grant(api, own, WRITE)
        assert not (await toolkit.call("call_write", ANN)).is_error


async def test_scopes_are_asked_for_once_in_their_time_and_at_once_on_request(api: Process) -> None:
    own = key(api)
    async with Toolkit(own, base_url=base_url(api)) as toolkit:
        before = asked(api)
        for _ in range(3):
            assert (await toolkit.call("call_write", ANN)).code == "MISSING_SCOPE"
        assert asked(api) - before == 2
        grant(api, own, WRITE)
        await toolkit.refresh_scopes()
        assert not (await toolkit.call("call_write", ANN)).is_error
        assert asked(api) - before == 3


async def test_a_403_of_the_api_takes_the_tool_off_the_list(api: Process) -> None:
    own = key(api)
    grant(api, own, WRITE)
    async with Toolkit(own, base_url=base_url(api), tools="all") as toolkit:
        assert "create_contact" in [t["name"] for t in await toolkit.tools()]
        grant(api, own, READ)
        refused = await toolkit.call("create_contact", {"first_name": "Ann"})
        assert (refused.code, refused.status) == ("FORBIDDEN", 403)
        assert "create_contact" not in [t["name"] for t in await toolkit.tools()]


async def test_while_the_api_does_not_tell_scopes_those_known_count_on(api: Process) -> None:
    own = key(api)
    grant(api, own, WRITE)
    async with Toolkit(own, base_url=base_url(api)) as toolkit:
        assert not (await toolkit.call("call_write", ANN)).is_error
        control(api, "faults", {"kind": "status", "status": 503, "path": "/_meta/tools"})
        await toolkit.refresh_scopes()
        assert not (await toolkit.call("call_write", ANN)).is_error


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_client_of_an_older_era_is_told_by_the_call_that_found_it_out(
    api: Process, replicas: tuple[Process, Process], way: str
) -> None:
    own, told = key(api), anyio.Event()

    async def hear(message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            told.set()

    async with AsyncExitStack() as stack:
        reached: Any = StdioServerParameters(
            command=forked.command(), args=["serve", "--base-url", base_url(api), "--api-key", own], env={}
        )
        if way == "http":
            http = await stack.enter_async_context(httpx2.AsyncClient(headers={"x-api-key": own}, timeout=60, verify=PLAIN))
            reached = streamable_http_client(replicas[0].mcp, http_client=http)
        connected = await stack.enter_async_context(Client(reached, mode="legacy", message_handler=hear))
        assert connected.server_capabilities.tools is not None
        assert connected.server_capabilities.tools.list_changed
        assert "create_contact(" not in await found(connected)
        grant(api, own, WRITE)
        assert not (await connected.call_tool("call_write", ANN)).is_error
        with anyio.fail_after(30):
            await told.wait()


async def test_the_notice_in_an_older_clients_answer_is_a_message_of_its_own_before_the_result(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    own = key(api)
    headers = {"x-api-key": own, **ACCEPT}
    async with httpx2.AsyncClient(base_url=replicas[0].url, headers=headers, timeout=60, verify=PLAIN) as http:

        async def call(name: str, arguments: dict[str, Any]) -> list[Any]:
            params = {"name": name, "arguments": arguments}
            answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            if answer.headers["content-type"] == "application/json":
                return [answer.json()]
            return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]

        (found,) = await call("find_tools", {"query": "create a contact"})
        assert "create_contact(" not in found["result"]["content"][0]["text"]
        grant(api, own, WRITE)
        notice, answer = await call("call_write", ANN)
        assert notice == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        assert not answer["result"]["isError"]


async def test_listeners_of_a_key_hear_at_every_server_that_its_scopes_changed_and_others_hear_nothing(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    one, other = replicas
    own, foreign = key(api), key(api)
    heard = {name: anyio.Event() for name in ("here", "there", "stranger")}
    async with (
        client(one, own) as here,
        client(other, own) as there,
        client(one, foreign) as stranger,
        anyio.create_task_group() as group,
    ):

        async def listen(name: str, connected: Client, *, task_status: TaskStatus[None]) -> None:
            async with connected.listen(tools_list_changed=True) as events:
                task_status.started()
                async for event in events:
                    assert isinstance(event, ToolsListChanged)
                    heard[name].set()

        for name, connected in (("here", here), ("there", there), ("stranger", stranger)):
            await group.start(listen, name, connected)
        assert "create_contact(" not in await found(there)
        grant(api, own, WRITE)
        # Nobody calls anything: the first server looks by itself, and tells the second.
        with anyio.fail_after(60):
            await heard["here"].wait()
            await heard["there"].wait()
        assert "create_contact(" in await found(there)
        assert not heard["stranger"].is_set()
        grant(api, foreign, WRITE)
        with anyio.fail_after(60):
            await heard["stranger"].wait()
        group.cancel_scope.cancel()


async def test_a_credential_holds_so_many_subscriptions_and_another_ones_are_not_counted(api: Process) -> None:
    own, foreign = key(api), key(api)
    with server("--base-url", base_url(api)) as process:
        async with client(process, own) as mine, client(process, foreign) as theirs, AsyncExitStack() as stack:
            for _ in range(MOST_STREAMS):
                await stack.enter_async_context(mine.listen(tools_list_changed=True))
            with pytest.raises(MCPError, match="16 subscriptions open"):
                await stack.enter_async_context(mine.listen(tools_list_changed=True))
            await stack.enter_async_context(theirs.listen(tools_list_changed=True))


async def test_open_subscriptions_do_not_keep_a_server_from_ending(api: Process) -> None:
    with server("--base-url", base_url(api), "--drain-seconds", "60") as process:
        async with client(process, key(api)) as connected, connected.listen(tools_list_changed=True) as heard:
            process.popen.terminate()
            assert [event async for event in heard] == []
            assert await anyio.to_thread.run_sync(process.end) == -signal.SIGTERM
