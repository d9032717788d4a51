"""`trustpager-mcp serve` and `trustpager-mcp sandbox`: what keeps running."""

from __future__ import annotations

import gc
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import connection_options, make_app, model_options, option, split_names

if TYPE_CHECKING:
    from ..transports.http.options import HttpOptions

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LISTENING = (
    "host", "port", "allowed_hosts", "allowed_origins", "key_header", "client_tokens", "oauth_issuer", "oauth_audience",
    "oauth_jwks_url", "credential_store", "drain_seconds", "drain_delay_seconds", "metrics_token", "log_format",
    "console", "console_token",
)  # fmt: skip


@click.command()
@option(
    "--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True, help="How clients reach the server."
)
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (http).")
@option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on (http).")
@option("--allowed-hosts", callback=split_names, help="Host headers to accept besides loopback, comma-separated (http).")
@option("--allowed-origins", callback=split_names, help="Origins of web pages that may call, comma-separated (http).")
@option("--key-header", default="x-api-key", show_default=True, help="Header that carries a caller's API key (http).")
@option("--client-tokens", type=_FILE, help="Callers bring a token of yours and work with the server's key (http).")
@option("--oauth-issuer", help="Callers bring an access token of this issuer (http).")
@option("--oauth-audience", help="What those tokens must be meant for: the public address of /mcp (http).")
@option("--oauth-jwks-url", help="Where the issuer publishes its keys. Default: ISSUER/.well-known/jwks.json (http).")
@option("--credential-store", help="API key per token subject: file:PATH, env:PREFIX, redis:URL#PREFIX, command:PROGRAM (http).")
@option(
    "--drain-seconds",
    type=click.IntRange(0, 3600),
    default=60,
    show_default=True,
    help="Time for calls in flight at shutdown (http).",
)
@option(
    "--drain-delay-seconds",
    type=click.IntRange(0, 600),
    default=0,
    show_default=True,
    help="Time at shutdown in which /readyz says no and requests are still taken (http).",
)
@option("--metrics-token", help="Opens /metrics to who brings it; else it is open on loopback only. Set as a variable (http).")
@option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The server's log (http).")
@option(
    "--console",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="The page for people at /; auto: on a loopback address only (http).",
)
@option("--console-token", help="Opens the console; by default a new one at every start. Set as a variable (http).")
@option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that serve; more than one needs --redis (http).",
)
@option("--redis", help="Redis that replicas share their state in: redis://host:6379/0. Set as a variable (http).")
@option("--tools", default="core", show_default=True, help="lean, core, all, or toolsets and tools by name or glob.")
@option(
    "--record-searches/--no-record-searches",
    default=True,
    show_default=True,
    help="Keep requests that find_tools found nothing for, for `doctor --searches`.",
)
@connection_options
def serve(transport: str, tools: str, record_searches: bool, workers: int, **options: Any) -> None:
    """Serve the tools to an MCP client."""
    listening = {name: options.pop(name) for name in _LISTENING}
    with _made_to_stay():
        from ..search.misses import Misses, state_file

        app = make_app(tools, {**options, "credit_period": "day" if transport == "http" else "run"})
    if app.settings.sandbox and (app.settings.db or app.settings.sandbox_model_key):
        app.open_sandbox()
    if record_searches:
        app.misses = Misses(state_file())
    if not app.credential.api_key:
        click.echo("No API key: tools are listed but calls will fail. Set TRUSTPAGER_API_KEY or use --sandbox.", err=True)
    if transport == "stdio":
        import anyio

        from ..transports.stdio import serve as serve_stdio

        anyio.run(serve_stdio, app)
        return
    from ..transports.http import serve as serve_http
    from ..transports.http.workers import check_workers, serve_with_workers

    http = _http_options(listening)
    http = check_workers(workers, app.settings, http)
    console, http = _console_link(http)
    shown = "127.0.0.1" if http.host in ("0.0.0.0", "::") else http.host
    url = f"http://{shown}:{http.port}/mcp"
    what = "a practice workspace (sandbox)" if app.settings.sandbox else app.base_url
    click.echo(
        f"Serving {what} at {url}\n{console}\nConnect a client:\n"
        f"  Claude Code   claude mcp add -t http trustpager {url}\n"
        f'  Cursor        {{"mcpServers": {{"trustpager": {{"url": "{url}"}}}}}}\n'
        f'  VS Code       {{"servers": {{"trustpager": {{"type": "http", "url": "{url}"}}}}}}\n'
        f"  Inspector     npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list\n\n"
        "Stop with Ctrl-C."
    )
    if workers > 1:
        serve_with_workers(app, http, workers)
    else:
        serve_http(app, http)


@contextmanager
def _made_to_stay() -> Iterator[None]:
    """What is imported and made in here lives as long as the process: looking for garbage in it costs a start a twentieth."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _console_link(http: HttpOptions) -> tuple[str, HttpOptions]:
    """The line that says how to open the console, empty where it is off; and the options with its token."""
    if not http.shows_console:
        return "", http
    address = f"http://{'127.0.0.1' if http.host in ('0.0.0.0', '::') else http.host}:{http.port}/"
    if http.console_token:
        return f"Console: {address} (opens with your console token)\n", http
    token = secrets.token_urlsafe(24)
    return f"Console: {address}#token={token}\n", replace(http, console_token=token)


def _http_options(given: dict[str, Any]) -> HttpOptions:
    """What the command line says about listening. Raises ConfigurationError for what contradicts itself."""
    from ..errors import ConfigurationError
    from ..identity.oauth import OAuthSettings
    from ..transports.http.options import HttpOptions

    issuer, audience, jwks = (given.pop(f"oauth_{name}") for name in ("issuer", "audience", "jwks_url"))
    if bool(issuer) != bool(audience):
        raise ConfigurationError("--oauth-issuer and --oauth-audience belong together")
    oauth = OAuthSettings(issuer, audience, jwks or issuer.rstrip("/") + "/.well-known/jwks.json") if issuer else None
    for name in ("allowed_hosts", "allowed_origins"):
        given[name] = given[name] or ()
    return HttpOptions(oauth=oauth, **given)


@click.command()
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8787, show_default=True, help="Port to listen on.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same workspace.")
@click.option("--db", default=":memory:", help="Keep the workspace in this file. Default: in memory, gone at the end.")
@click.option("--rate-limit", type=click.IntRange(1), help="Requests that a key may send a minute. Default: no limit.")
@model_options
def sandbox(
    host: str, port: int, seed: int, db: str, rate_limit: int | None,
    sandbox_model_key: str | None, sandbox_model_url: str, sandbox_model: str | None,
) -> None:  # fmt: skip
    """Serve the practice workspace as the TrustPager API."""
    import uvicorn

    from ..sandbox.app import create_app
    from ..sandbox.errors import WorkspaceFileError
    from ..sandbox.model_planner import planner_of

    planner = planner_of(sandbox_model_key, sandbox_model_url, sandbox_model)
    try:
        app = create_app(seed=seed, database=db, rate_limit=rate_limit, planner=planner)
    except WorkspaceFileError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"Sandbox API at http://{host}:{port}/functions/v1/api/v1\n"
        "Keys: tp_live_sandbox_full, tp_live_sandbox_sales, tp_live_sandbox_readonly, tp_live_sandbox_approval\n"
        "Stop with Ctrl-C."
    )
    # Longer than our own client keeps a connection (connections.py): else one closes as a write goes out on it.
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_keep_alive=75)
