"""The index of one registry, and how a request is ranked against it."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from operator import add, mul
from pathlib import Path

import anyio.to_thread

from ..catalog import Catalog
from ..definitions import Tool
from ..registry import Registry
from .documents import Document, document
from .groups import KIND_FEATURES, Kinds
from .lexicon import lexicon
from .meaning import Likeness, meaning_of
from .misses import Misses
from .names import NAME_FEATURES, Names
from .request import Reader, Request
from .text import words
from .texts import TEXT_FEATURES, Texts

WEIGHTS = Path(__file__).with_name("weights.json")

FEATURES = (*NAME_FEATURES, *TEXT_FEATURES, *KIND_FEATURES)
_NAMES = slice(0, len(NAME_FEATURES))
_TEXTS = slice(_NAMES.stop, _NAMES.stop + len(TEXT_FEATURES))
MEANING_FEATURES = Likeness._fields
"""Further ones with the extra `semantic`."""
# How many tools, best by all but their names, are compared by name and verb.
_CANDIDATES = 64


@dataclass(frozen=True)
class Hit:
    """One found tool; a higher `score` is better: from about 1 it is sure, under 0.5 a guess."""

    tool: Tool
    score: float


@dataclass(frozen=True)
class Parts:
    """Which parts of the search are on; all of them but for measuring what each adds."""

    intents: bool = True
    lexicon: bool = True
    spelling: bool = True
    names: bool = True
    verbs: bool = True
    groups: bool = True
    meaning: bool = True


_Column = tuple[list[float], list[int]]
"""What a request scores: scores, and the place among them of each document."""


class SearchIndex:
    """The visible tools of one registry, indexed on first use; safe to share between threads."""

    def __init__(self, registry: Registry, parts: Parts | None = None, misses: Misses | None = None) -> None:
        self._registry = registry
        self._parts = parts or Parts()
        self._misses = misses
        self._index: _Index | None = None

    def search(self, query: str, limit: int = 6) -> list[Hit]:
        """The tools that fit the request best, best first; never empty while the registry holds a tool."""
        hits = self.index().search(query, limit)
        if self._misses is not None:
            self._misses.note(query, hits[0].score if hits else 0.0)
        return hits

    async def made(self) -> None:
        """Make the index, which takes a second or two, while other calls go on; at once where it is there."""
        if self._index is None:
            await anyio.to_thread.run_sync(self.index)

    def index(self) -> _Index:
        """The index itself, made now if it was not yet."""
        if self._index is None:
            self._index = _made(self._registry, self._parts)
        return self._index


class _Index:
    def __init__(self, registry: Registry, parts: Parts) -> None:
        words_of_trade = lexicon() if parts.lexicon else None
        self.documents = _read(registry.catalog, registry.visible.values(), parts)
        self._texts = Texts(self.documents)
        self._reader = Reader(self.documents, self._texts.idf, words_of_trade, spelling=parts.spelling)
        self._names = Names(self.documents, self._texts.idf, names=parts.names, verbs=parts.verbs)
        self._kinds = Kinds(self.documents, words_of_trade) if parts.groups else None
        self._meaning = meaning_of(registry.catalog) if parts.meaning else None
        self._nowhere = [0] * len(self.documents)
        self._place = [self._meaning.place[d.tool.name] for d in self.documents] if self._meaning else []
        self.weights = weights("meaning" if self._meaning else "words")

    def understand(self, query: str) -> Request:
        """The request's tokens, misspelt words as what they probably are."""
        return self._reader.understand(query)

    def _columns(self, query: str, asked: Request) -> list[_Column]:
        """What the request scores for all documents by KIND_FEATURES and, with the extra, MEANING_FEATURES."""
        nothing = ([0.0], self._nowhere)
        columns = self._kinds.compare(asked.wish) if self._kinds else [nothing] * len(KIND_FEATURES)
        if self._meaning:
            near = self._meaning.likeness(query)
            columns += [(scores, self._place) for scores in near] if near else [nothing] * len(MEANING_FEATURES)
        return columns

    def features(self, query: str) -> list[list[float]]:
        """A row of FEATURES, and of MEANING_FEATURES with the extra, for each document."""
        asked = self.understand(query)
        columns = self._texts.compare(asked) + [[scores[place] for place in of] for scores, of in self._columns(query, asked)]
        return [[*self._names.compare(number, asked), *row] for number, row in enumerate(zip(*columns, strict=True))]

    def search(self, query: str, limit: int) -> list[Hit]:
        """The documents whose features, each times its weight, sum to most."""
        asked = self.understand(query)
        sums = self._texts.counted(asked, self.weights[_TEXTS])
        columns = self._columns(query, asked)
        if not any(sums) and not any(any(scores) for scores, _ in columns):
            return self._nearest_names(query, limit)
        for (shares, of), weight in zip(columns, self.weights[_TEXTS.stop :], strict=True):
            counted = [weight * share for share in shares]
            sums = list(map(add, sums, map(counted.__getitem__, of)))
        near = sorted(range(len(sums)), key=sums.__getitem__, reverse=True)[: max(_CANDIDATES, limit)]
        by_name = self.weights[_NAMES]
        scores = {n: sums[n] + sum(map(mul, by_name, self._names.compare(n, asked))) for n in near}
        best = sorted(scores, key=lambda n: (-scores[n], self.documents[n].tool.name))
        return [Hit(self.documents[n].tool, scores[n]) for n in best[:limit]]

    def _nearest_names(self, query: str, limit: int) -> list[Hit]:
        """The tools whose names look likest, for a request of which no word is known: a way on, not an answer (score 0)."""
        from rapidfuzz.fuzz import partial_ratio

        text = " ".join(words(query))
        order = sorted(
            self.documents,
            key=lambda d: (d.tool.effect != "read", -partial_ratio(text, d.tool.name.replace("_", " ")), d.tool.name),
        )
        return [Hit(d.tool, 0.0) for d in order[:limit]]


