"""`trustpager-mcp audit`: read what `--audit FILE` wrote."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, TextIO

import click

Entry = dict[str, Any]
_NOT_FAILED = ("done", "queued", "preview", "asked")
_COLUMNS = ("time", "tool", "effect", "outcome", "code", "status", "attempts", "duration_ms", "tokens", "credits", "request_id")


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the last calls.")
@click.option("--writes", is_flag=True, help="Only calls that change something.")
@click.option("--failures", is_flag=True, help="Only calls that did not do what was asked, uncertain ones included.")
@click.option("--tool", default="*", help="Only these tools (a glob).")
@click.option("--cost", is_flag=True, help="Calls, credits and tokens by tool, over the whole file, instead of calls.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a call, or a tool, as it stands in the file.")
def audit(file: TextIO, count: int, writes: bool, failures: bool, tool: str, cost: bool, as_json: bool) -> None:
    """Show the last calls of an audit log; `-` reads standard input."""
    unreadable: list[int] = []
    entries = (e for e in _entries(file, unreadable) if _wanted(e, writes, failures, tool))
    if cost:
        _show(costs(entries), ("tool", "calls", "failed", "credits", "unpriced", "tokens"), as_json)
    else:
        _show(deque(entries, maxlen=count), _COLUMNS, as_json)
    if unreadable:
        lines = ", ".join(map(str, unreadable[:5])) + (" …" if len(unreadable) > 5 else "")
        click.echo(f"{len(unreadable)} lines are no audit entries and were passed over: {lines}", err=True)


def _entries(file: TextIO, unreadable: list[int]) -> Iterator[Entry]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if isinstance(entry, dict) and isinstance(entry.get("tool"), str) and "outcome" in entry:
            yield entry
        else:
            unreadable.append(number)


def _wanted(entry: Entry, writes: bool, failures: bool, tool: str) -> bool:
    if writes and entry.get("effect") not in ("write", "irreversible"):
        return False
    if failures and entry["outcome"] in _NOT_FAILED:
        return False
    return fnmatchcase(entry["tool"], tool)


def costs(entries: Iterable[Entry]) -> list[Entry]:
    """Sums by tool, the most credits first, and a total. `unpriced` counts done calls whose price nobody told."""
    sums: dict[str, Entry] = {}
    for entry in entries:
        for name in (entry["tool"], "total"):
            row = sums.setdefault(name, {"tool": name, "calls": 0, "failed": 0, "credits": 0.0, "unpriced": 0, "tokens": 0})
            row["calls"] += 1
            row["failed"] += entry["outcome"] not in _NOT_FAILED
            row["credits"] += _number(entry.get("credits"))
            row["unpriced"] += entry.get("credits") is None
            row["tokens"] += int(_number(entry.get("tokens")))
    total = sums.pop("total", None)
    ordered = sorted(sums.values(), key=lambda r: (-r["credits"], -r["calls"], r["tool"]))
    return [*ordered, *([total] if total else [])]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _show(rows: Iterable[Entry], columns: tuple[str, ...], as_json: bool) -> None:
    rows = list(rows)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, separators=(",", ":")))
        return
    if not rows:
        click.echo("No such calls.")
        return
    table = [columns, *(tuple(_cell(row.get(c)) for c in columns) for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    # The file may be anyone's: no control character reaches the terminal.
    return "".join(c if c.isprintable() else "?" for c in text)[:64]
