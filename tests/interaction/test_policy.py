"""What stands between an agent and the API, over stdio with the SDK's client, in both protocol eras."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from mcp.client import Client

from tests.http_processes import PLAIN
from trustpager_mcp.app import App, build_server
from trustpager_mcp.settings import Settings

ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"
DELETE = {"tool": "delete_contact", "args": {"contact_id": ID}}
ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
ELICIT = ("--confirm", "elicit", "--credit-budget", "7")
BEFORE_SENDING = pytest.mark.only("in-process", "stdio", because="it depends on options alone, and on nothing of the way in")


class Person:
    """Answers the server's questions and remembers them."""

    def __init__(self, action: str = "accept", content: Any = None) -> None:
        self.questions: list[str] = []
        self._answer = types.ElicitResult(action=action, content=content)

    async def __call__(self, _context: Any, params: Any) -> types.ElicitResult:
        self.questions.append(params.message)
        return self._answer


class Api:
    """An API on a real socket that counts what reaches it."""

    def __init__(self) -> None:
        self.forget()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                api.seen.append((self.command, self.path))
                data = json.dumps(api.body).encode()
                self.send_response(200 if self.command == "GET" else api.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.send_header("x-request-id", "req-1")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v1"

    def forget(self) -> None:
        """Answer as at first, and know of no request."""
        self.seen: list[tuple[str, str]] = []
        self.status, self.body = 200, {"data": {"id": ID, "first_name": "Jane", "last_name": "Smith\nCosts nothing."}}

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [s for s in self.seen if s[0] != "GET"]


@pytest.fixture(scope="module")
def listening() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


@pytest.fixture
def api(listening: Api) -> Api:
    listening.forget()
    return listening


def on(api: Api, *options: str) -> tuple[str, ...]:
    return ("--base-url", api.url, "--scopes", "all", "--api-key", "tp_live_x", *options)


@ERAS
async def test_a_person_who_says_yes_lets_the_call_through_once(serve: Any, api: Api, mode: str) -> None:
    person = Person(content={"confirm": True})
    async with serve(*on(api, "--confirm", "strict"), mode=mode, person=person) as agent:
        await agent.text("call_irreversible", **DELETE)
    assert api.changes == [("DELETE", f"/api/v1/contacts/{ID}")]
    assert len(person.questions) == 1
    assert "Delete contact" in person.questions[0]
    assert "contact: Jane Smith Costs nothing.”" in person.questions[0]
    assert ID in person.questions[0]


@ERAS
@pytest.mark.parametrize(
    ("action", "content"),
    [("decline", None), ("cancel", None), ("accept", {"confirm": False}), ("accept", {"confirm": "true"}), ("accept", None)],
)
async def test_whatever_is_not_a_clear_yes_sends_nothing(serve: Any, api: Api, mode: str, action: str, content: Any) -> None:
    async with serve(*on(api, *ELICIT), mode=mode, person=Person(action, content)) as agent:
        assert "DECLINED" in await agent.failure("call_irreversible", **DELETE)
    assert api.changes == []


@ERAS
async def test_strict_fails_closed_where_the_client_cannot_ask_and_leaves_other_tools_alone(
    serve: Any, api: Api, mode: str
) -> None:
    async with serve(*on(api, "--confirm", "strict"), mode=mode) as agent:
        assert "CANNOT_ASK" in await agent.failure("delete_contact", contact_id=ID)
        assert "argument" in await agent.failure("delete_contact", contact_id=ID, confirm=True)
        assert api.changes == []
        await agent.text("create_contact", first_name="A")
    assert len(api.changes) == 1


@ERAS
@pytest.mark.parametrize("options", [pytest.param(("--confirm", "client"), marks=BEFORE_SENDING), ELICIT])
async def test_the_clients_own_prompt_decides_where_nobody_else_can(
    serve: Any, api: Api, mode: str, options: tuple[str, ...]
) -> None:
    async with serve(*on(api, *options), mode=mode) as agent:
        await agent.text("call_irreversible", **DELETE)
    assert len(api.changes) == 1


async def test_a_client_that_fails_to_ask_sends_nothing(serve: Any, api: Api) -> None:
    async def broken(_context: Any, _params: Any) -> types.ErrorData:
        return types.ErrorData(code=-32603, message="no screen")

    async with serve(*on(api, *ELICIT), mode="legacy", person=broken) as agent:
        assert "NOT_CONFIRMED" in await agent.failure("call_irreversible", **DELETE)
    assert api.changes == []


async def test_an_answer_counts_for_its_own_call_only_and_once(api: Api) -> None:
    app = App(Settings(base_url=api.url, api_key="tp_live_x", scopes=("all",), confirm="elicit"))
    other = "00000000-4b7d-4e0a-9c55-2d8f3b1a7e10"
    yes = types.ElicitResult(action="accept", content={"confirm": True})
    async with Client(build_server(app), elicitation_callback=Person()) as client:

        async def delete(contact_id: str, state: str | None = None) -> Any:
            arguments = {"tool": "delete_contact", "args": {"contact_id": contact_id}}
            responses = {"confirm": yes} if state is not None else None
            return await client.session.call_tool(
                "call_irreversible", arguments, input_responses=responses, request_state=state, allow_input_required=True
            )

        state = (await delete(ID)).request_state
        for wrong in (await delete(other, state), await delete(ID, "forged"), await delete(ID, "")):
            assert "CONFIRMATION_INVALID" in wrong.content[0].text
        assert api.changes == []
        assert not (await delete(ID, state)).is_error
        assert "was used before" in (await delete(ID, state)).content[0].text
    assert len(api.changes) == 1
    await app.aclose()


@pytest.fixture
def http(command: str, api: Api) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = on(api, "--transport", "http", "--port", str(port), "--confirm", "strict", "--credit-budget", "7")
    server = subprocess.Popen([command, "serve", *options], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    server.stdout.readline()
    with httpx.Client(transport=httpx.HTTPTransport(retries=8, verify=PLAIN)) as client:
        client.get(f"http://127.0.0.1:{port}/healthz", timeout=20)
    yield f"http://127.0.0.1:{port}/mcp"
    server.terminate()
    server.wait(10)
    server.stdout.close()


async def test_over_http_the_answer_comes_with_another_request_and_the_budget_is_the_days(http: str, api: Api) -> None:
    person = Person(content={"confirm": True})
    form = {"template_id": ID, "recipient_email": "a@b.test", "recipient_name": "A", "contact_id": ID}
    for spent in (3, 6):
        async with Client(http, elicitation_callback=person) as client:
            sent = await client.call_tool(
                "call_irreversible", {"tool": "send_form", "args": form | {"personal_message": str(spent)}}
            )
            assert f"{spent} of 7 spent today (UTC)" in sent.content[0].text  # type: ignore[union-attr]
    assert len(person.questions) == 2
    async with Client(http, mode="legacy", elicitation_callback=person) as client:
        assert not (await client.call_tool("call_irreversible", DELETE)).is_error
    assert len(person.questions) == len(api.changes) == 3


async def test_credits_are_told_and_stop_at_the_budget(serve: Any, api: Api) -> None:
    send = {
        "tool": "send_form",
        "args": {"template_id": ID, "recipient_email": "a@b.test", "recipient_name": "A", "contact_id": ID},
    }
    async with serve(*on(api, *ELICIT)) as agent:
        assert "3 of 7 spent" in await agent.text("call_irreversible", **send)
        api.status, api.body = 400, {"error": {"code": "VALIDATION_ERROR", "message": "no"}}
        await agent.failure("call_irreversible", **send)
        api.status, api.body = 200, {"data": {"id": ID}}
        assert "6 of 7 spent" in await agent.text("call_irreversible", **send)
        assert "CREDIT_BUDGET" in await agent.failure("call_irreversible", **send)
        assert "Credits" not in await agent.text("list_contacts")
    assert len(api.changes) == 3


@pytest.mark.parametrize("executor", [True, False])
async def test_a_preview_shows_the_request_hides_the_key_and_sends_nothing(serve: Any, api: Api, executor: bool) -> None:
    async with serve(*on(api, *ELICIT), person=Person()) as agent:
        arguments = {"contact_id": ID}
        if executor:
            text = await agent.text("call_irreversible", tool="delete_contact", args=arguments, preview=True)
        else:
            text = await agent.text("delete_contact", **arguments, preview=True)
        assert f"DELETE {api.url}/contacts/{ID}" in text
        assert "tp_live_x" not in text
        assert "asked to confirm" in text
    assert [path for _, path in api.seen if not path.endswith("/_meta/tools")] == []


@BEFORE_SENDING
async def test_a_preview_passes_the_same_checks(serve: Any, api: Api) -> None:
    async with serve(*on(api, "--read-only")) as agent:
        refused = await agent.failure("call_read", tool="create_contact", args={"first_name": "A"}, preview=True)
        assert "READ_ONLY" in refused
        assert "limit" in await agent.failure("call_read", tool="list_contacts", args={"limit": "lots"}, preview=True)


@pytest.mark.only("in-process", "stdio", because="test_walkthrough asks everywhere for a call that is held")
async def test_a_held_call_is_queued_with_its_approval_and_nobody_may_approve_it_here(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_approval") as agent:
        text = await agent.text("call_write", tool="create_task", args={"title": "Held"})
        assert text.startswith("Queued, not done")
        assert 'call_read {"tool": "get_approval", "args": {"approval_id": "' in text
        approve = {"approval_id": text.split('"approval_id": "')[1].split('"')[0]}
        assert "a person's work" in await agent.failure("call_irreversible", tool="approve_approval", args=approve)


@BEFORE_SENDING
async def test_unknown_scopes_leave_reads_and_the_refusal_says_why(serve: Any, api: Api) -> None:
    async with serve("--base-url", api.url, "--api-key", "tp_live_x") as agent:
        await agent.text("call_read", tool="list_contacts")
        text = await agent.failure("call_read", tool="create_contact", args={"first_name": "A"})
        assert "SCOPES_UNKNOWN" in text
        assert "does not list tools" in text
        assert "Only reads are available" in await agent.text("find_tools", query="create a contact")


async def test_a_refusal_by_the_api_names_what_the_tool_needs(serve: Any, api: Api) -> None:
    api.status, api.body = 403, {"error": {"code": "FORBIDDEN", "message": "no"}}
    async with serve(*on(api, *ELICIT)) as agent:
        assert "needs contacts:write" in await agent.failure("call_irreversible", **DELETE)


@pytest.mark.only("in-process", "stdio", because="each test has a log of its own")
@ERAS
async def test_the_audit_log_tells_every_call_and_no_value(serve: Any, api: Api, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "audit.jsonl"
    person = Person(content={"confirm": True})
    async with serve(*on(api, "--audit", str(path), "--confirm", "elicit"), mode=mode, person=person) as agent:
        await agent.text("find_tools", query="delete a contact")
        await agent.text("call_irreversible", **DELETE)
        await agent.failure("call_write", tool="create_contact", args={"first_name": "Nobody", "phone": "wrong"})
        await agent.text("call_write", tool="create_contact", args={"first_name": "Nobody"})
    text = path.read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    expected = ["delete_contact done", "create_contact refused", "create_contact done"]
    if mode == "auto":
        expected.insert(0, "delete_contact asked")
    assert [f"{e['tool']} {e['outcome']}" for e in entries] == expected
    done = entries[-1]
    assert (done["status"], done["request_id"], done["attempts"], done["credits"]) == (200, "req-1", 1, 0.0)
    assert done["tokens"] > 0
    assert not [s for s in (ID, "Nobody", "tp_live_x", "Jane") if s in text]


def test_call_previews_audits_and_the_audit_command_reads_it(command: str, tmp_path: Path) -> None:
    path = str(tmp_path / "audit.jsonl")

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )

    shown = run("call", "create_task", '{"title": "x"}', "--sandbox", "--preview", "--json", "--audit", path, "--audit-arguments")
    assert json.loads(shown.stdout)["body"] == {"title": "x"}
    assert run("call", "list_tasks", "--sandbox", TRUSTPAGER_AUDIT=path).returncode == 0
    refused = run("call", "delete_task", json.dumps({"task_id": ID}), "--sandbox", "--confirm", "strict", "--audit", path)
    assert "CANNOT_ASK" in refused.stderr
    lines = run("audit", path, "--json").stdout.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["preview", "done", "refused"]
    assert json.loads(lines[0])["arguments"] == {"title": "x"}
    assert "delete_task" in run("audit", path, "--failures").stdout


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (["--allow", "no_such_*"], {}, "matches no tool"),
        (["--allow", ","], {}, "names nothing"),
        (["--tools", "list_nothing*"], {}, "neither toolset nor tool"),
        (["--confirm", "always"], {}, "strict"),
        (["--credit-budget", "-1"], {}, "credit budget"),
        (["--credit-budget", "lots"], {}, "not a valid float"),
        (["--scopes-ttl", "-1"], {}, "0 or a positive number of seconds"),
        (["--audit", "/no/such/folder/a.jsonl"], {}, "audit log"),
        ([], {"TRUSTPAGER_READ_ONLY": "yess"}, "not a valid boolean"),
        ([], {"TRUSTPAGER_READONLY": "1"}, "TRUSTPAGER_READ_ONLY"),
        ([], {"TRUSTPAGER_DENY": ""}, "to nothing"),
    ],
)
def test_a_mistyped_policy_stops_the_start(command: str, options: list[str], env: dict[str, str], expected: str) -> None:
    started = [command, "serve", "--sandbox", *options]
    done = subprocess.run(started, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
