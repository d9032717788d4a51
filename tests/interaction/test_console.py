"""The console's doors: who gets in and who does not, over a real server process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests import forked
from tests.http_processes import Process, Tenant, base_url, free_port, server
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.transports.http import HttpOptions

TOKEN = "a-token-of-the-operator"
AUTH = {"authorization": f"Bearer {TOKEN}"}
FULL, READER, HELD = "tp_live_sandbox_full", "tp_live_sandbox_readonly", "tp_live_sandbox_approval"
SOMEBODY = "00000000-0000-4000-8000-00000000beef"
NOBODY = "00000000-0000-4000-8000-000000000000"
LAST_LINE = "Stop with Ctrl-C.\n"
API = ["state", "tools?toolset=contacts", "tool?name=create_contact", "calls"]


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with server("--sandbox", "--allowed-origins", "https://app.example", TRUSTPAGER_CONSOLE_TOKEN=TOKEN) as process:
        yield process


@pytest.fixture(scope="module")
def for_many(api: Process) -> Iterator[Process]:
    """A server for many callers, without a key of its own, whose gate asks and whose log shows arguments."""
    listening = ("--host", "0.0.0.0", "--console", "on", "--confirm", "strict", "--audit", "stderr", "--audit-arguments")
    with server(*listening, "--base-url", base_url(api), TRUSTPAGER_CONSOLE_TOKEN=TOKEN) as process:
        yield process


def get(process: Process, path: str, **headers: str) -> httpx.Response:
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    return httpx.get(process.url + path, headers=sent, timeout=20, trust_env=False, verify=False)


def ask(process: Process, path: str, body: Any = None, **headers: str) -> httpx.Response:
    sent = AUTH | {k.replace("_", "-"): v for k, v in headers.items()}
    address = f"{process.url}/console/api/{path}"
    if body is None:
        return httpx.get(address, headers=sent, timeout=20, trust_env=False, verify=False)
    return httpx.post(address, json=body, headers=sent, timeout=20, trust_env=False, verify=False)


def call(process: Process, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    answer = ask(process, "call", {"tool": tool, "arguments": arguments or {}, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def news(process: Process) -> dict[str, Any]:
    """What the stream of calls says first."""
    with httpx.stream(
        "GET", f"{process.url}/console/api/calls", headers=AUTH, timeout=20, trust_env=False, verify=False
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        line = next(line for line in answer.iter_lines() if line)
    return dict(json.loads(line.removeprefix("data: ")))


@contextmanager
def printing(words: list[str]) -> Iterator[Any]:
    """A process whose standard output can be read by the line with `readline`; gone when the block ends."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={"PYTHONUNBUFFERED": "1"}) as popen:
        assert popen.stdout is not None
        popen.readline = popen.stdout.readline  # type: ignore[attr-defined]
        try:
            yield popen
        finally:
            popen.terminate()


def reaching() -> httpx.Client:
    """A client that waits for a server which is starting."""
    return httpx.Client(transport=httpx.HTTPTransport(retries=9, verify=False), trust_env=False)


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer a-token-of-nobody-here"}, {"cookie": f"token={TOKEN}"}])
def test_without_the_operators_token_nothing_is_told(process: Process, path: str, given: dict[str, str]) -> None:
    refused = get(process, f"/console/api/{path}", **given)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in refused.text


@pytest.mark.parametrize("path", ["find", "call"])
def test_without_the_operators_token_nothing_is_done(process: Process, path: str) -> None:
    body = {"query": "contacts", "tool": "list_contacts", "arguments": {}}
    assert httpx.post(f"{process.url}/console/api/{path}", json=body, trust_env=False, verify=False).status_code == 401


def test_a_callers_key_does_not_open_the_console(process: Process) -> None:
    assert get(process, "/console/api/state", authorization=f"Bearer {FULL}", x_api_key=FULL).status_code == 401


