"""In-process and HTTP use of the same core, and the command line."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from mcp.client import Client

from tests.forked import COMMAND
from trustpager_mcp.app import App, build_server
from trustpager_mcp.settings import Settings
from trustpager_mcp.toolkit import Toolkit


async def test_the_toolkit_gives_text_for_agents_and_data_for_code() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        assert "list_contacts" in await toolkit.search("list contacts")
        result = await toolkit.call("list_contacts", {"limit": 2})
        assert result.text.endswith("next page: cursor=" + result.data["pagination"]["next_cursor"])
        assert len(result.data["data"]) == 2


async def test_two_users_of_one_toolkit_have_their_own_rights() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        full = await toolkit.call("create_task", {"title": "x"}, api_key="tp_live_sandbox_full")
        reader = await toolkit.call("create_task", {"title": "x"}, api_key="tp_live_sandbox_readonly")
        assert (full.is_error, reader.is_error, reader.code) == (False, True, "MISSING_SCOPE")


async def test_the_same_list_comes_in_the_same_order_every_time() -> None:
    async with Toolkit(sandbox=True, tools="all") as one, Toolkit(sandbox=True, tools="all") as other:
        assert json.dumps(await one.tools()) == json.dumps(await other.tools())


async def test_the_server_answers_a_client_in_the_same_process() -> None:
    app = App(Settings(sandbox=True, tools="lean"))
    async with Client(build_server(app)) as client:
        names = [t.name for t in (await client.list_tools()).tools]
        assert names == ["find_tools", "describe_tool", "call_read", "call_write", "call_irreversible", "read_result"]
        described = await client.call_tool("describe_tool", {"tool": "move_opportunity"})
        assert "Prefer add_opportunity_card when" in described.content[0].text  # type: ignore[union-attr]
    await app.aclose()


@pytest.fixture
def command() -> str:
    """The installed program itself, started as users start it."""
    return COMMAND


@pytest.fixture
def http_server(command: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [command, "serve", "--transport", "http", "--sandbox", "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = re.search(r"http://\S+/mcp", server.stdout.readline())
    assert url is not None
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport) as client:
        assert client.get(url[0].replace("/mcp", "/healthz"), timeout=20).json() == {"status": "ok"}
    yield url[0]
    server.terminate()
    server.wait(10)
    server.stdout.close()


async def test_http_serves_the_sandbox_to_a_client_and_only_to_known_hosts(http_server: str) -> None:
    async with Client(http_server) as client:
        result = await client.call_tool("list_contacts", {"limit": 1})
        assert "shown 1 of 400" in result.content[0].text  # type: ignore[union-attr]
    async with httpx.AsyncClient() as plain:
        assert (await plain.get(http_server)).status_code == 405
        foreign = await plain.post(http_server, json={}, headers={"host": "evil.example"})
        assert foreign.status_code in (400, 403, 421)


def run(command: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], env={}, input=stdin, capture_output=True, text=True, timeout=60)


def test_call_prints_text_or_json_and_fails_with_one(command: str) -> None:
    assert "shown 3" in run(command, "call", "list_pipelines", "--sandbox").stdout
    assert len(json.loads(run(command, "call", "list_pipelines", "--sandbox", "--json").stdout)["data"]) == 3
    assert run(command, "call", "list_pipelines").returncode == 1
    assert run(command, "call", "list_pipelines", "{oops").returncode == 2


def test_search_answers_one_line_per_request(command: str) -> None:
    done = run(command, "search", "--stdin", "--json", "-k", "3", stdin="add a contact\nxyzzy\n")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first[0].keys() == {"tool", "method", "path", "aliases", "score"}
    assert first[0]["tool"] == "create_contact"
    assert len(second) == 3
    assert all(hit["score"] < 0.5 for hit in second)


def test_doctor_tells_the_scopes_and_fails_without_a_key(command: str) -> None:
    good = run(command, "doctor", "--sandbox")
    assert good.returncode == 0
    assert "scopes open" in good.stdout
    bad = run(command, "doctor")
    assert bad.returncode == 1
    assert "TRUSTPAGER_API_KEY" in bad.stdout


def test_every_command_has_help_and_the_catalogue_is_json(command: str) -> None:
    for name in ("serve", "sandbox", "catalog", "search", "call", "doctor"):
        assert "Usage" in run(command, name, "--help").stdout
    assert len(json.loads(run(command, "catalog", "--json").stdout)["tools"]) >= 104
