"""What each profile lists, what that costs, and that it is the same in every process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from trustpager_mcp.tokens import count_tokens, tool_text
from trustpager_mcp.toolkit import Toolkit

META = ["find_tools", "describe_tool", "call_read", "call_write", "call_irreversible", "read_result"]


@pytest.mark.parametrize(("profile", "most"), [("lean", 500), ("core", 2_500), ("all", 65_000)])
async def test_a_profile_costs_no_more_than_it_promises(profile: str, most: int) -> None:
    async with Toolkit(sandbox=True, tools=profile, scopes="all") as toolkit:
        tools = await toolkit.tools()
    assert sum(count_tokens(tool_text(t)) for t in tools) <= most
    assert [t["name"] for t in tools][: len(META)] == META or profile == "all"


def fingerprint(command: str, seed: str) -> str:
    outputs = [
        subprocess.run(
            [command, "catalog", "--profile", profile, "--json"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for profile in ("core", "all", "tasks,contacts,send_email")
    ]
    return hashlib.sha256(b"".join(outputs)).hexdigest()


def test_order_and_text_are_the_same_in_processes_with_different_hash_seeds(command: str) -> None:
    assert fingerprint(command, "1") == fingerprint(command, "4242")


async def test_toolsets_and_tools_by_name_are_listed_alone(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "tasks,send_email") as agent:
        listed = await agent.client.list_tools()
        names = [t.name for t in listed.tools]
        assert "send_email" in names
        assert all("task" in n or n in ("send_email", "read_result") for n in names)
        assert (listed.ttl_ms, listed.cache_scope) == (300_000, "private")


@pytest.mark.only("in-process", because="the instructions are the profile's, whatever way they go")
@pytest.mark.parametrize(("profile", "told"), [("lean", True), ("core", True), ("all", False), ("tasks", False)])
async def test_the_servers_instructions_speak_of_find_tools_only_where_it_is_listed(serve: Any, profile: str, told: bool) -> None:
    async with serve("--sandbox", "--scopes", "all", "--tools", profile) as agent:
        assert ("find_tools" in agent.client.instructions) is told


def preview(command: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, "catalog", *options], capture_output=True, text=True, timeout=60)


def test_a_profile_can_be_previewed_with_what_it_costs(command: str) -> None:
    lines = preview(command, "--profile", "core", "--tokens").stdout.splitlines()
    assert len(lines) == 19
    costs = [int(line.split()[0]) for line in lines[:-1]]
    assert lines[-1].startswith(f"18 tools, {sum(costs)} tokens")
    with_costs = json.loads(preview(command, "--profile", "lean", "--tokens", "--json").stdout)
    assert [t["name"] for t in with_costs] == META
    assert all(t["tokens"] > 0 for t in with_costs)


def test_a_preview_of_nothing_known_says_what_is_meant(command: str) -> None:
    wrong = preview(command, "--profile", "contcts")
    assert wrong.returncode == 2
    assert "contacts" in wrong.stderr
    bare = preview(command, "--tokens")
    assert bare.returncode == 2
    assert "--profile" in bare.stderr


def test_the_server_starts_without_what_only_later_requests_need() -> None:
    later = ["context.prompts", "context.resources", "context.completions", "tool_names", "sandbox.app", "reference"]
    program = (
        "import sys, trustpager_mcp.cli.serve, trustpager_mcp.transports.stdio\n"
        "from trustpager_mcp.app import App, build_server\nfrom trustpager_mcp.settings import Settings\n"
        "build_server(App(Settings(sandbox=True)))\n"
        f"names = [n for n in {later!r} if 'trustpager_mcp.' + n in sys.modules]\n"
        "names += [n for n in ('httpx', 'aiohttp', 'bpe_openai') if n in sys.modules]\nprint(names)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
