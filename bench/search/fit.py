"""Fit what the search's features count, and write it to `weights.json` of the search. Needs the extra `semantic`.

    python bench/search/fit.py            fits, writes, and prints the weights beside those of before
    python bench/search/fit.py --check    writes nothing; prints R@1 and R@5 of each fifth of the requests, fitted on the rest

Learnt from the dev requests and, counting little, from intents and descriptions that are held back from the index, so that a
request's own words do not decide alone. The same input gives the same weights. What is policy is kept by hand (POLICY).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trustpager_mcp.catalog import Catalog, default_catalog
from trustpager_mcp.registry import everything
from trustpager_mcp.search import SearchIndex
from trustpager_mcp.search.engine import FEATURES, MEANING_FEATURES, WEIGHTS
from trustpager_mcp.search.misses import LOW_SCORE
from trustpager_mcp.search.texts import TEXT_FEATURES

REQUESTS = Path(__file__).with_name("requests.jsonl")
POLICY = {"exact": 3.0, "wrong_irreversible": -0.8, "bare_irreversible": -0.8}
"""An irreversible tool must not come first on a weak match, and a name that says all of a short request must."""
FOLDS, INTENTS, DESCRIPTIONS = 6, 170, 45
HELD_BACK_COUNTS = 0.07
CANDIDATES, NEAREST = 100, 30
TEXTS = slice(FEATURES.index(TEXT_FEATURES[0]), FEATURES.index(TEXT_FEATURES[-1]) + 1)
KEPT_SMALL = 1e-2
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A row of features for each tool that comes near, which rows are right, what the example counts, and its style.

    Examples of one group (a request and the same misspelt; what one tool says) are never divided between fitting and checking.
    """

    features: Array
    right: NDArray[np.bool_]
    weight: float
    group: str
    style: str


def _index(catalog: Catalog) -> Any:
    return SearchIndex(everything(catalog)).index()


def _example(index: Any, request: str, accept: Iterable[str], weight: float, group: str, style: str) -> Example:
    features = np.array(index.features(request))
    right = np.array([document.tool.name in accept for document in index.documents])
    # The texts alone say which rivals count, not weights from before.
    rivals = np.argsort(-features[:, TEXTS].sum(axis=1), kind="stable")[:CANDIDATES]
    nearest = np.argsort(-features[:, len(FEATURES)], kind="stable")[:NEAREST]
    kept = np.unique([*rivals, *nearest, *np.flatnonzero(right)])
    return Example(features[kept], right[kept], weight, group, style)


def _dev_requests(catalog: Catalog) -> Iterator[Example]:
    index = _index(catalog)
    for line in REQUESTS.read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        if request["split"] == "dev":
            group = request.get("twin", request["id"])
            yield _example(index, request["request"], request["accept"], 1.0, group, request["style"])


def _held_back(catalog: Catalog, chance: random.Random) -> Iterator[Example]:
    """Intents and descriptions as requests, each asked of an index that does not have it."""
    for fold in range(FOLDS):
        intents: list[tuple[str, str]] = []
        descriptions: list[tuple[str, str]] = []
        toolsets = []
        for toolset in catalog.toolsets.values():
            tools = []
            for tool in toolset.tools:
                held = {intent for n, intent in enumerate(tool.intents) if (n + len(tool.name)) % FOLDS == fold}
                intents += [(tool.name, intent) for intent in tool.intents if intent in held]
                changes: dict[str, Any] = {"intents": tuple(i for i in tool.intents if i not in held)}
                if sum(map(ord, tool.name)) % FOLDS == fold:
                    descriptions.append((tool.name, tool.description.split(". ")[0].split("; ")[0]))
                    changes["description"] = tool.title
                tools.append(tool.model_copy(update=changes))
            toolsets.append(toolset.model_copy(update={"tools": tuple(tools)}))
        index = _index(Catalog(toolsets))
        picked = chance.sample(intents, min(INTENTS, len(intents)))
        picked += chance.sample(descriptions, min(DESCRIPTIONS, len(descriptions)))
        for name, text in picked:
            yield _example(index, text, (name,), HELD_BACK_COUNTS, name, "held back")


