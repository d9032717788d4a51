"""`trustpager-mcp catalog`: the definitions, for people and for checks."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole catalogue as JSON.")
def catalog(as_json: bool) -> None:
    """List every tool, whatever the key may do."""
    from ..catalog import catalog_document, default_catalog, signature

    whole = default_catalog()
    if as_json:
        click.echo(json.dumps(catalog_document(whole)))
        return
    for toolset in whole.toolsets.values():
        click.echo(f"\n{toolset.title} ({toolset.toolset}): {toolset.summary}")
        for tool in toolset.tools:
            click.echo(f"  {signature(tool)} [{tool.effect}]")
