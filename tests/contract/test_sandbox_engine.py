"""What the sandbox does for every endpoint: repeated writes, limits, credentials, files, and a workspace that is kept."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.sandbox.app import create_app
from trustpager_mcp.sandbox.errors import ApiError, WorkspaceFileError
from trustpager_mcp.sandbox.uploads import Upload


async def test_a_repeated_write_with_the_same_idempotency_key_gets_the_first_answer_and_changes_nothing() -> None:
    api = make()
    before = (await api.listed("/contacts"))["total"]
    headers = {"idempotency-key": "order-66"}
    first = await api.send("POST", "/contacts", {"first_name": "Once"}, headers=headers)
    again = await api.send("POST", "/contacts", {"first_name": "Once"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (await api.listed("/contacts"))["total"] == before + 1


async def test_an_idempotency_key_belongs_to_one_request_of_one_caller_for_a_day() -> None:
    api = make()
    headers = {"idempotency-key": "k"}
    await api.ok("POST", "/contacts", {"first_name": "A"}, status=201, headers=headers)
    assert (await api.error("POST", "/contacts", {"first_name": "B"}, status=409, headers=headers))["code"] == "CONFLICT"
    await api.error("DELETE", f"/contacts/{NOBODY}", status=409, headers=headers)
    await api.as_key("tp_live_sandbox_sales").ok("POST", "/contacts", {"first_name": "B"}, status=201, headers=headers)
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 86_401})
    made = await api.ok("POST", "/contacts", {"first_name": "B"}, status=201, headers=headers)
    assert made["first_name"] == "B"


async def test_a_write_that_failed_may_be_tried_again_under_its_idempotency_key() -> None:
    api = make()
    headers = {"idempotency-key": "retry"}
    await api.error("POST", "/activities", {"activity_type": "note", "subject": "x", "deal_id": NOBODY}, headers=headers)
    await api.ok("POST", "/activities", {"activity_type": "note", "subject": "x"}, status=201, headers=headers)
    await api.error("POST", "/contacts", {"first_name": "A"}, headers={"idempotency-key": "x" * 256})


async def test_deletions_and_held_writes_are_repeated_safely_too() -> None:
    api = make()
    contact = (await api.get("/contacts"))[0]["id"]
    for _ in range(2):
        await api.ok("DELETE", f"/contacts/{contact}", status=204, headers={"idempotency-key": "gone"})
    held = [
        await api.as_key("tp_live_sandbox_approval").ok(
            "POST", "/contacts", {"first_name": "H"}, status=202, headers={"idempotency-key": "held"}
        )
        for _ in range(2)
    ]
    assert held[0] == held[1]
    assert len(await api.get("/approvals")) == 1


async def test_the_rate_limit_counts_per_key_and_says_when_to_come_back() -> None:
    api = make(rate_limit=3)
    for left in (2, 1, 0):
        response = await api.send("GET", "/pipelines")
        assert (response.status_code, response.headers["x-ratelimit-remaining"]) == (200, str(left))
    response = await api.send("GET", "/pipelines")
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(response.headers["retry-after"]) <= 60
    await api.as_key("tp_live_sandbox_readonly").get("/pipelines")
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": int(response.headers["retry-after"])})
    await api.get("/pipelines")


async def test_the_rate_limit_can_be_set_lifted_and_reset() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/rate-limit", {"per_minute": 1})
    await api.get("/pipelines")
    await api.error("GET", "/pipelines", status=429)
    await api.ok("POST", "/__sandbox/rate-limit", {"per_minute": None})
    await api.get("/pipelines")
    for wrong in (0, "many", 1.5, True):
        await api.error("POST", "/__sandbox/rate-limit", {"per_minute": wrong})
    await api.ok("POST", "/__sandbox/rate-limit", {"per_minute": 7})
    await api.ok("POST", "/__sandbox/reset")
    assert await api.ok("GET", "/__sandbox/rate-limit") == {"per_minute": None}


async def test_a_charged_call_without_credits_is_answered_402_and_does_nothing() -> None:
    api = make()
    await api.ok("POST", "/__sandbox/credits", {"balance": 0.5})
    error = await api.error("POST", "/ai/edit-text", {"text": "Hi", "instruction": "formal"}, status=402)
    assert error["code"] == "INSUFFICIENT_CREDITS"
    assert error["details"] == {"required": 1.0, "balance": 0.5}
    assert (await api.get("/billing/balance"))["balance"] == 0.5


async def test_each_endpoint_takes_its_own_kind_of_credential() -> None:
    api = make()
    company = (await api.get("/company"))["id"]
    chat, grant = "/functions/v1/agent-chat", "/functions/v1/evie-grant"
    assert "evie-grant" in (await api.error("POST", chat, {"message": "hi"}, status=401))["message"]
    assert "sandbox-portal-session" in (await api.error("POST", grant, {"company_id": company}, status=401))["message"]
    granted = (await api.as_key("sandbox-portal-session").send("POST", grant, {"company_id": company})).json()["data"]
    with_token = api.as_key(granted["access_token"])
    assert (await with_token.send("POST", chat, {"message": "hi"})).status_code == 200
    await with_token.get("/contacts")


async def test_a_multipart_body_reaches_its_endpoint_and_files_stay_out_of_the_list_of_requests() -> None:
    api = make()
    files = {"file": ("logo.png", b"\x89PNG1234", "image/png")}
    data = {"context": "form-avatar"}
    await api.as_key(None).send("POST", "/functions/v1/public-image-upload", files=files, data=data)
    seen = (await api.ok("GET", "/__sandbox/requests"))["requests"][-1]
    assert seen["path"] == "/public-image-upload"
    assert seen["status"] != 401
    assert seen["body"] == {"file": {"file": "logo.png", "media_type": "image/png", "size": 8}, "context": "form-avatar"}
    broken = await api.send(
        "POST",
        "/functions/v1/public-image-upload",
        content=b"x",
        headers={"content-type": "multipart/form-data"},
    )
    assert broken.json()["error"]["code"] == "VALIDATION_ERROR"


async def test_a_file_where_none_belongs_is_refused() -> None:
    response = await make().send("POST", "/contacts", files={"first_name": ("a.txt", b"A", "text/plain")})
    assert "must not be a file" in response.json()["error"]["message"]
    assert Upload("a", "b", b"c").content == b"c"


async def test_clock_keys_outbox_credits_seed_and_approvals_are_kept_in_the_file(tmp_path: Path) -> None:
    file = f"{tmp_path}/workspace.db"
    first = make(database=file, seed=5)
    key = (await first.ok("POST", "/__sandbox/keys", {"scopes": ["contacts:read"]}, status=201))["key"]
    await first.ok("POST", "/__sandbox/clock", {"now": "2027-01-01T00:00:00Z"})
    await first.ok("POST", "/__sandbox/credits", {"balance": 42})
    await first.ok("POST", "/company/users/invite", {"email": "new@brightside.example", "role": "client_viewer"}, status=201)
    held = await first.as_key("tp_live_sandbox_approval").ok("POST", "/contacts", {"first_name": "H"}, status=202)
    sent = {"idempotency-key": "kept"}
    contact = await first.ok("POST", "/contacts", {"first_name": "A"}, status=201, headers=sent)
    sent_so_far = (await first.ok("GET", "/__sandbox/outbox"))["outbox"]
    first.workspace.store.close()

    second = Api(create_app(database=file, seed=1))
    assert (await second.ok("GET", "/__sandbox/clock"))["now"].startswith("2027-01-01T00:0")
    assert await second.ok("GET", "/__sandbox/credits") == {"balance": 42}
    assert "new@brightside.example" in {m["to"] for m in sent_so_far}
    assert (await second.ok("GET", "/__sandbox/outbox"))["outbox"][: len(sent_so_far)] == sent_so_far
    await second.as_key(key).get("/contacts")
    assert (await second.ok("POST", "/contacts", {"first_name": "A"}, status=201, headers=sent)) == contact
    await second.ok("POST", f"/approvals/{held['approval_id']}/approve")
    names = [c["first_name"] for c in await second.get("/contacts", limit=2)]
    assert "H" in names
    await second.ok("POST", "/__sandbox/reset")
    ids = {c["id"] for c in await second.get("/contacts", limit=100)}
    assert ids == {c["id"] for c in await make(seed=5).get("/contacts", limit=100)}


async def test_a_seeded_file_opens_within_half_a_second(tmp_path: Path) -> None:
    file = f"{tmp_path}/workspace.db"
    create_app(database=file).state.workspace.store.close()
    started = time.perf_counter()
    api = Api(create_app(database=file))
    await api.get("/contacts")
    assert time.perf_counter() - started < 0.5


def test_a_file_that_cannot_hold_the_workspace_is_refused_with_the_reason(tmp_path: Path) -> None:
    foreign, text, busy = (tmp_path / name for name in ("foreign.db", "text.db", "busy.db"))
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    text.write_text("dear diary " * 100)
    app = create_app(database=str(busy))
    reasons = {
        foreign: "another program", text: "not a database", busy: "another process has it open", tmp_path / "no" / "w.db": "does not exist",
    }  # fmt: skip
    for file, reason in reasons.items():
        with pytest.raises(WorkspaceFileError, match=reason):
            create_app(database=str(file))
    app.state.workspace.store.close()
    assert text.read_text().startswith("dear diary")


def test_a_part_that_fails_is_undone_and_the_rest_of_its_transaction_stays() -> None:
    store = make().workspace.store

    def fail() -> None:
        with store.attempt():
            store.add("note", [{"id": "b"}])
            store.save("note", {"id": "a", "text": "changed"})
            raise ApiError(400, "VALIDATION_ERROR", "no")

    with store.transaction():
        store.add("note", [{"id": "a", "text": "kept"}])
        with pytest.raises(ApiError):
            fail()
    assert store.all("note") == [{"id": "a", "text": "kept"}]


async def test_both_spellings_of_the_cursor_page_through_a_list() -> None:
    api = make()
    first = await api.listed("/billing/usage", limit=30)
    rest = await api.listed("/billing/usage", limit=30, after=first["pagination"]["next_cursor"])
    assert not {r["id"] for r in first["data"]} & {r["id"] for r in rest["data"]}
    assert len(first["data"]) + len(rest["data"]) == first["total"]


async def test_many_callers_at_once_lose_nothing() -> None:
    api = make()
    before = (await api.listed("/contacts"))["total"]

    async def write(caller: int) -> list[str]:
        return [(await api.ok("POST", "/contacts", {"first_name": f"{caller}-{i}"}, status=201))["id"] for i in range(10)]

    acknowledged = [i for ids in await asyncio.gather(*(write(n) for n in range(16))) for i in ids]
    assert len(set(acknowledged)) == 160
    assert (await api.listed("/contacts"))["total"] == before + 160
