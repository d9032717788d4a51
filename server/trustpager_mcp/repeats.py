"""A write that is asked for again while it is under way, or before anyone took its answer, is not sent a second time.

Clients give up after a minute and agents then repeat the call. Whoever repeats joins the first call; a call whose last
waiter gave up is cancelled down to its socket, and what is unknown about it is remembered for whoever asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .callers import Caller, Callers
from .errors import ToolError

_REMEMBERED = 120.0
_CLIENTS_GIVE_UP = 55.0
"""Seconds after which a client may have stopped waiting without saying so."""
_MOST = 2_000
_CLAIMED = 300.0
"""Seconds after which a write of another replica is over, whatever became of that replica."""
Send = Callable[[Caller], Awaitable[Any]]


@dataclass
class Flight:
    """One write under way or just ended."""

    started: float
    callers: Callers = field(default_factory=Callers)
    task: asyncio.Task[Any] | None = None
    waiting: int = 0
    idempotency_key: str | None = None
    result: Any = None
    error: ToolError | None = None
    ended: float | None = None
    taken: bool = False

    @property
    def in_doubt(self) -> bool:
        return self.error is not None and self.error.uncertain

    @property
    def keeps(self) -> bool:
        """Its outcome matters to a repeat: unknown, or done with nobody there to hear it."""
        return self.ended is None or self.in_doubt or (self.error is None and not self.taken)

    def age(self) -> float:
        return time.monotonic() - self.started


@dataclass(frozen=True)
class Outcome:
    """What a write gave, and the flight that it joined or found ended, if it was not sent for this caller."""

    value: Any
    joined: Flight | None = None


def identity(credential: str, tool: str, arguments: dict[str, Any], idempotency_key: str | None = None) -> str:
    """The same for the same call of the same credential."""
    text = json.dumps([credential, tool, idempotency_key, arguments], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Claims(Protocol):
    """What replicas share: `claim` is true for the first who asks for a name. Both raise ToolError when nobody can tell."""

    async def claim(self, key: str, seconds: float) -> bool: ...

    async def forget(self, key: str) -> None: ...


class Repeats:
    """The writes under way and those just ended, of all credentials. With `claims`, replicas know of each other's."""

    def __init__(self, remembered: float = _REMEMBERED, claims: Claims | None = None) -> None:
        self._remembered = remembered
        self._claims = claims
        self._flights: OrderedDict[str, Flight] = OrderedDict()

    def find(self, key: str) -> Flight | None:
        """The flight that a repeat would join or be answered from."""
        flight = self._flights.get(key)
        if flight is None or (flight.ended is not None and time.monotonic() - flight.ended > self._remembered):
            return None
        return flight if flight.keeps else None

    async def once(
        self, key: str, send: Send, caller: Caller, *, anew: bool = False, idempotency_key: str | None = None
    ) -> Outcome:
        """The outcome of the write: sent for this caller, or that of the same one. `anew` sends in any case.

        Raises the ToolError that the write, or the one that was joined, ended with.
        """
        known = None if anew else self.find(key)
        if known is not None and known.ended is not None:
            if known.error is not None:
                raise known.error
            return Outcome(known.result, known)
        flight = known or self._start(key, send, idempotency_key)
        return Outcome(await self._wait(flight, caller), known)

    async def claim(self, key: str) -> bool:
        """Whether no other replica has the same write under way. True while nobody can tell: a write is not lost for that."""
        if self._claims is None:
            return True
        try:
            return await self._claims.claim(f"write:{key}", _CLAIMED)
        except ToolError as error:
            logging.getLogger(__name__).warning("repeats at other servers are not seen: %s", error.message)
            return True

    async def release(self, key: str) -> None:
        """The write is over and nothing is open: other replicas may take it anew."""
        if self._claims is None:
            return
        try:
            await self._claims.forget(f"write:{key}")
        except ToolError as error:
            logging.getLogger(__name__).warning("a write that is over stays claimed: %s", error.message)

    def taken(self, outcome_of: str) -> bool:
        """The caller has the answer: the same call again is meant as another one. Whether that is so from now on."""
        flight = self._flights.get(outcome_of)
        if flight is not None and flight.ended is not None and flight.error is None and flight.age() < _CLIENTS_GIVE_UP:
            flight.taken = True
            del self._flights[outcome_of]
            return True
        return False

    def _start(self, key: str, send: Send, idempotency_key: str | None) -> Flight:
        self._forget_old()
        flight = self._flights[key] = Flight(time.monotonic(), idempotency_key=idempotency_key)
        self._flights.move_to_end(key)
        flight.task = asyncio.create_task(self._fly(key, flight, send))
        return flight

    async def _fly(self, key: str, flight: Flight, send: Send) -> Any:
        try:
            flight.result = await send(flight.callers)
            return flight.result
        except ToolError as error:
            flight.error = error
            raise
        finally:
            flight.ended = time.monotonic()
            if (flight.error is not None or flight.result is None) and not flight.in_doubt and self._flights.get(key) is flight:
                del self._flights[key]

    @staticmethod
    async def _wait(flight: Flight, caller: Caller) -> Any:
        assert flight.task is not None
        flight.waiting += 1
        flight.callers.all.append(caller)
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                flight.task.cancel()
                flight.task.add_done_callback(_heard)
            raise
        finally:
            flight.waiting -= 1
            flight.callers.all.remove(caller)

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._flights:
            key, flight = next(iter(self._flights.items()))
            old = flight.ended is not None and now - flight.ended > self._remembered
            if not old and len(self._flights) < _MOST:
                return
            del self._flights[key]


def _heard(task: asyncio.Task[Any]) -> None:
    """Nobody waits for a cancelled write's error: it is kept in its flight."""
    if not task.cancelled():
        task.exception()
