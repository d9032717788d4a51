"""`trustpager-mcp doctor`: is everything in place for an agent to work?"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ...errors import ConfigurationError
from ..options import connection_options, make_app, option
from .checks import Check, as_json, as_lines, sound


@click.command()
@click.option("--json", "as_json_", is_flag=True, help="The findings as JSON, in the shape of docs/operations.md.")
@click.option("--clients/--no-clients", default=True, show_default=True, help="Also try the MCP clients that are set up here.")
@click.option("--searches", is_flag=True, help="List what agents looked for in vain, most frequent first, and check nothing.")
@option("--redis", help="Redis that replicas share their state in, to be checked too. Set as a variable.")
@connection_options
def doctor(as_json_: bool, clients: bool, searches: bool, **options: Any) -> None:
    """Check versions, key, scopes, the way to the API, and the MCP clients that are set up on this machine.

    Every problem comes with its fix. Ends with status 1 when something is broken; warnings do not count.
    """
    if searches:
        _list_misses()
        return
    import anyio

    checks = anyio.run(_all_checks, options, clients)
    if as_json_:
        click.echo(json.dumps(as_json(checks), indent=2, ensure_ascii=False))
    else:
        for line in as_lines(checks):
            click.echo(line)
    if not sound(checks):
        sys.exit(1)


async def _all_checks(options: dict[str, Any], clients: bool) -> list[Check]:
    from .api import api_checks, search_mode, versions
    from .connected import client_checks

    checks = [versions(), search_mode()]
    try:
        app = make_app("all", options)
    except ConfigurationError as error:
        checks.append(Check("settings", "problem", str(error), "correct that option or TRUSTPAGER_ variable"))
    else:
        try:
            checks += await api_checks(app)
        finally:
            await app.aclose()
    return [*checks, *(await client_checks() if clients else [])]


def _list_misses() -> None:
    from ...search.misses import read_misses, state_file

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
