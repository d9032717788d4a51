"""Two servers, one Redis, and requests that go to either: what one promised the other keeps, and what happens without Redis."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
import httpx
import httpx2
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests import forked
from tests.http_processes import PLAIN, Process, Tenant, base_url, body_of, control, running_redis, server
from trustpager_mcp.app import App
from trustpager_mcp.settings import Settings
from trustpager_mcp.shared_repeats import SharedRepeats

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
SCOPES = ["contacts:read", "contacts:write", "contacts:delete", "ai:use"]
SECRET = "a secret that seals the confirmations of replicas"
YES = types.ElicitResult(action="accept", content={"confirm": True})


@pytest.fixture(scope="module")
def replicas(api: Process, shared: str) -> Iterator[tuple[Process, Process]]:
    options = ["--base-url", base_url(api), "--result-tokens", "1000", "--credit-budget", "4", "--confirm", "elicit"]
    variables = {"TRUSTPAGER_CONFIRM_SECRET": SECRET, "TRUSTPAGER_REDIS": shared}
    with ExitStack() as stack:
        one, other = [stack.enter_context(server(*options, **variables)) for _ in range(2)]
        yield one, other


def key(api: Process) -> str:
    return str(control(api, "keys", {"scopes": SCOPES})["key"])


def status(process: Process, path: str) -> tuple[int, str]:
    answer = httpx.get(process.url + path, timeout=20, verify=PLAIN)
    return answer.status_code, answer.text


def handle_in(text: str) -> str:
    found = re.search(r'read_result\("(\w+)"', text)
    assert found, text
    return found[1]


async def spend(tenant: Tenant, number: int) -> str:
    return (await tenant.call("edit_text_with_ai", text=f"Helo {number}", instruction="correct it"))[0]


async def test_a_result_that_one_server_kept_is_read_on_at_the_other_by_its_tenant_only(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    one, other = replicas
    own = key(api)
    async with Tenant(one.mcp, own) as here, Tenant(other.mcp, own) as there, Tenant(other.mcp, key(api)) as hostile:
        handle = handle_in((await here.call("list_contacts", limit=60))[0])
        for _ in range(2):
            assert "UNKNOWN_RESULT" in (await hostile.call("read_result", handle=handle))[0]
            rows = [(await tenant.call("read_result", handle=handle, rows="1-3"))[0] for tenant in (here, there)]
            assert "shown 3 of 60" in rows[0]
            assert len({re.sub(r"outsider-[0-9a-f]+", "", text) for text in rows}) == 1
        resource = await there.rpc("resources/read", {"uri": f"trustpager://results/{handle}"})
        assert len(body_of(resource)["result"]["contents"]) == 1


async def test_a_budget_is_one_for_all_servers(api: Process, replicas: tuple[Process, Process]) -> None:
    own = key(api)
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        answers = [await spend(tenant, n) for n, tenant in enumerate([here, there] * 3)]
        assert ["CREDIT_BUDGET" in text for text in answers] == [False] * 4 + [True] * 2
    async with Tenant(replicas[0].mcp, key(api)) as another:
        assert "CREDIT_BUDGET" not in await spend(another, 0)


async def test_a_price_that_the_api_refused_is_given_back_to_all(api: Process, replicas: tuple[Process, Process]) -> None:
    own = key(api)
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        for number in range(6):
            control(api, "faults", {"kind": "status", "status": 409, "method": "POST", "path": "/ai"})
            assert "CREDIT_BUDGET" not in await spend(here, number)
        assert "CREDIT_BUDGET" not in await spend(there, 99)


def made(api: Process) -> int:
    """Contacts that the API was asked to make."""
    return len([r for r in control(api, "requests")["requests"] if r["method"] == "POST" and r["path"].endswith("/contacts")])


async def reached(api: Process) -> None:
    """Return when the API has begun to work on the request that the last fault was meant for."""
    with anyio.fail_after(20):
        while control(api, "faults")["faults"]:
            await anyio.lowlevel.checkpoint()


async def test_a_repeat_at_the_other_server_joins_the_write_under_way_and_after_its_end_it_is_a_new_one(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    own = key(api)
    control(api, "faults", {"kind": "delay", "seconds": 1.0, "method": "POST", "path": "/contacts"})
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        before, answers = made(api), dict[str, tuple[str, bool]]()

        async def create(name: str, tenant: Tenant) -> None:
            answers[name] = await tenant.call("create_contact", first_name="Once")

        async with anyio.create_task_group() as group:
            group.start_soon(create, "first", here)
            await reached(api)
            for name in ("second", "third"):
                group.start_soon(create, name, there)
        assert [failed for _, failed in answers.values()] == [False] * 3
        assert len({re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)[0] for text, _ in answers.values()}) == 1
        assert {name for name, (text, _) in answers.items() if "nothing was sent twice" in text} == {"second", "third"}
        assert made(api) - before == 1
        text, failed = await there.call("create_contact", first_name="Once")
        assert not failed
        assert "nothing was sent twice" not in text
        assert made(api) - before == 2


async def test_a_repeat_that_waits_hears_that_the_first_call_was_refused(api: Process, replicas: tuple[Process, Process]) -> None:
    own = key(api)
    control(api, "faults", {"kind": "status", "status": 409, "seconds": 0.5, "method": "POST", "path": "/contacts"})
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        answers: list[tuple[str, bool]] = []

        async def create(tenant: Tenant) -> None:
            answers.append(await tenant.call("create_contact", first_name="Refused"))

        async with anyio.create_task_group() as group:
            group.start_soon(create, here)
            await reached(api)
            group.start_soon(create, there)
        assert answers[0] == answers[1]
        assert answers[0][1]
        assert answers[0][0].startswith("CONFLICT")


async def test_a_write_whose_server_died_is_in_doubt_at_the_other_and_says_how_to_check(api: Process, shared: str) -> None:
    own = key(api)
    control(api, "faults", {"kind": "delay", "seconds": 3, "method": "POST", "path": "/contacts"})
    settings = Settings(base_url=base_url(api), api_key=own, redis=shared)
    app = App(settings)
    assert app.shared is not None
    app.repeats.shared = SharedRepeats(app.shared, silent=1.0)
    before = made(api)
    with server("--base-url", base_url(api), program=forked.COMMAND, TRUSTPAGER_REDIS=shared) as doomed:
        async with Tenant(doomed.mcp, own) as there, anyio.create_task_group() as group:

            async def create() -> None:
                with suppress(httpx.HTTPError):
                    await there.call("create_contact", first_name="Orphan")

            group.start_soon(create)
            await reached(api)
            doomed.popen.kill()
            doomed.end()
        session = await app.session()
        for _ in range(2):
            told = await session.call("create_contact", {"first_name": "Orphan"})
            assert (told.code, told.uncertain) == ("STILL_UNCERTAIN", True)
            assert "check with list_contacts()" in told.text
        assert made(api) - before == 1
        assert not (
            await session.call("call_write", {"tool": "create_contact", "args": {"first_name": "Orphan"}, "again": True})
        ).is_error
    await app.aclose()


async def test_a_write_that_failed_for_certain_may_be_tried_at_the_other_server(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    own = key(api)
    control(api, "faults", {"kind": "status", "status": 409, "method": "POST", "path": "/contacts"})
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        assert (await here.call("create_contact", first_name="Conflict"))[1]
        assert not (await there.call("create_contact", first_name="Conflict"))[1]


async def test_a_write_whose_outcome_is_unknown_is_not_sent_by_the_other_server_until_the_agent_says_so(
    api: Process, replicas: tuple[Process, Process]
) -> None:
    own = key(api)
    control(api, "faults", {"kind": "status", "status": 504, "after": True, "method": "POST", "path": "/contacts"})
    async with Tenant(replicas[0].mcp, own) as here, Tenant(replicas[1].mcp, own) as there:
        before = made(api)
        assert (await here.call("create_contact", first_name="Unknown"))[1]
        told, failed = await there.call("create_contact", first_name="Unknown")
        assert failed
        assert told.startswith("STILL_UNCERTAIN")
        assert "check with list_contacts()" in told
        assert made(api) - before == 1
        again = {"tool": "create_contact", "args": {"first_name": "Unknown"}, "again": True}
        assert not (await there.call("call_write", **again))[1]
        assert made(api) - before == 2


@asynccontextmanager
async def client(process: Process, whose: str) -> AsyncIterator[Client]:
    async def never(_context: Any, _params: Any) -> types.ElicitResult:
        raise AssertionError("the answer is given by hand")

    async with (
        httpx2.AsyncClient(headers={"x-api-key": whose}, verify=PLAIN) as http,
        Client(streamable_http_client(process.mcp, http_client=http), elicitation_callback=never) as made,
    ):
        yield made


async def delete(with_client: Client, contact: str, state: str | None = None) -> Any:
    responses = {"confirm": YES} if state is not None else None
    return await with_client.session.call_tool(
        "delete_contact", {"contact_id": contact}, input_responses=responses, request_state=state, allow_input_required=True
    )


async def test_a_persons_yes_counts_at_either_server_and_once_for_both(api: Process, replicas: tuple[Process, Process]) -> None:
    own = key(api)
    async with Tenant(replicas[0].mcp, own) as plain, client(replicas[0], own) as here, client(replicas[1], own) as there:
        created, _ = await plain.call("create_contact", first_name="Kept")
        contact = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", created)[0]
        state = (await delete(here, contact)).request_state
        assert not (await delete(there, contact, state)).is_error
        assert "was used before" in (await delete(here, contact, state)).content[0].text


async def test_without_redis_calls_go_on_and_what_cannot_be_known_is_refused_clearly(api: Process) -> None:
    own = key(api)
    options = ["--base-url", base_url(api), "--result-tokens", "1000", "--credit-budget", "4", "--confirm", "elicit"]
    with running_redis() as redis, server(*options, "--confirm-secret", SECRET, TRUSTPAGER_REDIS=redis.url) as process:
        async with Tenant(process.mcp, own) as tenant, client(process, own) as asking:
            created, _ = await tenant.call("create_contact", first_name="Before")
            contact = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", created)[0]
            state = (await delete(asking, contact)).request_state
            assert status(process, "/readyz")[0] == 200
            redis.popen.kill()
            redis.popen.wait()
            code, reason = status(process, "/readyz")
            assert (code, "Redis" in reason) == (503, True)
            assert status(process, "/healthz")[0] == 200
            assert not (await tenant.call("create_contact", first_name="After"))[1]
            text, failed = await tenant.call("list_contacts", limit=60)
            assert not failed
            assert not (await tenant.call("read_result", handle=handle_in(text), rows="1-2"))[1]
            before = len(control(api, "requests")["requests"])
            foreign = await tenant.call("read_result", handle="r" + "a" * 14)
            refused = await delete(asking, contact, state)
            for said in (foreign[0], refused.content[0].text, await spend(tenant, 0)):
                assert said.startswith("SHARED_STATE_UNAVAILABLE")
                assert redis.url not in said
            assert len(control(api, "requests")["requests"]) == before


def test_an_address_that_is_no_redis_stops_the_start() -> None:
    words = [forked.command(), "serve", "--transport", "http", "--sandbox", "--redis", "http://secret@host"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 2
    assert "redis://host:6379/0" in ran.stderr
    assert "secret" not in ran.stderr
