"""What tools have in common: those that do the same, to the same thing, or of one toolset are asked for in each other's words.

An intent of one tool teaches how people speak of its whole group: "chuck it" under `delete_task` helps `delete_folder` too.
Counted from what the tools say when the index is made; nothing is fitted or kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from .documents import Document
from .lexicon import Lexicon
from .postings import Posting, Postings, add, packed
from .sentences import read

Said = tuple[str, Collection[str]]
"""A group's name, and what one sentence of one of its tools says, each token once."""
KIND_FEATURES = (
    "does",  # tools of its verb are asked for like this
    "effect",  # tools of its effect are
    "thing",  # tools for its thing are, whatever they do to it
    "toolset",  # tools of its toolset are
)
_BY_VERB = ("does", "effect")
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
        said = [(number, sentence) for number, d in enumerate(documents) for sentence in d.said]
        self._likelihood = {
            name: Likelihood(of, ((of[n], sentence.doing if name in _BY_VERB else sentence.about) for n, sentence in said))
            for name, of in labels.items()
        }

    def compare(self, text: list[str]) -> list[tuple[list[float], list[int]]]:
        """By KIND_FEATURES: what a request, in words, scores for each group, and the group's number of each document."""
        asked = read(text, self._lexicon)
        return [
            (groups.compare(asked.doing if name in _BY_VERB else asked.about), groups.of)
            for name, groups in self._likelihood.items()
        ]
