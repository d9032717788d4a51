"""Prompts, resources and completions over a real client: what they say, and that they go no further than the key."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from trustpager_mcp.app import App, build_server, current_credential
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.context.prompts import all_prompts
from trustpager_mcp.credentials import Credential
from trustpager_mcp.settings import Settings

catalog = default_catalog()
Api = tuple[str, Counter[str]]
ANSWERS: dict[str, Any] = {
    "/ai-instructions": {"data": {"instructions": "# House rules\nNever guess an id."}},
    "/schemas/triggers": {"data": [{"trigger_type": "deal_created"}, {"trigger_type": "form_submitted"}]},
    "/schemas/triggers/form_submitted": {"data": {"trigger_type": "form_submitted", "available_variables": ["{{trigger.form}}"]}},
    "/company/settings/tag-palette": {"data": [{"name": "Hot", "color": "#ff0000"}, {"name": "Photo", "color": "#00ff00"}]},
    "/company/users": {"data": [{"id": "u1", "full_name": "Mia Chen"}, {"id": "u2", "email": "amir@example.com"}]},
}


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[str, Counter[str]]]:
    """An API on a socket that knows ANSWERS and counts what it is asked. Each test has a key of its own there."""
    seen: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v1")
            seen[path] += 1
            body = json.dumps(ANSWERS.get(path, {"error": {"code": "NOT_FOUND", "message": "no such thing"}})).encode()
            self.send_response(200 if path in ANSWERS else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def prompt(name: str) -> types.PromptReference:
    return types.PromptReference(type="ref/prompt", name=name)


async def completed(agent: Any, ref: Any, name: str, value: str, context: dict[str, str] | None = None) -> list[str]:
    result = await agent.client.complete(ref, {"name": name, "value": value}, context)
    return list(result.completion.values)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_prompts_are_listed_and_filled_with_their_arguments(serve: Any, mode: str) -> None:
    async with serve("--sandbox", mode=mode) as agent:
        listed = await agent.client.list_prompts()
        assert len(listed.prompts) >= 6
        asked = await agent.client.get_prompt("chase_stale_deals", {"days": "21", "pipeline": "Sales"})
        text = asked.messages[0].content.text
        assert "in the last 21 days" in text
        assert "Pipeline: Sales." in text
        assert "call_irreversible: send_email" in text


def test_every_tool_that_a_prompt_names_exists_and_reads_come_before_what_changes() -> None:
    for one in all_prompts().values():
        names = [t for step in one.steps for t in step.tools]
        assert names
        assert not [n for n in names if n not in catalog.tools], one.name
        assert catalog.tools[names[0]].effect == "read"


def test_every_placeholder_of_a_prompt_is_an_argument_and_every_argument_is_used() -> None:
    for one in all_prompts().values():
        used = set(re.findall(r"\{(\w+)\}", one.goal + "".join(s.text for s in one.steps)))
        assert used == {a.name for a in one.arguments}, one.name
        assert all(a.required or a.default for a in one.arguments)


async def test_a_reading_key_sees_the_prompts_that_read_and_no_step_that_it_cannot_do(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_readonly") as agent:
        names = {p.name for p in (await agent.client.list_prompts()).prompts}
        assert {"pipeline_review", "weekly_report"} <= names
        assert not names & {"import_list", "log_conversation", "build_automation"}
        asked = await agent.client.get_prompt("chase_stale_deals", {})
        assert "send_email" not in asked.messages[0].content.text
        with pytest.raises(MCPError, match="no prompt 'import_list'"):
            await agent.client.get_prompt("import_list", {"rows": "a"})


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("import_list", {}, "needs rows"),
        ("weekly_report", {"weak": "this"}, "it takes week, pipeline, owner"),
        ("nonsense", {}, "there are pipeline_review"),
    ],
)
async def test_a_wrong_prompt_request_says_what_is_allowed(serve: Any, name: str, arguments: dict[str, str], told: str) -> None:
    async with serve("--sandbox") as agent:
        with pytest.raises(MCPError, match=told):
            await agent.client.get_prompt(name, arguments)


@pytest.mark.only("in-process", "stdio", because="what a profile lists is asked everywhere in test_profiles")
async def test_a_prompt_of_a_profile_without_executors_names_the_tools_alone(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "pipelines,opportunities") as agent:
        asked = await agent.client.get_prompt("pipeline_review", {})
        assert "(list_pipelines, list_pipeline_stages)" in asked.messages[0].content.text
        assert "call_read" not in asked.messages[0].content.text


async def test_pipelines_and_their_stages_complete_from_the_workspace(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        assert (await completed(agent, prompt("pipeline_review"), "pipeline", "sa"))[0] == "Sales"
        stages = await completed(agent, prompt("chase_stale_deals"), "stage", "neg", {"pipeline": "Sales"})
        assert stages == ["Negotiation"]
        assert await completed(agent, prompt("pipeline_review"), "no_such", "x") == []
        assert await completed(agent, prompt("no_such"), "pipeline", "x") == []


@pytest.mark.only("in-process", "stdio", "http", because="each replica reads for itself")
async def test_tags_users_and_triggers_complete_from_live_data_that_is_read_once(serve: Any, api: Api) -> None:
    base, seen = api
    asked = seen["/company/users"]
    async with serve("--base-url", base, "--scopes", "all", TRUSTPAGER_API_KEY="tp_live_1") as agent:
        assert await completed(agent, prompt("import_list"), "tag", "ho") == ["Hot", "Photo"]
        assert await completed(agent, prompt("plan_my_day"), "person", "mi") == ["Mia Chen", "amir@example.com"]
        assert await completed(agent, prompt("plan_my_day"), "person", "amir") == ["amir@example.com"]
        template = types.ResourceTemplateReference(type="ref/resource", uri="trustpager://trigger-schemas/{trigger_type}")
        assert await completed(agent, template, "trigger_type", "form") == ["form_submitted"]
        assert seen["/company/users"] == asked + 1


async def test_what_was_read_for_one_key_is_not_told_to_another() -> None:
    app = App(Settings(sandbox=True))
    for key, expected in (("tp_live_sandbox_full", "Sales"), ("tp_live_wrong", None), ("tp_live_sandbox_readonly", "Sales")):
        token = current_credential.set(Credential(key))
        async with Client(build_server(app)) as client:
            result = await client.complete(prompt("pipeline_review"), {"name": "pipeline", "value": "sal"})
            assert next(iter(result.completion.values), None) == expected
        current_credential.reset(token)
    await app.aclose()


@pytest.mark.only(
    "in-process", "stdio", because="scopes are an option here; what a key may do over HTTP is tested with the sandbox's keys"
)
async def test_what_the_key_may_not_read_is_not_completed_and_not_asked_for(serve: Any, api: Api) -> None:
    base, seen = api
    asked = seen["/company/users"]
    async with serve("--base-url", base, "--scopes", "contacts:read", TRUSTPAGER_API_KEY="tp_live_2") as agent:
        assert await completed(agent, prompt("plan_my_day"), "person", "") == []
        assert await completed(agent, prompt("pipeline_review"), "pipeline", "") == []
        assert seen["/company/users"] == asked


async def test_an_api_that_fails_completes_nothing_and_breaks_nothing(serve: Any, api: Api) -> None:
    base, _ = api
    async with serve("--base-url", base, "--scopes", "all", TRUSTPAGER_API_KEY="tp_live_3") as agent:
        assert await completed(agent, prompt("pipeline_review"), "pipeline", "") == []
        assert (await agent.client.list_prompts()).prompts


async def test_instructions_and_trigger_schemas_are_read_live(serve: Any, api: Api) -> None:
    base, _ = api
    async with serve("--base-url", base, "--scopes", "all", TRUSTPAGER_API_KEY="tp_live_4") as agent:
        uris = [r.uri for r in (await agent.client.list_resources()).resources]
        assert uris[:3] == ["trustpager://ai-instructions", "trustpager://trigger-schemas", "trustpager://toolsets"]
        rules = (await agent.client.read_resource(uris[0])).contents[0]
        assert (rules.text, rules.mime_type) == ("# House rules\nNever guess an id.", "text/markdown")
        one = (await agent.client.read_resource("trustpager://trigger-schemas/form_submitted")).contents[0]
        assert json.loads(one.text)["available_variables"] == ["{{trigger.form}}"]
        with pytest.raises(MCPError, match="NOT_FOUND"):
            await agent.client.read_resource("trustpager://trigger-schemas/nothing")


async def test_toolset_pages_hold_what_the_key_may_do_and_nothing_else(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_readonly") as agent:
        page = (await agent.client.read_resource("trustpager://toolsets/tasks")).contents[0].text
        assert "`list_tasks(" in page
        assert "create_task" not in page
        assert "toolsets/tasks" in (await agent.client.read_resource("trustpager://toolsets")).contents[0].text
        templates = (await agent.client.list_resource_templates()).resource_templates
        assert {t.uri_template.partition("{")[0] for t in templates} == {
            "trustpager://trigger-schemas/",
            "trustpager://toolsets/",
        }


@pytest.mark.parametrize("uri", ["trustpager://nothing", "file:///etc/passwd", "trustpager://toolsets/..%2Fx", "toolsets"])
async def test_an_unknown_resource_is_refused_with_those_that_exist(serve: Any, uri: str) -> None:
    async with serve("--sandbox") as agent:
        with pytest.raises(MCPError, match=r"no resource .* there are trustpager://ai-instructions"):
            await agent.client.read_resource(uri)
