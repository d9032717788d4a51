"""Evie: tokens, conversations over server-sent events that really act, compaction, and the list of tools."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.contract.test_sandbox_support import NOBODY, Api, make

CHAT, GRANT, COMPACT = (f"/functions/v1/{name}" for name in ("agent-chat", "evie-grant", "agent-chat-compact"))


async def evie(api: Api, session: str = "sandbox-portal-session") -> Api:
    """A caller with a token of Evie's."""
    company = (await api.get("/company"))["id"]
    granted = await api.as_key(session).send("POST", GRANT, {"company_id": company})
    assert granted.status_code == 200, granted.text
    return api.as_key(granted.json()["data"]["access_token"])


async def say(caller: Api, message: str, **body: Any) -> list[tuple[str, Any]]:
    """The events of one turn."""
    response = await caller.send("POST", CHAT, {"message": message, **body})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    frames = [frame.split("\n", 1) for frame in response.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in frames]


def text_of(events: list[tuple[str, Any]]) -> str:
    return "".join(data["delta"] for name, data in events if name == "text")


def calls_of(events: list[tuple[str, Any]]) -> list[str]:
    return [data["name"] for name, data in events if name == "tool_call"]


async def test_a_grant_gives_a_token_and_ends_the_former_one() -> None:
    api = make()
    first = await evie(api)
    await first.get("/contacts")
    second = await evie(api)
    await second.get("/contacts")
    await first.error("GET", "/contacts", status=401)
    error = await api.as_key("sandbox-portal-session").error("POST", GRANT, {"company_id": NOBODY}, status=403)
    assert error["code"] == "FORBIDDEN"


async def test_a_token_holds_what_the_role_of_its_user_allows() -> None:
    api = make()
    users = {u["role"]: u["user_id"] for u in await api.get("/company/users")}
    viewer = await evie(api, f"sandbox-portal-session:{users['client_viewer']}")
    await viewer.get("/contacts")
    await viewer.error("POST", "/contacts", {"first_name": "A"}, status=403)
    await api.ok("PATCH", f"/company/users/{users['client_viewer']}/workspace-user-roles", {"role": "client_editor"})
    editor = await evie(api, f"sandbox-portal-session:{users['client_viewer']}")
    await editor.ok("POST", "/contacts", {"first_name": "A"}, status=201)
    await editor.error("PATCH", "/company", {"name": "Mine"}, status=403)


async def test_a_request_is_answered_by_calling_tools_that_really_act() -> None:
    api = make()
    caller = await evie(api)
    events = await say(caller, 'Create a task "Ring Ann" due tomorrow')
    assert [name for name, _ in events][:3] == ["thread", "tool_call", "tool_result"]
    assert events[-1][0] == "done"
    assert calls_of(events) == ["create_task"]
    made = next(data for name, data in events if name == "tool_result")["data"]
    task = await api.get(f"/tasks/{made['id']}")
    assert (task["title"], task["due_date"]) == ("Ring Ann", "2026-06-16")
    assert "Ring Ann" in text_of(events)


async def test_everyday_requests_find_the_right_tools() -> None:
    api = make()
    caller = await evie(api)
    contact = await api.ok("POST", "/contacts", {"first_name": "Zebulon", "last_name": "Quist"}, status=201)
    deal = await api.ok("POST", "/opportunities", {"name": "Zebra fence", "contact_id": contact["id"]}, status=201)
    stage = next(s for p in await api.get("/pipelines") for s in p["stages"])
    asked = {
        "Find Zebulon Quist": ["search_everything"],
        "add a contact named Ann Lee, ann@lee.example, 0412 345 678": ["create_contact"],
        f"move Zebra fence to {stage['name']}": ["search_opportunities", "list_pipelines", "move_opportunity"],
        "show me the pipelines": ["list_pipelines"],
        "list our products": ["list_products"],
        "what is my credit balance?": ["get_credit_balance"],
        "list the company users": ["list_company_users"],
    }
    for message, tools in asked.items():
        assert calls_of(await say(caller, message)) == tools, message
    placements = (await api.get(f"/opportunities/{deal['id']}"))["placements"]
    assert [p["stage_id"] for p in placements] == [stage["id"]]
    found = (await api.ok("POST", "/contacts/search", {"query": "ann@lee.example"}))[0]
    assert (found["first_name"], found["last_name"], found["phone"]) == ("Ann", "Lee", "+61412345678")


