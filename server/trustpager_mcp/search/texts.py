"""How much of a request each tool says, by BM25: what its words mean, and every word as it is said."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from .documents import FIELD_WEIGHTS, Bag, Document
from .lexicon import is_family
from .postings import NO_POSTING, Postings, add, packed
from .request import UNKNOWN_IDF, Request

TEXT_FEATURES = (
    "families",  # what the words of the request mean, by field
    "plain",  # every word as it is said, function words too: "who owes us" is a way of asking
)
_B = 0.6
_K = 2.0
_FAMILY_SHARE = 0.3


class Texts:
    """The words of all documents; `idf` is what each stem or family weighs."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._count = len(documents)
        held = Counter(token for d in documents for token in {t for tokens in d.fields.values() for t in tokens})
        self.idf = {token: min(UNKNOWN_IDF, self._rarity(times)) for token, times in held.items()}
        self._families = _family_postings(documents)
        self._plain = _plain_postings(documents)
        self._plain_idf = {token: self._rarity(len(numbers)) for token, (numbers, _) in self._plain.items()}

    def _rarity(self, held: int) -> float:
        return math.log(1 + (self._count - held + 0.5) / (held + 0.5))

    def counted(self, asked: Request, weights: Sequence[float]) -> list[float]:
        """For each document the shares of the request that it says, by TEXT_FEATURES, each times its weight, in one sum."""
        total = sum(asked.stems.values()) + _FAMILY_SHARE * sum(asked.families.values()) or 1.0
        rarities = {token: weight * self._plain_idf.get(token, UNKNOWN_IDF) for token, weight in asked.plain.items()}
        by_families, by_words = weights
        sums = [0.0] * self._count
        for postings, tokens, unit in (
            (self._families, asked.families, by_families / total),
            (self._plain, rarities, by_words / (sum(rarities.values()) or 1.0)),
        ):
            if unit:
                for token, weight in tokens.items():
                    add(sums, postings.get(token, NO_POSTING), weight * unit)
        return sums

    def compare(self, asked: Request) -> list[list[float]]:
        """By TEXT_FEATURES, for each document the share of the request that it says."""
        one = range(len(TEXT_FEATURES))
        return [self.counted(asked, [float(feature == this) for feature in one]) for this in one]


def _family_postings(documents: Sequence[Document]) -> Postings:
    """For each family: the documents it stands in, with its frequency over all fields, saturated as in BM25F."""
    average = {f: sum(sum(d.fields[f].values()) for d in documents) / max(len(documents), 1) or 1.0 for f in FIELD_WEIGHTS}
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, d in enumerate(documents):
        total: Bag = {}
        for field, weight in FIELD_WEIGHTS.items():
            tokens = d.fields[field]
            length = 1 - _B + _B * sum(tokens.values()) / average[field]
            for token, times in tokens.items():
                if is_family(token):
                    total[token] = total.get(token, 0.0) + weight * times / length
        for token, times in total.items():
            postings[token].append((number, times / (_K + times)))
    return {token: packed(counts) for token, counts in postings.items()}


def _plain_postings(documents: Sequence[Document]) -> Postings:
    """The same for every word as it is said: "when did we" is a way of asking."""
    lengths = [d.plain.total() for d in documents]
    average = sum(lengths) / max(len(lengths), 1) or 1.0
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, (d, length) in enumerate(zip(documents, lengths, strict=True)):
        for token, times in d.plain.items():
            postings[token].append((number, times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / average))))
    return {token: packed(counts) for token, counts in postings.items()}
