"""One workspace and everything that answers for it, apart from HTTP."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any
from uuid import uuid4

from ..definitions import Tool, Toolset, input_schema, load_toolsets
from .auth import Key, Keys, authorize, missing_scopes
from .checks import validated
from .clock import Clock
from .engine import Answer, Call, Router
from .errors import ApiError, not_found
from .faults import Faults
from .groups import CHECKS, HANDLERS, JOBS, LISTENERS, REWRITES, SEEDS
from .seed import seed_workspace
from .store import Record, Store
from .world import World, run_due

_REQUESTS_KEPT = 1000


@cache
def _toolsets() -> tuple[Toolset, ...]:
    """The definitions, read once: they are frozen, and many workspaces may stand in one process."""
    return load_toolsets()


class Workspace:
    """Records, clock, keys, faults, outbox and credits; `call` is the API."""

    def __init__(self, seed: int, database: str, now: str | None) -> None:
        toolsets = _toolsets()
        self.tools: list[Tool] = [t for toolset in toolsets for t in toolset.tools]
        self._group = {t.name: toolset.title for toolset in toolsets for t in toolset.tools}
        self._by_name = {t.name: t for t in self.tools}
        self._router = Router(self.tools)
        self._seed, self._start = seed, now
        self.store = Store(database)
        self._begin()
        if self.store.is_empty():
            seed_workspace(self.store, self.clock.now(), seed, SEEDS)

    def _begin(self) -> None:
        self.clock = Clock(self._start)
        self.keys = Keys(self.tools)
        self.faults = Faults()
        self.requests: deque[Record] = deque(maxlen=_REQUESTS_KEPT)
        self.world = World(self.store, self.clock, self.run, self.keys.system, LISTENERS)

    def reset(self, seed: int | None = None) -> None:
        """The seeded workspace again, or that of another seed: records, clock, keys, faults."""
        self._seed = self._seed if seed is None else seed
        self._begin()
        with self.store.transaction():
            self.store.clear()
            seed_workspace(self.store, self.clock.now(), self._seed, SEEDS)

    def authenticate(self, header: str | None, method: str, path: str) -> Key:
        """The caller, by the kind of credential that the endpoint takes. Raises 401 UNAUTHORIZED."""
        try:
            credential = self._router.find(method, path)[0].credential
        except ApiError:
            credential = "api_key"
        return self.keys.authenticate(header, credential)

    def call(self, key: Key, method: str, path: str, query: list[tuple[str, str]], body: Any) -> Answer:
        """Route, authorize, validate, then act or hold for approval. Raises ApiError."""
        if path == "/_meta/tools" and method == "GET":
            return Answer({"tools": [_meta_entry(t) for t in self.tools if not missing_scopes(t, key)]})
        self.run_due()
        tool, ids = self._router.find(method, path)
        authorize(tool, key)
        self._check_served(tool)
        values, checked = _checked(tool, ids, query, body)
        if key.approval and tool.is_write:
            return self._hold(tool, ids, values, checked)
        return self._act(tool, key, ids, values, checked)

    def _check_served(self, tool: Tool) -> None:
        if tool.name not in HANDLERS:
            raise ApiError(501, "NOT_IMPLEMENTED", f"the sandbox does not serve {self._group[tool.name]} ({tool.operation}) yet")

    def _act(self, tool: Tool, key: Key, ids: dict[str, str], query: Record, body: Any) -> Answer:
        with self.store.transaction():
            if tool.credits and tool.credits.amount and tool.credits.per == "call":
                self.world.charge(tool.credits.amount, tool.name)
            return HANDLERS[tool.name](Call(tool, self.world, key, ids, query, body))

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

    def _hold(self, tool: Tool, ids: dict[str, str], query: Record, body: Any) -> Answer:
        """A key that needs approval: the write waits (DESIGN: 202, pending_approval)."""
        approval = {
            "id": str(uuid4()), "status": "pending", "tool": tool.name, "operation": tool.operation,
            "ids": ids, "query": query, "body": body, "created_at": self.clock.iso(),
        }  # fmt: skip
        self.store.add("approval", [approval])
        return Answer({"status": "pending_approval", "approval_id": approval["id"]}, status=202)

    def execute_approval(self, approval_id: str, key: Key) -> Answer:
        """Do what was held, with the rights of `key`. Raises ApiError."""
        approval = self.store.get("approval", approval_id)
        if approval is None:
            raise not_found("approval", approval_id)
        if approval["status"] != "pending":
            raise ApiError(409, "CONFLICT", f"the approval is already {approval['status']}")
        tool = self._by_name[approval["tool"]]
        answer = self._act(tool, key, approval["ids"], approval["query"], approval["body"])
        self.store.save("approval", {**approval, "status": "executed", "executed_at": self.clock.iso()})
        return answer


def _checked(tool: Tool, ids: dict[str, str], query: list[tuple[str, str]], body: Any) -> tuple[Record, Any]:
    """Query and body by the group's own checks and rewrites, then by the definition. Raises ApiError."""
    if tool.name in CHECKS and isinstance(body, dict):
        CHECKS[tool.name](body)
    if tool.name in REWRITES and isinstance(body, dict):
        body = REWRITES[tool.name](body)
    return validated(tool, ids, query, body)


def _meta_entry(tool: Tool) -> Record:
    """One tool as the reference documents GET /api/v1/_meta/tools."""
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": input_schema(tool),
        "preferred_model": "haiku" if tool.effect == "read" else "sonnet",
        "api_path": tool.path,
        "required_scopes": list(tool.scopes),
        "is_write": tool.is_write,
        "portal_path": "/crm/" + tool.path.split("/")[1],
    }
