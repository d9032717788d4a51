"""The candidates that a reader judges to review `accept` in requests.jsonl: `python bench/search/pool.py [--split ...] [ID ...]`.

Pooling, as in TREC: what several searches propose for a request and what is accepted today, in an order that tells neither who
proposed a tool, nor at which rank, nor which are accepted. Intents are not shown: they feed the searches. Typos are left out,
they take their twin's labels. Every candidate is described once, at the end. Needs the extra `semantic`, without which ours
proposes the same twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from run import REQUESTS, Search, ours, plain_bm25

from trustpager_mcp.catalog import Catalog, default_catalog
from trustpager_mcp.definitions import Tool
from trustpager_mcp.registry import everything
from trustpager_mcp.search import Parts

DEPTH = 8


def searches(catalog: Catalog) -> list[Search]:
    """Ours by words alone and by words and meaning, BM25 over all that a tool says, and over all but the intents."""
    silent = Catalog(
        toolset.model_copy(update={"tools": tuple(t.model_copy(update={"intents": ()}) for t in toolset.tools)})
        for toolset in catalog.toolsets.values()
    )
    whole, without_intents = everything(catalog), everything(silent)
    return [ours(whole, Parts(meaning=False)), ours(whole), plain_bm25(whole), plain_bm25(without_intents)]


def pool(request: dict[str, Any], systems: Sequence[Search]) -> list[str]:
    """The names to judge for a request, shuffled by a hash that is the same in every run."""
    names = {name for search in systems for name in search(request["request"])[:DEPTH]}
    return sorted(names.union(request["accept"]), key=lambda name: hashlib.sha256(f"{request['id']} {name}".encode()).digest())


def described(tool: Tool) -> str:
    """What a reader needs of a tool: effect, title, description, required parameters, the names of the others."""
    required = (
        f"{p.name}: {'|'.join(map(str, p.enum)) or p.type}{f' ({p.description})' if p.description else ''}"
        for p in tool.parameters
        if p.required
    )
    others = ", ".join(p.name for p in tool.parameters if not p.required)
    head = f"{tool.name} [{tool.effect}] {tool.title}. {tool.description}"
    return f"{head}\n  needs {'; '.join(required) or '-'}; takes {others or '-'}"


def pages(catalog: Catalog, requests: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each request with its candidates, then every candidate described once."""
    systems = searches(catalog)
    seen: set[str] = set()
    for request in requests:
        names = pool(request, systems)
        seen.update(names)
        yield f"{request['id']} {request['request']}\n  {' '.join(names)}"
    yield ""
    yield from (described(tool) for name, tool in catalog.tools.items() if name in seen)


def main(split: str, ids: list[str]) -> None:
    """Print the pools of the requests of a split, or of those with the given ids, in the order of the file."""
    requests = [json.loads(line) for line in REQUESTS.read_text(encoding="utf-8").splitlines()]
    chosen = [r for r in requests if r["style"] != "typo" and split in (r["split"], "all") and (not ids or r["id"] in ids)]
    print("\n".join(pages(default_catalog(), chosen)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these requests")
    parser.add_argument("--split", choices=("dev", "test", "all"), default="all")
    arguments = parser.parse_args()
    main(arguments.split, arguments.ids)
