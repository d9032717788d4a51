"""Idempotency-Key: the first answer of a write, given again to whoever repeats it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .checks import moment
from .engine import Answer
from .errors import ApiError, invalid
from .world import World

KEPT = timedelta(hours=24)
_LONGEST = 255


def fingerprint(method: str, path: str, query: list[tuple[str, str]], body: Any) -> str:
    """What makes two requests the same: everything but their headers."""
    text = json.dumps([method, path, sorted(query), body], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def once(world: World, caller: str, key: str, request: str, act: Callable[[], Answer]) -> Answer:
    """The kept answer when the caller has used the key within a day, else that of `act`, kept with what it changes.

    Failures are not kept: the same key may be tried again. Raises 409 CONFLICT when the key was used for another request.
    """
    if len(key) > _LONGEST:
        raise invalid(f"the Idempotency-Key is longer than {_LONGEST} characters", field="Idempotency-Key")
    record_id = f"{caller}:{key}"
    with world.store.transaction():
        kept = world.store.get("kept_answer", record_id)
        if kept is not None and (moment(kept["at"]) or world.clock.now()) + KEPT > world.clock.now():
            if kept["request"] != request:
                raise ApiError(409, "CONFLICT", "this Idempotency-Key was used for another request; take a new key for each")
            return Answer(kept["data"], kept["status"], kept["extra"], text=kept["text"], headers={"idempotent-replayed": "true"})
        answer = act()
        if answer.file is None and answer.events is None:
            fields = {"data": answer.data, "status": answer.status, "extra": answer.extra, "text": answer.text}
            world.store.delete("kept_answer", record_id)
            world.store.add("kept_answer", [{"id": record_id, "request": request, "at": world.clock.iso(), **fields}])
        return answer
