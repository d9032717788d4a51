"""What agents propose and people decide; an approved proposal's action is executed at once."""

from __future__ import annotations

from datetime import timedelta

from ..arguments import call_tool, tool_named
from ..auth import authorize
from ..checks import moment
from ..engine import Answer, Call, Handler, page
from ..errors import ApiError, invalid
from ..ordered import named
from ..seed import Seeder
from ..store import Record
from ..world import Job, World

_KEPT = timedelta(days=7)
_MANUAL = "custom"


def _list(call: Call) -> Answer:
    q = call.query
    status = q.get("status", "pending")
    equal = {k: q[k] for k in ("agent_name", "category") if k in q} | ({} if status == "all" else {"status": status})
    return page(call, call.store.numbered("agent_proposal", **equal))


def _create(call: Call) -> Answer:
    body = named(call.body, "agent_name", "title")
    expires = moment(body.get("expires_at")) or call.clock.now() + _KEPT
    if expires <= call.clock.now():
        raise invalid("expires_at lies in the past", field="expires_at")
    defaults: Record = {"description": None, "context": {}, "priority": "medium", "options": []}
    review = dict.fromkeys(("answer", "selected_option", "rejection_reason", "result", "error_message", "reviewed_at"))
    record = call.fresh({
        **defaults, **body, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "status": "pending", **review,
    })  # fmt: skip
    call.store.add("agent_proposal", [record])
    return Answer(record, status=201)


def _pending(call: Call) -> Record:
    proposal = call.must("agent_proposal")
    if proposal["status"] != "pending":
        raise ApiError(409, "CONFLICT", f"the proposal is already {proposal['status']}", {"status": proposal["status"]})
    return proposal


def _chosen(proposal: Record, index: int | None) -> Record:
    action: Record = proposal["proposed_action"]
    if index is None:
        return action
    if not proposal["options"]:
        raise invalid("selected_option: the proposal has no options to choose from", field="selected_option")
    if index >= len(proposal["options"]):
        raise invalid(f"selected_option must be below {len(proposal['options'])}", field="selected_option")
    option: Record = proposal["options"][index]["action"]
    return option


def _execute(call: Call, action: Record) -> Record:
    """What became of the action. Manual ones are approved and left to the person."""
    if action["tool"] == _MANUAL:
        return {"status": "approved", "result": None}
    try:
        # Missing rights are the reviewer's matter: the proposal stays pending. All else is the proposal's own failure.
        tool = tool_named(call.world, action["tool"])
    except ApiError as error:
        return {"status": "failed", "error_message": error.message}
    authorize(tool, call.key)
    try:
        with call.store.attempt():
            answer = call_tool(call.world, call.key, tool.name, action.get("params") or {})
    except ApiError as error:
        details = {"code": error.code, "message": error.message, "details": error.details}
        return {"status": "failed", "error_message": error.message, "result": {"status": error.status, "error": details}}
    return {"status": "executed", "result": {"status": answer.status, "data": answer.data}}


def _decided(call: Call, proposal: Record, changes: Record) -> Answer:
    now = call.clock.iso()
    decided = {**proposal, **changes, "reviewed_at": now, "updated_at": now}
    call.store.save("agent_proposal", decided)
    return Answer(decided)


def _approve(call: Call) -> Answer:
    proposal = _pending(call)
    index = call.body.get("selected_option")
    note = {"answer": call.body.get("answer"), "selected_option": index}
    return _decided(call, proposal, {**note, **_execute(call, _chosen(proposal, index))})


def _reject(call: Call) -> Answer:
    return _decided(call, _pending(call), {"status": "rejected", "rejection_reason": call.body.get("reason")})


def _waiting(world: World) -> list[Record]:
    return sorted(world.store.all("agent_proposal", status="pending"), key=lambda p: str(p["expires_at"]))


def _next_expiry(world: World) -> str | None:
    waiting = _waiting(world)
    return waiting[0]["expires_at"] if waiting else None


def _expire(world: World) -> None:
    first = _waiting(world)[0]
    world.store.save("agent_proposal", {**first, "status": "expired", "updated_at": world.clock.iso()})


def seed(s: Seeder) -> None:
    """What an agent noticed lately: three proposals that wait and some that were decided."""
    deals = s.store.all("opportunity", status="open")
    review = dict.fromkeys(("answer", "selected_option", "rejection_reason", "result", "error_message", "reviewed_at"))
    states = [
        (40, "rejected"),
        (33, "executed"),
        (27, "executed"),
        (20, "expired"),
        (5, "pending"),
        (3, "pending"),
        (1, "pending"),
    ]
    proposals = []
    for age, status in states:
        deal = s.rng.choice(deals)
        task = {"title": f"Call about {deal['name']}", "deal_id": deal["id"], "priority": "high"}
        proposals.append(s.record(
            age, agent_name="pipeline-watch", category=s.rng.choice(["fix", "strategy", "diagnose"]), priority="medium",
            title=f"Follow up {deal['name']}", description="Nobody has touched this deal for weeks.",
            proposed_action={"tool": "create_task", "params": task}, context={"days_stale": s.rng.randint(20, 60)}, options=[],
            expires_at=s.time(age - 7), status=status,
            **{**review, "rejection_reason": "Already called." if status == "rejected" else None},
        ))  # fmt: skip
    s.store.add("agent_proposal", proposals)


JOBS = (Job(_next_expiry, _expire),)
HANDLERS: dict[str, Handler] = {
    "list_agent_proposals": _list,
    "get_agent_proposal": lambda c: Answer(c.must("agent_proposal")),
    "create_agent_proposal": _create,
    "approve_agent_proposal": _approve,
    "reject_agent_proposal": _reject,
}
