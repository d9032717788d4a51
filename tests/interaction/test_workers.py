"""Several workers behind one port: what one promised the others keep, their counts meet, all drain, and none outlives its parent.

Who answers is chosen by stopping the others: a stopped process takes no connection.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from tests.forked import COMMAND
from tests.http_processes import PLAIN, Process, Tenant, base_url, control, server
from tests.interaction.test_replicas import client, delete, handle_in, key, made
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.settings import Settings
from trustpager_mcp.transports.http.options import HttpOptions
from trustpager_mcp.transports.http.workers import check_workers

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@contextmanager
def two_workers(api: Process, shared: str) -> Iterator[Process]:
    words = ["--base-url", base_url(api), "--result-tokens", "1000", "--confirm", "elicit", "--workers", "2"]
    with server(*words, program=COMMAND, TRUSTPAGER_REDIS=shared) as process:
        yield process


@pytest.fixture(scope="module")
def kept(api: Process, shared: str) -> Iterator[Process]:
    """One for several tests; the last of them ends it."""
    with two_workers(api, shared) as process:
        yield process


def metrics(process: Process) -> str:
    return httpx.get(process.url + "/metrics", timeout=20, trust_env=False, verify=PLAIN).text


def pids(page: str) -> list[int]:
    return [int(pid) for pid in re.findall(r'^process_resident_memory_bytes\{worker="(\d+)"\} [1-9]', page, re.MULTILINE)]


def wait_for(process: Process, count: int, without: int = 0) -> list[int]:
    """The workers, once there are so many."""
    while len(found := pids(metrics(process))) != count or without in found:
        pass
    return found


@contextmanager
def only(pid: int, pids: list[int]) -> Iterator[None]:
    """In here no other worker takes a connection."""
    others = [other for other in pids if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def ended(pid: int) -> bool:
    """Wait for the end of a process that is not ours."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 20)[0])
    finally:
        os.close(watched)


@needs_redis
async def test_what_one_worker_kept_asked_and_counted_holds_at_the_other_and_for_one_that_takes_its_place(
    api: Process, kept: Process
) -> None:
    one, other = both = wait_for(kept, 2)
    own = key(api)
    with only(one, both):
        async with Tenant(kept.mcp, own) as here, client(kept, own) as asking:
            handle = handle_in((await here.call("list_contacts", limit=60))[0])
            created, _ = await here.call("create_contact", first_name="Kept")
            contact = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", created)[0]
            state = (await delete(asking, contact)).request_state
    with only(other, both):
        async with Tenant(kept.mcp, own) as there, client(kept, own) as answering:
            assert "shown 3 of 60" in (await there.call("read_result", handle=handle, rows="1-3"))[0]
            assert not (await delete(answering, contact, state)).is_error
        counted = metrics(kept)
    calls = r'^trustpager_calls_total\{effect="\w+",outcome="(\w+)",tool="(\w+)"\} 1\.0$'
    assert sorted(re.findall(calls, counted, re.MULTILINE)) == [
        ("asked", "delete_contact"),
        ("done", "create_contact"),
        ("done", "delete_contact"),
        ("done", "list_contacts"),
    ]
    assert "trustpager_workers 2.0" in counted
    os.kill(one, signal.SIGKILL)
    assert ended(one)
    assert other in wait_for(kept, 2, without=one)
    page = metrics(kept)
    assert len(re.findall(calls, page, re.MULTILINE)) == 4
    assert "trustpager_requests_in_flight 0.0" in page


@needs_redis
async def test_writes_in_flight_at_every_worker_are_finished_and_answered_at_shutdown(api: Process, shared: str) -> None:
    with two_workers(api, shared) as process:
        both = wait_for(process, 2)
        before, answers, tenants = made(api), [], []
        control(api, "faults", {"kind": "delay", "seconds": 2.5, "method": "POST", "path": "/contacts", "times": 2})

        async def create(tenant: Tenant) -> None:
            answers.append(await tenant.call("create_contact", first_name="Last"))

        async with AsyncExitStack() as stack:
            for pid in both:
                with only(pid, both):
                    tenants.append(await stack.enter_async_context(Tenant(process.mcp, key(api))))
                    await tenants[-1].rpc("tools/list", {})
            async with anyio.create_task_group() as group:
                for tenant in tenants:
                    group.start_soon(create, tenant)
                while "trustpager_requests_in_flight 2.0" not in metrics(process):
                    await anyio.lowlevel.checkpoint()
                process.popen.send_signal(signal.SIGTERM)
        assert [failed for _, failed in answers] == [False, False], answers
        assert made(api) - before == 2
        assert process.end() == -signal.SIGTERM
        assert all(ended(pid) for pid in both)


def test_workers_that_could_not_keep_their_promises_are_refused_at_start() -> None:
    words = [COMMAND, "serve", "--transport", "http", "--workers", "2"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, env={})
    assert ran.returncode == 2
    assert "--workers 2 needs --redis: without it one worker alone would know" in ran.stderr


def test_workers_are_not_given_a_practice_workspace_each() -> None:
    with pytest.raises(ConfigurationError, match="a practice workspace of its own. Serve one workspace with"):
        check_workers(2, Settings(sandbox=True, redis="redis://127.0.0.1:9/0"), HttpOptions())
    assert check_workers(1, Settings(sandbox=True), HttpOptions()) == HttpOptions()


def test_several_workers_have_no_console_since_it_would_show_the_calls_of_one() -> None:
    shared = Settings(redis="redis://127.0.0.1:9/0")
    assert check_workers(2, shared, HttpOptions()).console == "off"
    with pytest.raises(ConfigurationError, match="the console shows the calls of one process"):
        check_workers(2, shared, HttpOptions(console="on", console_token="a-token-of-the-operator"))


@needs_redis
def test_a_port_that_is_taken_stops_the_start(shared: str, tmp_path: Path) -> None:
    port = shared.rpartition(":")[2].removesuffix("/0")
    words = [COMMAND, "serve", "--transport", "http", "--workers", "2", "--port", port]
    environment = {"TRUSTPAGER_REDIS": shared, "HOME": str(tmp_path)}
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
    assert (ran.returncode, "in use" in ran.stderr) == (3, True)


@needs_redis
def test_workers_do_not_outlive_the_process_that_started_them(kept: Process) -> None:
    both = wait_for(kept, 2)
    kept.popen.kill()
    assert kept.end() == -signal.SIGKILL
    assert all(ended(pid) for pid in both)
