"""`trustpager-mcp serve` and `trustpager-mcp sandbox`: what keeps running."""

from __future__ import annotations

from typing import Any

import click

from .options import Names, connection_options, make_app, option, split_names


@click.command()
@option("--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True)
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (http).")
@option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on (http).")
@option("--allowed-hosts", callback=split_names, help="Host headers to accept besides loopback, comma-separated (http).")
@option("--tools", default="core", show_default=True, help="lean, core, all, or toolsets and tools by name.")
@connection_options
def serve(transport: str, host: str, port: int, allowed_hosts: Names | None, tools: str, **options: Any) -> None:
    """Serve the tools to an MCP client."""
    app = make_app(tools, options)
    if app.settings.db:
        app.open_sandbox()
    if not app.credential.api_key:
        click.echo("No API key: tools are listed but calls will fail. Set TRUSTPAGER_API_KEY or use --sandbox.", err=True)
    if transport == "stdio":
        import anyio

        from ..transports.stdio import serve as serve_stdio

        anyio.run(serve_stdio, app)
        return
    from ..transports.http import serve as serve_http

    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    url = f"http://{shown}:{port}/mcp"
    what = "a practice workspace (sandbox)" if app.settings.sandbox else app.base_url
    click.echo(
        f"Serving {what} at {url}\n\nConnect a client:\n"
        f"  Claude Code   claude mcp add -t http trustpager {url}\n"
        f'  Cursor        {{"mcpServers": {{"trustpager": {{"url": "{url}"}}}}}}\n'
        f'  VS Code       {{"servers": {{"trustpager": {{"type": "http", "url": "{url}"}}}}}}\n'
        f"  Inspector     npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list\n\n"
        "Stop with Ctrl-C."
    )
    serve_http(app, host, port, allowed_hosts or ())


@click.command()
@option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8787, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same workspace.")
@click.option("--db", default=":memory:", help="Keep the workspace in this file. Default: in memory, gone at the end.")
@click.option("--rate-limit", type=click.IntRange(1), help="Requests that a key may send a minute. Default: no limit.")
def sandbox(host: str, port: int, seed: int, db: str, rate_limit: int | None) -> None:
    """Serve the practice workspace as the TrustPager API."""
    import uvicorn

    from ..sandbox.app import create_app
    from ..sandbox.errors import WorkspaceFileError

    try:
        app = create_app(seed=seed, database=db, rate_limit=rate_limit)
    except WorkspaceFileError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"Sandbox API at http://{host}:{port}/functions/v1/api/v1\n"
        "Keys: tp_live_sandbox_full, tp_live_sandbox_sales, tp_live_sandbox_readonly, tp_live_sandbox_approval\n"
        "Stop with Ctrl-C."
    )
    uvicorn.run(app, host=host, port=port, log_level="warning")
