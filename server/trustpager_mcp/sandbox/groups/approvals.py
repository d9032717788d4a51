"""Writes of keys "with approval", reviewed by people."""

from __future__ import annotations

from ..approval import execute, view
from ..engine import Answer, Call, Handler, page
from ..errors import ApiError, invalid
from ..store import Record
from ..world import Job, World


def _list(call: Call) -> Answer:
    status = call.query.get("status", "pending")
    return page(call, call.store.numbered("approval", **({} if status == "all" else {"status": status})), view)


def _pending(call: Call) -> Record:
    approval = call.must("approval")
    if approval["status"] != "pending":
        raise ApiError(409, "CONFLICT", f"the approval is already {approval['status']}", {"status": approval["status"]})
    return approval


def _reject(call: Call) -> Answer:
    now = call.clock.iso()
    reviewed = {"status": "rejected", "reviewed_at": now, "updated_at": now, "rejection_reason": call.body.get("reason")}
    rejected = {**_pending(call), **reviewed}
    call.store.save("approval", rejected)
    return Answer(view(rejected))


def _assign(call: Call) -> Answer:
    approval = _pending(call)
    for name in ("primary_assignee_id", "secondary_assignee_id"):
        if (user := call.body.get(name)) is not None and call.store.get("user", user) is None:
            raise invalid(f"{name}: user {user} is not a member of the company", field=name)
    assigned = {**approval, **call.body, "updated_at": call.clock.iso()}
    call.store.save("approval", assigned)
    return Answer(view(assigned))


def _expiring(world: World) -> list[Record]:
    return sorted(world.store.all("approval", status="pending"), key=lambda a: str(a["expires_at"]))


def _next_expiry(world: World) -> str | None:
    waiting = _expiring(world)
    return waiting[0]["expires_at"] if waiting else None


def _expire(world: World) -> None:
    first = _expiring(world)[0]
    world.store.save("approval", {**first, "status": "expired", "updated_at": world.clock.iso()})


JOBS = (Job(_next_expiry, _expire),)
HANDLERS: dict[str, Handler] = {
    "list_approvals": _list,
    "get_approval": lambda c: Answer(view(c.must("approval"))),
    "approve_approval": lambda c: Answer(view(execute(c.world, _pending(c)))),
    "reject_approval": _reject,
    "assign_approval": _assign,
}
