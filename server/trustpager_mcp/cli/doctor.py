"""`trustpager-mcp doctor`: is everything in place for an agent to work?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..version import __version__
from .options import connection_options, make_app

if TYPE_CHECKING:
    from ..app import App


@click.command()
@click.option("--searches", is_flag=True, help="List what agents looked for in vain, most frequent first, and check nothing.")
@connection_options
def doctor(searches: bool, **options: Any) -> None:
    """Check the key, what it may do, and whether the API answers."""
    if searches:
        _list_misses()
        return
    import anyio

    app = make_app("all", options)

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


def _search_line() -> str:
    from ..search.meaning import INSTALL, missing

    if missing():
        return f"find_tools goes by words; to go by meaning too: {INSTALL}"
    return "find_tools goes by words and meaning"


def _list_misses() -> None:
    from ..search.misses import read_misses, state_file

    file = state_file()
    try:
        misses = read_misses(file)
    except OSError as error:
        raise click.ClickException(f"the searches in {file} cannot be read: {error}") from None
    if not misses:
        click.echo(f"No search in vain is recorded. `serve` records them in {file} unless --no-record-searches is given.")
        return
    click.echo(f"{'times':>5}  {'score':>5}  {'last':25}  request   (from {file})")
    for miss in misses:
        click.echo(f"{miss.times:>5}  {miss.score:>5.2f}  {miss.last:25}  {miss.request}")


async def _checks(app: App) -> list[tuple[bool, str]]:
    import platform
    import time
    from importlib.metadata import version

    from ..errors import ToolError
    from ..request_builder import Request

    lines = [
        (True, f"trustpager-mcp {__version__}, mcp {version('mcp')}, Python {platform.python_version()}"),
        (True, f"{len(app.catalog.tools)} tools in {len(app.catalog.toolsets)} toolsets"),
    ]
    lines.append((True, _search_line()))
    if not app.credential.api_key:
        return [*lines, (False, "no API key. Set TRUSTPAGER_API_KEY, or try --sandbox.")]
    lines.append((True, f"key with fingerprint {app.credential.fingerprint}"))
    started = time.monotonic()
    try:
        answer = await app.upstream.send(Request("GET", app.base_url.rstrip("/") + "/_meta/tools"), app.credential.headers())
    except ToolError as error:
        return [*lines, (False, f"{error.message} {error.hint or ''}")]
    elapsed = (time.monotonic() - started) * 1000
    lines.append((True, f"{app.base_url} answered {answer.status} in {elapsed:.0f} ms"))
    if answer.status == 401:
        return [*lines, (False, "the API does not accept the key: set another TRUSTPAGER_API_KEY.")]
    session = await app.session()
    scopes = session.registry.policy.scopes
    if scopes is None:
        because = session.registry.policy.scopes_unknown_because
        lines.append((False, f"the scopes of the key could not be read; reads only. {because} State them with --scopes."))
    else:
        lines.append((True, f"{len(scopes)} scopes open {len(session.registry.visible)} tools"))
    return lines
