"""Callers that bring their own API key. Verified against the API once, then remembered for a bounded time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from .base import Identity, Unauthenticated, bearer_token

KeyCheck = Callable[[str], Awaitable[bool | None]]
"""Whether the API accepts a key; None when it could not be asked."""
_MOST_REMEMBERED = 10_000
_RETRY_AFTER = 5


class ApiKeys:
    """The key stands in `header`, or in a bearer token.

    What is remembered is a keyed hash (HMAC-SHA-256 under a secret of this process), never the key: a dump of the
    memory of accepted keys opens nothing. Refused keys are remembered too, for a tenth of the time, so that a wrong key
    that is tried again and again does not reach the API each time.
    """

    def __init__(
        self, check: KeyCheck, *, header: str = "x-api-key", remember: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check, self._header, self._remember, self._clock = check, header.lower(), remember, clock
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        key = headers.get(self._header, "").strip() or bearer_token(headers)
        if not key:
            raise Unauthenticated(f"no API key: send it as {self._header} or as a bearer token", error="invalid_request")
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 512:
            raise Unauthenticated("the API key holds characters that no key has")
        mark = hmac.digest(self._secret, key.encode(), "sha256")
        accepted = self._remembered(mark)
        if accepted is None:
            accepted = await self._check(key)
            if accepted is None:
                raise Unauthenticated(
                    "the API could not be asked whether the key is good; try again",
                    status=503, error="temporarily_unavailable", retry_after=_RETRY_AFTER,
                )  # fmt: skip
            self._keep(mark, accepted)
        if not accepted:
            raise Unauthenticated("the API does not accept this key")
        return Identity(api_key=key, subject="key:" + hashlib.sha256(key.encode()).hexdigest()[:12])

    def forget(self, key: str) -> None:
        """Ask the API again the next time this key comes (it answered 401 to a call)."""
        self._known.pop(hmac.digest(self._secret, key.encode(), "sha256"), None)

    def _remembered(self, mark: bytes) -> bool | None:
        found = self._known.get(mark)
        if found is None or found[0] < self._clock():
            self._known.pop(mark, None)
            return None
        self._known.move_to_end(mark)
        return found[1]

    def _keep(self, mark: bytes, accepted: bool) -> None:
        self._known[mark] = (self._clock() + self._remember * (1.0 if accepted else 0.1), accepted)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
