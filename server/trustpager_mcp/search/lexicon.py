"""Words of the trade that mean the same: families of verbs and nouns, kept as data in `lexicon.json`.

A family becomes one token (`V:delete`, `N:company`) that a text gets beside its own words, whichever of the family's words it
uses. Both tools and requests get them, so that "bin that customer" meets `delete_company` although they share no word.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from .text import stem, words


class Lexicon:
    """Finds families in a list of words; phrases match by stems, the longest first."""

    def __init__(self, families: dict[str, dict[str, str]]) -> None:
        self._phrases: dict[str, dict[tuple[str, ...], dict[str, float]]] = defaultdict(dict)
        self.words: set[str] = set()
        for kind, letter in (("verbs", "V"), ("nouns", "N")):
            meanings: dict[tuple[str, ...], set[str]] = defaultdict(set)
            for family, members in families[kind].items():
                for phrase in members.split(", "):
                    parts = words(phrase)
                    self.words.update(parts)
                    meanings[tuple(stem(w) for w in parts)].add(f"{letter}:{family}")
            for stems, found in meanings.items():
                # A word that may mean several things says less about each of them.
                self._phrases[stems[0]].setdefault(stems, {}).update({m: len(found) ** -0.5 for m in sorted(found)})
        self._phrases = {first: dict(sorted(p.items(), key=lambda one: -len(one[0]))) for first, p in self._phrases.items()}

    def exactly(self, stems: tuple[str, ...]) -> dict[str, float]:
        """The families that this very word or phrase belongs to."""
        return self._phrases.get(stems[0], {}).get(stems, {})

    def families(self, stems: list[str]) -> dict[str, float]:
        """The families that a text names, in the order of the text, with a weight up to 1 for how clearly."""
        return clearest(self.meanings(stems))

    def first_verb(self, stems: list[str]) -> dict[str, float]:
        """What the first verb of a text may mean."""
        return first_verb(self.meanings(stems))

    def meanings(self, stems: list[str]) -> Iterator[dict[str, float]]:
        """The families of each known word or phrase of a text, in order."""
        covered = 0
        text = tuple(stems)
        for start, first in enumerate(stems):
            phrases = self._phrases.get(first)
            if phrases is None:
                continue
            for phrase, meanings in phrases.items():
                end = start + len(phrase)
                if text[start:end] == phrase:
                    if end > covered:
                        covered = end
                        yield meanings
                    break


def is_family(token: str) -> bool:
    """Is it a family, and not a stem? No word holds a colon."""
    return token[1:2] == ":"


def clearest(meanings: Iterable[dict[str, float]]) -> dict[str, float]:
    """The families of all words and phrases, each with its highest weight."""
    found: dict[str, float] = {}
    for one in meanings:
        for meaning, weight in one.items():
            found[meaning] = max(found.get(meaning, 0.0), weight)
    return found


def first_verb(meanings: Iterable[dict[str, float]]) -> dict[str, float]:
    """The verbs that the first word or phrase with any may mean."""
    for one in meanings:
        if verbs := {m: w for m, w in one.items() if m[0] == "V"}:
            return verbs
    return {}


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon that ships with the package; read once a process."""
    return Lexicon(json.loads((Path(__file__).parent / "lexicon.json").read_text(encoding="utf-8")))
