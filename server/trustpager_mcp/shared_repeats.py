"""A write that is asked for at two replicas is sent by one of them: the other waits for its outcome, and gives it on.

The replica that sends holds the write's name in the shared state and gives a sign of life every few seconds; at the end it
lays the outcome beside it. A repeat elsewhere finds the name held. It never sends what another replica may have sent: a
replica that fell silent leaves its write in doubt, and the repeat says how to check.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from .answers import Answer
from .errors import ToolError, UpstreamError
from .repeats import CLIENTS_GIVE_UP, REMEMBERED, Flight, answer_again, still_in_doubt
from .shaping import Download
from .shared_state import SharedState

MOST_BYTES = 1024 * 1024
"""A larger answer stays with the replica that got it; a repeat elsewhere is told only that the write is done."""
_SIGN = 3.0
_SILENT = 12.0
"""Seconds without a sign of life after which the replica that sends is taken for dead."""
_LONGEST_WAIT = 300.0
_FIRST_LOOK, _LONGEST_PAUSE = 0.05, 0.5
Write = Callable[[str | None], Awaitable[Answer]]


@dataclass(frozen=True)
class _Claim:
    """Who sends a write: `flight` names the sending, `started` is by the wall clock."""

    flight: str
    started: float
    idempotency_key: str | None

    @property
    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @property
    def age(self) -> float:
        return max(time.time() - self.started, 0.0)


class SharedFlight:
    """A write as all replicas see it."""

    def __init__(self, state: SharedState, name: str, value: bytes) -> None:
        self._state = state
        self._name = name
        self._value = value

    async def taken(self) -> None:
        """Nothing is open: any replica may send the same call as a new one."""
        await self._hold(0)

    async def signs_of_life(self, every: float) -> None:
        """Tell the others that the write is still under way, until cancelled."""
        while True:
            await asyncio.sleep(every)
            await self._hold(REMEMBERED)

    async def _hold(self, seconds: float) -> None:
        try:
            await self._state.hold(self._name, self._value, seconds)
        except ToolError as error:
            logging.getLogger(__name__).warning("a write's state cannot be told to other servers: %s", error.message)


class SharedRepeats:
    """Writes under way and just ended, at all replicas. `sign` and `silent` are seconds, see above."""

    def __init__(self, state: SharedState, *, sign: float = _SIGN, silent: float = _SILENT) -> None:
        self._state = state
        self._sign = sign
        self._silent = silent

    async def once(
        self, key: str, flight: Flight, write: Write, tool: str, advice: str, *, anew: bool = False
    ) -> tuple[Answer, bool]:
        """The answer to a write that one of all replicas sends, and whether another one did.

        `write` sends it with an Idempotency-Key or none. `anew` sends in any case. While the shared state is away it is sent
        too: no write is lost for that. Raises the ToolError that the write ended with, at whichever replica; `advice` tells
        the agent what to do when nobody knows the outcome.
        """
        name = f"write:{key}"
        mine = _Claim(uuid.uuid4().hex, time.time(), flight.idempotency_key)
        try:
            held, left = await self._state.take(name, mine.encoded, REMEMBERED, anew=anew)
        except ToolError as error:
            logging.getLogger(__name__).warning("repeats at other servers are not seen: %s", error.message)
            return await write(flight.idempotency_key), False
        if held == mine.encoded:
            return await self._sent(name, mine, flight, write), False
        theirs = _Claim(**json.loads(held))
        try:
            return await self._theirs(name, theirs, left, flight, tool, advice), True
        except ToolError as error:
            if not error.uncertain or theirs.idempotency_key is None:
                raise
        # The API knows this key: sending it again settles what happened.
        flight.idempotency_key = theirs.idempotency_key
        return await self.once(key, flight, write, tool, advice, anew=True)

    async def _sent(self, name: str, mine: _Claim, flight: Flight, write: Write) -> Answer:
        shared = SharedFlight(self._state, name, mine.encoded)
        signs = asyncio.create_task(shared.signs_of_life(self._sign))
        try:
            answer = await write(mine.idempotency_key)
        except ToolError as error:
            await self._leave(mine, {"error": _error_as_json(error)})
            if not error.uncertain:
                await shared.taken()
            raise
        except asyncio.CancelledError:
            # Cancelled before anything was sent, else it were a ToolError.
            await shared.taken()
            raise
        finally:
            signs.cancel()
        await self._leave(mine, {"answer": _answer_as_json(answer)})
        flight.shared = shared
        return answer

    async def _leave(self, mine: _Claim, outcome: dict[str, Any]) -> None:
        """Lay the outcome where a repeat elsewhere looks for it; it outlives the name."""
        content = json.dumps(outcome).encode()
        if len(content) > MOST_BYTES:
            told = "It is done. Its answer is too large to be shared, and stays with the server that sent the call."
            content = json.dumps({"answer": _answer_as_json(Answer(told))}).encode()
        try:
            await self._state.put(f"outcome:{mine.flight}", content, REMEMBERED)
        except ToolError as error:
            logging.getLogger(__name__).warning("a write's outcome cannot be told to other servers: %s", error.message)

    async def _theirs(self, name: str, theirs: _Claim, left: float, flight: Flight, tool: str, advice: str) -> Answer:
        """The outcome of a write that another replica sent, waiting for it while that replica lives. Raises ToolError."""

        def in_doubt(why: str) -> UpstreamError:
            return still_in_doubt(tool, theirs.age, why, advice)

        try:
            outcome, waited = await self._awaited(name, theirs, left)
        except ToolError:
            raise in_doubt("the shared state could not be asked for its outcome") from None
        if outcome is None:
            raise in_doubt("another server sent it, and told no outcome")
        if (told := outcome.get("error")) is not None:
            error = _error(told)
            raise error if waited or not error.uncertain else in_doubt(error.message)
        if not waited and theirs.age < CLIENTS_GIVE_UP:
            flight.shared = SharedFlight(self._state, name, theirs.encoded)
        return answer_again(_answer(outcome["answer"]), tool, theirs.age)

    async def _awaited(self, name: str, theirs: _Claim, left: float) -> tuple[dict[str, Any] | None, bool]:
        """The outcome, None when it will not come, and whether it was waited for. Raises SharedStateUnavailableError."""
        started = time.monotonic()
        pause, waited, over = _FIRST_LOOK, False, False
        while True:
            if (found := await self._state.get(f"outcome:{theirs.flight}")) is not None:
                outcome: dict[str, Any] = json.loads(found[0])
                return outcome, waited
            if over or REMEMBERED - left > self._silent or time.monotonic() - started > _LONGEST_WAIT:
                return None, waited
            waited = True
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            held = await self._state.get(name)
            # The outcome is laid down before the name is let go: it is looked for once more.
            over, left = (held is None or held[0] != theirs.encoded), held[1] if held else 0.0


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    about = {"status": answer.status, "attempts": answer.attempts, "request_id": answer.request_id}
    if isinstance(answer.payload, Download):
        content = base64.b64encode(answer.payload.content).decode()
        return {**about, "file": {**asdict(answer.payload), "content": content}}
    return {**about, "payload": answer.payload}


def _answer(told: dict[str, Any]) -> Answer:
    if (file := told.pop("file", None)) is not None:
        told["payload"] = Download(**{**file, "content": base64.b64decode(file["content"])})
    return Answer(**told)


def _error_as_json(error: ToolError) -> dict[str, Any]:
    names = ("message", "code", "hint", "details", "status", "request_id", "uncertain")
    return {name: getattr(error, name) for name in names}


def _error(told: dict[str, Any]) -> ToolError:
    kind = ToolError if told["status"] is None else UpstreamError
    return kind(told.pop("message"), **told)
