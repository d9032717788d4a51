"""A write that is asked for again while it is under way, or before anyone took its answer, is not sent a second time.

Clients give up after a minute and agents then repeat the call. Whoever repeats joins the first call; a call whose last
waiter gave up is cancelled down to its socket, and what is unknown about it is remembered for whoever asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .answers import Answer
from .callers import Caller, Callers
from .errors import ToolError, UpstreamError

if TYPE_CHECKING:
    from .shared_repeats import SharedFlight, SharedRepeats

REMEMBERED = 120.0
CLIENTS_GIVE_UP = 55.0
"""Seconds after which a client may have stopped waiting without saying so."""
_MOST = 2_000
_HEARING_OUT = 10
"""Turns of the event loop: more than there are tasks between a socket and a call."""
Send = Callable[["Flight"], Awaitable[Any]]


class _NeverSentError(Exception):
    """The write that was joined ended before anything left, since those who had asked for it gave up."""


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
    shared: SharedFlight | None = None
    """The same flight as other replicas see it, where there are any."""

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


class Repeats:
    """The writes under way and those just ended, of all credentials. With `shared`, replicas know of each other's."""

    def __init__(self, remembered: float = REMEMBERED, shared: SharedRepeats | None = None) -> None:
        self._remembered = remembered
        self.shared = shared
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
        try:
            return Outcome(await self._wait(flight, caller), known)
        except _NeverSentError:
            return await self.once(key, send, caller, anew=anew, idempotency_key=idempotency_key)

    async def taken(self, key: str) -> Flight | None:
        """The caller has the answer: the same call again is meant as another one. The flight, if that is so from now on.

        Whatever says that the caller has left is heard first, even when it came together with the answer while the event
        loop was busy: its task is cancelled here then, and the answer waits for whoever asks again.
        """
        for _ in range(_HEARING_OUT):
            await asyncio.sleep(0)
        flight = self._flights.get(key)
        if flight is not None and flight.ended is not None and flight.error is None and flight.age() < CLIENTS_GIVE_UP:
            flight.taken = True
            return self._flights.pop(key)
        return None

    def _start(self, key: str, send: Send, idempotency_key: str | None) -> Flight:
        self._forget_old()
        flight = self._flights[key] = Flight(time.monotonic(), idempotency_key=idempotency_key)
        self._flights.move_to_end(key)
        flight.task = asyncio.create_task(self._fly(key, flight, send))
        return flight

    async def _fly(self, key: str, flight: Flight, send: Send) -> Any:
        try:
            flight.result = await send(flight)
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
            own = asyncio.current_task()
            if flight.task.cancelled() and own is not None and not own.cancelling():
                raise _NeverSentError from None
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


def answer_again(answer: Answer, tool: str, age: float) -> Answer:
    """The answer of a write that was sent `age` seconds ago, for somebody who asked for the same one; it costs nothing more."""
    note = f"The same {tool} call was sent {age:.0f} s ago: this is its answer, nothing was sent twice. again=true sends it anew."
    return replace(answer, note=note, footer="", credits=0.0)


def still_in_doubt(tool: str, age: float, why: str, advice: str) -> UpstreamError:
    """What a repeat is told while nobody knows what became of the first call."""
    return UpstreamError(
        f"{tool}: this same call was sent {age:.0f} s ago and nobody knows whether it took effect ({why}). Nothing was sent now.",
        code="STILL_UNCERTAIN",
        hint=advice,
        uncertain=True,
    )
