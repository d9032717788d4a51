"""Kept results on a shelf that all replicas reach. Each lies under its owner, so that a handle alone opens nothing."""

from __future__ import annotations

import json
import time

from ..definitions import Entity
from ..shared_state import SharedState
from .store import StoredResult

MOST_BYTES = 8 * 1024 * 1024
"""What is larger stays in the memory of the process that made it."""


class RedisShelf:
    """Results in Redis: a line of JSON about each, then its bytes."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def put(self, owner: str, result: StoredResult, seconds: float) -> None:
        """Lay a result down. Raises SharedStateUnavailableError."""
        if len(result.content) > MOST_BYTES:
            return
        about = {
            "kind": result.kind,
            "name": result.name,
            "media_type": result.media_type,
            "entity": result.entity.model_dump(mode="json") if result.entity else None,
        }
        await self._state.put(_key(owner, result.handle), json.dumps(about).encode() + b"\n" + result.content, seconds)

    async def get(self, owner: str, handle: str) -> StoredResult | None:
        """A result and the end of its life on this process's monotonic clock. Raises SharedStateUnavailableError."""
        found = await self._state.get(_key(owner, handle))
        if found is None:
            return None
        line, _, content = found[0].partition(b"\n")
        about = json.loads(line)
        entity = Entity.model_validate_json(json.dumps(about["entity"])) if about["entity"] else None
        return StoredResult(
            handle, about["kind"], content, about["name"], about["media_type"], entity, time.monotonic() + found[1]
        )


def _key(owner: str, handle: str) -> str:
    return f"result:{owner}:{handle}"
