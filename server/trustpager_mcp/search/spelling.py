"""Misspelt words: the nearest words that the index or the lexicon knows, by edits with swapped neighbours as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

# A correction counts less than the word itself would: (edits, length of the word from which they are allowed, weight).
_ALLOWED = ((1, 4, 0.85), (2, 7, 0.6))
_MOST = 3


class Speller:
    """Suggests known words for an unknown one."""

    def __init__(self, known: Collection[str]) -> None:
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in sorted(w for w in known if len(w) > 2 and w.isalpha()):
            self._by_length[len(word)].append(word)
        self._set = frozenset(known)

    def knows(self, word: str) -> bool:
        return word in self._set

    def suggest(self, word: str) -> dict[str, float]:
        """Known words within one edit (from 4 letters) or two (from 7), with the weight that the correction deserves."""
        if len(word) < _ALLOWED[0][1] or not word.isalpha():
            return {}
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        most = 2 if len(word) >= _ALLOWED[1][1] else 1
        # Edits change the length by as much at most: the other words need no look.
        likely = [w for length in range(len(word) - most, len(word) + most + 1) for w in self._by_length.get(length, ())]
        near = extract(word, likely, scorer=OSA.distance, score_cutoff=most, limit=12)
        near.sort(key=lambda n: (n[1], n[0][0] != word[0], abs(len(n[0]) - len(word)), n[0]))
        best = near[0][1] if near else 0
        return {w: _ALLOWED[int(edits) - 1][2] for w, edits, _ in near[:_MOST] if edits == best and edits}

    def split(self, word: str) -> tuple[str, str] | None:
        """`workorder` → `work`, `order`, when both halves are known."""
        for cut in range(3, len(word) - 2):
            if word[:cut] in self._set and word[cut:] in self._set:
                return word[:cut], word[cut:]
        return None
