"""The index of one registry, and how a request is ranked against it."""

from __future__ import annotations

import heapq
import json
import math
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import mul
from pathlib import Path

import anyio.to_thread

from ..catalog import Catalog
from ..definitions import Tool
from ..registry import Registry
from .documents import FAMILY_WEIGHT, FIELD_WEIGHTS, Bag, Document, document, stems_and_families
from .groups import Group, Kinds
from .lexicon import lexicon
from .meaning import Likeness, meaning_of
from .misses import Misses
from .spelling import Speller
from .text import STOP, aside, stem, words

WEIGHTS = Path(__file__).with_name("weights.json")

_B = 0.6
_K = 2.0
_FAMILY_SHARE = 0.3
_ASIDE = 0.5
"""What a word counts that stands in a clause beside the wish."""
FEATURES = (
    "stems",  # the rarer words of the request that the tool says, by field
    "families",  # the same for what the words mean
    "plain",  # every word as it is said, function words too: "who owes us" is a way of asking
    "covered",  # its name speaks of what the request speaks of
    "first_verb",  # it does what the request says first
    "both",  # it does it, and to that thing
    "exact",  # its name says all of the request, and nothing else
    "wrong_verb",
    "wrong_irreversible",
    "bare_irreversible",
    "bare_list",
    "single_list",
    "question_write",
    "does",  # tools of its verb are asked for like this
    "effect",  # tools of its effect are
    "thing",  # tools for its thing are, whatever they do to it
    "toolset",  # tools of its toolset are
    "does_overlap",  # what tools of its verb say, by words of the request
    "thing_overlap",
    "toolset_overlap",
)
MEANING_FEATURES = Likeness._fields
"""Further ones with the extra `semantic`."""
_NO_KINDS = (0.0,) * 7
_NO_MEANING = (0.0,) * len(MEANING_FEATURES)
# From this share of a tool's sentences on, the verb that begins them is what the tool does.
_SURE = 0.25
# How many tools the meaning alone may bring in.
_NEAREST = 30
# How many tools, best by texts alone, are compared by name and verb.
_CANDIDATES = 100
_QUESTION = frozenset("who whose whom what whats which when where why how is are was were did does do has have any".split())


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
        """Make the index, which takes half a second, while other calls go on; at once where it is there."""
        if self._index is None:
            await anyio.to_thread.run_sync(self.index)

    def index(self) -> _Index:
        """The index itself, made now if it was not yet."""
        if self._index is None:
            self._index = _made(self._registry, self._parts)
        return self._index


@dataclass(frozen=True)
class Request:
    """A request as the index understands it: weighted stems and families, and whether it asks or orders."""

    stems: Bag
    families: Bag
    said: Bag
    verbs: dict[str, float]
    first_verb: frozenset[str]
    meanings: dict[str, frozenset[str]]
    question: bool
    plural: bool
    plain: Bag
    """Every word, with what it counts."""
    wish: list[str]
    """The words without those of an aside."""


