"""`trustpager-mcp install`: write our entry into an MCP client's configuration, or take it out again."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

import click

from ..clients import CLIENTS, McpClient, backup, entry, read_config, with_entry, write_whole
from ..errors import ConfigurationError
from ..key_store import default_place, forget_key, keep_key

PLACE = "TRUSTPAGER_API_KEY_FROM"


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)))
@click.option("--name", default="trustpager", show_default=True, help="What the client calls this server.")
@click.option(
    "--api-key", envvar="TRUSTPAGER_API_KEY", help="Key of the workspace; asked for when missing. Never written to the client."
)
@click.option("--keyring", is_flag=True, help="Keep the key in the system's keyring instead of a file of your own.")
@click.option("--sandbox", is_flag=True, help="Install the practice workspace; no key needed.")
@click.option("--tools", help="lean, core, all, or toolsets and tools by name.")
@click.option("--read-only", is_flag=True, help="Install it so that it changes nothing.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="The client's configuration, if it is elsewhere.")
@click.option("--print", "print_only", is_flag=True, help="Show the entry and where it would go; write nothing.")
@click.option("--uninstall", is_flag=True, help="Take the entry and its key out again.")
def install(
    client: str,
    name: str,
    api_key: str | None,
    keyring: bool,
    sandbox: bool,
    tools: str | None,
    read_only: bool,
    config: Path | None,
    print_only: bool,
    uninstall: bool,
) -> None:
    """Connect CLIENT to this server.

    Keeps whatever else its configuration holds, backs it up first, and shows what it changes. The key goes to a file that
    you alone can read (or the keyring), never into the client's configuration.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise ConfigurationError(f"the name {name!r} has other characters than letters, digits, - and _, or is longer than 40")
    chosen = CLIENTS[client]
    file = config or chosen.config_file()
    place = f"keyring:{client}-{name}" if keyring else default_place(f"{client}-{name}")
    if tools is not None:
        _check_tools(tools)
    options = [
        *(["--sandbox"] if sandbox else []),
        *(["--tools", tools] if tools else []),
        *(["--read-only"] if read_only else []),
    ]
    environment = {} if sandbox else {PLACE: place}
    ours = None if uninstall else entry(chosen, options, environment)
    if print_only:
        if ours is None:
            click.echo(f"Would take {name!r} out of {file}.")
            return
        click.echo(f"{file}:\n" + json.dumps({chosen.root: {name: ours}}, indent=2))
        return
    before = read_config(file, chosen.root)
    if uninstall:
        _uninstall(chosen, file, before, name)
        return
    if not sandbox:
        _store_key(api_key, place)
    after = with_entry(before, chosen.root, name, ours)
    if _write(chosen, name, file, before, after):
        click.echo(f"{chosen.title} is connected as {name!r}. {chosen.afterwards}")
    else:
        click.echo(f"{file} already holds this entry; nothing was written.")


def _store_key(api_key: str | None, place: str) -> None:
    key = (api_key or click.prompt("TrustPager API key (tp_live_...)", hide_input=True)).strip()
    if not key.isascii() or not key.isprintable() or " " in key or len(key) < 8:
        raise ConfigurationError(
            "that is no API key: it is too short or holds spaces or characters that no key has. Copy it again"
        )
    keep_key(place, key)
    click.echo(f"The key is kept at {place}.")


def _uninstall(client: McpClient, file: Path, before: dict[str, Any], name: str) -> None:
    old = before.get(client.root, {}).get(name)
    if old is None:
        click.echo(f"{file} has no entry {name!r}; nothing was written.")
        return
    _write(client, name, file, before, with_entry(before, client.root, name, None))
    place = old.get("env", {}).get(PLACE) if isinstance(old, dict) else None
    if place and forget_key(place):
        click.echo(f"The key at {place} is removed.")
    click.echo(f"{client.title} no longer has {name!r}.")


def _write(client: McpClient, name: str, file: Path, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Show what changes, back up and write; False when nothing does."""
    if before == after:
        return False
    old, new = (_shown(config.get(client.root, {}).get(name)) for config in (before, after))
    for line in difflib.unified_diff(old, new, str(file), str(file), lineterm="", n=len(old) + len(new)):
        click.echo(line)
    if copy := backup(file):
        click.echo(f"The old configuration is kept as {copy.name}.")
    write_whole(file, json.dumps(after, indent=2, ensure_ascii=False) + "\n")
    return True


def _shown(ours: Any) -> list[str]:
    """Our entry as lines; a key that an older entry holds in the open stays out of the terminal."""
    if ours is None:
        return []
    if isinstance(ours, dict) and isinstance(ours.get("env"), dict):
        ours = {**ours, "env": {k: v if k == PLACE else "…" for k, v in ours["env"].items()}}
    return json.dumps(ours, indent=2, ensure_ascii=False).splitlines()


def _check_tools(tools: str) -> None:
    """A mistyped profile is told now, not by a client that fails to start."""
    from ..catalog import default_catalog
    from ..profiles import parse_selection

    parse_selection(tools, default_catalog())
