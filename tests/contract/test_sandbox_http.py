"""Envelopes, keys, approvals, faults and controls of the sandbox."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
import uvicorn

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.sandbox.app import create_app


async def test_a_call_without_a_valid_key_is_answered_401() -> None:
    api = make()
    for key in (None, "tp_live_wrong"):
        error = await api.as_key(key).error("GET", "/contacts", status=401)
        assert error["code"] == "UNAUTHORIZED"


async def test_a_call_without_the_scope_is_answered_403_naming_what_is_missing() -> None:
    error = await make("tp_live_sandbox_readonly").error("POST", "/contacts", {"first_name": "A"}, status=403)
    assert error["code"] == "FORBIDDEN"
    assert error["details"]["missing_scopes"] == ["contacts:write"]


async def test_the_sales_key_neither_bulk_deletes_nor_reads_invoices() -> None:
    api = make("tp_live_sandbox_sales")
    await api.error("POST", "/contacts/bulk-delete", {"ids": [NOBODY]}, status=403)
    deal = (await api.get("/opportunities"))[0]["id"]
    await api.error("GET", f"/opportunities/{deal}/invoices", status=403)
    await api.ok("POST", "/activities", {"activity_type": "note", "subject": "Hello", "deal_id": deal}, status=201)


async def test_every_answer_carries_its_request_id_and_errors_repeat_it() -> None:
    api = make()
    response = await api.send("GET", f"/contacts/{NOBODY}")
    assert response.status_code == 404
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
    assert (await api.send("GET", "/pipelines")).headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"first_name": "A", "nickname": "B"}, "nickname"),
        ({"first_name": 5}, "first_name"),
        ({}, "first_name"),
        ({"first_name": "A", "email": "not an address"}, "email"),
        ({"first_name": "A", "date_of_birth": "yesterday"}, "date_of_birth"),
        ({"first_name": "A", "metadata": []}, "metadata"),
        ({"first_name": "A", "skip_automations": "yes"}, "skip_automations"),
    ],
)
async def test_a_body_that_breaks_the_definition_is_refused_naming_the_field(body: dict[str, object], field: str) -> None:
    error = await make().error("POST", "/contacts", body)
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"]["fields"]


@pytest.mark.parametrize(
    "query", ["colour=red", "limit=0", "limit=101", "limit=ten", "created_after=soon", "cursor=abc", "expand=pets"]
)
async def test_a_query_that_breaks_the_definition_is_refused_naming_the_parameter(query: str) -> None:
    error = await make().error("GET", f"/contacts?{query}")
    assert error["code"] == "VALIDATION_ERROR"
    assert list(error["details"]["fields"]) == [query.split("=")[0]]


async def test_a_malformed_id_body_or_route_is_an_error_and_never_a_crash() -> None:
    api = make()
    assert (await api.error("GET", "/contacts/abc"))["code"] == "VALIDATION_ERROR"
    assert (await api.error("POST", "/contacts", content=b'{"first_name":'))["code"] == "VALIDATION_ERROR"
    assert (await api.error("POST", "/contacts", [1]))["code"] == "VALIDATION_ERROR"
    assert (await api.error("GET", "/unicorns", status=404))["code"] == "NOT_FOUND"
    assert (await api.error("PUT", "/contacts", status=405))["code"] == "METHOD_NOT_ALLOWED"
    assert (await api.error("GET", "/functions", status=404))["code"] == "NOT_FOUND"


async def test_null_is_refused_where_it_has_no_meaning_and_clears_where_it_has() -> None:
    api = make()
    contact = (await api.get("/contacts"))[0]["id"]
    assert "email" in (await api.error("PATCH", f"/contacts/{contact}", {"email": None}))["details"]["fields"]
    assert (await api.ok("PATCH", f"/contacts/{contact}", {"last_name": None}))["last_name"] is None


async def test_the_tool_list_holds_what_the_scopes_of_the_key_allow() -> None:
    api = make()
    every = (await api.get("/_meta/tools"))["tools"]
    fields = {"name", "description", "input_schema", "preferred_model", "api_path", "required_scopes", "is_write", "portal_path"}
    assert all(set(t) == fields for t in every)
    readable = (await api.as_key("tp_live_sandbox_readonly").get("/_meta/tools"))["tools"]
    assert {"list_contacts", "search_everything"} <= {t["name"] for t in readable}
    assert "create_contact" not in {t["name"] for t in readable}
    assert {"create_contact", "delete_contact"} <= {t["name"] for t in every}


async def test_a_key_made_on_demand_holds_the_scopes_that_were_asked_for() -> None:
    api = make()
    made = await api.ok("POST", "/__sandbox/keys", {"scopes": ["contacts:read"]}, status=201)
    caller = api.as_key(made["key"])
    await caller.get("/contacts")
    await caller.error("GET", "/companies", status=403)
    await api.ok("POST", "/__sandbox/keys", {"key": made["key"], "scopes": ["companies:read"]})
    await caller.get("/companies")
    await caller.error("GET", "/contacts", status=403)
    await api.error("POST", "/__sandbox/keys", {"scopes": "contacts:read"})
    await api.error("POST", "/__sandbox/keys", {"key": "tp_live_sandbox_full", "scopes": []}, status=404)


async def test_the_writes_of_an_approval_key_are_held_and_its_reads_are_answered() -> None:
    api = make("tp_live_sandbox_approval")
    before = (await api.listed("/contacts"))["total"]
    held = await api.ok("POST", "/contacts", {"first_name": "Held"}, status=202)
    assert held["status"] == "pending_approval"
    assert (await api.listed("/contacts"))["total"] == before
    await api.ok("POST", "/contacts/search", {"query": "a"})
    (approval,) = (await api.ok("GET", "/__sandbox/approvals"))["approvals"]
    assert approval["id"] == held["approval_id"]
    assert approval["action"] == "create_contact"


async def test_bad_input_of_an_approval_key_is_refused_at_once() -> None:
    await make("tp_live_sandbox_approval").error("POST", "/contacts", {})


async def test_a_status_fault_strikes_as_often_as_ordered_with_its_retry_after() -> None:
    api = make()
    order = {"kind": "status", "status": 429, "retry_after": 3, "times": 2, "method": "GET", "path": "/contacts"}
    await api.ok("POST", "/__sandbox/faults", order, status=201)
    await api.get("/companies")
    for _ in range(2):
        response = await api.send("GET", "/contacts")
        assert response.status_code == 429
        assert response.headers["retry-after"] == "3"
        assert response.json()["error"]["code"] == "RATE_LIMITED"
    await api.get("/contacts")


async def test_faults_can_answer_html_broken_json_or_nothing() -> None:
    api = make()
    for kind, status in (("html", 502), ("invalid_json", 200), ("empty", 200), ("delay", 200)):
        await api.ok("POST", "/__sandbox/faults", {"kind": kind}, status=201)
        response = await api.send("GET", "/pipelines")
        assert response.status_code == status
        if kind != "delay":
            with pytest.raises(ValueError, match="."):
                response.json()
    assert (await api.ok("GET", "/__sandbox/faults"))["faults"] == []


async def test_a_fault_after_the_work_loses_the_answer_and_keeps_the_change() -> None:
    api = make()
    before = (await api.listed("/contacts"))["total"]
    await api.ok("POST", "/__sandbox/faults", {"kind": "status", "status": 504, "after": True}, status=201)
    await api.error("POST", "/contacts", {"first_name": "Lost"}, status=504)
    assert (await api.listed("/contacts"))["total"] == before + 1


async def test_an_unknown_fault_is_refused() -> None:
    api = make()
    for order in ({"kind": "earthquake"}, {"kind": "status", "status": 42}, {"kind": "status", "colour": 1}):
        await api.error("POST", "/__sandbox/faults", order)


async def test_the_clock_can_be_moved_and_stamps_what_is_written() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/clock", {"now": "2027-01-01T00:00:00Z"})
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 86400})
    assert (await api.ok("GET", "/__sandbox/clock"))["now"].startswith("2027-01-02T00:00")
    contact = await api.ok("POST", "/contacts", {"first_name": "Late"}, status=201)
    assert contact["created_at"].startswith("2027-01-02T00:00")
    for order in ({}, {"now": "soon"}, {"advance_seconds": "1"}, {"advance_seconds": 1e30}):
        await api.error("POST", "/__sandbox/clock", order)


async def test_reset_brings_the_seeded_workspace_back() -> None:
    api = make()
    before = await api.listed("/contacts")
    await api.ok("POST", "/contacts", {"first_name": "Gone"}, status=201)
    await api.ok("POST", "/__sandbox/reset")
    assert await api.listed("/contacts") == before
    await api.ok("POST", "/__sandbox/reset", {"seed": 2})
    assert (await api.listed("/contacts"))["data"] != before["data"]


async def test_the_requests_seen_are_told_without_keys() -> None:
    api = make()
    await api.ok("POST", "/contacts/search", {"query": "Sarah"})
    requests = (await api.ok("GET", "/__sandbox/requests"))["requests"]
    assert requests[-1]["path"] == "/contacts/search"
    assert requests[-1]["body"] == {"query": "Sarah"}
    assert requests[-1]["status"] == 200
    assert "tp_live" not in str(requests)


async def test_credits_can_be_set_and_read() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/credits", {"balance": 3})
    assert await api.ok("GET", "/__sandbox/credits") == {"balance": 3}
    await api.error("POST", "/__sandbox/credits", {"balance": "much"})
    assert (await api.ok("GET", "/__sandbox/outbox")) == {"outbox": []}
    await api.error("GET", "/__sandbox/nothing", status=404)


async def test_the_controls_refuse_other_machines_and_web_pages_of_other_hosts() -> None:
    app = create_app()
    away = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("10.0.0.9", 1)), base_url="http://sandbox.local")
    assert (await away.post("/__sandbox/reset")).status_code == 403
    here = Api(app)
    assert (await here.send("POST", "/__sandbox/reset", headers={"origin": "https://evil.example"})).status_code == 403
    assert (await here.send("POST", "/__sandbox/reset", headers={"origin": "http://localhost:3000"})).status_code == 200


async def test_a_workspace_in_a_file_outlives_the_process(tmp_path: object) -> None:
    file = f"{tmp_path}/workspace.db"
    first = make(database=file)
    contact = await first.ok("POST", "/contacts", {"first_name": "Kept"}, status=201)
    first.workspace.store.close()
    assert (await make(database=file).get(f"/contacts/{contact['id']}"))["first_name"] == "Kept"


async def test_it_serves_over_a_real_socket() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="critical", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/functions/v1/api/v1/pipelines"
            transport = httpx.AsyncHTTPTransport(retries=3)
            async with httpx.AsyncClient(transport=transport, headers={"authorization": "Bearer tp_live_sandbox_full"}) as client:
                names = [p["name"] for p in (await client.get(url)).json()["data"]]
            assert len(names) == 3
        finally:
            server.should_exit = True
            await task


async def test_a_whole_number_written_with_a_decimal_point_counts_as_one() -> None:
    api = make()
    assert len(await api.ok("POST", "/search", {"query": "a", "limit": 2.0})) == 2
