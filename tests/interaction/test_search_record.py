"""Searches in vain: what `serve` keeps over a real connection, and what `doctor --searches` lists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from tests import forked


async def look_for(query: str, state: Path, *options: str) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    server = StdioServerParameters(
        command=forked.command(), args=["serve", "--sandbox", "--scopes", "all", *options], env=environment
    )
    async with Client(server) as client:
        await client.call_tool("find_tools", {"query": query})


def listed(state: Path) -> str:
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    return subprocess.run(
        [forked.command(), "doctor", "--searches"], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the state directory there is not set by XDG_STATE_HOME")
async def test_doctor_lists_what_an_agent_looked_for_in_vain_without_addresses(tmp_path: Path) -> None:
    await look_for("zyxxy quux for jane@example.com", tmp_path)
    await look_for("list contacts", tmp_path)
    shown = listed(tmp_path)
    assert "zyxxy quux for …" in shown
    assert "jane" not in shown
    assert "list contacts" not in shown


async def test_nothing_is_kept_when_the_record_is_switched_off(tmp_path: Path) -> None:
    await look_for("zyxxy quux", tmp_path, "--no-record-searches")
    assert "No search in vain is recorded" in listed(tmp_path)
