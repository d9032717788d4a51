"""`trustpager-mcp doctor`, as a person runs it: over the sandbox, over broken ways to an API, and over clients in homes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faulty_upstream import FaultyUpstream
from trustpager_mcp.app import App
from trustpager_mcp.cli.doctor.api import api_checks
from trustpager_mcp.cli.doctor.checks import Check, as_json, sound
from trustpager_mcp.clients import own_command
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.settings import Settings

KEY = "tp_live_sandbox_sales"
TOOLS = {"data": {"tools": [{"name": "list_contacts", "required_scopes": ["contacts:read"]}]}}


async def doctor(command: str, home: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the findings, and everything that was printed."""
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "APPDATA": str(home), **environment}
    pipe = asyncio.subprocess.PIPE
    ran = await asyncio.create_subprocess_exec(
        command, "doctor", "--json", *arguments, stdout=pipe, stderr=pipe, env=env, cwd=home
    )
    out, err = await ran.communicate()
    assert ran.returncode is not None
    return ran.returncode, json.loads(out), (out + err).decode()


def named(found: dict[str, Any], name: str) -> dict[str, Any]:
    (check,) = [c for c in found["checks"] if c["name"] == name]
    return dict(check)


# The way to the API


async def test_a_sound_set_up_has_no_problem_and_the_documented_shape(command: str, tmp_path: Path) -> None:
    status, found, said = await doctor(command, tmp_path, "--sandbox", TRUSTPAGER_API_KEY=KEY)
    assert (status, found["ok"]) == (0, True)
    assert {frozenset(c) for c in found["checks"]} == {frozenset({"name", "state", "text", "fix", "data"})}
    names = ["versions", "search", "catalogue", "reachable", "clock", "key", "scopes", "client"]
    assert [c["name"] for c in found["checks"]] == names
    scopes = named(found, "scopes")["data"]
    assert len(scopes["scopes"]) == 14
    assert scopes["tools"] == scopes["read"] + scopes["write"] + scopes["irreversible"] > 50
    assert len(named(found, "reachable")["data"]["probes_ms"]) == 5
    assert "2026-07-28" in named(found, "versions")["data"]["protocols"]
    assert "trustpager-mcp install CLIENT" in named(found, "client")["text"]
    assert KEY not in said


async def findings(api: FaultyUpstream, *answers: tuple[int, dict[str, str], bytes]) -> list[Check]:
    """The checks over an API on a real socket that gives these answers."""
    api.answers.extend(answers)
    app = App(Settings(api_key="tp_live_a_secret_key", base_url=api.base))
    try:
        return await api_checks(app)
    finally:
        await app.aclose()


@pytest.mark.parametrize(
    ("status", "body", "name", "words"),
    [
        (401, {"error": {"code": "UNAUTHORIZED"}}, "key", "does not accept"),
        (503, {}, "reachable", "answered 503"),
        (200, {"data": {"tools": []}}, "scopes", "no scope"),
        (200, {"data": 5}, "scopes", "does not list tools"),
    ],
)
async def test_what_is_broken_on_the_way_is_told_with_its_fix(status: int, body: Any, name: str, words: str) -> None:
    async with FaultyUpstream() as api:
        checks = await findings(api, *[(status, {}, json.dumps(body).encode())] * 8)
    (check,) = [c for c in checks if c.name == name]
    assert check.state == "problem"
    assert words in check.text
    assert check.fix
    assert not sound(checks)
    assert "tp_live_a_secret_key" not in json.dumps(as_json(checks))


async def test_a_clock_that_is_off_is_a_warning_and_no_key_leaves_with_a_probe() -> None:
    late = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    async with FaultyUpstream() as api:
        checks = await findings(api, *[(200, {"date": late}, json.dumps(TOOLS).encode())] * 8)
        probes = [seen for seen in api.requests if seen.method == "OPTIONS"]
    (clock,) = [c for c in checks if c.name == "clock"]
    assert (clock.state, sound(checks)) == ("warning", True)
    assert 590 < clock.data["skew_seconds"] < 700
    assert "ahead of" in clock.text
    assert "NTP" in str(clock.fix)
    assert len(probes) == 5
    assert all("authorization" not in probe.headers for probe in probes)


async def test_a_wrong_setting_and_a_redis_that_is_away_are_problems_in_the_same_shape(command: str, tmp_path: Path) -> None:
    status, found, _ = await doctor(command, tmp_path, "--sandbox", "--no-clients", TRUSTPAGER_READONLY="1")
    assert status == 1
    assert "TRUSTPAGER_READ_ONLY" in named(found, "settings")["text"]
    status, found, said = await doctor(command, tmp_path, "--no-clients", TRUSTPAGER_REDIS="redis://:hush@127.0.0.1:1/0")
    assert status == 1
    assert named(found, "redis")["fix"] == "start Redis, or correct TRUSTPAGER_REDIS"
    assert named(found, "key")["data"] == {"present": False}
    assert "hush" not in said


