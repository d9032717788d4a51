"""MCP over this process's standard input and output."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from ..app import App, build_server


async def serve(app: App) -> None:
    """Serve until the client closes the stream."""
    server = build_server(app)
    try:
        async with stdio_server() as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())
    finally:
        await app.aclose()
