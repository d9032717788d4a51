"""Evie: tokens, conversations over server-sent events that really act, compaction, and the list of tools."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.app import App
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.sandbox.model_planner import planner_of
from trustpager_mcp.sandbox.planner import by_rules
from trustpager_mcp.settings import Settings

CHAT, GRANT, COMPACT = (f"/functions/v1/{name}" for name in ("agent-chat", "evie-grant", "agent-chat-compact"))
MODEL_KEY = "sk-the-operators-own-0123456789"


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


class Model:
    """A chat-completions endpoint that gives prepared answers, the last one again and again, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[tuple[int, bytes] | None] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.asked.append({"path": self.path, "authorization": self.headers["authorization"], **body})
                answer = model.answers.pop(0) if len(model.answers) > 1 else model.answers[0]
                if answer is None:
                    return
                self.send_response(answer[0])
                self.send_header("content-length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def will(self, *messages: dict[str, Any] | tuple[int, bytes] | None) -> None:
        """Answer with these from now on: a message, a raw answer, or None for a broken connection."""
        self.asked.clear()
        self.answers = [(200, json.dumps({"choices": [{"message": m}]}).encode()) if isinstance(m, dict) else m for m in messages]


def wants(tool: Any, arguments: Any) -> dict[str, Any]:
    """A message that calls a tool."""
    function = {"name": tool, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "a1", "type": "function", "function": function}]}


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    endpoint = Model()
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    thread.join()
    endpoint.server.server_close()


@pytest.fixture(scope="module")
def led(model: Model) -> Api:
    """A sandbox whose operator has given Evie a model."""
    chosen = Settings(sandbox=True, sandbox_model_key=MODEL_KEY, sandbox_model_url=model.url, sandbox_model="tiny")
    assert MODEL_KEY not in repr(chosen)
    return Api(App(chosen).open_sandbox())


async def test_a_model_calls_tools_that_really_act_and_then_answers(led: Api, model: Model) -> None:
    caller = await evie(led)
    model.will(wants("create_task", {"title": "Ring Ann"}), {"role": "assistant", "content": "It is on your list."})
    events = await say(caller, "I must not forget Ann", context={"current_route": f"/crm/contacts/{NOBODY}"})
    assert [name for name, _ in events] == ["thread", "tool_call", "tool_result", "text", "done"]
    assert text_of(events) == "It is on your list."
    made = next(data for name, data in events if name == "tool_result")["data"]
    assert (await led.get(f"/tasks/{made['id']}"))["title"] == "Ring Ann"
    first, second = model.asked
    assert (first["path"], first["authorization"], first["model"]) == ("/v1/chat/completions", f"Bearer {MODEL_KEY}", "tiny")
    assert NOBODY in first["messages"][0]["content"]
    assert [m["role"] for m in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert made["id"] in second["messages"][-1]["content"]
    model.will({"role": "assistant", "content": "Tomorrow."})
    await say(caller, "When?", thread_id=events[0][1]["thread_id"])
    told = [m["content"] for m in model.asked[0]["messages"][1:]]
    assert told == ["I must not forget Ann", "It is on your list.", "When?"]


async def test_a_model_is_shown_few_tools_that_fit_and_none_that_deletes_sends_or_is_not_allowed(led: Api, model: Model) -> None:
    viewer = next(u["user_id"] for u in await led.get("/company/users") if u["role"] == "client_viewer")
    model.will({"role": "assistant", "content": "No."})
    for caller, writes in ((await evie(led), True), (await evie(led, f"sandbox-portal-session:{viewer}"), False)):
        await say(caller, "delete the products, then send an email and list the products")
        shown = {t["function"]["name"] for t in model.asked[-1]["tools"]}
        assert "list_products" in shown
        assert ("create_task" in shown) is writes
        assert len(shown) <= 24
        assert not {n for n in shown if n.startswith(("delete_", "send_email", "send_gmail"))}


async def test_a_model_that_wants_a_forbidden_tool_does_not_get_it(led: Api, model: Model) -> None:
    caller = await evie(led)
    contact = (await led.get("/contacts"))[0]["id"]
    for tool in ("delete_contact", "no_such_tool"):
        model.will(wants(tool, {"contact_id": contact}))
        events = await say(caller, "delete that contact")
        assert calls_of(events) == []
        assert f"wanted the tool '{tool}', which I may not use" in text_of(events)
    assert (await led.get(f"/contacts/{contact}"))["id"] == contact


async def test_a_model_that_never_ends_is_stopped_and_hears_what_failed(led: Api, model: Model) -> None:
    model.will(wants("get_contact", {"contact_id": NOBODY}))
    events = await say(await evie(led), "go on for ever")
    assert len(calls_of(events)) == len(model.asked) == 8
    assert "more steps than I may take" in text_of(events)
    assert '"error"' in model.asked[-1]["messages"][-1]["content"]


async def test_a_model_that_fails_or_talks_nonsense_ends_the_turn_in_plain_words_without_the_key(led: Api, model: Model) -> None:
    caller = await evie(led)
    failures: dict[str, Any] = {
        "HTTP 401": (401, f"Incorrect API key provided: {MODEL_KEY}".encode()),
        "HTTP 302": (302, b""),
        "did not answer (RemoteProtocolError)": None,
        "is no chat completion": (200, b"<html>"),
        "is too long": (200, b" " * 1024 * 1025),
        "said nothing": {"role": "assistant", "content": " "},
        "tool without a name": {"tool_calls": [{"type": "function"}]},
        "wanted the tool \"['x']\"": wants(["x"], {}),
        "the arguments for create_task are no JSON.": wants("create_task", '{"title": NaN}'),
        "the arguments for create_task are no JSON object": wants("create_task", ["Ring Ann"]),
    }
    for words, failure in failures.items():
        model.will(failure)
        events = await say(caller, "add a task")
        assert calls_of(events) == []
        assert words in text_of(events)
        assert MODEL_KEY not in json.dumps(events)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "http://models.example/v1"}, "unencrypted"),
        ({"url": "models.example"}, "no http"),
        ({"url": "https://[models/v1"}, "no http"),
        ({"model": None}, "name it"),
        ({"key": MODEL_KEY + "\n"}, "another character"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_at_the_start(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        planner_of(**{"key": MODEL_KEY, "url": "https://models.example/v1", "model": "tiny", **changed})
    assert MODEL_KEY not in str(raised.value)


def test_without_a_key_rules_decide() -> None:
    for key in (None, ""):
        assert planner_of(key, "https://models.example/v1", "tiny") is by_rules