_MOST_MADE = 16
_MOST_READ = 4
_making = threading.Lock()
_read_before: OrderedDict[tuple[int, bool, bool], tuple[Catalog, dict[str, Document]]] = OrderedDict()


def _read(catalog: Catalog, tools: Collection[Tool], parts: Parts) -> list[Document]:
    """The documents of these tools, each made once a process: they are the same in every index, and most of the work of one."""
    key = (id(catalog), parts.lexicon, parts.intents)
    known = _read_before.get(key)
    if known is None or known[0] is not catalog:
        known = _read_before[key] = (catalog, {})
        while len(_read_before) > _MOST_READ:
            _read_before.popitem(last=False)
    documents = known[1]
    for tool in tools:
        if tool.name not in documents:
            documents[tool.name] = document(catalog, tool, lexicon() if parts.lexicon else None, parts.intents)
    return [documents[tool.name] for tool in tools]


def prepare(catalog: Catalog) -> None:
    """Do now what every index of this catalogue needs, whoever searches first; takes some seconds once a process."""
    with _making:
        _read(catalog, catalog.tools.values(), Parts())
        meaning_of(catalog)


_made_before: OrderedDict[tuple[int, frozenset[str], Parts], tuple[Catalog, _Index]] = OrderedDict()


def _made(registry: Registry, parts: Parts) -> _Index:
    """The index of what a registry shows, made once a process for all that show the same: it follows from definitions alone."""
    catalog, key = registry.catalog, (id(registry.catalog), frozenset(registry.visible), parts)
    with _making:
        known = _made_before.get(key)
        if known is None or known[0] is not catalog:
            known = _made_before[key] = (catalog, _Index(registry, parts))
        _made_before.move_to_end(key)
        while len(_made_before) > _MOST_MADE:
            _made_before.popitem(last=False)
        return known[1]


@lru_cache(maxsize=2)
def weights(fit: str) -> tuple[float, ...]:
    """What each feature counts, by words alone (`words`) or with the extra (`meaning`): written by bench/search/fit.py."""
    fitted: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))[fit]
    return tuple(fitted[name] for name in (*FEATURES, *(MEANING_FEATURES if fit == "meaning" else ())))
