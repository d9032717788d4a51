"""Trigram similarity in the manner of PostgreSQL's pg_trgm, which the reference's search is built on."""

from __future__ import annotations

import re


def trigrams(text: str) -> set[str]:
    """The trigrams of each word, padded with two blanks before and one behind."""
    padded = [f"  {word} " for word in re.findall(r"\w+", text.lower())]
    return {word[i : i + 3] for word in padded for i in range(len(word) - 2)}


def similarity(a: str, b: str) -> float:
    """Shared trigrams over all trigrams, 0 to 1."""
    first, second = trigrams(a), trigrams(b)
    return len(first & second) / len(first | second) if first and second else 0.0


def best_similarity(query: str, name: str) -> float:
    """The query against the whole name and each of its words: a typo in one word still finds the name."""
    return max((similarity(query, part) for part in [name, *name.split()]), default=0.0)