class _Index:
    def __init__(self, registry: Registry, parts: Parts) -> None:
        self._parts = parts
        self._lexicon = lexicon() if parts.lexicon else None
        self.documents = [document(registry.catalog, t, self._lexicon, parts.intents) for t in registry.visible.values()]
        count = len(self.documents)
        held: dict[str, int] = defaultdict(int)
        for d in self.documents:
            for token in {t for f in d.fields.values() for t in f}:
                held[token] += 1
        self._idf = {t: min(4.5, math.log(1 + (count - n + 0.5) / (n + 0.5))) for t, n in held.items()}
        self._unknown_idf = 4.5
        self._postings = self._field_postings()
        self._plain, self._plain_idf = self._plain_postings()
        known = {w for d in self.documents for w in d.plain} | (self._lexicon.words if self._lexicon else set())
        self._speller = Speller(known)
        self._kinds = Kinds(self.documents, self._lexicon) if parts.groups and self.documents else None
        self._meaning = meaning_of(registry.catalog) if parts.meaning else None
        self._place = [self._meaning.place[d.tool.name] for d in self.documents] if self._meaning else []
        self.weights = weights("meaning" if self._meaning else "words")

    def _field_postings(self) -> dict[str, list[tuple[int, float]]]:
        """For each token: the documents it stands in, with its frequency over all fields, saturated as in BM25F."""
        average = {
            f: sum(sum(d.fields[f].values()) for d in self.documents) / max(len(self.documents), 1) or 1.0 for f in FIELD_WEIGHTS
        }
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, d in enumerate(self.documents):
            total: Bag = {}
            for field, weight in FIELD_WEIGHTS.items():
                tokens = d.fields[field]
                length = 1 - _B + _B * sum(tokens.values()) / average[field]
                for token, times in tokens.items():
                    total[token] = total.get(token, 0.0) + weight * times / length
            for token, times in total.items():
                postings[token].append((number, times / (_K + times)))
        return postings

    def _plain_postings(self) -> tuple[dict[str, list[tuple[int, float]]], Bag]:
        """Every word as it is said, function words too: "who owes us" and "when did we" are ways of asking."""
        lengths = [d.plain.total() for d in self.documents]
        average = sum(lengths) / max(len(lengths), 1) or 1.0
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (d, length) in enumerate(zip(self.documents, lengths, strict=True)):
            for token, times in d.plain.items():
                postings[token].append((number, times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / average))))
        count = len(lengths)
        return postings, {t: math.log(1 + (count - len(p) + 0.5) / (len(p) + 0.5)) for t, p in postings.items()}

    def _weighted(self, tokens: Bag) -> Bag:
        return {t: w * self._idf.get(t, self._unknown_idf) for t, w in tokens.items()}

    def understand(self, query: str) -> Request:
        """The request's tokens, misspelt words as what they probably are."""
        text = words(query)
        begins = aside(text)
        wished: int | None = None
        sure: list[str] = []
        guesses: Bag = {}
        for place, word in enumerate(text):
            if place == begins:
                wished = len(sure)
            if not self._parts.spelling or self._speller.knows(word) or stem(word) in self._idf:
                sure.append(word)
            elif halves := self._speller.split(word):
                sure.extend(halves)
            elif near := self._speller.suggest(word):
                share = (1.0 if wished is None else _ASIDE) / len(near) ** 0.5
                guesses.update((stem(w), weight * share) for w, weight in near.items())
                sure.append(next(iter(near)))
            else:
                sure.append(word)
        wish, further = sure[:wished], sure[wished:] if wished is not None else []
        if self._parts.spelling:
            wish += [a + b for a, b in pairwise(text) if self._speller.knows(a + b)]
        stems, families = stems_and_families(wish, self._lexicon)
        verbs = {f: w for f, w in families.items() if f[0] == "V"}
        stems = {t: min(w, 1.0) for t, w in stems.items()} | guesses
        if further:
            besides = stems_and_families(further, self._lexicon)
            stems = {t: min(w, 1.0) * _ASIDE for t, w in besides[0].items()} | stems
            families = {f: w * _ASIDE for f, w in besides[1].items()} | families
        first = self._lexicon.first_verb([stem(w) for w in wish]) if self._lexicon else {}
        return Request(
            self._weighted(stems),
            self._weighted(families),
            stems | {f: w * FAMILY_WEIGHT[f[0]] for f, w in families.items()},
            verbs,
            frozenset(first),
            {t: frozenset(self._lexicon.exactly((t,))) if self._lexicon else frozenset() for t in stems},
            _is_question(text),
            _is_plural(text[:begins]),
            dict.fromkeys(further, _ASIDE) | dict.fromkeys(wish, 1.0),
            list(dict.fromkeys(wish)),
        )

    def features(self, query: str, candidates: int = 0) -> dict[int, list[float]]:
        """A row of FEATURES, and of MEANING_FEATURES with the extra, for each document that shares anything with the request.

        With `candidates`, only for so many that texts and kinds put first, and the nearest in meaning: the rest has no chance.
        """
        asked = self.understand(query)
        texts = self._compare_texts(asked)
        chosen = {n for n, said in enumerate(zip(*texts, strict=True)) if any(said)}
        kinds = self._kinds.compare(asked.wish, asked.said) if self._kinds else {}
        columns = [kinds[name] for name in FEATURES if name in kinds]
        if candidates and len(chosen) > candidates:
            chosen = self._first(candidates, chosen, texts, columns)
        near = self._meaning.likeness(query) if self._meaning else None
        if near:
            sentences = [near.sentence[place] for place in self._place]
            chosen.update(heapq.nlargest(_NEAREST, range(len(sentences)), key=sentences.__getitem__))
        nouns = frozenset(f for f in asked.families if f[0] == "N")
        stems_total = sum(asked.stems.values()) or 1.0
        rows: dict[int, list[float]] = {}
        for number in sorted(chosen):
            d = self.documents[number]
            covered = self._covered(d, asked.stems, nouns) if self._parts.names and d.parts else 0.0
            explained = _explained(d, asked) / stems_total if covered else 0.0
            row = [share[number] for share in texts]
            row += _compare_names(d, asked, covered, explained, self._parts.verbs)
            row += (scores[of[number]] for of, scores in columns) if columns else _NO_KINDS
            if self._meaning:
                row += (column[self._place[number]] for column in near) if near else _NO_MEANING
            rows[number] = row
        return rows

    def _first(self, count: int, chosen: set[int], texts: Sequence[list[float]], columns: Sequence[Group]) -> set[int]:
        """So many of the chosen documents, best by texts and kinds."""
        stems, families, plain = self.weights[: len(texts)]
        sums = [stems * a + families * b + plain * c for a, b, c in zip(*texts, strict=True)]
        by_kind = self.weights[len(FEATURES) - len(_NO_KINDS) : len(FEATURES)]
        for weight, (of, scores) in zip(by_kind, columns, strict=False):
            counted = [weight * score for score in scores]
            sums = [score + counted[group] for score, group in zip(sums, of, strict=True)]
        return set(heapq.nlargest(count, sorted(chosen), key=sums.__getitem__))

    def _compare_texts(self, asked: Request) -> tuple[list[float], list[float], list[float]]:
        """For each document the shares of the request that it says: stems, families, and every plain word."""
        count = len(self.documents)
        stems, families, plain = [0.0] * count, [0.0] * count, [0.0] * count
        total = sum(asked.stems.values()) + _FAMILY_SHARE * sum(asked.families.values()) or 1.0
        for shares, tokens in ((stems, asked.stems), (families, asked.families)):
            for token, weight in tokens.items():
                share = weight / total
                for number, tf in self._postings.get(token, ()):
                    shares[number] += share * tf
        total = sum(weight * self._plain_idf.get(t, self._unknown_idf) for t, weight in asked.plain.items()) or 1.0
        for token, weight in asked.plain.items():
            share = weight * self._plain_idf.get(token, 0.0) / total
            for number, tf in self._plain.get(token, ()):
                plain[number] += share * tf
        return stems, families, plain

    def _covered(self, d: Document, stems: Bag, nouns: frozenset[str]) -> float:
        """How much of the tool's name, but for its verb, the request speaks of; rare words count more."""
        there = every = 0.0
        for token, families in d.parts:
            size = self._idf.get(token, 1.0)
            every += size
            if token in stems or families & nouns:
                there += size
        return there / every

    def search(self, query: str, limit: int) -> list[Hit]:
        rows = self.features(query, max(_CANDIDATES, limit))
        scores = {n: sum(map(mul, self.weights, row)) for n, row in rows.items()}
        if not scores:
            return self._nearest_names(query, limit)
        order = heapq.nsmallest(limit, scores, key=lambda n: (-scores[n], self.documents[n].tool.name))
        return [Hit(self.documents[n].tool, scores[n]) for n in order]

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
_making = threading.Lock()
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


