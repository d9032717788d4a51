"""The command line: serve, sandbox, catalog, search, call, doctor."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import DefinitionError, TrustPagerError
from .request_builder import DEFAULT_BASE_URL
from .settings import Settings

if TYPE_CHECKING:
    from .app import App
    from .dispatcher import Result

_List = tuple[str, ...]


def _split(_ctx: click.Context, _param: click.Parameter, value: str | None) -> _List | None:
    if value is None:
        return None
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _option(name: str, **keywords: Any) -> Callable[[Any], Any]:
    variable = "TRUSTPAGER_" + name.removeprefix("--").split("/")[0].replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **keywords)


def connection_options(command: Any) -> Any:
    """What every command that talks to the API takes."""
    options = [
        _option("--api-key", help="Key of the workspace. Better set as a variable than typed."),
        _option("--base-url", default=DEFAULT_BASE_URL, show_default=True, help="Whole base of the API."),
        _option("--sandbox", is_flag=True, help="Work on a practice workspace inside this process; no key needed."),
        _option("--seed", type=int, default=1, show_default=True, help="Which practice workspace --sandbox makes."),
        _option("--scopes", callback=_split, help="Scopes of the key, comma-separated, or `all`. Default: ask the API."),
        _option("--read-only", is_flag=True, help="Refuse every tool that changes anything."),
        _option("--allow", callback=_split, help="Only these tools (globs, comma-separated)."),
        _option("--deny", callback=_split, help="Never these tools (globs, comma-separated)."),
        _option("--approvals", is_flag=True, help="Let agents approve or reject what was held back for a person."),
        _option("--timeout", type=float, default=30.0, show_default=True, help="Seconds that one API call may take."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trustpager-mcp")
def cli() -> None:
    """TrustPager's CRM for AI agents, over the Model Context Protocol.

    Try it without a key:  trustpager-mcp call list_pipelines --sandbox
    """


def _app(tools: str, options: dict[str, Any]) -> App:
    from .app import App

    options["allow"] = options["allow"] or ()
    options["deny"] = options["deny"] or ()
    return App(Settings(tools=tools, **options))


@cli.command()
@_option("--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True)
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (http).")
@_option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on (http).")
@_option("--allowed-hosts", callback=_split, help="Host headers to accept besides loopback, comma-separated (http).")
@_option("--tools", default="core", show_default=True, help="lean, core, all, or toolsets and tools by name.")
@connection_options
def serve(transport: str, host: str, port: int, allowed_hosts: _List | None, tools: str, **options: Any) -> None:
    """Serve the tools to an MCP client."""
    app = _app(tools, options)
    if not app.credential.api_key:
        click.echo("No API key: tools are listed but calls will fail. Set TRUSTPAGER_API_KEY or use --sandbox.", err=True)
    if transport == "stdio":
        import anyio

        from .transports.stdio import serve as serve_stdio

        anyio.run(serve_stdio, app)
        return
    from .transports.http import serve as serve_http

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


@cli.command()
@_option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8787, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same workspace.")
def sandbox(host: str, port: int, seed: int) -> None:
    """Serve the practice workspace as the TrustPager API."""
    import uvicorn

    from .sandbox.app import create_app

    click.echo(
        f"Sandbox API at http://{host}:{port}/functions/v1/api/v1\n"
        "Keys: tp_live_sandbox_full, tp_live_sandbox_sales, tp_live_sandbox_readonly, tp_live_sandbox_approval\n"
        "Stop with Ctrl-C."
    )
    uvicorn.run(create_app(seed=seed), host=host, port=port, log_level="warning")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The whole catalogue as JSON.")
def catalog(as_json: bool) -> None:
    """List every tool, whatever the key may do."""
    from .catalog import catalog_document, default_catalog, signature

    whole = default_catalog()
    if as_json:
        click.echo(json.dumps(catalog_document(whole)))
        return
    for toolset in whole.toolsets.values():
        click.echo(f"\n{toolset.title} ({toolset.toolset}): {toolset.summary}")
        for tool in toolset.tools:
            click.echo(f"  {signature(tool)} [{tool.effect}]")


@cli.command()
@click.argument("request", required=False)
@click.option("--stdin", is_flag=True, help="One request a line from standard input; one JSON list a line out.")
@click.option("--json", "as_json", is_flag=True)
@click.option("-k", "count", type=click.IntRange(1, 100), default=6, show_default=True)
def search(request: str | None, stdin: bool, as_json: bool, count: int) -> None:
    """Find tools by what you want to do."""
    from .catalog import default_catalog
    from .meta_tools import find_line
    from .registry import Policy, Registry
    from .search import SearchIndex

    whole = default_catalog()
    index = SearchIndex(Registry(whole, Policy(scopes=whole.scopes, approvals=True)))

    def found(text: str) -> list[dict[str, Any]]:
        return [
            {
                "tool": h.tool.name,
                "method": h.tool.method,
                "path": h.tool.path,
                "aliases": list(h.tool.aliases),
                "score": round(h.score, 4),
            }
            for h in index.search(text, count)
        ]

    if stdin:
        for line in sys.stdin:
            click.echo(json.dumps(found(line.strip())))
        return
    if not request:
        raise click.UsageError('say what you want to do: trustpager-mcp search "move a deal to won"')
    if as_json:
        click.echo(json.dumps(found(request)))
        return
    for hit in index.search(request, count):
        click.echo(find_line(hit.tool))


@cli.command()
@click.argument("tool")
@click.argument("arguments", default="{}")
@click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON instead of the agent's text.")
@connection_options
def call(tool: str, arguments: str, as_json: bool, **options: Any) -> None:
    """Call TOOL once with ARGUMENTS (a JSON object), as an agent would."""
    import anyio

    try:
        parsed = json.loads(arguments)
    except ValueError as error:
        raise click.UsageError(f"ARGUMENTS is not valid JSON ({error}). Give an object like '{{\"limit\": 5}}'.") from None
    if not isinstance(parsed, dict):
        raise click.UsageError(f"ARGUMENTS is {arguments[:60]}; give a JSON object like '{{\"limit\": 5}}'.")
    app = _app("core", options)

    async def run() -> Result:
        session = await app.session()
        try:
            return await session.call(tool, parsed)
        finally:
            await app.aclose()

    result = anyio.run(run)
    if result.is_error:
        click.echo(result.text, err=True)
        sys.exit(1)
    click.echo(json.dumps(result.data, ensure_ascii=False) if as_json else result.text)


@cli.command()
@connection_options
def doctor(**options: Any) -> None:
    """Check the key, what it may do, and whether the API answers."""
    import anyio

    app = _app("all", options)

    async def run() -> list[tuple[bool, str]]:
        try:
            return await _checks(app)
        finally:
            await app.aclose()

    checks = anyio.run(run)
    for good, text in checks:
        click.echo(f"{'ok  ' if good else 'FAIL'} {text}")
    if not all(good for good, _ in checks):
        sys.exit(1)


async def _checks(app: App) -> list[tuple[bool, str]]:
    import platform
    import time
    from importlib.metadata import version

    from .errors import ToolError
    from .request_builder import Request

    lines = [
        (True, f"trustpager-mcp {__version__}, mcp {version('mcp')}, Python {platform.python_version()}"),
        (True, f"{len(app.catalog.tools)} tools in {len(app.catalog.toolsets)} toolsets"),
    ]
    if not app.credential.api_key:
        return [*lines, (False, "no API key. Set TRUSTPAGER_API_KEY, or try --sandbox.")]
    lines.append((True, f"key with fingerprint {app.credential.fingerprint}"))
    started = time.monotonic()
    try:
        answer = await app.upstream.send(
            Request("GET", app.base_url.rstrip("/") + "/_meta/tools"), app.credential.headers()
        )
    except ToolError as error:
        return [*lines, (False, f"{error.message} {error.hint or ''}")]
    elapsed = (time.monotonic() - started) * 1000
    lines.append((True, f"{app.base_url} answered {answer.status} in {elapsed:.0f} ms"))
    if answer.status == 401:
        return [*lines, (False, "the API does not accept the key: set another TRUSTPAGER_API_KEY.")]
    session = await app.session()
    scopes = session.registry.policy.scopes
    if scopes is None:
        lines.append((False, "the scopes of the key could not be read; reads only. State them with --scopes."))
    else:
        lines.append((True, f"{len(scopes)} scopes open {len(session.registry.visible)} tools"))
    return lines


def main() -> None:
    """The console script: errors of this package are one clear line, never a traceback."""
    try:
        cli()
    except DefinitionError as error:
        click.echo(f"trustpager-mcp: the installed definitions are broken: {error}", err=True)
        sys.exit(3)
    except TrustPagerError as error:
        click.echo(f"trustpager-mcp: {error}", err=True)
        sys.exit(2)
