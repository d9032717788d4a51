"""A dashboard as an email: its cards rendered as tables, for one recipient."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from ..store import Record
from ..world import World
from .query import run

_CELL = "padding:4px 8px;border-bottom:1px solid #e5e7eb;text-align:left"


@dataclass(frozen=True)
class Rendered:
    """The cards as HTML, and how many records stand behind them all."""

    html: str
    records: int


def column_keys(display: Record | None) -> list[tuple[str, str | None]]:
    """The columns of a card's emailed table, with labels where they have one."""
    columns = (display or {}).get("columns") or []
    return [(c, None) if isinstance(c, str) else (c["key"], c.get("label")) for c in columns]


def render(world: World, cards: list[Record], user_id: str | None) -> Rendered:
    """The cards in their order, for whom the queries count as "the current user"."""
    parts, records = [], 0
    for card in cards:
        if not card["query_spec"]:
            continue
        chosen = column_keys(card["display_config"])
        spec = card["query_spec"]
        if chosen and spec.get("mode") == "drilldown":
            spec = {**spec, "dimensions": [key for key, _ in chosen]}
        result = run(world, spec, user_id)
        records += result["records_matched"]
        parts.append(_card(card["title"], result, chosen))
    return Rendered("".join(parts), records)


def _card(title: str, result: Record, chosen: list[tuple[str, str | None]]) -> str:
    columns = [(c["key"], c["label"]) for c in result["columns"]]
    if chosen:
        known = dict(columns)
        columns = [(key, label or known.get(key, key)) for key, label in chosen if key in known]
    elif result["mode"] == "drilldown":
        columns = [("name", "Name"), *columns]
    head = "".join(f'<th style="{_CELL}">{html.escape(label)}</th>' for _, label in columns)
    lines = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(_shown(row.get(key)))}</td>' for key, _ in columns) + "</tr>"
        for row in result["rows"]
    )
    return f"<h3>{html.escape(title)}</h3><table><tr>{head}</tr>{lines}</table>"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def paragraphs(text: str) -> str:
    """Plain text as HTML: a blank line begins a paragraph."""
    blocks = (html.escape(block.strip()).replace("\n", "<br>") for block in text.split("\n\n") if block.strip())
    return "".join(f"<p>{block}</p>" for block in blocks)
