"""One circuit breaker per upstream host: when a host fails again and again, calls fail at once until it is time to look."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .errors import UnreachableError

_FAILURES = 8
"""Failures in a row, with no answer between them, that open the circuit."""
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0


@dataclass
class _Circuit:
    failures: int = 0
    pause: float = 0.0
    open_until: float = 0.0


class CircuitBreaker:
    """Counts failures per host. Times in seconds, on the monotonic clock."""

    def __init__(self, failures: int = _FAILURES, first_pause: float = _FIRST_PAUSE) -> None:
        self._limit = failures
        self._first_pause = first_pause
        self._circuits: dict[str, _Circuit] = {}

    def check(self, host: str) -> None:
        """Raise UnreachableError while the host's circuit is open. The first call after the pause goes through as a probe."""
        circuit = self._circuits.get(host)
        if circuit is None or circuit.failures < self._limit:
            return
        now = time.monotonic()
        if (wait := circuit.open_until - now) > 0:
            raise UnreachableError(
                f"{host} failed {circuit.failures} times in a row, so calls are not sent for now; the next one goes out in "
                f"{max(wait, 0.1):.1f} s. Nothing was sent.",
                code="CIRCUIT_OPEN",
                hint="Wait that long, then try again; tell the user that the API is down.",
            )
        circuit.open_until = now + circuit.pause

    def failed(self, host: str) -> None:
        """The host did not answer, or a gateway before it said that it cannot."""
        circuit = self._circuits.setdefault(host, _Circuit())
        circuit.failures += 1
        if circuit.failures >= self._limit:
            circuit.pause = min(circuit.pause * 2, _LONGEST_PAUSE) or self._first_pause
            circuit.open_until = time.monotonic() + circuit.pause

    def answered(self, host: str) -> None:
        """The host answered: whatever it said, it is there."""
        if self._circuits:
            self._circuits.pop(host, None)
