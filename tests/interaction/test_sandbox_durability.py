"""The sandbox on a port: what it acknowledged is there again, however its process ended."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.forked import COMMAND

CALLERS = 16
FULL = {"authorization": "Bearer tp_live_sandbox_full"}


@contextmanager
def sandbox(file: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([COMMAND, "sandbox", "--port", str(port), "--db", str(file)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        found = re.search(r"http://\S+/functions/v1/api/v1", server.stdout.readline())
        assert found is not None
        yield found[0], server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


async def wait_for(base: str) -> None:
    async with httpx.AsyncClient(headers=FULL, transport=httpx.AsyncHTTPTransport(retries=6), timeout=20) as patient:
        await patient.get(f"{base}/pipelines")


def client(base: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base, headers=FULL, timeout=20)


async def test_no_acknowledged_write_of_sixteen_callers_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    file, log = tmp_path / "workspace.db", tmp_path / "acknowledged.log"
    with log.open("w") as acknowledged, sandbox(file) as (base, server):
        await wait_for(base)
        async with client(base) as api:

            async def write_until_it_dies(caller: int) -> None:
                for i in range(10_000):
                    try:
                        answer = await api.post("/contacts", json={"first_name": f"Caller {caller}", "last_name": str(i)})
                    except httpx.HTTPError:
                        return
                    acknowledged.write(json.dumps(answer.json()["data"]) + "\n")
                    if caller == 0 and i == 25:
                        server.kill()

            await asyncio.gather(*(write_until_it_dies(n) for n in range(CALLERS)))
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(written) > 100
    with sandbox(file) as (base, _):
        await wait_for(base)
        async with client(base) as api:
            for contact in written:
                kept = (await api.get(f"/contacts/{contact['id']}")).json()["data"]
                assert (kept["first_name"], kept["last_name"]) == (contact["first_name"], contact["last_name"])


def test_a_second_process_on_the_same_file_is_refused_with_the_reason(command: str, tmp_path: Path) -> None:
    with sandbox(tmp_path / "workspace.db"):
        for words in (["sandbox"], ["serve", "--sandbox"], ["call", "list_pipelines", "--sandbox"]):
            refused = subprocess.run(
                [command, *words, "--db", str(tmp_path / "workspace.db")], capture_output=True, text=True, timeout=60
            )
            assert refused.returncode != 0
            assert "another process has it open" in refused.stdout + refused.stderr
            assert "Traceback" not in refused.stderr


def test_what_one_call_writes_the_next_one_reads(command: str, tmp_path: Path) -> None:
    def call(tool: str, arguments: dict[str, object]) -> str:
        words = [command, "call", tool, json.dumps(arguments), "--sandbox", "--db", str(tmp_path / "w.db")]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout

    call("create_contact", {"first_name": "Quentin", "last_name": "Zweig"})
    assert "Zweig" in call("search_contacts", {"query": "Zweig"})


def test_a_workspace_file_without_the_sandbox_is_a_mistake_that_is_told(command: str) -> None:
    refused = subprocess.run([command, "serve", "--db", "x.db"], capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "--sandbox" in refused.stderr


def test_a_write_held_in_one_process_is_approved_in_another_and_read_in_a_third(command: str, tmp_path: Path) -> None:
    def call(tool: str, arguments: dict[str, object], *options: str) -> str:
        words = [command, "call", tool, json.dumps(arguments), "--sandbox", "--db", str(tmp_path / "w.db"), *options]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout

    call("create_contact", {"first_name": "Quentin", "last_name": "Zweig"}, "--api-key", "tp_live_sandbox_approval")
    assert "Zweig" not in call("search_contacts", {"query": "Zweig"})
    (approval,) = json.loads(call("list_approvals", {}, "--json"))["data"]
    approved = call("approve_approval", {"approval_id": approval["id"]}, "--approvals")
    assert "status: approved" in approved
    assert "Zweig" in call("search_contacts", {"query": "Zweig"})
