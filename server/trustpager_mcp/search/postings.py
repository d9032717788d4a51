"""Which numbers (of documents or groups) a token counts for, and how much: packed, as memory far apart is what a pass costs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

Posting = tuple["array[int]", "array[float]"]
Postings = dict[str, Posting]
NO_POSTING: Posting = (array("H"), array("d"))


def packed(counts: Iterable[tuple[int, float]]) -> Posting:
    """The numbers and what the token counts for each."""
    numbers, sizes = tuple(zip(*counts, strict=True)) or ((), ())
    return array("H", numbers), array("d", sizes)


def add(sums: list[float], posting: Posting, weight: float) -> None:
    """Add what a token counts, times its weight, to the sum of each number."""
    for number, size in zip(*posting, strict=True):
        sums[number] += weight * size