# Clients


def program(file: Path, text: str) -> str:
    file.write_text(text)
    file.chmod(0o755)
    return str(file)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    def write(name: str, content: Any) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


async def test_each_entry_of_this_server_is_started_and_what_is_wrong_with_it_is_told(
    command: str, tmp_path: Path, write: Callable[[str, Any], Path]
) -> None:
    place = write("others.key", KEY)
    place.chmod(0o644)
    quits = program(tmp_path / "trustpager-mcp-quits", "#!/bin/sh\necho 'no such file; key tp_live_in_the_log' >&2\nexit 3\n")
    plain = write("trustpager-mcp-plain", "")
    good = {"command": command, "args": ["serve", "--sandbox", "--tools", "lean"]}
    write(
        ".claude.json",
        {
            "mcpServers": {
                "trustpager": good,
                "gone": {"command": "/opt/gone/trustpager-mcp"},
                "plain": {"command": str(plain)},
                "unknown": {"command": "trustpager-mcp-unknown"},
                "quits": {"command": quits},
                "odd": {"command": "trustpager-mcp", "args": [1]},
                "another": {"command": "/bin/false"},
            },
            "projects": {"/src/shop": {"mcpServers": {"open": {**good, "env": {"TRUSTPAGER_API_KEY": KEY}}}}},
        },
    )
    write(".cursor/mcp.json", {"mcpServers": {"tp": {**good, "env": {"TRUSTPAGER_API_KEY_FROM": f"file:{place}"}}}})
    write(".config/Code/User/mcp.json", '{"servers": {} // mine\n}')
    write(".config/Claude/claude_desktop_config.json", {"mcpServers": {"trustpager": {"url": "http://127.0.0.1:1/mcp"}}})
    status, found, said = await doctor(command, tmp_path, "--sandbox")
    clients = [c for c in found["checks"] if c["name"] == "client"]
    assert status == 1
    states = {(c["data"]["client"], c["data"].get("name")): c["state"] for c in clients}
    assert states == {
        ("claude-code", "trustpager"): "ok",
        ("claude-code", "gone"): "problem",
        ("claude-code", "plain"): "problem",
        ("claude-code", "unknown"): "problem",
        ("claude-code", "quits"): "problem",
        ("claude-code", "odd"): "problem",
        ("claude-code", "open"): "warning",
        ("cursor", "tp"): "problem",
        ("vscode", None): "warning",
        ("claude-desktop", "trustpager"): "problem",
    }
    texts = {c["data"].get("name") if c["data"]["client"] == "claude-code" else c["data"]["client"]: c["text"] for c in clients}
    for name, words in {
        "trustpager": "lists 6 tools",
        "gone": "which does not exist",
        "plain": "which cannot be executed",
        "unknown": "which is not on the PATH",
        "quits": "It says: no such file; key (hidden)",
        "odd": "no command with arguments",
        "open": "in the open",
        "cursor": "can be read by others",
        "vscode": "not plain JSON",
        "claude-desktop": "nothing answers at http://127.0.0.1:1/mcp",
    }.items():
        assert words in texts[name]
    assert all(c["fix"] for c in clients if c["state"] != "ok")
    assert KEY not in said


@pytest.mark.parametrize(
    ("prefix", "launcher", "words"),
    [
        ("/home/jo/.cache/uv/archive-v0/H4NDTx_L2HipxxX_", "uvx", ["trustpager-mcp"]),
        ("/home/jo/.cache/pipx/3edd725ba618848", "pipx", ["run", "trustpager-mcp"]),
    ],
)
def test_what_uvx_and_pipx_run_is_installed_as_a_command_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, launcher: str, words: list[str]
) -> None:
    monkeypatch.setattr("sys.prefix", prefix)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=f"{launcher} will remove"):
        own_command()
    program(tmp_path / launcher, "#!/bin/sh\n")
    assert own_command() == [str(tmp_path / launcher), *words]


def test_a_person_reads_each_finding_in_a_line_and_its_fix_below(command: str, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    ran = subprocess.run([command, "doctor"], capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    lines = ran.stdout.splitlines()
    assert ran.returncode == 1
    at = lines.index("FAIL no API key, so the API was not asked")
    assert lines[at + 1] == "     fix: set TRUSTPAGER_API_KEY, or try --sandbox"
    assert lines[-1] == "1 problem."