async def test_what_is_on_the_screen_is_what_this_means() -> None:
    api = make()
    caller = await evie(api)
    deal = (await api.get("/opportunities"))[0]
    context = {"entity_type": "opportunity", "entity_id": deal["id"], "current_route": f"/crm/opportunities/{deal['id']}"}
    for where in (context, {"current_route": f"{context['current_route']}?tab=notes"}):
        assert deal["name"] in text_of(await say(caller, "What is this about?", context=where))
    events = await say(caller, "log a call about the roof", context=context)
    made = next(data for name, data in events if name == "tool_result")["data"]
    assert (made["activity_type"], made["deal_id"]) == ("call", deal["id"])


async def test_she_says_what_her_token_does_not_allow_and_what_she_does_not_understand() -> None:
    api = make()
    viewer = next(u["user_id"] for u in await api.get("/company/users") if u["role"] == "client_viewer")
    caller = await evie(api, f"sandbox-portal-session:{viewer}")
    refused = await say(caller, "create a contact named Ann Lee")
    assert calls_of(refused) == []
    assert "contacts:write" in text_of(refused)
    lost = await say(caller, "xyzzy plugh")
    assert calls_of(lost) == []
    assert "did not understand" in text_of(lost)


async def test_a_tool_that_fails_is_told_and_changes_nothing() -> None:
    caller = await evie(make())
    context = {"entity_type": "opportunity", "entity_id": NOBODY}
    events = await say(caller, "add a note about nothing", context=context)
    result = next(data for name, data in events if name == "tool_result")
    assert result["ok"] is False
    assert "did not work" in text_of(events)


async def test_a_conversation_goes_on_in_its_thread_and_belongs_to_its_user() -> None:
    api = make()
    caller = await evie(api)
    first = (await say(caller, "hello there"))[0][1]
    again = await say(caller, "/think list pipelines", thread_id=first["thread_id"])
    assert again[0][1] == {"thread_id": first["thread_id"], "model": "TrustPager AI Advanced"}
    assert again[-1][1]["message_count"] == 4
    other = next(u["user_id"] for u in await api.get("/company/users") if u["role"] == "client_editor")
    stranger = await evie(api, f"sandbox-portal-session:{other}")
    await stranger.error("POST", CHAT, {"message": "hi", "thread_id": first["thread_id"]}, status=404)


async def test_a_compacted_thread_goes_on_in_its_successor() -> None:
    api = make()
    caller = await evie(api)
    thread = (await say(caller, "list pipelines"))[0][1]["thread_id"]
    compacted = (await caller.send("POST", COMPACT, {"thread_id": thread})).json()["data"]
    assert compacted["credits_charged"] == 0
    error = await caller.error("POST", CHAT, {"message": "hi", "thread_id": thread}, status=409)
    assert error["details"]["superseded_by_thread_id"] == compacted["new_thread_id"]
    events = await say(caller, "go on", thread_id=compacted["new_thread_id"])
    assert events[-1][1]["message_count"] == 3
    await caller.error("POST", COMPACT, {"thread_id": NOBODY}, status=404)


async def test_a_long_thread_costs_a_credit_to_compact() -> None:
    api = make()
    caller = await evie(api)
    thread = (await say(caller, "list pipelines"))[0][1]["thread_id"]
    for _ in range(20):
        await say(caller, "list pipelines", thread_id=thread)
    before = (await api.get("/billing/balance"))["balance"]
    assert (await caller.send("POST", COMPACT, {"thread_id": thread})).json()["data"]["credits_charged"] == 1
    assert (await api.get("/billing/balance"))["balance"] == before - 1


async def test_images_must_be_bare_base64_of_at_most_five_megabytes() -> None:
    caller = await evie(make())
    good = {"media_type": "image/png", "data": base64.b64encode(b"png").decode()}
    assert "cannot look at pictures" in text_of(await say(caller, "look", attachments=[good]))
    large = {**good, "data": base64.b64encode(bytes(5 * 1024 * 1024 + 1)).decode()}
    for wrong in ({**good, "data": "data:image/png;base64,AAAA"}, {**good, "media_type": "image/tiff"}, large):
        await caller.error("POST", CHAT, {"message": "look", "attachments": [wrong]})
    await caller.error("POST", CHAT, {"message": "/think "})


async def test_the_list_of_tools_follows_the_scopes_of_a_token_too() -> None:
    api = make()
    viewer = next(u["user_id"] for u in await api.get("/company/users") if u["role"] == "client_viewer")
    tools = (await (await evie(api, f"sandbox-portal-session:{viewer}")).get("/_meta/tools"))["tools"]
    names = {t["name"] for t in tools}
    assert "list_contacts" in names
    assert "create_contact" not in names
    assert not {"create_evie_token", "chat_with_evie", "upload_public_image"} & names
