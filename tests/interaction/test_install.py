"""`trustpager-mcp install`, as a person runs it, in a home directory of its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client

KEY = "tp_live_sandbox_sales"
Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path, command: str) -> Install:
    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "APPDATA": str(tmp_path)}
        return subprocess.run([command, "install", *arguments], input=stdin, capture_output=True, text=True, env=env, check=False)

    return run


def config(tmp_path: Path) -> Path:
    return tmp_path / ".cursor" / "mcp.json"


def servers(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config(tmp_path).read_text())["mcpServers"]
    return found


@pytest.mark.parametrize(
    ("client", "root"),
    [("claude-desktop", "mcpServers"), ("claude-code", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")],
)
def test_print_shows_the_entry_and_writes_nothing(install: Install, tmp_path: Path, client: str, root: str) -> None:
    shown = install(client, "--sandbox", "--print")
    assert shown.returncode == 0, shown.stderr
    entry = json.loads(shown.stdout.partition(":\n")[2])[root]["trustpager"]
    assert entry["args"] == ["serve", "--sandbox"]
    assert list(tmp_path.rglob("*")) == []


async def test_what_was_installed_is_a_server_that_a_client_can_start(install: Install, tmp_path: Path) -> None:
    assert install("cursor", "--sandbox", "--tools", "lean").returncode == 0
    entry = servers(tmp_path)["trustpager"]
    async with Client(StdioServerParameters(command=entry["command"], args=entry["args"], env=entry.get("env"))) as client:
        assert "find_tools" in [t.name for t in (await client.list_tools()).tools]


def test_the_key_goes_to_a_file_of_its_owner_and_not_into_the_clients_configuration(install: Install, tmp_path: Path) -> None:
    ran = install("cursor", "--api-key", KEY)
    assert ran.returncode == 0, ran.stderr
    kept = Path(servers(tmp_path)["trustpager"]["env"]["TRUSTPAGER_API_KEY_FROM"].removeprefix("file:"))
    assert kept.read_text().strip() == KEY
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert KEY not in config(tmp_path).read_text() + ran.stdout + ran.stderr


def test_a_missing_key_is_asked_for(install: Install, tmp_path: Path) -> None:
    ran = install("cursor", stdin=KEY + "\n")
    assert ran.returncode == 0, ran.stderr
    assert "TRUSTPAGER_API_KEY_FROM" in servers(tmp_path)["trustpager"]["env"]


def test_a_kept_key_is_used_and_one_that_others_can_read_is_refused(install: Install, tmp_path: Path, command: str) -> None:
    install("cursor", "--api-key", KEY)
    place = servers(tmp_path)["trustpager"]["env"]["TRUSTPAGER_API_KEY_FROM"]

    def doctor() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, "doctor", "--sandbox", "--api-key-from", place], capture_output=True, text=True, check=False
        )

    assert "14 scopes" in doctor().stdout
    Path(place.removeprefix("file:")).chmod(0o644)
    refused = doctor()
    assert refused.returncode == 1
    assert "chmod 600" in refused.stdout
    assert KEY not in refused.stdout + refused.stderr


def test_other_servers_and_settings_stay_and_the_old_file_is_backed_up(install: Install, tmp_path: Path) -> None:
    old = {"theme": "dark", "mcpServers": {"other": {"command": "x", "env": {"OTHER_API_KEY": "secret-of-another"}}}}
    config(tmp_path).parent.mkdir()
    config(tmp_path).write_text(json.dumps(old))
    ran = install("cursor", "--sandbox")
    now = json.loads(config(tmp_path).read_text())
    assert now["theme"] == "dark"
    assert now["mcpServers"]["other"] == old["mcpServers"]["other"]
    assert "trustpager" in now["mcpServers"]
    assert [json.loads(f.read_text()) for f in config(tmp_path).parent.glob("*.bak")] == [old]
    assert "secret-of-another" not in ran.stdout


def test_uninstalling_takes_out_the_entry_and_its_key_and_nothing_else(install: Install, tmp_path: Path) -> None:
    install("cursor", "--api-key", KEY)
    install("cursor", "--sandbox", "--name", "practice")
    kept = Path(servers(tmp_path)["trustpager"]["env"]["TRUSTPAGER_API_KEY_FROM"].removeprefix("file:"))
    assert install("cursor", "--uninstall").returncode == 0
    assert list(servers(tmp_path)) == ["practice"]
    assert not kept.exists()
    assert "has no entry" in install("cursor", "--uninstall").stdout


def test_uninstalling_from_one_client_leaves_the_key_of_another(install: Install, tmp_path: Path) -> None:
    install("cursor", "--api-key", KEY)
    install("vscode", "--api-key", KEY)
    install("vscode", "--uninstall")
    kept = Path(servers(tmp_path)["trustpager"]["env"]["TRUSTPAGER_API_KEY_FROM"].removeprefix("file:"))
    assert kept.read_text().strip() == KEY


def test_installing_the_same_twice_writes_once(install: Install, tmp_path: Path) -> None:
    install("cursor", "--sandbox")
    assert "nothing was written" in install("cursor", "--sandbox").stdout
    assert list(config(tmp_path).parent.glob("*.bak")) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"mcpServers": {} // mine\n}', "not plain JSON"),
        ('{"mcpServers": []}', "does not hold an object"),
        ("[]", "does not hold an object"),
    ],
)
def test_a_configuration_that_cannot_be_kept_is_left_alone(install: Install, tmp_path: Path, content: str, words: str) -> None:
    config(tmp_path).parent.mkdir()
    config(tmp_path).write_text(content)
    ran = install("cursor", "--sandbox")
    assert ran.returncode == 2
    assert words in ran.stderr
    assert config(tmp_path).read_text() == content


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cursor", "--sandbox", "--tools", "corre"], "Did you mean core"),
        (["cursor", "--api-key", "a b"], "no API key"),
        (["cursor", "--sandbox", "--name", "my server"], "other characters"),
        (["emacs"], "is not one of"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_written(
    install: Install, tmp_path: Path, arguments: list[str], words: str
) -> None:
    ran = install(*arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert list(tmp_path.rglob("*.json")) == []
