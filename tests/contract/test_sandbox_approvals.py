"""Held writes and agents' proposals: reviewed, executed, rejected, expired."""

from __future__ import annotations

from typing import Any

from tests.contract.test_sandbox_support import NOBODY, Api, make

WEEK = 7 * 86_400 + 1


async def held(api: Api, method: str = "POST", path: str = "/contacts", body: Any = None) -> str:
    body = {"first_name": "Held"} if body is None and method == "POST" else body
    answer = await api.as_key("tp_live_sandbox_approval").ok(method, path, body, status=202)
    approval_id: str = answer["approval_id"]
    return approval_id


async def test_an_approval_tells_what_was_asked_by_whom_and_until_when() -> None:
    api = make()
    approval = await api.get(f"/approvals/{await held(api)}")
    assert (approval["status"], approval["action"], approval["requested_by"]) == ("pending", "create_contact", "approval")
    assert (approval["method"], approval["path"], approval["body"]) == ("POST", "/contacts", {"first_name": "Held"})
    assert approval["expires_at"] > approval["created_at"]
    assert not any(name.startswith("_") for name in approval)


async def test_approving_executes_the_write_and_keeps_its_result() -> None:
    api = make()
    approval_id = await held(api)
    approved = await api.ok("POST", f"/approvals/{approval_id}/approve")
    assert (approved["status"], approved["execution_status"]) == ("approved", "executed")
    contact = approved["result"]["data"]
    assert (await api.get(f"/contacts/{contact['id']}"))["first_name"] == "Held"
    assert (await api.error("POST", f"/approvals/{approval_id}/approve", status=409))["code"] == "CONFLICT"
    nothing = (await api.ok("POST", "/__sandbox/keys", {"scopes": []}, status=201))["key"]
    assert await api.as_key(nothing).get(f"/approvals/{approval_id}") == approved
    spoken = await api.ok("POST", f"/approvals/{await held(api, path='/contacts/voice/unsubscribe')}/approve")
    assert isinstance(spoken["result"]["data"], str)


async def test_a_held_deletion_happens_on_approval_and_not_before() -> None:
    api = make()
    contact = (await api.get("/contacts"))[0]["id"]
    approval_id = await held(api, "DELETE", f"/contacts/{contact}")
    await api.get(f"/contacts/{contact}")
    await api.ok("POST", f"/approvals/{approval_id}/approve")
    await api.error("GET", f"/contacts/{contact}", status=404)


async def test_an_approved_write_that_fails_keeps_its_error_and_changes_nothing() -> None:
    api = make()
    contact = (await api.get("/contacts"))[0]["id"]
    approval_id = await held(api, "PATCH", f"/contacts/{contact}", {"first_name": "New"})
    await api.ok("DELETE", f"/contacts/{contact}", status=204)
    approved = await api.ok("POST", f"/approvals/{approval_id}/approve")
    assert (approved["execution_status"], approved["result"]["status"]) == ("failed", 404)
    assert approved["result"]["error"]["code"] == "NOT_FOUND"


async def test_rejecting_keeps_the_reason_and_never_executes() -> None:
    api = make()
    before = (await api.listed("/contacts"))["total"]
    approval_id = await held(api)
    rejected = await api.ok("POST", f"/approvals/{approval_id}/reject", {"reason": "duplicate"})
    assert (rejected["status"], rejected["rejection_reason"]) == ("rejected", "duplicate")
    await api.error("POST", f"/approvals/{approval_id}/approve", status=409)
    assert (await api.listed("/contacts"))["total"] == before


async def test_an_approval_that_nobody_reviews_expires_with_the_clock() -> None:
    api = make()
    approval_id = await held(api)
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": WEEK})
    assert (await api.get(f"/approvals/{approval_id}"))["status"] == "expired"
    assert "expired" in (await api.error("POST", f"/approvals/{approval_id}/approve", status=409))["message"]


async def test_the_list_shows_pending_ones_unless_asked_for_others() -> None:
    api = make()
    first, second = await held(api), await held(api)
    await api.ok("POST", f"/approvals/{first}/reject", {})
    assert [a["id"] for a in await api.get("/approvals")] == [second]
    assert [a["id"] for a in await api.get("/approvals", status="rejected")] == [first]
    assert [a["id"] for a in await api.get("/approvals", status="all", limit=1)] == [second]
    await api.error("GET", "/approvals?status=open")
    await api.error("GET", "/approvals?limit=101")


async def test_only_members_can_be_assigned_only_while_pending_and_only_with_the_scope() -> None:
    api = make()
    approval_id = await held(api)
    one, two = (u["user_id"] for u in (await api.get("/company/users"))[:2])
    path = f"/approvals/{approval_id}/assign"
    assigned = await api.ok("POST", path, {"primary_assignee_id": one, "secondary_assignee_id": two})
    assert (assigned["primary_assignee_id"], assigned["secondary_assignee_id"]) == (one, two)
    cleared = await api.ok("POST", path, {"primary_assignee_id": two, "secondary_assignee_id": None})
    assert (cleared["primary_assignee_id"], cleared["secondary_assignee_id"]) == (two, None)
    await api.error("POST", path, {"primary_assignee_id": NOBODY})
    await api.error("POST", path, {"primary_assignee_id": one, "secondary_assignee_id": NOBODY})
    await api.as_key("tp_live_sandbox_sales").error("POST", path, {"primary_assignee_id": one}, status=403)
    await api.ok("POST", f"/approvals/{approval_id}/reject", {})
    await api.error("POST", path, {"primary_assignee_id": one}, status=409)
    await api.error("GET", f"/approvals/{NOBODY}", status=404)


