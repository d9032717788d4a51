"""Spilled answers by handle: per credential, bounded in size, number and age; in this process's memory only."""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..definitions import Entity
from ..errors import ToolError
from ..shaping.records import compact
from ..shaping.view import Kind, Spilled

MAX_AGE_SECONDS = 3_600.0
MAX_RESULTS = 64
MAX_BYTES = 64 * 1024 * 1024
MAX_BYTES_OF_ALL = 512 * 1024 * 1024
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_HANDLE_LENGTH = 14


class UnknownResultError(ToolError):
    """No result of that handle for this credential: never given, expired, displaced, or kept by another process."""

    code = "UNKNOWN_RESULT"


@dataclass(frozen=True)
class StoredResult:
    """One kept answer. `content` is JSON, UTF-8 text or a file's bytes, as `kind` says."""

    handle: str
    kind: Kind
    content: bytes
    name: str
    media_type: str
    entity: Entity | None
    expires: float

    @property
    def value(self) -> Any:
        """The answer as data; a file's bytes as they are."""
        if self.kind == "file":
            return self.content
        return self.content.decode("utf-8", "surrogatepass") if self.kind == "text" else json.loads(self.content)


class ResultStore:
    """Kept answers of all credentials. One credential's handles mean nothing to another."""

    def __init__(
        self,
        *,
        max_results: int = MAX_RESULTS,
        max_bytes: int = MAX_BYTES,
        max_bytes_of_all: int = MAX_BYTES_OF_ALL,
        max_age: float = MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_results = max_results
        self._max_bytes = max_bytes
        self._max_bytes_of_all = max_bytes_of_all
        self._max_age = max_age
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], StoredResult] = OrderedDict()

    def keep(self, owner: str, spilled: Spilled) -> str | None:
        """The handle of the kept answer; None when it alone is larger than a credential may keep."""
        content = _content(spilled)
        if len(content) > self._max_bytes:
            return None
        self._forget_expired()
        self._make_room(owner, len(content))
        handle = "r" + "".join(secrets.choice(_ALPHABET) for _ in range(_HANDLE_LENGTH))
        self._kept[owner, handle] = StoredResult(
            handle, spilled.kind, content, spilled.name, spilled.media_type, spilled.entity, self._clock() + self._max_age
        )
        return handle

    def get(self, owner: str, handle: str) -> StoredResult:
        """Raises UnknownResultError."""
        self._forget_expired()
        try:
            return self._kept[owner, handle]
        except KeyError:
            raise UnknownResultError(
                f"there is no result {handle[:40]!r} for this credential: results are kept for "
                f"{self._max_age / 60:g} minutes, the newest {self._max_results}, in one server process.",
                hint="Make the call that gave it again, with fields or a lower limit.",
            ) from None

    def list(self, owner: str) -> list[StoredResult]:
        """The owner's kept answers, newest first."""
        self._forget_expired()
        return [r for (whose, _), r in reversed(self._kept.items()) if whose == owner]

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.expires > now:
                return
            del self._kept[key]

    def _make_room(self, owner: str, size: int) -> None:
        own = [(key, r) for key, r in self._kept.items() if key[0] == owner]
        used = sum(len(r.content) for _, r in own)
        for count, (key, result) in enumerate(own):
            if len(own) - count < self._max_results and used + size <= self._max_bytes:
                break
            used -= len(result.content)
            del self._kept[key]
        total = sum(len(r.content) for r in self._kept.values())
        while self._kept and total + size > self._max_bytes_of_all:
            _, displaced = self._kept.popitem(last=False)
            total -= len(displaced.content)


def _content(spilled: Spilled) -> bytes:
    if isinstance(spilled.value, bytes):
        return spilled.value
    text = spilled.value if spilled.kind == "text" else compact(spilled.value)
    return str(text).encode("utf-8", "surrogatepass")
