from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from trustpager_mcp.audit import OUTCOMES, AuditLog, CallRecord, FileSink, audit_log, digest
from trustpager_mcp.callers import AnswerNeeded, Question
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.cli.audit import audit
from trustpager_mcp.credentials import Credential
from trustpager_mcp.errors import ConfigurationError, NotAllowedError, ToolError, UnreachableError, UpstreamError
from trustpager_mcp.redaction import one_line, without_secrets

KEY = Credential("tp_live_secret_of_the_workspace")
DELETE = default_catalog().tools["delete_contact"]


class Lines:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def write(self, line: str) -> None:
        assert "\n" not in line
        self.entries.append(json.loads(line))


def record_of(log: AuditLog, lines: Lines, error: BaseException | None = None, **arguments: Any) -> dict[str, Any]:
    try:
        with log.recording("delete_contact", arguments, KEY) as record:
            record.called(DELETE, arguments)
            if error is not None:
                raise error
            record.outcome = "done"
    except BaseException as raised:
        if raised is not error:
            raise
    return lines.entries[-1]


def test_a_line_tells_the_call_without_its_arguments_or_the_key() -> None:
    lines = Lines()
    entry = record_of(AuditLog(lines), lines, contact_id="jane@example.com")
    assert entry["tool"] == "delete_contact"
    assert entry["effect"] == "irreversible"
    assert entry["outcome"] == "done"
    assert entry["credential"] == KEY.fingerprint
    text = json.dumps(entry)
    assert "jane" not in text
    assert "secret_of" not in text


def test_argument_values_are_written_when_asked_for_and_secrets_never() -> None:
    lines = Lines()
    arguments = {"title": "Call", "headers": {"Authorization": "Bearer abcdefgh1234"}, "note": "my key is tp_live_abc123"}
    entry = record_of(AuditLog(lines, with_arguments=True), lines, **arguments)
    assert entry["arguments"]["title"] == "Call"
    assert "abcdefgh1234" not in json.dumps(entry)
    assert "tp_live_abc123" not in json.dumps(entry)


def test_huge_arguments_do_not_make_a_huge_line() -> None:
    lines = Lines()
    entry = record_of(AuditLog(lines, with_arguments=True), lines, body="x" * 1_000_000)
    assert len(json.dumps(entry)) < 3_000


def test_the_digest_is_the_same_for_the_same_arguments_and_key_only() -> None:
    one = digest({"a": 1, "b": 2}, KEY)
    assert one == digest({"b": 2, "a": 1}, KEY)
    assert one != digest({"a": 1, "b": 3}, KEY)
    assert one != digest({"a": 1, "b": 2}, Credential("tp_live_other"))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotAllowedError("no", code="DECLINED"), "declined"),
        (NotAllowedError("no"), "refused"),
        (UpstreamError("bad", status=400), "failed"),
        (UpstreamError("broken", status=500), "uncertain"),
        (UnreachableError("silence", code="TIMEOUT", sent=True), "uncertain"),
    ],
)
def test_an_outcome_tells_what_may_have_happened(error: ToolError, outcome: str) -> None:
    record = CallRecord("delete_contact", "me", effect="irreversible")
    record.failed(error)
    assert record.outcome == outcome
    assert record.outcome in OUTCOMES


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (asyncio.CancelledError(), "cancelled"),
        (ZeroDivisionError(), "broken"),
        (AnswerNeeded(Question("sure?", "state")), "asked"),
    ],
)
def test_calls_that_end_otherwise_are_written_too(error: BaseException, outcome: str) -> None:
    lines = Lines()
    assert record_of(AuditLog(lines), lines, error)["outcome"] == outcome


def test_a_log_file_is_private_appended_to_and_found_again_after_rotation(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path_rotated = tmp_path / "audit.jsonl.1"
    sink = FileSink(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sink.write("one")
    FileSink(path).write("two")
    os.rename(path, path_rotated)
    sink.write("three")
    assert path_rotated.read_text() == "one\ntwo\n"
    assert path.read_text() == "three\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_later_is_told_once_and_calls_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = FileSink(folder / "audit.jsonl")
    (folder / "audit.jsonl").unlink()
    folder.rmdir()
    sink.write("one")
    sink.write("two")
    assert capsys.readouterr().err.count("cannot be written") == 1
    folder.mkdir()
    sink.write("three")
    assert (folder / "audit.jsonl").read_text() == "three\n"


@pytest.mark.parametrize("where", ["", "stdout", "on", "/no/such/folder/audit.jsonl"])
def test_a_place_that_is_none_stops_the_start(where: str) -> None:
    with pytest.raises(ConfigurationError, match="audit"):
        audit_log(where)


def test_arguments_without_a_log_are_a_contradiction() -> None:
    with pytest.raises(ConfigurationError, match="--audit"):
        audit_log("off", with_arguments=True)


def read(path: Path, *options: str) -> str:
    result = CliRunner().invoke(audit, [str(path), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_reader_shows_last_calls_writes_failures_and_cost(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    entries = [
        {"tool": "list_contacts", "effect": "read", "outcome": "done", "credits": 0, "tokens": 10},
        {"tool": "send_form", "effect": "irreversible", "outcome": "done", "credits": 3, "tokens": 5},
        {"tool": "send_form", "effect": "irreversible", "outcome": "uncertain", "credits": 3, "tokens": 5},
        {"tool": "generate_image_with_ai", "effect": "irreversible", "outcome": "done", "credits": None, "tokens": 7},
        {"tool": "evil\x1b[31m", "effect": "read", "outcome": "failed", "credits": 0, "tokens": 1},
    ]
    path.write_text("not json\n" + "\n".join(map(json.dumps, entries)) + "\n")
    assert [json.loads(line)["tool"] for line in read(path, "--json", "-n", "2").splitlines()] == [
        "generate_image_with_ai",
        "evil\x1b[31m",
    ]
    assert "list_contacts" not in read(path, "--writes")
    assert [json.loads(line)["outcome"] for line in read(path, "--json", "--failures").splitlines()] == ["uncertain", "failed"]
    sums = [json.loads(line) for line in read(path, "--json", "--cost").splitlines()]
    assert sums[0] == {"tool": "send_form", "calls": 2, "failed": 1, "credits": 6.0, "unpriced": 0, "tokens": 10}
    assert sums[-1] == {"tool": "total", "calls": 5, "failed": 2, "credits": 6.0, "unpriced": 1, "tokens": 28}
    assert "\x1b" not in read(path)
    assert read(path, "--tool", "nothing*") == "No such calls.\n"
    assert "1 lines are no audit entries" in CliRunner().invoke(audit, [str(path)]).stderr


def test_secrets_are_hidden_wherever_they_stand() -> None:
    value = {
        "secret": "s3",
        "list": [{"api_key": "k"}],
        "url": "https://u:p4ss@x.test/?sig=abc&a=1",
        "author": "Jane",
        "token": None,
    }
    hidden = json.dumps(without_secrets(value))
    assert "Jane" in hidden
    assert "a=1" in hidden
    assert not [s for s in ("s3", '"k"', "p4ss", "sig=abc") if s in hidden]


def test_one_line_has_no_breaks_or_invisible_characters_and_says_when_it_is_cut() -> None:
    assert one_line("a\r\n b\u2028c\u202ed\x00", 20) == "a b cd"
    assert one_line("x" * 100, 5) == "xxxxx… (100 characters)"