@pytest.mark.parametrize("path", ["/", "/console/main.js", "/console/api/state"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"host": "["}, 421),
        ({"origin": "https://app.example"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, 403),
        ({"x_forwarded_for": "203.0.113.7"}, 404),
    ],
)
def test_other_names_pages_and_proxies_are_refused_even_with_the_token(
    process: Process, path: str, headers: dict[str, str], status: int
) -> None:
    assert get(process, path, **AUTH, **headers).status_code == status


def test_the_page_is_strict_about_itself_and_holds_no_secret(process: Process) -> None:
    page = get(process, "/")
    policy = page.headers["content-security-policy"]
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    paths = re.findall(r'(?:src|href)="(/[^"]*)"', page.text)
    files = {path: get(process, path) for path in paths}
    imported = {f"/console/{name}" for f in files.values() for name in re.findall(r'from "\./(\w+\.js)"', f.text)}
    files |= {path: get(process, path) for path in imported}
    assert {f.status_code for f in files.values()} == {200}
    everything = page.text + "".join(f.text for f in files.values())
    assert not re.search(f"{TOKEN}|{FULL}|innerHTML|outerHTML|insertAdjacent|document\\.write|eval\\(", everything)
    assert set(re.findall(r"https?://[^\"' )]+", everything)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


@pytest.mark.parametrize("path", ["/console/", "/console/page.html", "/console/feed.py", "/console/../feed.py", "/console/api/"])
def test_nothing_else_is_served(process: Process, path: str) -> None:
    assert get(process, path, **AUTH).status_code == 404


def test_at_another_address_than_loopback_it_is_off_and_no_link_is_printed() -> None:
    words = [
        forked.command(),
        "serve",
        "--transport",
        "http",
        "--sandbox",
        "--host",
        "0.0.0.0",
        "--port",
        str(port := free_port()),
    ]
    with printing(words) as popen:
        said = "".join(iter(popen.readline, LAST_LINE))
        with reaching() as client:
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 404
            assert client.get(f"http://127.0.0.1:{port}/console/api/state", headers=AUTH).status_code == 404
    assert "onsole" not in said


def test_switched_on_at_another_address_it_opens_with_the_token_by_known_names(for_many: Process) -> None:
    assert get(for_many, "/").status_code == 200
    assert get(for_many, "/console/api/state").status_code == 401
    assert get(for_many, "/console/api/state", **AUTH).status_code == 200
    assert get(for_many, "/console/api/state", host="evil.example", **AUTH).status_code == 421


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "0.0.0.0", "console": "on"}, "give --console-token"),
        ({"host": "0.0.0.0", "console_token": TOKEN}, "add --console on"),
        ({"console_token": "short"}, "16 or more"),
        ({"console": "yes"}, "auto, on, off"),
    ],
)
def test_a_console_that_could_not_be_guarded_is_a_configuration_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        HttpOptions(**options)


def test_the_printed_link_opens_it_and_an_open_page_does_not_hold_up_the_shutdown() -> None:
    words = [forked.command(), "serve", "--transport", "http", "--sandbox", "--port", str(port := free_port())]
    with printing(words) as popen, reaching() as client:
        line = next(line for line in iter(popen.readline, LAST_LINE) if line.startswith("Console"))
        link = re.fullmatch(rf"Console: (http://127\.0\.0\.1:{port}/)#token=(\S{{32}})\n", line)
        assert link is not None
        headers = {"authorization": f"Bearer {link[2]}"}
        assert client.get(f"{link[1]}console/api/state", headers=headers, timeout=20).json()["sandbox"] is True
        with client.stream("GET", f"{link[1]}console/api/calls", headers=headers, timeout=20) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
            popen.send_signal(signal.SIGTERM)
            assert list(lines) == [""]
            assert popen.wait(20) == -signal.SIGTERM


OFF = """
import asyncio, sys, httpx
from trustpager_mcp.app import App
from trustpager_mcp.settings import Settings
import trustpager_mcp.cli.serve, trustpager_mcp.transports.stdio
from trustpager_mcp.transports.http import HttpOptions, asgi

async def main():
    server = asgi(App(Settings(sandbox=True)), HttpOptions(console="off", console_token="a-token-of-the-operator"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://127.0.0.1:8000") as client:
        print((await client.get("/")).status_code, [m for m in sys.modules if "trustpager" in m and "console" in m])

asyncio.run(main())
"""


