"""What one sentence, of a tool or of a request, tells of the verb and of the thing that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from sys import intern
from typing import NamedTuple

from .lexicon import Lexicon, clearest, first_verb
from .text import content, stem


class Sentence(NamedTuple):
    """Tokens, each once.

    `doing` tell the verb: every word, the first one, pairs of words, verb families and the first of them. `about` tell the thing:
    every word, pairs of content words, families.
    """

    doing: tuple[str, ...]
    about: tuple[str, ...]


def read(text: list[str], lexicon: Lexicon | None) -> Sentence:
    """The sentence of these words."""
    stems = [stem(w) for w in text]
    meanings = list(lexicon.meanings(stems)) if lexicon else []
    families = clearest(meanings)
    verbs = (*(f for f in families if f[0] == "V"), *(f"first {f}" for f in first_verb(meanings)))
    doing = (*stems, *(f"first {s}" for s in stems[:1]), *_pairs(stems), *verbs)
    about = (*stems, *_pairs([stem(w) for w in content(text)]), *families)
    return Sentence(_once(doing), _once(about))


def _pairs(stems: list[str]) -> Iterator[str]:
    return (f"{a} {b}" for a, b in pairwise(stems))


def _once(tokens: Iterable[str]) -> tuple[str, ...]:
    # Interned: the same few stand in thousands of sentences, which live as long as the process.
    return tuple(dict.fromkeys(map(intern, tokens)))
