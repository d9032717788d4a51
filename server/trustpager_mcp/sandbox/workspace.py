"""One workspace and everything that answers for it, apart from HTTP."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from ..definitions import Tool, Toolset, load_toolsets
from .approval import hold
from .auth import Key, Keys, authorize
from .checks import validated
from .clock import Clock
from .engine import Answer, Call, Router
from .errors import ApiError
from .faults import Faults
from .groups import CHECKS, HANDLERS, JOBS, LISTENERS, REWRITES, SEEDS
from .idempotency import fingerprint, once
from .limits import RateLimit
from .planner import Planner, by_rules
from .rows import Rows, rows_of
from .seed import seed_workspace
from .store import Record, Store
from .world import World, run_due

_REQUESTS_KEPT = 1000
_SEEDED_KEPT = 2
_seeded: OrderedDict[tuple[int, datetime], bytes] = OrderedDict()
"""Fresh workspaces by seed and hour: seeding takes half a second, a reset or another workspace in memory a fortieth of it."""


@cache
def _toolsets() -> tuple[Toolset, ...]:
    """The definitions, read once: they are frozen, and many workspaces may stand in one process."""
    return load_toolsets()


@cache
def _rows() -> Rows:
    return rows_of(_toolsets())


class Workspace:
    """Records, clock, keys, faults, outbox and credits; `call` is the API.

    A file that already holds a workspace is opened as it was left: its clock runs on, and `seed` and `now` are its own.
    Raises WorkspaceFileError when the file cannot be used.
    """

    def __init__(
        self, seed: int, database: str, now: str | None, per_minute: int | None = None, planner: Planner = by_rules
    ) -> None:
        toolsets = _toolsets()
        self.tools: list[Tool] = [t for toolset in toolsets for t in toolset.tools]
        self._group = {t.name: toolset.title for toolset in toolsets for t in toolset.tools}
        self._by_name = {t.name: t for t in self.tools}
        self._router = Router(self.tools)
        self._start = now
        self._planner = planner
        self.rate_limit = RateLimit(per_minute)
        self.store = Store(database)
        if self.store.is_empty():
            self._begin(seed)
        else:
            self._attach(self.store.state("seed"), Clock(offset=self.store.state("clock_offset")))

    def _begin(self, seed: int) -> None:
        clock = Clock(self._start)
        now = clock.now()
        # A seed counts its times from the full hour, so that all workspaces begun within one are the same.
        made = seed, now.replace(minute=0, second=0, microsecond=0)
        if self.store.in_memory and made in _seeded:
            self.store.restore(_seeded[made])
            self._attach(seed, clock)
            self.keep_clock()
            return
        with self.store.transaction():
            self.store.clear()
            self._attach(seed, clock)
            self.store.keep("seed", seed)
            self.keep_clock()
            seed_workspace(self.store, now, seed, SEEDS)
        if self.store.in_memory:
            _seeded[made] = self.store.snapshot()
            while len(_seeded) > _SEEDED_KEPT:
                _seeded.popitem(last=False)

    def _attach(self, seed: int, clock: Clock) -> None:
        self._seed, self.clock = seed, clock
        self.keys = Keys(self.tools, self.store)
        self.faults = Faults()
        self.rate_limit.reset()
        self.requests: deque[Record] = deque(maxlen=_REQUESTS_KEPT)
        self.world = World(self.store, self.clock, self.run, self.keys.system, LISTENERS, tuple(self.tools), self._planner)

    def keep_clock(self) -> None:
        """Remember how far the clock was moved."""
        self.store.keep("clock_offset", self.clock.offset)

    def reset(self, seed: int | None = None) -> None:
        """The seeded workspace again, or that of another seed: records, clock, keys, faults, limits."""
        self._begin(self._seed if seed is None else seed)

    def authenticate(self, header: str | None, method: str, path: str) -> Key:
        """The caller, by the kind of credential that the endpoint takes. Raises 401 UNAUTHORIZED."""
        try:
            credential = self._router.find(method, path)[0].credential
        except ApiError:
            credential = "api_key"
        return self.keys.authenticate(header, credential)

    def call(
        self, key: Key, method: str, path: str, query: list[tuple[str, str]], body: Any, idempotency_key: str | None = None
    ) -> Answer:
        """Route, authorize, validate, then act or hold for approval. Raises ApiError."""
        self.run_due()
        tool, ids = self._router.find(method, path)
        authorize(tool, key)
        self._check_served(tool)
        values, checked = _checked(tool, ids, query, body)

        def act() -> Answer:
            if key.approval and tool.is_write:
                return hold(self.world, tool, key, ids, values, checked)
            return self._act(tool, key, ids, values, checked)

        if idempotency_key and tool.is_write:
            return once(self.world, key.name, idempotency_key, fingerprint(method, path, query, body), act)
        return act()

    def _check_served(self, tool: Tool) -> None:
        if tool.name not in HANDLERS:
            raise ApiError(501, "NOT_IMPLEMENTED", f"the sandbox does not serve {self._group[tool.name]} ({tool.operation}) yet")

    def _act(self, tool: Tool, key: Key, ids: dict[str, str], query: Record, body: Any) -> Answer:
        with self.store.transaction():
            if tool.credits and tool.credits.amount and tool.credits.per == "call":
                self.world.charge(tool.credits.amount, tool.name)
            answer = HANDLERS[tool.name](Call(tool, self.world, key, ids, query, body))
            return replace(answer, data=_rows().completed(tool, answer.data, self.store, query.get("fields")))

    def run(self, name: str, key: Key, ids: dict[str, str], query: dict[str, Any], body: Any) -> Answer:
        """Call an endpoint from inside the workspace (automations, proposals, Evie): authorized and validated like any call.

        Raises ApiError.
        """
        tool = self._by_name[name]
        authorize(tool, key)
        self._check_served(tool)
        pairs = [(k, str(one)) for k, v in query.items() for one in (v if isinstance(v, list) else [v])]
        values, checked = _checked(tool, ids, pairs, body)
        return self._act(tool, key, ids, values, checked)

    def run_due(self) -> int:
        """Let the jobs do what the clock says is due."""
        return run_due(self.world, JOBS)


def _checked(tool: Tool, ids: dict[str, str], query: list[tuple[str, str]], body: Any) -> tuple[Record, Any]:
    """Query and body by the group's own checks and rewrites, then by the definition. Raises ApiError."""
    if tool.name in CHECKS and isinstance(body, dict):
        CHECKS[tool.name](body)
    if tool.name in REWRITES and isinstance(body, dict):
        body = REWRITES[tool.name](body)
    return validated(tool, ids, query, body)
