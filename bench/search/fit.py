"""Fit the search's WEIGHTS: `python bench/search/fit.py` prints them; nothing is written. Needs numpy (the extra `semantic`).

Learnt from the dev requests and from intents that are held back from the index, so that the words of those requests do not
decide alone. Softmax over all tools, gradient steps. What is policy is kept by hand: an irreversible tool must not come first on
a weak match, and a name that says all of a short request must.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trustpager_mcp.catalog import Catalog, default_catalog
from trustpager_mcp.registry import Policy, Registry
from trustpager_mcp.search import Parts, SearchIndex
from trustpager_mcp.search.engine import FEATURES, WEIGHTS

REQUESTS = Path(__file__).with_name("requests.jsonl")
FOLDS, HELD_BACK = 6, 100
STEPS, BATCH, RATE = 1_200, 128, 0.08
SCALE = 10.0
"""Weights are shown divided by this, which makes a sure hit score about 1."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """Features by tool (row) and name, the rows that are right, and what the example counts."""

    features: Array
    right: list[int]
    weight: float


def _index(catalog: Catalog) -> Any:
    registry = Registry(catalog, Policy(scopes=catalog.scopes, approvals=True))
    return SearchIndex(registry, Parts(meaning=False)).index()


def _features(index: Any, request: str) -> Array:
    table = np.zeros((len(index.documents), len(FEATURES)))
    for number, row in index.features(request).items():
        table[number] = row
    return table


def _dev_requests(catalog: Catalog) -> Iterator[Example]:
    index = _index(catalog)
    place = {d.tool.name: n for n, d in enumerate(index.documents)}
    for line in REQUESTS.read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        if request["split"] == "dev":
            right = [place[name] for name in request["accept"] if name in place]
            yield Example(_features(index, request["request"]), right, 1.0)


def _held_back_intents(catalog: Catalog, chance: random.Random) -> Iterator[Example]:
    for fold in range(FOLDS):
        held = [(t.name, i) for t in catalog.tools.values() for n, i in enumerate(t.intents) if (n + len(t.name)) % FOLDS == fold]
        hidden = {intent for _, intent in held}
        index = _index(
            Catalog(
                toolset.model_copy(
                    update={
                        "tools": tuple(
                            t.model_copy(update={"intents": tuple(i for i in t.intents if i not in hidden)})
                            for t in toolset.tools
                        )
                    }
                )
                for toolset in catalog.toolsets.values()
            )
        )
        place = {d.tool.name: n for n, d in enumerate(index.documents)}
        for name, intent in chance.sample(held, HELD_BACK):
            if name in place:
                yield Example(_features(index, intent), [place[name]], 0.5)


def _gradient(example: Example, weights: Array) -> Array:
    scores = example.features @ weights
    chances = np.exp(scores - scores.max())
    right = chances[example.right] / chances[example.right].sum()
    gradient: Array = example.features.T @ (chances / chances.sum()) - example.features[example.right].T @ right
    return example.weight * gradient


def fit(examples: list[Example], chance: random.Random) -> Array:
    """The weights that make the right tools likely (Adam)."""
    weights = np.array(list(WEIGHTS.values())) * SCALE
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        batch = chance.sample(examples, BATCH)
        gradient = sum((_gradient(e, weights) for e in batch), np.zeros_like(weights)) / BATCH + 1e-3 * weights
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        weights = weights - RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
    return weights


if __name__ == "__main__":
    chance = random.Random(1)
    whole = default_catalog()
    fitted = fit([*_dev_requests(whole), *_held_back_intents(whole, chance)], chance)
    for name, weight in zip(FEATURES, fitted / SCALE, strict=True):
        print(f"{name:20} {weight:6.3f}   now {WEIGHTS[name]:6.3f}")