def test_switched_off_there_is_no_page_and_none_of_its_code_is_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, timeout=30)
    assert ran.stdout == "404 []\n", ran.stderr


async def test_search_is_the_very_answer_of_find_tools(process: Process) -> None:
    async with Tenant(process.mcp) as tenant:
        agents, _ = await tenant.call("find_tools", query="delete a contact")
    found = ask(process, "find", {"query": "delete a contact"}).json()
    assert found["text"] == agents
    first = found["hits"][0]
    assert (first["tool"], first["effect"], first["toolset"]) == ("delete_contact", "irreversible", "contacts")
    assert agents.startswith(first["line"])
    assert first["score"] > 1


def test_what_the_key_may_not_do_is_shown_on_request_only(for_many: Process) -> None:
    body = {"query": "create a contact", "include_unavailable": True}
    hits = ask(for_many, "find", body, x_console_key=READER).json()["hits"]
    assert next(h["unavailable"] for h in hits if h["tool"] == "create_contact") == "lacks contacts:write"
    path = "tools?toolset=contacts"
    assert all(not t["unavailable"] for t in ask(for_many, path, x_console_key=READER).json()["hits"])
    assert any(t["unavailable"] for t in ask(for_many, path + "&unavailable=true", x_console_key=READER).json()["hits"])


def test_without_a_key_of_the_servers_own_the_operator_brings_one_that_must_be_good(for_many: Process) -> None:
    assert ask(for_many, "state").json()["key"] is None
    assert "bring one" in ask(for_many, "tool?name=list_contacts").json()["error"]
    refused = ask(for_many, "state", x_console_key="tp_live_stranger")
    assert (refused.status_code, "does not accept" in refused.text, "stranger" in refused.text) == (403, True, False)
    told = ask(for_many, "state", x_console_key=READER)
    assert told.json()["key"]
    assert READER not in told.text


def test_a_brought_key_does_not_stand_in_for_the_servers_own(process: Process) -> None:
    assert ask(process, "state", x_console_key=READER).json()["key"] == ask(process, "state").json()["key"]


def test_a_preview_hides_the_key_and_sends_nothing(process: Process) -> None:
    shown = call(process, "create_contact", {"first_name": "Unsent"}, preview=True)
    assert shown["outcome"] == "preview"
    assert "POST http://sandbox.local" in shown["text"]
    assert "Bearer (hidden)" in shown["text"]
    assert FULL not in shown["text"]
    assert "Unsent" not in call(process, "search_contacts", {"query": "Unsent"})["text"].replace("'Unsent'", "")


@pytest.mark.parametrize("confirm", [None, "yes", True, "delete_company"])
def test_what_cannot_be_undone_wants_its_name_as_a_second_step(process: Process, confirm: Any) -> None:
    body = {"tool": "delete_contact", "arguments": {"contact_id": NOBODY}, "confirm": confirm}
    refused = ask(process, "call", body)
    assert (refused.status_code, "cannot be undone" in refused.text) == (409, True)
    assert ask(process, "call", body | {"confirm": "delete_contact"}).json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize("tool", ["call_irreversible", "find_tools", "no_such_tool", "../state"])
def test_only_tools_of_the_catalogue_can_be_called(process: Process, tool: str) -> None:
    body = {"tool": tool, "arguments": {"tool": "delete_contact", "args": {"contact_id": NOBODY}}}
    assert ask(process, "call", body).status_code == 404


