"""An MCP server with one tool and nothing behind it: what the SDK alone costs."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server
from mcp.server.stdio import stdio_server


async def on_list(_ctx: Any, _params: Any) -> types.ListToolsResult:
    tool = types.Tool(name="nothing", input_schema={"type": "object"})
    return types.ListToolsResult(tools=[tool], ttl_ms=0, cache_scope="private")


async def main() -> None:
    server: Server[Any] = Server("empty", on_list_tools=on_list)
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


anyio.run(main)
