"""Single messages over a server's pipes, as a client writes them that is no SDK: what is answered, refused, passed over."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.forked import COMMAND

READ = {"name": "call_read", "arguments": {"tool": "list_pipelines"}}


class Pipes:
    """A server over stdio, spoken to line by line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
        )
        self._last = 0

    def line(self, text: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, number: int | str | None = None) -> None:
        """A request, or a notification where it has no number."""
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        self.line(json.dumps(message if number is None else {**message, "id": number}).encode())

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """The answer to one request, which has to be the next message."""
        self._last += 1
        self.send(method, params, self._last)
        answer = self.answer()
        assert answer["id"] == self._last
        return answer

    def open(self, version: str) -> None:
        given = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "pipes", "version": "1"}}
        assert self.ask("initialize", given)["result"]["protocolVersion"] == version
        self.line(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')


@contextmanager
def started() -> Iterator[Pipes]:
    server = Pipes()
    try:
        yield server
    finally:
        server.process.stdin.close()  # type: ignore[union-attr]
        server.process.wait(20)
        server.process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """A server that nobody has spoken to yet."""
    with started() as server:
        yield server


@pytest.fixture(scope="module")
def opened() -> Iterator[Pipes]:
    """A server with a client of the newest of the older versions."""
    with started() as server:
        server.open("2025-11-25")
        yield server


def test_a_call_counts_only_from_a_client_that_has_introduced_itself(pipes: Pipes) -> None:
    assert pipes.ask("tools/call", READ)["error"]["code"] == -32602
    pipes.open("2025-11-25")
    assert "Sales" in pipes.ask("tools/call", READ)["result"]["content"][0]["text"]


def test_a_call_has_the_same_result_in_the_oldest_and_the_newest_of_the_older_versions(opened: Pipes, pipes: Pipes) -> None:
    newest = opened.ask("tools/call", READ)["result"]
    assert set(newest) == {"content", "isError"}
    assert not newest["isError"]
    pipes.open("2024-11-05")
    assert pipes.ask("tools/call", READ)["result"] == newest


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": 7},
        {"name": "call_read", "arguments": []},
        {"name": "call_read", "_meta": 3},
        {"name": "call_read", "_meta": {"progressToken": []}},
        {"arguments": {}},
    ],
    ids=json.dumps,
)
def test_a_malformed_call_is_refused_as_the_protocol_says_and_the_next_one_works(opened: Pipes, params: Any) -> None:
    assert opened.ask("tools/call", params)["error"]["code"] == -32602
    assert not opened.ask("tools/call", {**READ, "_meta": {"progressToken": 1}})["result"]["isError"]


def test_lines_that_are_no_messages_are_passed_over_and_a_closed_pipe_ends_the_server(pipes: Pipes) -> None:
    pipes.open("2025-11-25")
    for line in (b"", b"hello", b"[1, 2]", b'{"jsonrpc": "2.0"', b"\xff\xfe", b'{"id": 9}'):
        pipes.line(line)
    assert not pipes.ask("tools/call", READ)["result"]["isError"]
    pipes.process.stdin.close()  # type: ignore[union-attr]
    assert pipes.process.wait(20) == 0


def test_a_client_that_stops_reading_and_leaves_does_not_keep_the_server(pipes: Pipes) -> None:
    pipes.open("2025-11-25")
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "find_tools", "arguments": {"query": ["contact"] * 5}}}
    pipes.process.stdout.close()  # type: ignore[union-attr]
    for number in range(50):
        pipes.line(json.dumps({**call, "id": 100 + number}).encode())
    pipes.process.stdin.close()  # type: ignore[union-attr]
    assert pipes.process.wait(20) == 0


def test_a_cancelled_call_is_never_answered_whether_its_id_is_a_number_or_a_text(opened: Pipes) -> None:
    for number in (700, "seven hundred"):
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": READ}
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        # In one write, so that the call cannot have been answered before.
        opened.line(f"{json.dumps(call)}\n{json.dumps(cancel)}".encode())
    assert not opened.ask("tools/call", READ)["result"]["isError"]


def test_what_cancels_nothing_is_passed_over(opened: Pipes) -> None:
    for params in ({"requestId": 99_999}, {"requestId": None}, {}, {"requestId": [1]}):
        opened.send("notifications/cancelled", params)
    assert not opened.ask("tools/call", READ)["result"]["isError"]


def test_two_calls_of_one_id_at_once_are_both_answered(opened: Pipes) -> None:
    for _ in range(2):
        opened.send("tools/call", READ, "twice")
    for answer in (opened.answer(), opened.answer()):
        assert answer["id"] == "twice"
        assert not answer["result"]["isError"]


def test_many_calls_at_once_are_each_answered_once_and_whole(opened: Pipes) -> None:
    asked = [f"call {number}" for number in range(100)]
    for name in asked:
        opened.send("tools/call", READ, name)
    answers = [opened.answer() for _ in asked]
    assert sorted(a["id"] for a in answers) == sorted(asked)
    assert all("Sales" in a["result"]["content"][0]["text"] for a in answers)


def test_a_call_under_way_when_the_pipe_closes_is_told_so_to_whoever_reads_on(pipes: Pipes) -> None:
    pipes.open("2025-11-25")
    pipes.send("tools/call", {"name": "find_tools", "arguments": {"query": "contact"}}, 7)
    assert pipes.process.stdin
    pipes.process.stdin.close()
    answer = pipes.answer()
    assert (answer["id"], answer["error"]["message"]) == (7, "Connection closed")
    assert pipes.process.wait(20) == 0


def test_a_call_in_the_newer_eras_envelope_is_refused_on_a_connection_of_the_older_one(opened: Pipes) -> None:
    envelope = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    assert opened.ask("tools/call", {**READ, "_meta": envelope})["error"]["code"] == -32600


def test_what_a_client_adds_to_a_call_for_itself_changes_nothing(opened: Pipes) -> None:
    assert not opened.ask("tools/call", {**READ, "_meta": {"vendor/trace": {"id": 1}}})["result"]["isError"]
