"""What tools have in common: those that do the same, to the same thing, or of one toolset are asked for in each other's words.

An intent of one tool teaches how people speak of its whole group: "chuck it" under `delete_task` helps `delete_folder` too.
Counted from what the tools say when the index is made; nothing is fitted or kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from .documents import Document
from .lexicon import Lexicon, clearest, first_verb
from .postings import Posting, Postings, add, packed
from .text import content, stem

Said = tuple[str, Collection[str]]
"""A group's name, and what one sentence of one of its tools says, each token once."""
KIND_FEATURES = (
    "does",  # tools of its verb are asked for like this
    "effect",  # tools of its effect are
    "thing",  # tools for its thing are, whatever they do to it
    "toolset",  # tools of its toolset are
)
# So many tokens of the average sentence are added to what each group says, so that a small group is not sure of itself.
_PRIOR = 20.0
# By this much less likely (a logarithm, for each square root of a token) a group counts as impossible.
_UNLIKELY = 6.0


class Likelihood:
    """How likely each group is to say a sentence, by naive Bayes; `of` is the group's number of each document."""

    def __init__(self, labels: Sequence[str], said: Iterable[Said]) -> None:
        names = sorted(set(labels))
        number = {name: n for n, name in enumerate(names)}
        self.of = [number[label] for label in labels]
        totals = [0] * len(names)
        self._said: dict[str, list[int]] = {}
        """By token, the group of each sentence that says it."""
        for name, tokens in said:
            group = number[name]
            totals[group] += len(tokens)
            for token in tokens:
                if token in self._said:
                    self._said[token].append(group)
                else:
                    self._said[token] = [group]
        self._every = sum(totals) or 1
        self._unsaid = [math.log(_PRIOR / (total + _PRIOR)) for total in totals]
        self._gains: Postings = {}

    def _gain(self, token: str) -> Posting:
        """How much likelier a token makes each group that says it; worked out when a request first holds it."""
        if token not in self._gains:
            said = self._said[token]
            expected = _PRIOR * len(said) / self._every
            self._gains[token] = packed((group, math.log(1 + times / expected)) for group, times in Counter(said).items())
        return self._gains[token]

    def compare(self, tokens: Sequence[str]) -> list[float]:
        """For each group 0 when it is the likeliest, less the unlikelier it is, down to -1."""
        known = [self._gain(t) for t in tokens if t in self._said]
        scores = [len(known) * unsaid for unsaid in self._unsaid]
        for gain in known:
            add(scores, gain, 1.0)
        best, unit = max(scores, default=0.0), _UNLIKELY * math.sqrt(len(tokens) or 1)
        impossible = best - unit
        return [(score - best) / unit if score > impossible else -1.0 for score in scores]


class _Read:
    """A sentence's stems and the families that it names, looked up once for all that is counted of it."""

    def __init__(self, text: list[str], lexicon: Lexicon | None) -> None:
        self.text = text
        self.stems = [stem(w) for w in text]
        self.meanings = list(lexicon.meanings(self.stems)) if lexicon else []
        self.families = clearest(self.meanings)

    def doing(self) -> Iterator[str]:
        """What tells the verb: every word, the first one, pairs of words, verb families and the first of them."""
        yield from self.stems
        yield from (f"first {s}" for s in self.stems[:1])
        yield from (f"{a} {b}" for a, b in pairwise(self.stems))
        yield from (f for f in self.families if f[0] == "V")
        yield from (f"first {f}" for f in first_verb(self.meanings))

    def about(self) -> Iterator[str]:
        """What tells the thing: every word, pairs of content words, families."""
        yield from self.stems
        yield from (f"{a} {b}" for a, b in pairwise([stem(w) for w in content(self.text)]))
        yield from self.families


class Kinds:
    """How the tools of each verb, effect, thing and toolset are asked for."""

    def __init__(self, documents: list[Document], lexicon: Lexicon | None) -> None:
        self._lexicon = lexicon
        labels: dict[str, list[str]] = {
            "does": [d.does for d in documents],
            "effect": [str(d.tool.effect) for d in documents],
            "thing": [d.thing for d in documents],
            "toolset": [d.toolset for d in documents],
        }
        said = [(number, _Read(text, lexicon)) for number, d in enumerate(documents) for text in d.said]
        doing = [(n, dict.fromkeys(read.doing())) for n, read in said]
        about = [(n, dict.fromkeys(read.about())) for n, read in said]
        self._likelihood = {
            name: Likelihood(labels[name], ((labels[name][n], tokens) for n, tokens in tokens_of))
            for name, tokens_of in (("does", doing), ("effect", doing), ("thing", about), ("toolset", about))
        }

    def compare(self, text: list[str]) -> list[tuple[list[float], list[int]]]:
        """By KIND_FEATURES: what a request, in words, scores for each group, and the group's number of each document."""
        read = _Read(text, self._lexicon)
        doing, about = list(dict.fromkeys(read.doing())), list(dict.fromkeys(read.about()))
        return [
            (groups.compare(doing if name in ("does", "effect") else about), groups.of)
            for name, groups in self._likelihood.items()
        ]
