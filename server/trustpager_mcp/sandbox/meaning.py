"""Search by meaning without a model: which share of a question's words, weighed by rarity, a text speaks of.

It stands in for the API's embeddings: word forms and common synonyms count as one, the score is between 0 and 1, and
the same question gets the same answer. It knows no more of a language than the tables below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

_IDLE = frozenset(
    "a about all am an and any are as at be been but by can could did do does for from had has have he her him his how i if "
    "in is it its me my of on or our out she should so than that the their them there they this to up us was we were what "
    "when where which who why will with would you your long many much often somebody someone".split()
)
_GROUPS = (
    "price pricing cost fee charge expensive cheap cheaper dollar quote", "refund return reimburse", "call phone ring telephone",
    "email mail message", "buy purchase order", "begin start", "end finish complete", "fix repair service maintain",
    "guarantee warranty", "holiday vacation leave", "customer client", "quick fast urgent soon", "cancel terminate stop",
    "pay payment instalment finance", "install installation fit", "visit appointment booking meeting", "objection concern worry",
    "prefer preference like", "competitor rival", "hour open opening", "complain complaint unhappy dissatisfied angry",
)  # fmt: skip
_ENDINGS = ("ations", "ation", "ings", "ing", "ments", "ment", "ies", "ied", "ers", "er", "ed", "es", "s", "y", "e")


_TITLE = 0.2


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


_MEANINGS = {_stem(word): group.split()[0] for group in _GROUPS for word in group.split()}


def terms(text: str) -> list[str]:
    """The meaningful words of a text, each as its meaning."""
    words = (w for w in re.findall(r"[^\W_]+", text.lower()) if w not in _IDLE)
    return [_MEANINGS.get(stem, stem) for stem in map(_stem, words)]


def rank(question: str, texts: Sequence[str], titles: Sequence[str] | None = None) -> list[float]:
    """How much each text has to do with the question, 0 to 1; where there are titles, they count for a part of it."""
    scores = _coverage(question, texts)
    if titles is None:
        return scores
    return [round((1 - _TITLE) * s + _TITLE * t, 4) for s, t in zip(scores, _coverage(question, titles), strict=True)]


def _coverage(question: str, texts: Sequence[str]) -> list[float]:
    asked = set(terms(question))
    spoken = [set(terms(text)) for text in texts]
    weight = {term: _rarity(term, spoken) for term in asked}
    whole = sum(weight.values())
    if not whole:
        return [0.0] * len(texts)
    return [round(sum(_nearest(term, own) * w for term, w in weight.items()) / whole, 4) for own in spoken]


def _rarity(term: str, spoken: list[set[str]]) -> float:
    holding = sum(term in own for own in spoken)
    return 1 + math.log((len(spoken) + 1) / (holding + 1))


def _nearest(term: str, own: Iterable[str]) -> float:
    """1 for the word itself, half for one that begins alike (solar, solarpanel)."""
    if term in own:
        return 1.0
    return 0.5 if len(term) >= 4 and any(o.startswith(term) or (len(o) >= 4 and term.startswith(o)) for o in own) else 0.0