async def test_a_key_whose_writes_are_held_cannot_approve_them_itself() -> None:
    api = make()
    approval_id = await held(api)
    for verb in ("approve", "reject"):
        error = await api.as_key("tp_live_sandbox_approval").error("POST", f"/approvals/{approval_id}/{verb}", {}, status=403)
        assert "cannot review" in error["message"]
    assert (await api.get(f"/approvals/{approval_id}"))["status"] == "pending"


PROPOSAL = {
    "agent_name": "watch",
    "category": "fix",
    "title": "Chase it",
    "proposed_action": {"tool": "create_task", "params": {"title": "Chase the deposit"}},
}


async def propose(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.ok("POST", "/agent-proposals", {**PROPOSAL, **fields}, status=201)
    return made


async def test_a_proposal_waits_with_the_documented_defaults() -> None:
    api = make()
    proposal = await propose(api)
    assert (proposal["status"], proposal["priority"], proposal["options"]) == ("pending", "medium", [])
    assert proposal["expires_at"][:10] == "2026-06-22"
    assert await api.get(f"/agent-proposals/{proposal['id']}") == proposal
    assert (await api.get("/agent-proposals"))[0]["id"] == proposal["id"]
    await api.error("POST", "/agent-proposals", {**PROPOSAL, "category": "wish"})
    await api.error("POST", "/agent-proposals", {**PROPOSAL, "expires_at": "2026-06-01T00:00:00Z"})


async def test_approving_a_proposal_executes_its_action_at_once() -> None:
    api = make()
    proposal = await propose(api)
    done = await api.ok("POST", f"/agent-proposals/{proposal['id']}/approve", {"answer": "go"})
    assert (done["status"], done["answer"]) == ("executed", "go")
    assert (await api.get(f"/tasks/{done['result']['data']['id']}"))["title"] == "Chase the deposit"
    await api.error("POST", f"/agent-proposals/{proposal['id']}/approve", {}, status=409)


async def test_the_chosen_option_is_executed_instead() -> None:
    api = make()
    deal = (await api.get("/opportunities", status="open"))[0]["id"]
    options = [
        {"label": "Lose it", "action": {"tool": "update_opportunity", "params": {"opportunity_id": deal, "status": "lost"}}},
        {"label": "Wait", "action": {"tool": "custom", "params": {}}},
    ]
    proposal = await propose(api, options=options)
    await api.error("POST", f"/agent-proposals/{proposal['id']}/approve", {"selected_option": 2})
    done = await api.ok("POST", f"/agent-proposals/{proposal['id']}/approve", {"selected_option": 0})
    assert (done["status"], done["selected_option"]) == ("executed", 0)
    assert (await api.get(f"/opportunities/{deal}"))["status"] == "lost"
    plain = await propose(api)
    error = await api.error("POST", f"/agent-proposals/{plain['id']}/approve", {"selected_option": 0})
    assert "no options" in error["message"]
    manual = await propose(api, options=options)
    assert (await api.ok("POST", f"/agent-proposals/{manual['id']}/approve", {"selected_option": 1}))["status"] == "approved"


async def test_an_action_that_cannot_be_done_makes_the_proposal_failed() -> None:
    api = make()
    actions = [
        {"tool": "fly", "params": {}},
        {"tool": "create_task", "params": {"colour": "red"}},
        {"tool": "get_contact", "params": {}},
        {"tool": "get_contact", "params": {"contact_id": NOBODY}},
    ]
    for action in actions:
        proposal = await propose(api, proposed_action=action)
        done = await api.ok("POST", f"/agent-proposals/{proposal['id']}/approve", {})
        assert done["status"] == "failed"
        assert done["error_message"]


async def test_a_reviewer_without_the_rights_of_the_action_leaves_the_proposal_pending() -> None:
    api = make()
    proposal = await propose(api)
    key = (await api.ok("POST", "/__sandbox/keys", {"scopes": ["agent-ops:read", "agent-ops:write"]}, status=201))["key"]
    path = f"/agent-proposals/{proposal['id']}"
    error = await api.as_key(key).error("POST", f"{path}/approve", {}, status=403)
    assert error["details"]["missing_scopes"] == ["tasks:write"]
    assert (await api.get(path))["status"] == "pending"


async def test_proposals_are_rejected_with_a_reason_and_expire_with_the_clock() -> None:
    api = make()
    first, second = await propose(api), await propose(api, expires_at="2026-06-16T00:00:00Z")
    rejected = await api.ok("POST", f"/agent-proposals/{first['id']}/reject", {"reason": "no"})
    assert (rejected["status"], rejected["rejection_reason"]) == ("rejected", "no")
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 86_400})
    assert (await api.get(f"/agent-proposals/{second['id']}"))["status"] == "expired"
    await api.error("POST", f"/agent-proposals/{second['id']}/reject", {}, status=409)
    assert first["id"] in {p["id"] for p in await api.get("/agent-proposals", status="rejected", agent_name="watch")}
    assert all(p["category"] == "fix" for p in await api.get("/agent-proposals", status="all", category="fix"))
