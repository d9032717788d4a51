"""`trustpager-mcp search`: what an agent would find."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


@click.command()
@click.argument("request", required=False)
@click.option("--stdin", is_flag=True, help="One request a line from standard input; one JSON list a line out.")
@click.option("--json", "as_json", is_flag=True, help="The found tools as JSON, with their endpoints and scores.")
@click.option("-k", "count", type=click.IntRange(1, 100), default=6, show_default=True, help="How many tools to list at most.")
def search(request: str | None, stdin: bool, as_json: bool, count: int) -> None:
    """Find tools by what you want to do."""
    from ..catalog import default_catalog
    from ..meta_tools import find_line
    from ..registry import Policy, Registry
    from ..search import SearchIndex

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
