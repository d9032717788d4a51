"""Spilled answers by handle: per credential, bounded in size, number and age; in memory, and on a shelf that replicas share."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..definitions import Entity
from ..errors import ToolError
from ..shaping.records import compact
from ..shaping.view import Kind, Spilled

MAX_AGE_SECONDS = 3_600.0
MAX_RESULTS = 64
MAX_BYTES = 64 * 1024 * 1024
MAX_BYTES_OF_ALL = 512 * 1024 * 1024
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 signs that are not mistaken for each other, so that each byte chooses one of them fairly."""
_HANDLE_LENGTH = 14
_HANDLE = re.compile(rf"r[{_ALPHABET}]{{{_HANDLE_LENGTH}}}")


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


class Shelf(Protocol):
    """Where replicas find each other's results. Both methods raise ToolError when it cannot be reached."""

    async def put(self, owner: str, result: StoredResult, seconds: float) -> None: ...

    async def get(self, owner: str, handle: str) -> StoredResult | None: ...


class ResultStore:
    """Kept answers of all credentials. One credential's handles mean nothing to another.

    With a shelf, `share` lays what was kept down for other replicas, and `fetch` brings what another one kept.
    """

    def __init__(
        self,
        *,
        max_results: int = MAX_RESULTS,
        max_bytes: int = MAX_BYTES,
        max_bytes_of_all: int = MAX_BYTES_OF_ALL,
        max_age: float = MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        shelf: Shelf | None = None,
    ) -> None:
        self._shelf = shelf
        self._to_share: list[tuple[str, StoredResult]] = []
        self._sharing = asyncio.Lock()
        self._max_results = max_results
        self._max_bytes = max_bytes
        self._max_bytes_of_all = max_bytes_of_all
        self._max_age = max_age
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], StoredResult] = OrderedDict()
        self._owned: dict[str, OrderedDict[str, int]] = {}
        """The handles of each owner with the size of what they name, oldest first."""
        self._bytes_of: Counter[str] = Counter()
        self._bytes = 0

    def keep(self, owner: str, spilled: Spilled) -> str | None:
        """The handle of the kept answer; None when it alone is larger than a credential may keep."""
        content = _content(spilled)
        if len(content) > self._max_bytes:
            return None
        self._forget_expired()
        self._make_room(owner, len(content))
        handle = "r" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(_HANDLE_LENGTH))
        kept = StoredResult(
            handle, spilled.kind, content, spilled.name, spilled.media_type, spilled.entity, self._clock() + self._max_age
        )
        self._add(owner, kept)
        if self._shelf is not None:
            self._to_share.append((owner, kept))
        return handle

    async def share(self) -> None:
        """Return when everything kept so far lies on the shelf, or cannot: then it stays in this process, which is logged."""
        if self._shelf is None:
            return
        async with self._sharing:
            pending, self._to_share = self._to_share, []
            try:
                for owner, kept in pending:
                    await self._shelf.put(owner, kept, self._max_age)
            except ToolError as error:
                logging.getLogger(__name__).warning("%d results stay in this process: %s", len(pending), error.message)

    async def fetch(self, owner: str, handle: str) -> None:
        """Bring a result that another replica kept, if this one does not have it. Raises ToolError when nobody can know."""
        if self._shelf is None or (owner, handle) in self._kept or not _HANDLE.fullmatch(handle):
            return
        found = await self._shelf.get(owner, handle)
        # Another call may have brought it meanwhile.
        if found is not None and (owner, handle) not in self._kept:
            self._make_room(owner, len(found.content))
            self._add(owner, found)

    def get(self, owner: str, handle: str) -> StoredResult:
        """Raises UnknownResultError."""
        self._forget_expired()
        kept = self._kept.get((owner, handle))
        if kept is None or kept.expires <= self._clock():
            raise UnknownResultError(
                f"there is no result {handle[:40]!r} for this credential: results are kept for "
                f"{self._max_age / 60:g} minutes, the newest {self._max_results}"
                + ("." if self._shelf else ", in one server process."),
                hint="Make the call that gave it again, with fields or a lower limit.",
            )
        return kept

    def list(self, owner: str) -> list[StoredResult]:
        """The owner's kept answers, newest first."""
        self._forget_expired()
        return [self._kept[owner, handle] for handle in reversed(self._owned.get(owner, {}))]

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.expires > now:
                return
            self._drop(*key)

    def _make_room(self, owner: str, size: int) -> None:
        own = self._owned.get(owner)
        while own and (len(own) >= self._max_results or self._bytes_of[owner] + size > self._max_bytes):
            self._drop(owner, next(iter(own)))
        while self._kept and self._bytes + size > self._max_bytes_of_all:
            self._drop(*next(iter(self._kept)))

    def _add(self, owner: str, result: StoredResult) -> None:
        size = len(result.content)
        self._kept[owner, result.handle] = result
        self._owned.setdefault(owner, OrderedDict())[result.handle] = size
        self._bytes_of[owner] += size
        self._bytes += size

    def _drop(self, owner: str, handle: str) -> None:
        del self._kept[owner, handle]
        size = self._owned[owner].pop(handle)
        self._bytes_of[owner] -= size
        self._bytes -= size
        if not self._owned[owner]:
            del self._owned[owner], self._bytes_of[owner]


def _content(spilled: Spilled) -> bytes:
    if isinstance(spilled.value, bytes):
        return spilled.value
    text = spilled.value if spilled.kind == "text" else compact(spilled.value)
    return str(text).encode("utf-8", "surrogatepass")
