"""`trustpager-mcp client-token`: tokens of the operator's own, for callers over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Names, split_names

_FILE = click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), default=Path("client-tokens.json"), show_default=True,
    help="The list that `serve --client-tokens` reads; it holds hashes only.",
)  # fmt: skip


@click.group("client-token")
def client_token() -> None:
    """Give callers over HTTP tokens of your own, so that your API key stays with the server."""


@client_token.command()
@click.argument("name")
@click.option("--toolsets", callback=split_names, help="Only these toolsets, comma-separated.")
@click.option("--read-only", is_flag=True, help="Only what changes nothing.")
@_FILE
def add(name: str, toolsets: Names | None, read_only: bool, file: Path) -> None:
    """Make a token for NAME and print it; it is shown this once."""
    from ..catalog import default_catalog
    from ..identity.client_tokens import add_token
    from ..registry import Policy, check_policy

    check_policy(Policy(toolsets=frozenset(toolsets or ())), default_catalog())
    click.echo(add_token(file, name, toolsets or (), read_only))


@client_token.command()
@click.argument("name")
@_FILE
def revoke(name: str, file: Path) -> None:
    """Take NAME's token back; a running server refuses it from now on."""
    from ..identity.client_tokens import revoke_token

    revoke_token(file, name)
    click.echo(f"The token of {name} opens nothing any more.")


@client_token.command("list")
@_FILE
def list_tokens(file: Path) -> None:
    """Who has a token, and within which bounds."""
    from ..identity.client_tokens import read_tokens

    for entry in read_tokens(file):
        bounds = [*(["read only"] if entry.get("read_only") else []), *entry.get("toolsets", [])]
        click.echo(f"{entry['name']}  {', '.join(bounds) or 'everything that the server allows'}")
