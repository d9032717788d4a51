"""The transport's side of a call: who waits for its answer, and what can be said to them meanwhile."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

_FIRST_SIGN = 5.0
_BETWEEN_SIGNS = 5.0


@dataclass(frozen=True)
class Question:
    """A yes-or-no question for the person behind the client. `state` comes back with the answer, unchanged."""

    text: str
    state: str


@dataclass(frozen=True)
class Reply:
    """A person's answer, and the state that came back with it."""

    accepted: bool
    state: str


class AnswerNeeded(Exception):
    """The call ends here and has to be made again with the person's answer. No error: the transport turns it into a request."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.text)
        self.question = question


class Caller:
    """A caller that hears nothing until the result. Transports subclass it with what their client can do."""

    can_ask = False
    """Whether a person behind the client can be asked, by a way that the model cannot answer."""

    asks = "An AI agent asks for it."
    """Who wants what a person is asked about, in the words of the question."""

    answer: Reply | None = None
    """The person's answer, where it came with this very call."""

    async def progress(self, message: str) -> None:
        """Tell the waiting client that the call is alive and what it does."""

    async def ask(self, question: Question) -> Reply:
        """Put a question to the person. Only called when `can_ask`.

        Raises AnswerNeeded where the protocol answers in another request, and NotAllowedError when asking fails.
        """
        raise AnswerNeeded(question)


SILENT = Caller()


class Callers(Caller):
    """Several who wait for one call."""

    def __init__(self) -> None:
        self.all: list[Caller] = []

    async def progress(self, message: str) -> None:
        for caller in list(self.all):
            await caller.progress(message)


class SignsOfLife:
    """While the body runs, tell the caller every few seconds that it still does, so that the client keeps waiting.

    Costs a timer and nothing else for a call that is quick, or for a caller that hears nothing.
    """

    def __init__(self, caller: Caller, what: str) -> None:
        self._caller = caller
        self._what = what
        self._started = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        if self._caller is not SILENT:
            self._timer = asyncio.get_running_loop().call_later(_FIRST_SIGN, self._begin)

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._repeat())

    async def _repeat(self) -> None:
        while True:
            with suppress(ConnectionError, RuntimeError):
                await self._caller.progress(f"{self._what}: waiting for {time.monotonic() - self._started:.0f} s")
            await asyncio.sleep(_BETWEEN_SIGNS)