def test_where_the_gate_asks_the_operator_answers_it(for_many: Process) -> None:
    def say(body: dict[str, Any], key: str = FULL) -> dict[str, Any]:
        return dict(ask(for_many, "call", body, x_console_key=key).json())

    made = say({"tool": "create_contact", "arguments": {"first_name": "Gone", "last_name": "Soon"}})
    contact = re.search(r"[0-9a-f-]{36}", made["text"])
    assert contact is not None, made
    body = {"tool": "delete_contact", "arguments": {"contact_id": contact[0]}, "confirm": "delete_contact"}
    asked = say(body)
    assert "Target: “contact: Gone Soon”" in asked["question"]["text"]
    assert "You ask for it" in asked["question"]["text"]
    state = asked["question"]["state"]
    assert say(body | {"answer": {"accepted": False, "state": state}})["code"] == "DECLINED"
    other = body | {"arguments": {"contact_id": NOBODY}}
    assert say(other | {"answer": {"accepted": True, "state": state}})["code"] == "CONFIRMATION_INVALID"
    assert say(body | {"answer": {"accepted": True, "state": state}})["outcome"] == "done"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"tool": 5}', "application/json", 400),
        (b'{"tool": "list_contacts", "arguments": []}', "application/json", 400),
        (b'{"tool": "list_contacts", "arguments": {}, "answer": 1}', "application/json", 400),
        (b'{"tool": "list_contacts"}', "text/plain", 415),
        (b'{"tool": "' + b"x" * 5_000_000 + b'"}', "application/json", 413),
        (b'{"tool": "list_contacts", "arguments": ' + b"[" * 100_000, "application/json", 400),
    ],
)  # fmt: skip
def test_a_body_that_is_not_right_is_refused(process: Process, content: bytes, kind: str, status: int) -> None:
    headers = AUTH | {"content-type": kind}
    answer = httpx.post(
        f"{process.url}/console/api/call", content=content, headers=headers, timeout=20, trust_env=False, verify=False
    )
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_the_stream_tells_of_every_tenants_calls_without_their_arguments(process: Process) -> None:
    before = news(process)
    async with Tenant(process.mcp) as own, Tenant(process.mcp, HELD) as held, Tenant(process.mcp, READER) as reader:
        await own.call("create_contact", first_name="Secretina")
        await held.call("create_contact", first_name="Heldine")
        await reader.call("create_contact", first_name="Forbidda")
        await own.call("call_read", tool="get_task", args={"task_id": SOMEBODY})
    call(process, "list_tasks", {"limit": 1})
    told = news(process)
    calls = told["calls"][len(before["calls"]) :]
    assert [(c["tool"], c["effect"], c["outcome"], c["code"], c["from_console"]) for c in calls] == [
        ("create_contact", "write", "done", None, False),
        ("create_contact", "write", "queued", None, False),
        ("create_contact", "write", "refused", "MISSING_SCOPE", False),
        ("get_task", "read", "failed", "NOT_FOUND", False),
        ("list_tasks", "read", "done", None, True),
    ]
    assert len({c["who"] for c in calls}) == 3
    assert all(c["ms"] > 0 and c["tokens"] > 0 for c in calls)
    grown = {name: told["totals"][name] - before["totals"][name] for name in ("calls", "failures", "held", "tokens")}
    assert grown == {"calls": 5, "failures": 2, "held": 1, "tokens": sum(c["tokens"] for c in calls)}
    (missing,) = (e for e in told["errors"] if e["code"] == "MISSING_SCOPE")
    assert (missing["count"], missing["tool"]) == (1, "create_contact")
    assert re.fullmatch(r"[0-9a-f-]{36}", told["held"][-1]["approval_id"])
    assert not re.search(f"Secretina|Heldine|Forbidda|tp_live|{SOMEBODY}", json.dumps(told))


def test_arguments_are_shown_where_they_are_logged_too_and_secrets_never(for_many: Process) -> None:
    body = {"tool": "create_contact", "arguments": {"first_name": "Ada", "notes": "token tp_live_abc123"}}
    assert ask(for_many, "call", body, x_console_key=FULL).json()["outcome"] == "done"
    shown = news(for_many)["calls"][-1]["arguments"]
    assert "Ada" in shown
    assert "tp_live_abc123" not in shown
