"""The extra `semantic`: how near a request is in meaning, by the word vectors that the package `wordllama` ships.

Static vectors: a sentence is the weighted mean of its tokens' vectors, a lookup of microseconds and no network to run. Nothing is
downloaded; of `wordllama` only the data files are read. Without the extra, search goes by words alone.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..catalog import Catalog
from .text import stem, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

INSTALL = "pip install 'trustpager-mcp[semantic]'"
_NEEDED = ("numpy", "safetensors", "tokenizers", "wordllama")
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
# A token as frequent as this share of all tokens counts half: function words say little of what a sentence means.
_COMMON = 0.01
_lock = threading.Lock()
_ready: dict[int, tuple[Catalog, Meaning | None]] = {}
_log = logging.getLogger(__name__)


class Likeness(NamedTuple):
    """For each tool the cosines of a request with all that tools for the same thing say, and with all that it says itself."""

    same_thing: list[float]
    whole: list[float]


class Meaning:
    """The vectors of everything that each tool of a catalogue says, and what it takes to compare a request with them."""

    def __init__(self, catalog: Catalog) -> None:
        import numpy as np
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        data = Path(next(iter(find_spec("wordllama").submodule_search_locations)))  # type: ignore[union-attr,arg-type]
        self._tokenizer: Any = Tokenizer.from_file(str(data / _TOKENIZER))
        (self._table,) = load_file(str(data / _WEIGHTS)).values()
        said = {name: _sentences(catalog, name) for name in catalog.tools}
        tokens = [self._tokens(text) for texts in said.values() for text in texts]
        counts = Counter(token for sentence in tokens for token in sentence)
        self._share = {token: count / counts.total() for token, count in counts.items()}
        self._centre: Any = 0.0
        vectors = self._vectors_of(tokens)
        self._centre = vectors.mean(axis=0)
        vectors = _unit(vectors - self._centre)
        self.place = {name: n for n, name in enumerate(said)}
        sizes = [len(texts) for texts in said.values()]
        tools = np.repeat(np.arange(len(sizes)), sizes)
        self._scale = _scale(vectors, tools, np.cumsum([0, *sizes])[:-1], sizes)
        vectors = _unit(vectors @ self._scale)
        things = [" ".join(map(stem, name.split("_")[1:])) or name for name in said]
        number = {thing: n for n, thing in enumerate(sorted(set(things)))}
        self._thing_of = np.array([number[thing] for thing in things])
        self._tools = _sums(vectors, tools, len(sizes))
        self._things = _sums(vectors, self._thing_of[tools], len(number))

    def likeness(self, request: str) -> Likeness | None:
        """How near the request is to what the tools say, each at its `place`; None when the request says nothing."""
        import numpy as np

        tokens = self._tokens(request)
        if not tokens:
            return None
        vector = _unit(_unit(self._vectors_of([tokens]) - self._centre) @ self._scale)[0]
        # Not `@`: BLAS would wake a thread per core for work of microseconds, and wait for the slowest.
        tool, thing = (np.einsum("ij,j->i", v, vector) for v in (self._tools, self._things))
        return Likeness(thing[self._thing_of].tolist(), tool.tolist())

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(" ".join(words(text)), add_special_tokens=False).ids
        return ids

    def _vectors_of(self, sentences: Sequence[list[int]]) -> Vectors:
        import numpy as np

        vectors = np.empty((len(sentences), self._table.shape[1]), dtype=np.float32)
        for number, tokens in enumerate(sentences):
            weights = np.array([_COMMON / (_COMMON + self._share.get(t, 0.0)) for t in tokens], dtype=np.float32)
            vectors[number] = np.einsum("i,ij->j", weights, self._table[tokens].astype(np.float32))
        return _unit(vectors)


def missing() -> list[str]:
    """The packages of the extra that are not installed."""
    return [name for name in _NEEDED if find_spec(name) is None]


def meaning_of(catalog: Catalog) -> Meaning | None:
    """The vectors of a catalogue, made once a process; None without the extra, or when it does not work here."""
    with _lock:
        known = _ready.get(id(catalog))
        if known is None or known[0] is not catalog:
            known = _ready[id(catalog)] = (catalog, _load(catalog))
        return known[1]


def _load(catalog: Catalog) -> Meaning | None:
    if missing() or not catalog.tools:
        return None
    try:
        return Meaning(catalog)
    except Exception as error:
        _log.warning("search goes by words alone: the extra `semantic` does not work here (%s: %s)", type(error).__name__, error)
        return None


def _sentences(catalog: Catalog, name: str) -> list[str]:
    tool = catalog.tools[name]
    return [tool.title, f"{tool.title}: {tool.description}", *tool.intents]


def _unit(vectors: Vectors) -> Vectors:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, 1e-9)
    return unit


def _scale(vectors: Vectors, tools: Any, starts: Any, sizes: Sequence[int]) -> Vectors:
    """What makes directions count less in which the sentences of one tool differ anyway (whitening within tools)."""
    import numpy as np

    means = np.add.reduceat(vectors, starts) / np.array(sizes, dtype=np.float32)[:, None]
    apart = vectors - means[tools]
    spread, directions = np.linalg.eigh(apart.T @ apart / len(apart))
    scale: Vectors = (directions / np.sqrt(spread + spread.mean() / 2)).astype(np.float32)
    return scale


def _sums(vectors: Vectors, groups: Any, count: int) -> Vectors:
    """The direction in which the vectors of each group point together."""
    import numpy as np

    sums = np.zeros((count, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, groups, vectors)
    return _unit(sums)
