"""When a request goes out again. Reads and idempotent methods may; anything else only when the API cannot have acted on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from .callers import SILENT, Caller
from .circuit_breaker import CircuitBreaker
from .definitions import Tool
from .errors import ToolError, UnreachableError
from .rate_limits import LONGEST_WAIT, RateLimits, retry_after
from .request_builder import Request
from .upstream import OnData, Response, Upstream

if TYPE_CHECKING:
    from tenacity import RetryCallState

_IDEMPOTENT_METHODS = ("GET", "HEAD", "PUT", "DELETE")
_BROKEN_STATUSES = (500, 502, 503, 504)
_GATEWAY_STATUSES = (502, 503, 504)
_FINAL = ("CIRCUIT_OPEN", "BUSY", "TLS_FAILED", "ANSWER_TOO_LARGE")
"""Failures that a second attempt would only repeat."""
_HOST_FAILURES = ("UNREACHABLE", "TLS_FAILED", "TIMEOUT", "CONNECTION_BROKEN")


@dataclass(frozen=True)
class Patience:
    """How long a call tries. Seconds, but for `attempts`."""

    attempts: int = 4
    backoff: float = 0.25
    longest_backoff: float = 4.0
    longest_wait: float = LONGEST_WAIT
    """The longest Retry-After that is waited for."""
    whole_call: float = 1.8
    """A call with all its attempts ends within so many times the time of one: by default below a client's 60 s."""
    first_poll: float = 2.0
    longest_poll: float = 30.0


@dataclass
class Delivery:
    """One logical request on its way, with what is known of it so far."""

    tool: Tool
    request: Request
    headers: dict[str, str]
    tenant: str
    caller: Caller = SILENT
    on_data: OnData | None = None
    attempts: int = 0
    in_doubt: bool = False
    """The last attempt left and nothing tells yet whether the API acted on it."""
    was_in_doubt: bool = False
    """An earlier attempt may have been acted on although the last one failed or was refused."""

    @property
    def repeatable(self) -> bool:
        """Sending it twice has no more effect than once."""
        return self.tool.effect == "read" or self.request.method in _IDEMPOTENT_METHODS or "idempotency-key" in self.headers

    @property
    def patience(self) -> float:
        """How many times longer than usual its answer may take: files and streams are made while one waits."""
        return 4.0 if self.tool.response in ("file", "stream") else 1.0


class Sender:
    """Delivers requests through limits, breaker and upstream, again where that is safe."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        patience: Patience | None = None,
        limits: RateLimits | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self._upstream = upstream
        self.limits = limits or RateLimits()
        self._breaker = breaker or CircuitBreaker()

    async def send(self, delivery: Delivery) -> Response:
        """The last answer that came, whatever its status. Raises UnreachableError when none came."""
        timeout = self._upstream.timeout * delivery.patience
        deadline = time.monotonic() + timeout * self.patience.whole_call
        try:
            response = await self._attempt(delivery, timeout)
        except UnreachableError as error:
            if not self._again_after_error(delivery, error):
                raise
            return await self._retried(delivery, timeout, deadline, error)
        if self._again_after_answer(delivery, response):
            return await self._retried(delivery, timeout, deadline, response)
        return response

    async def _retried(self, delivery: Delivery, seconds: float, deadline: float, first: Response | UnreachableError) -> Response:
        """Go on after a first attempt that went wrong; most calls never come here, so the retry library waits until now."""
        from tenacity import AsyncRetrying, retry_if_exception, retry_if_result, stop_after_attempt, stop_before_delay

        async def attempt() -> Response:
            if delivery.attempts == 1 and not replayed:
                replayed.append(True)
                if isinstance(first, UnreachableError):
                    raise first
                return first
            return await self._attempt(delivery, min(seconds, max(deadline - time.monotonic(), 0.001)))

        replayed: list[bool] = []
        retrying = AsyncRetrying(
            sleep=anyio.sleep,
            stop=stop_after_attempt(self.patience.attempts) | stop_before_delay(max(deadline - time.monotonic(), 0.0)),
            wait=self._wait,
            retry=retry_if_exception(lambda error: self._again_after_error(delivery, error))
            | retry_if_result(lambda response: self._again_after_answer(delivery, response)),
            before_sleep=self._tell(delivery),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        response: Response = await retrying(attempt)
        return response

    async def _attempt(self, delivery: Delivery, seconds: float) -> Response:
        host = delivery.request.host
        await self.limits.acquire(delivery.tenant, seconds)
        try:
            self._breaker.check(host)
            delivery.attempts += 1
            delivery.was_in_doubt = delivery.was_in_doubt or delivery.in_doubt
            delivery.in_doubt = True
            response = await self._upstream.send(delivery.request, delivery.headers, seconds=seconds, on_data=delivery.on_data)
            delivery.in_doubt = response.status >= 500
            if response.status in _GATEWAY_STATUSES:
                self._breaker.failed(host)
            else:
                self._breaker.answered(host)
            self.limits.learn(delivery.tenant, response)
            return response
        except ToolError as error:
            if error.code != "CIRCUIT_OPEN":
                delivery.in_doubt = isinstance(error, UnreachableError) and error.sent
            if error.code in _HOST_FAILURES:
                self._breaker.failed(host)
            raise
        finally:
            self.limits.release(delivery.tenant)

    @staticmethod
    def _again_after_error(delivery: Delivery, error: BaseException) -> bool:
        if not isinstance(error, UnreachableError) or error.code in _FINAL:
            return False
        return delivery.repeatable or not error.sent

    def _again_after_answer(self, delivery: Delivery, response: Response) -> bool:
        if response.status < 429 or (retry_after(response) or 0.0) > self.patience.longest_wait:
            return False
        return response.status == 429 or (delivery.repeatable and response.status in _BROKEN_STATUSES)

    def _wait(self, state: RetryCallState) -> float:
        """What the API asks for, else exponential with full jitter."""
        import random

        asked = None
        if state.outcome is not None and not state.outcome.failed:
            asked = retry_after(state.outcome.result())
        ceiling = min(self.patience.backoff * 2.0 ** (state.attempt_number - 1), self.patience.longest_backoff)
        jitter = random.uniform(0, ceiling)
        return jitter if asked is None else asked + min(jitter, 0.25)

    @staticmethod
    def _tell(delivery: Delivery) -> Any:
        async def before_sleep(state: RetryCallState) -> None:
            why = "no answer" if state.outcome is None or state.outcome.failed else f"answer {state.outcome.result().status}"
            await delivery.caller.progress(f"{why}; attempt {delivery.attempts + 1} in {state.upcoming_sleep:.1f} s")

        return before_sleep
