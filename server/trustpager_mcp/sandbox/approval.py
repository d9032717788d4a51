"""Writes that wait for a person: held, executed with the rights they were asked with, rejected, or expired."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from ..definitions import Tool
from .auth import Key
from .engine import Answer
from .errors import ApiError, forbidden
from .store import Record
from .world import World

KEPT = timedelta(days=7)


def hold(world: World, tool: Tool, key: Key, ids: dict[str, str], query: Record, body: Any) -> Answer:
    """Store a write instead of doing it: 202 with the approval. Raises 403 when it would review what is held itself."""
    if tool.approves and tool.path.startswith("/approvals"):
        error = forbidden()
        error.message = "a key whose writes need approval cannot review approvals; another key or a person must"
        raise error
    path = re.sub(r":(\w+)", lambda match: ids[match[1]], tool.path)
    reviewer = next(iter(reversed(world.store.all("user"))), None)
    approval = world.fresh({
        "status": "pending", "action": tool.name, "method": tool.method, "path": path, "query": query, "body": body,
        "requested_by": key.name, "primary_assignee_id": reviewer["id"] if reviewer else None, "secondary_assignee_id": None,
        "expires_at": (world.clock.now() + KEPT).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "reviewed_at": None,
        "rejection_reason": None, "execution_status": None, "result": None, "_ids": ids, "_scopes": sorted(key.scopes),
    })  # fmt: skip
    world.store.add("approval", [approval])
    return Answer({"status": "pending_approval", "approval_id": approval["id"]}, status=202)


def view(approval: Record) -> Record:
    """The approval as the API shows it."""
    return {k: v for k, v in approval.items() if not k.startswith("_")}


def execute(world: World, approval: Record) -> Record:
    """Do what was held, and keep its result or its error on the approval."""
    key = Key(frozenset(approval["_scopes"]), name=approval["requested_by"])
    try:
        with world.store.attempt():
            answer = world.run(approval["action"], key, approval["_ids"], approval["query"], approval["body"])
    except ApiError as error:
        failure = {"code": error.code, "message": error.message, "details": error.details}
        outcome: Record = {"execution_status": "failed", "result": {"status": error.status, "error": failure}}
    else:
        said = answer.data if answer.text is None else answer.text
        outcome = {"execution_status": "executed", "result": {"status": answer.status, "data": said}}
    now = world.clock.iso()
    done = {**approval, "status": "approved", "reviewed_at": now, "updated_at": now, **outcome}
    world.store.save("approval", done)
    return done
