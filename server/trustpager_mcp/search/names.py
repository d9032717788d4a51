"""Is a tool, by its name, for the thing that a request speaks of, and does it do what is to be done?"""

from __future__ import annotations

from collections.abc import Sequence

from .documents import Bag, Document
from .request import Request

NAME_FEATURES = (
    "covered",  # its name speaks of what the request speaks of
    "both",  # it does what is to be done, and to that thing
    "exact",  # its name says all of the request, and nothing else
    "wrong_verb",
    "wrong_irreversible",
    "bare_irreversible",
    "bare_list",
    "single_list",
    "question_write",
)
# From this share of a tool's sentences on, the verb that begins them is what the tool does.
_SURE = 0.25


class Names:
    """The names of all documents, each word weighed by `idf`."""

    def __init__(self, documents: Sequence[Document], idf: Bag, *, names: bool, verbs: bool) -> None:
        self._documents = documents
        self._verbs = verbs
        # Without the verb: what a name without further words is about, no request can cover.
        self._parts = [[(t, families, idf.get(t, 1.0)) for t, families in d.parts] if names else [] for d in documents]
        self._sizes = [sum(size for _, _, size in parts) for parts in self._parts]

    def compare(self, number: int, asked: Request) -> tuple[float, ...]:
        """The NAME_FEATURES of one document."""
        d = self._documents[number]
        covered = exact = 0.0
        for token, families, size in self._parts[number]:
            if token in asked.stems or not families.isdisjoint(asked.families):
                covered += size
        if covered:
            covered /= self._sizes[number]
            exact = (covered * _explained(d, asked)) ** 3
        if not self._verbs:
            return (covered, 0.0, exact, *(0.0,) * 6)
        verbs = asked.verbs
        shared = [(weight, d.verbs[f]) for f, weight in verbs.items() if f in d.verbs]
        surely = any(does >= _SURE for _, does in shared)
        irreversible = d.tool.effect == "irreversible"
        listing = d.verbs.get("V:list") == 1.0
        return (
            covered,
            max([weight * does for weight, does in shared], default=0.0) * covered,
            exact if surely or not (verbs or irreversible) else 0.0,
            float(bool(verbs) and not shared),
            float(bool(verbs) and not surely and irreversible),
            float(not verbs and irreversible),
            float(not verbs and listing),
            float(not asked.plural and listing),
            float(asked.question and d.tool.effect != "read"),
        )


def _explained(d: Document, asked: Request) -> float:
    """The share of the request, by weight of its words, that the tool's name speaks of."""
    explained = sum([w for t, w in asked.stems.items() if t in d.name or not d.named.isdisjoint(asked.meanings[t])])
    return explained / (sum(asked.stems.values()) or 1.0)
