"""What calls cost, and a budget that stops spending before it happens."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from .definitions import Tool
from .errors import NotAllowedError, ToolError, nothing_happened

Period = Literal["run", "day"]
_LEDGER_SECONDS = 2 * 86_400.0
_CHARGED = ("credits_charged", "credits_used", "credits_spent")


@dataclass(frozen=True)
class Price:
    """Credits of one call. `credits` is None where the API decides; `at_least` where only the minimum is known."""

    credits: float | None = 0.0
    at_least: bool = False

    def __str__(self) -> str:
        if self.credits is None:
            return "a price that only the API knows"
        return f"{'at least ' if self.at_least else ''}{self.credits:g} credit{'' if self.credits == 1 else 's'}"


FREE = Price()


def price(tool: Tool, arguments: dict[str, Any]) -> Price:
    """What the call will cost, as far as the definition and the arguments tell.

    A cost by the unit counts the units where an argument tells them (the characters of a text, the items of a list, a
    number), started units whole; otherwise one unit, or the tool's minimum, is the least that it can cost.
    """
    credits = tool.credits
    if credits is None:
        return FREE
    if credits.amount is None:
        return Price(None)
    minimum = credits.minimum or 0.0
    if credits.per == "call":
        return Price(max(credits.amount, minimum))
    size = _size(arguments.get(credits.counts)) if credits.counts else None
    if size is None:
        return Price(max(credits.amount, minimum), at_least=True)
    return Price(max(credits.amount * math.ceil(size / credits.unit), minimum))


def _size(value: Any) -> float | None:
    if isinstance(value, (str, list)):
        return len(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return None


@dataclass
class Spending:
    """One call's share of the budget. `credits` is what it is held to cost, None where nobody knows."""

    price: Price
    credits: float | None
    footer: str = ""
    """A line for the result, empty for a free call."""

    def settle(self, payload: Any) -> None:
        """Take the API's own figure where its answer tells one."""
        data = payload.get("data", payload) if isinstance(payload, dict) else None
        if not isinstance(data, dict):
            return
        for name in _CHARGED:
            charged = data.get(name)
            if isinstance(charged, (int, float)) and not isinstance(charged, bool) and 0 <= charged < math.inf:
                self.price, self.credits = Price(float(charged)), float(charged)
                return


class Ledger(Protocol):
    """Sums that replicas share. `add` tells whether the amount fitted under the limit, and the sum now. Raises ToolError."""

    async def add(self, key: str, amount: float, limit: float, seconds: float) -> tuple[bool, float]: ...


class Budget:
    """Credits that each credential may spend in a run of the server or in a day (UTC). `limit` None means no limit.

    A price is reserved before the call is sent and given back only when the API certainly did nothing. A price that
    nobody knows cannot be reserved: such a call is let through while anything is left, and told as not counted.

    With a ledger the sums of a day are those of all replicas; while it cannot be asked, nothing is spent.
    """

    def __init__(
        self,
        limit: float | None = None,
        period: Period = "run",
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ledger: Ledger | None = None,
    ) -> None:
        self._ledger = ledger if limit is not None and period == "day" else None
        self.limit = limit
        self.period = period
        self._now = now
        self._day = ""
        self._spent: dict[str, float] = {}

    def spent(self, credential: str) -> float:
        """Credits spent or reserved by a credential (its fingerprint) in the current period."""
        if self.period == "day" and (day := self._now().astimezone(UTC).date().isoformat()) != self._day:
            self._day, self._spent = day, {}
        return self._spent.get(credential, 0.0)

    def check(self, tool: Tool, cost: Price, credential: str) -> None:
        """Raise NotAllowedError when the call could exceed the budget."""
        if self.limit is None or cost == FREE:
            return
        left = self.limit - self.spent(credential)
        if (left > 0 and cost.credits is None) or (cost.credits is not None and cost.credits <= left + 1e-9):
            return
        raise NotAllowedError(
            f"{tool.name} costs {cost}, and of the budget of {self.limit:g} credits {max(left, 0):g} are left "
            f"{self._when()}. Nothing was sent.",
            code="CREDIT_BUDGET",
            hint="Ask for less where the price goes by the amount, or tell the user that the operator's --credit-budget is "
            "used up.",
        )

    async def refresh(self, cost: Price, credential: str) -> None:
        """Learn what all replicas have spent, before `check`. Raises ToolError when that cannot be known."""
        if self._ledger is not None and cost != FREE:
            await self._add_for_all(credential, 0.0)

    @asynccontextmanager
    async def spending_for_all(self, tool: Tool, cost: Price, credential: str) -> AsyncIterator[Spending]:
        """Like `spending`, with the price reserved in the ledger as well. Raises ToolError before anything is sent."""
        if self._ledger is None or cost == FREE:
            with self.spending(tool, cost, credential) as spending:
                yield spending
            return
        reserved = cost.credits or 0.0
        if await self._add_for_all(credential, reserved):
            self._give_back(credential, reserved, self._day)
        spending = Spending(cost, cost.credits)
        day = self._day
        try:
            with self.spending(tool, cost, credential) as spending:
                yield spending
        finally:
            back = 0.0 if spending.credits is None else reserved - spending.credits
            if back and day == self._day:
                try:
                    await self._add_for_all(credential, -back)
                except ToolError as error:
                    logging.getLogger(__name__).warning("%g credits stay reserved: %s", back, error.message)

    async def _add_for_all(self, credential: str, credits: float) -> bool:
        """Whether it fitted; from then on this process knows the sum of all."""
        assert self._ledger is not None
        assert self.limit is not None
        self.spent(credential)
        day = self._day
        added, total = await self._ledger.add(f"credits:{day}:{credential}", credits, self.limit, _LEDGER_SECONDS)
        if day == self._day:
            self._spent[credential] = total
        return added

    @contextmanager
    def spending(self, tool: Tool, cost: Price, credential: str) -> Iterator[Spending]:
        """Reserve the price for the time of the call. Raises NotAllowedError before anything is sent."""
        if cost == FREE:
            yield Spending(cost, 0.0)
            return
        self.check(tool, cost, credential)
        reserved = cost.credits or 0.0
        self._add(credential, reserved)
        spending = Spending(cost, cost.credits)
        day = self._day
        try:
            yield spending
        except ToolError as error:
            if nothing_happened(error):
                spending.credits = 0.0
                self._give_back(credential, reserved, day)
            raise
        if spending.credits is not None and spending.credits != reserved:
            self._give_back(credential, reserved - spending.credits, day)
        spending.footer = self._footer(spending, credential)

    def _add(self, credential: str, credits: float) -> None:
        self._spent[credential] = self.spent(credential) + credits

    def _give_back(self, credential: str, credits: float, day: str) -> None:
        self.spent(credential)
        if day == self._day:
            self._add(credential, -credits)

    def _when(self) -> str:
        return "today (UTC)" if self.period == "day" else "in this run"

    def _footer(self, spending: Spending, credential: str) -> str:
        text = f"Credits: {spending.price}"
        if self.limit is not None:
            if spending.credits is None:
                text += ", not counted"
            spent = self.spent(credential)
            text += f"; {spent:g} of {self.limit:g} spent {self._when()}, {max(self.limit - spent, 0):g} left"
        return text + "."
