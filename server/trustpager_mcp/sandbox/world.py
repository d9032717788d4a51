"""What every handler and job of a workspace shares: records, clock, outbox, credits, and calling other endpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .clock import Clock
from .errors import ApiError
from .planner import Planner, by_rules
from .store import Record, Store

if TYPE_CHECKING:
    from ..definitions import Tool
    from .auth import Key
    from .engine import Answer

START_CREDITS = 10_000.0
ADJUSTMENT = "credit_adjustment"
"""The operation of a balance that was set by hand, among what charged calls took."""
_MOST_RUNS = 100_000
Run = Callable[["str", "Key", dict[str, str], dict[str, Any], Any], "Answer"]


@dataclass(frozen=True)
class Event:
    """Something that happened, named as the automations' trigger types are; `data` is what a trigger hands on."""

    name: str
    data: Record
    skip_actions: tuple[str, ...] = ()
    """Automation actions that the caller does not want (skip_action_ids)."""


Listener = Callable[["World", Event], None]


@dataclass
class World:
    """One workspace's state; `run` calls an endpoint by its tool's name, with the rights of a key."""

    store: Store
    clock: Clock
    run: Run
    system: Key
    """The rights of what the workspace does by itself: every scope."""
    listeners: tuple[Listener, ...] = ()
    tools: tuple[Tool, ...] = ()
    """What the API can do, for those endpoints that speak about the others (_meta/tools, Evie, proposals)."""
    planner: Planner = by_rules
    """Decides what Evie does."""

    origin: str = "http://sandbox.local"
    """Scheme and host under which the last caller reached the sandbox: its own links begin with it."""

    def fresh(self, fields: Record) -> Record:
        """A new record: id and times set."""
        now = self.clock.iso()
        return {"id": str(uuid4()), **fields, "created_at": now, "updated_at": now}

    def send(self, channel: str, to: str, **content: Any) -> Record:
        """Put a message, call or post into the outbox: what would have left the workspace (channel: email, sms, call, ...)."""
        message = {"id": str(uuid4()), "channel": channel, "to": to, **content, "sent_at": self.clock.iso()}
        self.store.add("outbox", [message])
        return message

    @property
    def outbox(self) -> list[Record]:
        """All that was sent, oldest first."""
        return self.store.all("outbox")[::-1]

    def emit(self, name: str, data: Record, skip_actions: tuple[str, ...] = ()) -> None:
        """Tell the groups that listen (automations, webhooks) what happened."""
        for listener in self.listeners:
            listener(self, Event(name, data, skip_actions))

    @property
    def balance(self) -> float:
        account = self.store.get("credit_account", "balance")
        return float(account["credits"]) if account else START_CREDITS

    @balance.setter
    def balance(self, credits: float) -> None:
        account = {"id": "balance", "credits": round(credits, 4)}
        if self.store.get("credit_account", "balance") is None:
            self.store.add("credit_account", [account])
        else:
            self.store.save("credit_account", account)

    def adjust(self, credits: float) -> None:
        """Set the balance by hand, and log by how much it changed."""
        change = self.balance - credits
        self.balance = credits
        self.store.add("credit_usage", [self.fresh({"operation": ADJUSTMENT, "credits": change, "balance_after": self.balance})])

    def charge(self, credits: float, what: str) -> None:
        """Take credits and log their use. Raises 402 INSUFFICIENT_CREDITS when there are too few."""
        if credits > (balance := self.balance):
            raise ApiError(
                402, "INSUFFICIENT_CREDITS", f"{what} costs {credits:g} credits and the balance is {balance:g}",
                {"required": credits, "balance": balance},
            )  # fmt: skip
        self.balance = balance - credits
        self.store.add("credit_usage", [self.fresh({"operation": what, "credits": credits, "balance_after": self.balance})])


@dataclass(frozen=True)
class Job:
    """Work that time brings.

    `due` tells the earliest moment at which there is something to do (None: nothing is waiting); `run` does it, with the
    clock standing at that moment, and must leave a later `due` or none.
    """

    due: Callable[[World], str | None]
    run: Callable[[World], None]


def earliest(world: World, kind: str, name: str = "due_at", **equal: Any) -> str | None:
    """The earliest time that a field of the kind's records holds: what a job's `due` answers."""
    return min((r[name] for r in world.store.all(kind, **equal) if r.get(name)), default=None)


def take_due(world: World, kind: str, name: str = "due_at", **equal: Any) -> list[Record]:
    """The kind's records whose time has come, in its order."""
    now = world.clock.now()
    due = [r for r in world.store.all(kind, **equal) if r.get(name) and _moment(r[name]) <= now]
    return sorted(due, key=lambda r: _moment(r[name]))


def run_due(world: World, jobs: tuple[Job, ...]) -> int:
    """Do everything whose moment has come, in the order of time; how many runs that took."""
    until = world.clock.now()
    for count in range(_MOST_RUNS):
        waiting = [(_moment(due), i) for i, job in enumerate(jobs) if (due := job.due(world)) is not None]
        if not waiting or min(waiting)[0] > until:
            return count
        at, chosen = min(waiting)
        with world.clock.standing_at(at), world.store.transaction():
            jobs[chosen].run(world)
    raise RuntimeError(f"jobs did not come to an end after {_MOST_RUNS} runs")


def _moment(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