def fit(examples: list[Example], columns: int) -> Array:
    """The weights that make the right tools likely among the candidates (softmax), by Newton's steps; POLICY stays as it is."""
    examples = [e for e in examples if e.right.any()]
    features = np.concatenate([e.features[:, :columns] for e in examples])
    right = np.concatenate([e.right for e in examples])
    sizes = np.array([len(e.right) for e in examples])
    starts, of = np.cumsum([0, *sizes])[:-1], np.repeat(np.arange(len(examples)), sizes)
    each = np.array([e.weight for e in examples])
    each = each / each.sum()
    unit = features.std(axis=0) + 1e-9
    features = features / unit
    weights = np.zeros(columns)
    fixed = [FEATURES.index(name) for name in POLICY]
    weights[fixed] = np.array(list(POLICY.values())) * unit[fixed]
    free = np.array([n for n in range(columns) if n not in fixed])
    wrong = np.where(right, 0.0, -np.inf)

    def shares(scores: Array) -> tuple[Array, Array]:
        """Each candidate's probability within its request, and the logarithm of the sum that divides it."""
        top = np.maximum.reduceat(scores, starts)
        powers = np.exp(scores - top[of])
        sums = np.add.reduceat(powers, starts)
        return powers / sums[of], top + np.log(sums)

    def loss(tried: Array) -> float:
        scores = features @ tried
        missed = shares(scores)[1] - shares(scores + wrong)[1]
        return float(each @ missed + KEPT_SMALL / 2 * tried[free] @ tried[free])

    for _ in range(60):
        scores = features @ weights
        likely, among_right = shares(scores)[0], shares(scores + wrong)[0]
        gradient = (each[of] * (likely - among_right)) @ features + KEPT_SMALL * weights
        means = np.add.reduceat(likely[:, None] * features, starts)
        bend = (features * (each[of] * likely)[:, None]).T @ features - (means * each[:, None]).T @ means
        step = np.linalg.solve((bend + KEPT_SMALL * np.eye(columns))[np.ix_(free, free)], gradient[free])
        # A whole step may lead too far where few requests speak for a feature: it is halved until it helps.
        before = loss(weights)
        for _ in range(20):
            tried = weights.copy()
            tried[free] -= step
            if loss(tried) <= before:
                weights = tried
                break
            step = step / 2
        if np.abs(step).max() < 1e-6:
            break
    fitted: Array = weights / unit
    return fitted


def _rank(example: Example, weights: Array) -> int:
    """The place of the best right tool, from 1; 0 when there is none."""
    if not example.right.any():
        return 0
    scores = example.features[:, : len(weights)] @ weights
    return 1 + int((scores > scores[example.right].max()).sum())


def _scale(dev: list[Example], weights: Array) -> float:
    """What to divide by so that one in twenty requests that are answered rightly scores under LOW_SCORE."""
    right = [(e.features[:, : len(weights)] @ weights).max() for e in dev if _rank(e, weights) == 1]
    return float(np.quantile(right, 0.05) / LOW_SCORE)


def check(dev: list[Example], held: list[Example], columns: int, parts: int = 5) -> str:
    """R@1 and R@5 by style, each request ranked by weights that were fitted without it."""
    groups = sorted({e.group for e in (*dev, *held)})
    random.Random(5).shuffle(groups)
    part = {group: number % parts for number, group in enumerate(groups)}
    ranks: dict[str, list[int]] = defaultdict(list)
    for number in range(parts):
        weights = fit([e for e in (*dev, *held) if part[e.group] != number], columns)
        for e in (*dev, *held):
            if part[e.group] == number:
                ranks[e.style].append(_rank(e, weights))
                if e.style != "held back":
                    ranks["all"].append(_rank(e, weights))
    return "  ".join(
        f"{style} {statistics.mean(r == 1 for r in of_style):.3f} {statistics.mean(0 < r <= 5 for r in of_style):.3f}"
        for style, of_style in ranks.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="print how well the fit generalises; write nothing")
    only_check = parser.parse_args().check
    catalog = default_catalog()
    before = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    dev, held = list(_dev_requests(catalog)), list(_held_back(catalog, random.Random(1)))
    after: dict[str, dict[str, float]] = {}
    for name, features in (("words", FEATURES), ("meaning", (*FEATURES, *MEANING_FEATURES))):
        if only_check:
            print(f"{name}: {check(dev, held, len(features))}")
            continue
        weights = fit([*dev, *held], len(features))
        weights /= _scale(dev, weights)
        after[name] = {feature: round(float(weight), 4) for feature, weight in zip(features, weights, strict=True)}
        print(name)
        for feature, weight in after[name].items():
            print(f"  {feature:20} {weight:7.3f}   before {before.get(name, {}).get(feature, 0.0):7.3f}")
    if not only_check:
        WEIGHTS.write_text(json.dumps(after, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
