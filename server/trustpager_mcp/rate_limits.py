"""How many requests may be under way: per credential, fair between credentials, and less after the API said "too many".

A credential that gets a 429 waits as long as the API says, when that is short, and fewer of its calls go at once, at least
one, so that a call can still find out. Each success after that lets one more go. What one replica learns so, it tells the others.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import UnreachableError
from .upstream import Response

LONGEST_WAIT = 10.0
"""Seconds that a call waits because the API asked for it; what is longer is told to the agent instead."""
_TOTAL = 96
_PER_TENANT = 32


Tell = Callable[[str, float, int], None]


@dataclass
class _Tenant:
    ceiling: int
    limit: int
    active: int = 0
    paused_until: float = 0.0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def may_go(self, now: float) -> bool:
        if now < self.paused_until:
            return False
        return self.active < self.limit

    @property
    def at_rest(self) -> bool:
        return not self.active and not self.waiting and self.limit == self.ceiling


class RateLimits:
    """Slots for requests. `total` in all, `per_tenant` for one credential.

    `tell` hears what the API said about a credential: its name, the seconds to wait, and how many may go at once.
    """

    def __init__(self, total: int = _TOTAL, per_tenant: int = _PER_TENANT, tell: Tell | None = None) -> None:
        self._tell = tell
        self._free = total
        self._per_tenant = per_tenant
        self._tenants: dict[str, _Tenant] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, name: str, seconds: float) -> None:
        """Take one of the credential's slots; waits for its turn. Give it back with `release`.

        Raises UnreachableError when none came free in so many seconds.
        """
        tenant = self._tenants.get(name) or self._tenants.setdefault(name, _Tenant(self._per_tenant, self._per_tenant))
        if self._free > 0 and not tenant.waiting and tenant.may_go(time.monotonic()):
            tenant.active += 1
            self._free -= 1
        else:
            try:
                async with asyncio.timeout(seconds):
                    await self._turn(tenant)
            except TimeoutError:
                raise UnreachableError(
                    f"{tenant.active} calls of this key are under way and none ended in {seconds:.3g} s; nothing was sent.",
                    code="BUSY",
                    hint="Make fewer calls at once, then try again.",
                ) from None

    def release(self, name: str) -> None:
        """Give a slot back, to whoever waits longest among the credentials whose turn it is."""
        tenant = self._tenants[name]
        tenant.active -= 1
        self._free += 1
        if self._any_waiting:
            self._grant()
        if tenant.at_rest and tenant.paused_until <= time.monotonic():
            del self._tenants[name]

    def learn(self, name: str, response: Response) -> None:
        """Take over what the answer says about the credential's rate."""
        tenant = self._tenants.get(name)
        if tenant is None:
            return
        now = time.monotonic()
        if response.status == 429:
            tenant.limit = max(1, min(tenant.limit, tenant.active) // 2)
            self._hold_back(tenant, now, retry_after(response))
            self._tell_of(name, tenant)
        elif response.status < 400:
            tenant.limit = min(tenant.ceiling, tenant.limit + 1)
            if (reset := exhausted(response)) is not None:
                self._hold_back(tenant, now, reset)
                self._tell_of(name, tenant)

    def heard(self, name: str, seconds: float, limit: int) -> None:
        """Take over what another replica learnt about a credential: seconds to wait, and how many may go at once."""
        tenant = self._tenants.get(name) or self._tenants.setdefault(name, _Tenant(self._per_tenant, self._per_tenant))
        tenant.limit = min(tenant.limit, max(limit, 1))
        self._hold_back(tenant, time.monotonic(), seconds)

    def waits(self, name: str) -> float:
        """Seconds for which the credential's next request is held back."""
        tenant = self._tenants.get(name)
        return 0.0 if tenant is None else max(tenant.paused_until - time.monotonic(), 0.0)

    def _tell_of(self, name: str, tenant: _Tenant) -> None:
        if self._tell is not None:
            self._tell(name, self.waits(name), tenant.limit)

    @property
    def _any_waiting(self) -> bool:
        return any(t.waiting for t in self._tenants.values())

    @staticmethod
    def _hold_back(tenant: _Tenant, now: float, seconds: float | None) -> None:
        if seconds is not None and seconds <= LONGEST_WAIT:
            tenant.paused_until = max(tenant.paused_until, now + seconds)

    async def _turn(self, tenant: _Tenant) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tenant.waiting.append(future)
        self._grant()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                tenant.active -= 1
                self._free += 1
                self._grant()
            elif future in tenant.waiting:
                tenant.waiting.remove(future)
            raise

    def _grant(self) -> None:
        """Give free slots away, one credential after the other."""
        now = time.monotonic()
        granted = True
        while granted and self._free > 0:
            granted = False
            for name, tenant in list(self._tenants.items()):
                if self._free > 0 and tenant.waiting and tenant.may_go(now):
                    future = tenant.waiting.popleft()
                    if future.cancelled():
                        continue
                    tenant.active += 1
                    self._free -= 1
                    future.set_result(None)
                    granted = True
                    # To the end of the line, so that the next free slot is somebody else's.
                    self._tenants[name] = self._tenants.pop(name)
        self._wake_up(now)

    def _wake_up(self, now: float) -> None:
        paused = [t.paused_until for t in self._tenants.values() if t.waiting and t.paused_until > now]
        if paused and (self._timer is None or self._timer.cancelled() or self._timer.when() < asyncio.get_running_loop().time()):
            self._timer = asyncio.get_running_loop().call_later(min(paused) - now + 0.001, self._grant)


def retry_after(response: Response) -> float | None:
    """Seconds that the API asks to wait, given as seconds or as a date; None when it says nothing that can be read."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds < 1e9 else None


def exhausted(response: Response) -> float | None:
    """Seconds until the rate's window ends, when the answer says that nothing is left in it."""
    headers = response.headers
    combined: dict[str, str] = {}
    if together := headers.get("ratelimit"):
        combined = dict(part.strip().split("=", 1) for part in together.split(",") if "=" in part)
    left = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining") or combined.get("remaining")
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or combined.get("reset")
    if left is None or reset is None:
        return None
    try:
        if float(left) > 0:
            return None
        seconds = float(reset)
    except ValueError:
        return None
    # Some APIs give the moment, others the seconds until then.
    return max(0.0, seconds - time.time() if seconds > 1e9 else seconds)
