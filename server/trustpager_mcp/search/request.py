"""What a request asks for: its words weighed, misspelt ones as what they probably are, and what is to be done to what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from .documents import Bag, Document, stems_and_families
from .lexicon import Lexicon
from .spelling import Speller
from .text import STOP, aside, stem, words

UNKNOWN_IDF = 4.5
"""What a word weighs that no tool says, and the most that any weighs."""
_ASIDE = 0.5
"""What a word counts that stands in a clause beside the wish."""
_QUESTION = frozenset("who whose whom what whats which when where why how is are was were did does do has have any".split())


@dataclass(frozen=True)
class Request:
    """A request as the index understands it: weighted stems and families, and whether it asks or orders."""

    stems: Bag
    families: Bag
    verbs: dict[str, float]
    meanings: dict[str, frozenset[str]]
    question: bool
    plural: bool
    plain: Bag
    """Every word, with what it counts."""
    wish: list[str]
    """The words without those of an aside."""


class Reader:
    """Understands requests by the words that the documents and the lexicon know; `idf` is what a stem or family weighs."""

    def __init__(self, documents: Iterable[Document], idf: Bag, lexicon: Lexicon | None, *, spelling: bool) -> None:
        self._idf = idf
        self._lexicon = lexicon
        self._spelling = spelling
        self._speller = Speller({w for d in documents for w in d.plain} | (lexicon.words if lexicon else set()))

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
            if not self._spelling or self._speller.knows(word) or stem(word) in self._idf:
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
        if self._spelling:
            wish += [a + b for a, b in pairwise(text) if self._speller.knows(a + b)]
        stems, families = stems_and_families(wish, self._lexicon)
        verbs = {f: w for f, w in families.items() if f[0] == "V"}
        stems = {t: min(w, 1.0) for t, w in stems.items()} | guesses
        if further:
            besides = stems_and_families(further, self._lexicon)
            stems = {t: min(w, 1.0) * _ASIDE for t, w in besides[0].items()} | stems
            families = {f: w * _ASIDE for f, w in besides[1].items()} | families
        return Request(
            self._weighted(stems),
            self._weighted(families),
            verbs,
            {t: frozenset(self._lexicon.exactly((t,))) if self._lexicon else frozenset() for t in stems},
            _is_question(text),
            _is_plural(text[:begins]),
            dict.fromkeys(further, _ASIDE) | dict.fromkeys(wish, 1.0),
            list(dict.fromkeys(wish)),
        )

    def _weighted(self, tokens: Bag) -> Bag:
        """Stems or families, the rarer the heavier."""
        return {t: w * self._idf.get(t, UNKNOWN_IDF) for t, w in tokens.items()}


def _is_question(text: list[str]) -> bool:
    """Does the request ask to know something, rather than to have it done?"""
    return bool(text) and text[0] in _QUESTION


def _is_plural(text: list[str]) -> bool:
    """Does the request speak of several things?"""
    return any(w in ("all", "every", "everything", "everyone", "list") for w in text) or any(
        len(w) > 3 and w.endswith("s") and not w.endswith(("ss", "us", "is")) and w not in STOP for w in text
    )