def _explained(d: Document, asked: Request) -> float:
    """The weight of those words of the request that the tool's name speaks of."""
    return sum(w for t, w in asked.stems.items() if t in d.name or asked.meanings[t] & d.named)


def _compare_names(d: Document, asked: Request, covered: float, explained: float, compare_verbs: bool) -> tuple[float, ...]:
    """The FEATURES from `covered` to `question_write`: is the tool for that thing, and does it do what is to be done?"""
    exact = (covered * explained) ** 3
    if not compare_verbs:
        return (covered, 0.0, 0.0, exact, *(0.0,) * 6)
    verbs = asked.verbs
    shared = d.verbs.keys() & verbs.keys()
    surely = any(d.verbs[f] >= _SURE for f in shared)
    irreversible = d.tool.effect == "irreversible"
    listing = d.verbs.get("V:list") == 1.0
    return (
        covered,
        max((d.verbs.get(f, 0.0) for f in asked.first_verb), default=0.0),
        max((verbs[f] * d.verbs[f] for f in shared), default=0.0) * covered,
        exact if surely or not (verbs or irreversible) else 0.0,
        float(bool(verbs) and not shared),
        float(bool(verbs) and not surely and irreversible),
        float(not verbs and irreversible),
        float(not verbs and listing),
        float(not asked.plural and listing),
        float(asked.question and d.tool.effect != "read"),
    )


def _is_question(text: list[str]) -> bool:
    """Does the request ask to know something, rather than to have it done?"""
    return bool(text) and text[0] in _QUESTION


def _is_plural(text: list[str]) -> bool:
    """Does the request speak of several things?"""
    return any(w in ("all", "every", "everything", "everyone", "list") for w in text) or any(
        len(w) > 3 and w.endswith("s") and not w.endswith(("ss", "us", "is")) and w not in STOP for w in text
    )
