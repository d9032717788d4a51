"""Fifty tenants in parallel on one server, and a hostile one among them: nobody gets what is another's.

A real server process over HTTP, and the practice workspace as its API in another process. All tenants work on one workspace,
so that what one must not see differs by its key alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.http_processes import PLAIN, Process, Tenant, base_url, body_of, control, server, text_of

TENANTS = 50
SECRET = "a secret that seals the confirmations of replicas"
SCOPES = ["contacts:read", "contacts:write", "contacts:delete", "ai:use", "companies:read"]
READER = ["contacts:read"]
YES = types.ElicitResult(action="accept", content={"confirm": True})


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def shared(api: Process, audit: Path) -> Iterator[Process]:
    """The server of them all. The configured key has every scope: a caller that fell back to it would be seen."""
    options = ["--base-url", base_url(api), "--result-tokens", "1000", "--credit-budget", "3"]
    options += ["--confirm", "elicit", "--confirm-secret", SECRET, "--audit", str(audit)]
    with server(*options, TRUSTPAGER_API_KEY="tp_live_sandbox_full") as process:
        yield process


def key(api: Process, scopes: list[str] = SCOPES) -> str:
    return str(control(api, "keys", {"scopes": scopes})["key"])


@asynccontextmanager
async def tenants(shared: Process, api: Process, count: int = TENANTS) -> AsyncIterator[list[Tenant]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Tenant(shared.mcp, key(api))) for _ in range(count)]


async def at_once(calls: list[Any]) -> list[Any]:
    """The answers of coroutines that run together, in their order."""
    answers: list[Any] = [None] * len(calls)

    async def run(place: int, call: Any) -> None:
        answers[place] = await call

    async with anyio.create_task_group() as group:
        for place, call in enumerate(calls):
            group.start_soon(run, place, call)
    return answers


def handle_in(text: str) -> str:
    found = re.search(r'read_result\("(\w+)"', text)
    assert found, text
    return found[1]


async def kept_uris(tenant: Tenant) -> list[str]:
    return [r["uri"] for r in body_of(await tenant.rpc("resources/list", {}))["result"]["resources"] if "/results/" in r["uri"]]


async def test_kept_results_are_read_by_their_own_tenant_only(shared: Process, api: Process) -> None:
    async with tenants(shared, api) as all_of_them, Tenant(shared.mcp, key(api)) as hostile:
        lists = await at_once([t.call("list_contacts", limit=60) for t in all_of_them])
        handles = [handle_in(text) for text, _ in lists]
        assert len(set(handles)) == TENANTS
        own = await at_once([t.call("read_result", handle=h, rows="1-2") for t, h in zip(all_of_them, handles, strict=True)])
        assert not any(failed for _, failed in own)
        neighbours = zip(all_of_them, handles[1:] + handles[:1], strict=True)
        others = await at_once([t.call("read_result", handle=h, rows="1-2") for t, h in neighbours])
        stolen = await at_once([hostile.call("read_result", handle=h) for h in handles])
        assert all(failed and "UNKNOWN_RESULT" in text for text, failed in others + stolen)
        seen = await at_once([kept_uris(t) for t in all_of_them])
        assert seen == [[f"trustpager://results/{h}"] for h in handles]
        assert await kept_uris(hostile) == []
        read = await hostile.rpc("resources/read", {"uri": f"trustpager://results/{handles[0]}"})
        assert "error" in body_of(read)


async def test_another_tenants_handle_and_one_that_never_was_are_told_in_the_same_words(shared: Process, api: Process) -> None:
    async with Tenant(shared.mcp, key(api)) as owner, Tenant(shared.mcp, key(api)) as hostile:
        handle = handle_in((await owner.call("list_contacts", limit=60))[0])
        guess = "r" + "a" * (len(handle) - 1)
        real, made_up = [(await hostile.call("read_result", handle=h))[0].replace(h, "") for h in (handle, guess)]
        assert real == made_up


async def test_the_same_write_of_fifty_tenants_is_fifty_writes_and_each_tenants_repeat_is_joined(
    shared: Process, api: Process
) -> None:
    control(api, "faults", {"kind": "delay", "seconds": 2.0, "method": "POST", "path": "/contacts", "times": TENANTS})
    async with tenants(shared, api) as all_of_them:
        answers = await at_once([t.call("create_contact", first_name="Same", last_name="Words") for t in all_of_them * 2])
        assert not any(failed for _, failed in answers)
        made = Counter(map(made_id, answers))
        assert len(made) == TENANTS
        assert set(made.values()) == {2}
        assert sum("nothing was sent twice" in text for text, _ in answers) == TENANTS
        assert [made_id(a) for a in answers[:TENANTS]] == [made_id(a) for a in answers[TENANTS:]]


def made_id(answer: tuple[str, bool]) -> str:
    return re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", answer[0])[0]


async def test_each_tenant_has_a_budget_of_its_own(shared: Process, api: Process) -> None:
    async def spend(tenant: Tenant, number: int) -> bool:
        """Whether the budget lets a call go out that costs a credit; what becomes of it there is not asked."""
        return "CREDIT_BUDGET" not in (await tenant.call("edit_text_with_ai", text=f"Helo {number}", instruction="correct it"))[0]

    async with tenants(shared, api) as all_of_them:
        spender, *rest = all_of_them
        assert [await spend(spender, n) for n in range(5)] == [True, True, True, False, False]
        assert await at_once([spend(t, 0) for t in rest]) == [True] * len(rest)


async def test_a_tenant_whom_the_api_throttles_does_not_hold_up_the_others(shared: Process, api: Process) -> None:
    async with tenants(shared, api) as all_of_them:
        throttled, *rest = all_of_them
        control(api, "faults", {"kind": "status", "status": 429, "retry_after": 5, "method": "GET", "path": "/companies"})
        ended: list[str] = []

        async def run(name: str, call: Any) -> None:
            assert not (await call)[1]
            ended.append(name)

        async with anyio.create_task_group() as group:
            group.start_soon(run, "throttled", throttled.call("list_companies", limit=1))
            while control(api, "faults")["faults"]:
                await anyio.lowlevel.checkpoint()
            for tenant in rest:
                group.start_soon(run, "other", tenant.call("list_contacts", limit=1))
        assert ended == ["other"] * len(rest) + ["throttled"]


async def test_scopes_are_those_of_the_key_of_each_request_even_on_one_connection(shared: Process, api: Process) -> None:
    writer, reader = key(api), key(api, READER)
    async with Tenant(shared.mcp) as hostile:

        async def names(whose: str) -> set[str]:
            return {t["name"] for t in body_of(await hostile.rpc("tools/list", {}, x_api_key=whose))["result"]["tools"]}

        seen = await at_once([names(k) for k in [writer, reader] * 20])
        assert all("create_contact" in s for s in seen[::2])
        assert not any("create_contact" in s for s in seen[1::2])
        before = len(contacts_made(api))
        refused = await at_once([create_as(hostile, reader, n) for n in range(20)])
        assert all(failed and "contacts:write" in text for text, failed in refused)
        assert len(contacts_made(api)) == before


async def create_as(tenant: Tenant, whose: str, number: int) -> tuple[str, bool]:
    arguments = {"first_name": f"Swapped {number}"}
    return text_of(await tenant.rpc("tools/call", {"name": "create_contact", "arguments": arguments}, x_api_key=whose))


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def contacts_made(api: Process) -> list[Any]:
    return [r for r in control(api, "requests")["requests"] if r["method"] == "POST" and r["path"].endswith("/contacts")]


@pytest.mark.parametrize("session", ["Mcp-Session-Id", "X-Forwarded-For", "X-Forwarded-User", "Cookie"])
async def test_no_other_header_makes_one_tenant_another(shared: Process, api: Process, session: str) -> None:
    async with Tenant(shared.mcp, key(api)) as owner, Tenant(shared.mcp, key(api)) as hostile:
        handle = handle_in((await owner.call("list_contacts", limit=60))[0])
        answer = await hostile.rpc(
            "tools/call", {"name": "read_result", "arguments": {"handle": handle}}, **{session: owner.key or ""}
        )
        assert "UNKNOWN_RESULT" in text_of(answer)[0]


async def test_two_keys_in_one_request_are_the_key_headers_and_never_mixed(shared: Process, api: Process) -> None:
    owner, other = key(api), key(api, READER)
    async with Tenant(shared.mcp, other, {"authorization": f"Bearer {owner}"}) as hostile:
        text, failed = await hostile.call("create_contact", first_name="Mixed")
        assert failed
        assert "contacts:write" in text


async def test_a_persons_yes_for_one_tenant_opens_nothing_for_another(shared: Process, api: Process) -> None:
    async def never(_context: Any, _params: Any) -> types.ElicitResult:
        raise AssertionError("the client that steals asks nobody")

    @asynccontextmanager
    async def client(whose: str) -> AsyncIterator[Client]:
        async with (
            httpx2.AsyncClient(headers={"x-api-key": whose}, verify=PLAIN) as http,
            Client(streamable_http_client(shared.mcp, http_client=http), elicitation_callback=never) as made,
        ):
            yield made

    async def delete(with_client: Client, contact: str, state: str | None = None) -> Any:
        responses = {"confirm": YES} if state is not None else None
        return await with_client.session.call_tool(
            "delete_contact", {"contact_id": contact}, input_responses=responses, request_state=state, allow_input_required=True
        )

    owner_key, hostile_key = key(api), key(api)
    async with Tenant(shared.mcp, owner_key) as plain, client(owner_key) as owner, client(hostile_key) as hostile:
        contact = made_id(await plain.call("create_contact", first_name="Kept"))
        state = (await delete(owner, contact)).request_state
        stolen = await delete(hostile, contact, state)
        assert "CONFIRMATION_INVALID" in stolen.content[0].text
        assert not (await plain.call("get_contact", contact_id=contact))[1]
        assert not (await delete(owner, contact, state)).is_error
        assert "was used before" in (await delete(owner, contact, state)).content[0].text


async def test_the_audit_log_tells_tenants_apart_and_holds_no_key(shared: Process, api: Process, audit: Path) -> None:
    async with tenants(shared, api) as all_of_them:
        already = len(lines(audit))
        await at_once([t.call("list_contacts", limit=1) for t in all_of_them])
        written = lines(audit)
        entries = [json.loads(line) for line in written[already:]]
        assert len(entries) == len({e["credential"] for e in entries}) == TENANTS
        assert not any((t.key or "-") in "".join(written) for t in all_of_them)
