from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from tests import forked


class Agent:
    """A real MCP client on a real server process; `text` and `failure` read a tool's answer as an agent would."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def raw(self, tool: str, /, **arguments: Any) -> Any:
        return await self.client.call_tool(tool, arguments)

    async def text(self, tool: str, /, **arguments: Any) -> str:
        result = await self.raw(tool, **arguments)
        assert not result.is_error, result.content[0].text
        return str(result.content[0].text)

    async def failure(self, tool: str, /, **arguments: Any) -> str:
        result = await self.raw(tool, **arguments)
        assert result.is_error, result.content[0].text
        return str(result.content[0].text)


@asynccontextmanager
async def connect(*options: str, mode: Any = "auto", person: Any = None, **env: str) -> AsyncIterator[Agent]:
    """`person` answers the server's questions, as an elicitation callback of the SDK's client."""
    server = StdioServerParameters(command=forked.command(), args=["serve", *options], env=env)
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        yield Agent(client)


def pytest_configure(config: pytest.Config) -> None:
    """Let all of pytest-xdist's processes share what servers are forked from, made while they collect the tests."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        forked.command()


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which live to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def command() -> str:
    return forked.command()


@pytest.fixture(scope="session")
def serve() -> Any:
    """`async with serve("--sandbox") as agent:` starts `trustpager-mcp serve` and connects over its standard streams."""
    return connect
