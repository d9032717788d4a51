"""How well find_tools finds: R@1, R@5 and MRR by style, beside plain BM25 over the same text, and what each part adds.

Alone: `python bench/search/run.py [--split dev|test|all] [--no-ablation]`.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.registry import Registry, everything
from trustpager_mcp.search import Parts, SearchIndex

REQUESTS = Path(__file__).with_name("requests.jsonl")
STYLES = ("plain", "synonym", "terse", "agentic", "confusable", "typo")
DEPTH = 10
Search = Callable[[str], list[str]]


@dataclass(frozen=True)
class Figures:
    """Shares of requests with an accepted tool first and among five, and the mean reciprocal rank among ten."""

    first: float
    five: float
    mrr: float


def plain_bm25(registry: Registry, k: float = 1.2, b: float = 0.75) -> Search:
    """BM25 over everything a tool says (name, title, description, intents, parameters), as lower-case words."""
    documents = {
        t.name: Counter(
            _words(
                " ".join((t.name, t.title, t.description, *t.intents, *(f"{p.name} {p.description or ''}" for p in t.parameters)))
            )
        )
        for t in registry.visible.values()
    }
    held = Counter(word for d in documents.values() for word in d)
    average = sum(d.total() for d in documents.values()) / len(documents)

    def search(query: str) -> list[str]:
        scores: dict[str, float] = defaultdict(float)
        for word in set(_words(query)) & held.keys():
            idf = math.log(1 + (len(documents) - held[word] + 0.5) / (held[word] + 0.5))
            for name, d in documents.items():
                if times := d[word]:
                    scores[name] += idf * times * (k + 1) / (times + k * (1 - b + b * d.total() / average))
        return sorted(scores, key=lambda n: (-scores[n], n))[:DEPTH]

    return search


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("_", " "))


def ours(registry: Registry, parts: Parts | None = None) -> Search:
    index = SearchIndex(registry, parts)
    return lambda query: [hit.tool.name for hit in index.search(query, DEPTH)]


def measure(search: Search, requests: list[dict[str, Any]]) -> dict[str, Figures]:
    """Figures by style, and over all requests as `all`."""
    ranks: dict[str, list[int]] = defaultdict(list)
    for request in requests:
        found = search(request["request"])
        rank = next((n for n, name in enumerate(found, 1) if name in request["accept"]), 0)
        ranks[request["style"]].append(rank)
        ranks["all"].append(rank)
    return {
        style: Figures(
            first=statistics.mean(r == 1 for r in of_style),
            five=statistics.mean(0 < r <= 5 for r in of_style),
            mrr=statistics.mean(1 / r if r else 0.0 for r in of_style),
        )
        for style, of_style in ranks.items()
    }


def typo_against_twin(search: Search, requests: list[dict[str, Any]]) -> float:
    """R@5 of the misspelt requests over R@5 of the same ones spelt right."""
    typos = [r for r in requests if r["style"] == "typo"]
    twins = {r["twin"] for r in typos}
    clean = [r for r in requests if r["id"] in twins]
    return measure(search, typos)["all"].five / measure(search, clean)["all"].five


def row(name: str, figures: dict[str, Figures]) -> str:
    columns = (*STYLES, "all")
    return f"  {name:22}" + "".join(f"  {figures[s].first:.2f} {figures[s].five:.2f} {figures[s].mrr:.2f}" for s in columns)


def main(split: str = "test", ablation: bool = True) -> None:
    """Print the table of one split. Requests are never tuned on with the test split: see README.md beside this file."""
    requests = [json.loads(line) for line in REQUESTS.read_text(encoding="utf-8").splitlines()]
    requests = [r for r in requests if split in (r["split"], "all")]
    catalog = default_catalog()
    registry = everything(catalog)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    search = ours(registry)
    search("warm up")
    built = time.perf_counter() - started
    times = []
    for request in requests:
        started = time.perf_counter()
        search(request["request"])
        times.append((time.perf_counter() - started) * 1000)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"search: {len(requests)} requests ({split}), {len(registry.visible)} tools; R@1 R@5 MRR by style")
    print(f"  {'':22}" + "".join(f"  {s:14}" for s in (*STYLES, "all")).rstrip())
    print(row("ours", measure(search, requests)))
    print(row("plain BM25", measure(plain_bm25(registry), requests)))
    if ablation:
        for part in fields(Parts):
            print(row(f"without {part.name}", measure(ours(registry, Parts(**{part.name: False})), requests)))
    print(f"  misspelt requests against the same spelt right: {typo_against_twin(search, requests):.1%} of R@5")
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"  time: first search {built:.2f} s, then median {statistics.median(times):.1f} ms, p95 {p95:.1f} ms")
    print(f"  memory: +{memory:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--no-ablation", action="store_true")
    arguments = parser.parse_args()
    main(arguments.split, not arguments.no_ablation)
