"""Finding tools by what a person would say: SQLite's FTS5 over name, title, description, intents and toolset.

The index holds only the tools of the registry it is made from, so what a credential cannot do is never found.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import dataclass

from .catalog import Catalog
from .definitions import Tool
from .registry import Registry

# Words that carry no wish: they would only rank long documents up.
_STOP = frozenset(
    "a an and are as at be by can could do does for from has have how i if in into is it its me my of on or our please "
    "so that the their them they this to us was we what when which who will with would you your need want get".split()
)
# bm25() weights in the order of the columns: name, title, intents, description, toolset.
_WEIGHTS = "6.0, 4.0, 3.5, 2.0, 1.5"
# How many of the best by words alone are compared by name.
_CANDIDATES = 200
# How much a name that says the request counts against the words elsewhere.
_NAME_WEIGHT = 3.0
# Words of the trade that mean the same, both ways; FTS5's stemmer handles endings.
_SYNONYMS: tuple[frozenset[str], ...] = (
    frozenset({"deal", "opportunity"}), frozenset({"company", "customer", "account", "organisation"}),
    frozenset({"sms", "text"}), frozenset({"person", "people", "contact"}), frozenset({"delete", "remove"}),
    frozenset({"show", "list"}), frozenset({"add", "create", "new"}), frozenset({"change", "edit", "update"}),
    frozenset({"todo", "task"}), frozenset({"log", "note", "activity"}),
)  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """One found tool; a higher `score` is better, comparable within one answer only."""

    tool: Tool
    score: float


class SearchIndex:
    """A full-text index over the visible tools of one registry; made on first use, shared between threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def search(self, query: str, limit: int = 6) -> list[Hit]:
        """The tools that fit the request best, best first; empty when no word of it is known."""
        terms = _terms(query)
        if not terms:
            return []
        match = " OR ".join(f'"{t}"' for t in terms)
        with self._lock:
            rows = self._index().execute(
                f"SELECT tool, bm25(tools, 0.0, {_WEIGHTS}) AS rank FROM tools WHERE tools MATCH ? ORDER BY rank, tool LIMIT ?",
                (match, max(limit, _CANDIDATES)),
            )
            found = [(name, -rank) for name, rank in rows]
        wanted = {_stem(t) for t in terms}
        asked = [{_stem(t) for t in _family(w)} for w in _words(query)]
        hits = [Hit(self._registry.visible[n], score * (1 + _NAME_WEIGHT * _likeness(n, asked, wanted))) for n, score in found]
        return sorted(hits, key=lambda h: (-h.score, h.tool.name))[:limit]

    def _index(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            connection.execute(
                "CREATE VIRTUAL TABLE tools USING fts5"
                "(tool UNINDEXED, name, title, intents, description, toolset, tokenize='porter unicode61')"
            )
            catalog = self._registry.catalog
            connection.executemany(
                "INSERT INTO tools VALUES (?, ?, ?, ?, ?, ?)",
                [_document(catalog, tool) for tool in self._registry.visible.values()],
            )
            self._connection = connection
        return self._connection


def _document(catalog: Catalog, tool: Tool) -> tuple[str, ...]:
    toolset = catalog.toolsets[catalog.toolset_of[tool.name]]
    words = tool.name.replace("_", " ")
    return tool.name, words, tool.title, " . ".join(tool.intents), tool.description, f"{toolset.title} {toolset.summary}"


def _words(query: str) -> list[str]:
    return [w for w in re.findall(r"[^\W_]+", query.lower()) if w not in _STOP]


def _terms(query: str) -> list[str]:
    return list(dict.fromkeys(term for word in _words(query) for term in _family(word)))


def _family(word: str) -> list[str]:
    """The word and what means the same."""
    terms = {word: None}
    for family in _SYNONYMS:
        if word in family or _stem(word) in family:
            terms.update(dict.fromkeys(sorted(family)))
    return list(terms)


def _stem(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


def _likeness(name: str, asked: list[set[str]], wanted: set[str]) -> float:
    """How well the tool's name says the request, 0 to 1: asked words it says, against words it says unasked.

    It keeps a short name (list_contacts) above longer ones that hold the same words (list_contact_employers).
    """
    said = [_stem(part) for part in name.split("_")]
    matched = sum(1 for family in asked if family & set(said))
    unasked = sum(1 for part in said if part not in wanted)
    return matched / (len(asked) + unasked) if asked else 0.0
