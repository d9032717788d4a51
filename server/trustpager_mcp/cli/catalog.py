"""`trustpager-mcp catalog`: the definitions, for people and for checks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

_DEAREST = 20


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="The whole catalogue as JSON.")
@click.option("--stats", is_flag=True, help="What the tools cost an agent that lists them, in tokens.")
@click.option("--profile", help="What `serve --tools` would list: lean, core, all, or toolsets and tools by name.")
@click.option("--tokens", is_flag=True, help="With --profile: what each listed tool costs an agent, and all of them.")
@click.pass_context
def catalog(context: click.Context, as_json: bool, stats: bool, profile: str | None, tokens: bool) -> None:
    """List every tool, whatever the key may do."""
    if context.invoked_subcommand is not None:
        return
    if tokens and profile is None:
        raise click.UsageError("--tokens counts a profile: add --profile lean, core, all, or toolsets and tools by name.")
    if profile is not None:
        _print_profile(profile, as_json=as_json, tokens=tokens)
        return
    from ..catalog import catalog_document, default_catalog
    from ..signatures import signature

    whole = default_catalog()
    if as_json:
        click.echo(json.dumps(catalog_document(whole)))
        return
    if stats:
        _print_stats()
        return
    for toolset in whole.toolsets.values():
        click.echo(f"\n{toolset.title} ({toolset.toolset}): {toolset.summary}")
        for tool in toolset.tools:
            click.echo(f"  {signature(tool)} [{tool.effect}]")


def _print_profile(profile: str, *, as_json: bool, tokens: bool) -> None:
    """What tools/list holds under a profile for a key with every scope."""
    from ..app import listed_tools
    from ..catalog import default_catalog
    from ..profiles import parse_selection
    from ..registry import Policy, Registry
    from ..tokens import count_tokens, counter_name, tool_text

    whole = default_catalog()
    selection = parse_selection(profile, whole)
    policy = Policy(scopes=whole.scopes, toolsets=selection.toolsets, tools=selection.tools)
    tools = listed_tools(selection, Registry(whole, policy))
    if as_json:
        costs = {t["name"]: count_tokens(tool_text(t)) for t in tools} if tokens else {}
        click.echo(json.dumps([{**t, "tokens": costs[t["name"]]} if tokens else t for t in tools]))
        return
    total = 0
    for tool in tools:
        cost = count_tokens(tool_text(tool)) if tokens else 0
        total += cost
        click.echo(f"{cost:6}  {tool['name']}" if tokens else f"{tool['name']}: {tool['title']}")
    click.echo(f"{len(tools)} tools" + (f", {total} tokens ({counter_name()})" if tokens else ""))


def _print_stats() -> None:
    """Median, p95 and the dearest tools by tokens of name, title, description and input schema."""
    import statistics

    from ..app import mcp_tool
    from ..catalog import default_catalog
    from ..tokens import count_tokens, counter_name, tool_text

    whole = default_catalog()
    costs = sorted(((count_tokens(tool_text(mcp_tool(whole, name))), name) for name in whole.tools), reverse=True)
    amounts = [tokens for tokens, _ in costs]
    p95 = statistics.quantiles(amounts, n=20)[-1]
    click.echo(f"{len(costs)} tools, {sum(amounts)} tokens ({counter_name()})")
    click.echo(f"a tool: median {statistics.median(amounts):g}, p95 {p95:g}")
    click.echo(f"The {_DEAREST} dearest:")
    for tokens, name in costs[:_DEAREST]:
        click.echo(f"{tokens:6}  {name}")


@catalog.command()
@click.argument("reference", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The differences as JSON.")
@click.option("--accept", is_flag=True, help="Keep this reference's scopes and prose digests as the known ones.")
def diff(reference: Path, as_json: bool, accept: bool) -> None:
    """Show what a newer parsed REFERENCE adds, drops or changes against the definitions.

    Exit status 1 when anything differs. --accept is for a checkout, after the definitions have been brought up to date.
    """
    from dataclasses import asdict

    from ..catalog import default_catalog
    from ..reference import RECORD, differences, known_record, read_reference, record

    newer = read_reference(reference)
    if accept:
        RECORD.write_text(json.dumps(record(newer), indent=1, ensure_ascii=False) + "\n")
    changes = differences(newer, default_catalog(), known_record())
    if as_json:
        click.echo(json.dumps([asdict(c) for c in changes]))
    else:
        for change in changes:
            click.echo(str(change))
        counts = {kind: sum(c.kind == kind for c in changes) for kind in ("added", "dropped", "changed")}
        click.echo(", ".join(f"{n} {kind}" for kind, n in counts.items()))
    sys.exit(1 if changes else 0)
