"""What the index knows of a tool: fields of weighted tokens, its name's parts, and what it does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..catalog import Catalog
from ..definitions import Tool
from .lexicon import Lexicon
from .sentences import Sentence, read
from .text import content, stem, words

Bag = dict[str, float]
"""Tokens with weights."""

FIELD_WEIGHTS = {"name": 4.0, "path": 1.0, "intents": 1.6, "description": 1.6, "toolset": 2.0, "parameters": 0.8}
FAMILY_WEIGHT = {"V": 0.6, "N": 0.7}
_NAME = re.compile(r"(?<=\w |, )[A-Z][a-z]+(?:'s)?\b|^(?:Acme|Bob|Dave|Jane|Jess|Karen|Mia|Paul|Sarah|Tom|Ben|Bob's)\b")
_PRODUCTS = frozenset(
    "Xero Slack Zoom Excel Google Gmail Facebook Zapier Stripe Retell Outlook Typeform Easter Christmas Evie Spanish French "
    "Australian Friday Monday Tuesday Thursday YouTube TrustPager Maps Won Drive Cal Calendar ElevenLabs".split()
)
_SENTENCE = re.compile(r"[.;:]\s+|\.$")


@dataclass(frozen=True)
class Document:
    """One tool as the index sees it.

    `parts` are the name's words after the verb, each with the families it stands for; `named` the families that the name speaks
    of; `verbs` what the tool does, 1 for the verb of its name, less for those that its description and intents begin with.
    `said` are its sentences: title, description, intents. By `does` (its name's verb), `thing` (the rest of its name) and
    `toolset` it belongs together with other tools.
    """

    tool: Tool
    fields: dict[str, Bag]
    name: frozenset[str]
    parts: list[tuple[str, frozenset[str]]]
    named: frozenset[str]
    verbs: dict[str, float]
    plain: Counter[str]
    said: list[Sentence]
    does: str
    thing: str
    toolset: str


def _without_names(intent: str) -> str:
    """The intent without the people and firms that stand in it as examples ("the quote for Paul")."""
    return _NAME.sub(lambda m: m.group() if m.group() in _PRODUCTS else " ", intent)


def stems_and_families(text: list[str], lexicon: Lexicon | None) -> tuple[Bag, Bag]:
    """The content words' stems with how often each comes, and the families that the text names."""
    return stems_of(text), lexicon.families([stem(w) for w in text]) if lexicon else {}


def stems_of(text: list[str]) -> Bag:
    """The content words' stems with how often each comes."""
    stems: Bag = {}
    for word in content(text):
        token = stem(word)
        stems[token] = stems.get(token, 0.0) + 1.0
    return stems


def weighted(stems: Bag, families: Bag) -> Bag:
    """Stems and families in one bag, a family counting less than a word."""
    return stems | {f: w * FAMILY_WEIGHT[f[0]] for f, w in families.items()}


def document(catalog: Catalog, tool: Tool, lexicon: Lexicon | None, intents: bool = True) -> Document:
    """The searchable parts of one tool."""
    toolset = catalog.toolsets[catalog.toolset_of[tool.name]]
    name = words(tool.name.replace("_", " "))
    texts: dict[str, list[list[str]]] = {
        "name": [name, words(tool.title)],
        "path": [words(p) for p in (tool.path, *tool.aliases)],
        "intents": [words(_without_names(i)) for i in tool.intents] if intents else [],
        "description": [words(s) for s in _SENTENCE.split(tool.description) if s.strip()],
        "toolset": [words(toolset.title), words(toolset.summary)],
        "parameters": [
            words(" ".join((p.name.replace("_", " "), p.description or "", *map(str, p.enum or ())))) for p in tool.parameters
        ],
    }
    parts = _parts(name[1:], lexicon)
    verbs = _verbs(name[0], texts["description"][:1] + texts["intents"], lexicon)
    return Document(
        tool=tool,
        fields={f: _sum(merged(t, lexicon) for t in several) for f, several in texts.items()},
        name=frozenset(stem(w) for w in content(name)),
        parts=parts,
        named=frozenset({f for _, families in parts for f in families} | {f for f, weight in verbs.items() if weight == 1.0}),
        verbs=verbs,
        plain=Counter(w for f, several in texts.items() if f not in ("path", "toolset") for t in several for w in t),
        said=[read(text, lexicon) for text in (words(tool.title), *texts["description"], *texts["intents"])],
        does=name[0],
        thing=" ".join(map(stem, name[1:])) or name[0],
        toolset=toolset.toolset,
    )


def _parts(name: list[str], lexicon: Lexicon | None) -> list[tuple[str, frozenset[str]]]:
    """The words of a name with their noun families; a word of a phrase ("work order") has the phrase's families."""
    stems = [stem(w) for w in name if w not in ("with",)]
    own: list[set[str]] = [set() for _ in stems]
    for start in range(len(stems)):
        for end in range(start + 1, len(stems) + 1):
            if lexicon and (found := lexicon.exactly(tuple(stems[start:end]))):
                for number in range(start, end):
                    own[number] = {f for f in found if f[0] == "N"} | (own[number] if end - start == 1 else set())
    return [(token, frozenset(families)) for token, families in zip(stems, own, strict=True)]


def _verbs(verb: str, texts: list[list[str]], lexicon: Lexicon | None) -> dict[str, float]:
    if lexicon is None:
        return {}
    counts: dict[str, float] = {}
    for text in texts:
        for family, weight in lexicon.first_verb([stem(w) for w in text[:4]]).items():
            counts[family] = counts.get(family, 0.0) + weight / len(texts)
    return counts | {f: 1.0 for f in lexicon.exactly((stem(verb),)) if f[0] == "V"}


def merged(text: list[str], lexicon: Lexicon | None) -> Bag:
    """A text's stems and families in one bag, a family counting less than a word."""
    return weighted(*stems_and_families(text, lexicon))


def _sum(bags: Iterable[Bag]) -> Bag:
    total: Bag = {}
    for one in bags:
        for token, weight in one.items():
            total[token] = total.get(token, 0.0) + weight
    return total
