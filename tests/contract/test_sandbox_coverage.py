"""The sandbox serves every tool of the groups that it claims, by every path that the definitions name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.definitions import Tool, load_toolsets
from trustpager_mcp.sandbox.groups import HANDLERS

CORE = ("search", "contacts", "companies", "opportunities", "pipelines", "products", "activities", "tasks")
OFFICE = (
    "approvals", "agent_proposals", "billing", "agent_ops", "evie", "ai_instructions", "ai", "company", "webhooks", "integrations",
)  # fmt: skip
WORK = ("work_orders", "automations", "auto_queues", "auto_schedules", "trigger_schemas", "scheduled_communications")
TIME = ("scheduled_event_types", "scheduling_availability", "scheduling_bookings")
REACH = (
    "email", "email_campaigns", "sms", "phone", "agents", "agent_knowledge_bases", "transcripts", "voices", "crm_templates",
    "knowledge", "memory", "lead_generation",
)  # fmt: skip
PAPERS = (
    "files", "documents", "document_templates", "signing", "forms", "websites", "order_forms", "learning_hub", "supplier_catalog",
)  # fmt: skip
FIGURES = ("reports", "spreadsheets", "notepads", "crm_export", "export_templates", "service_requests", "reputation", "referrals")
SERVED = (*CORE, *WORK, *TIME, *REACH, *OFFICE, *PAPERS, *FIGURES)
TOOLS = [tool for toolset in load_toolsets() for tool in toolset.tools if toolset.toolset in SERVED]


def body_of(tool: Tool) -> Any:
    samples: dict[str, Any] = {
        "uuid": NOBODY, "array": [NOBODY], "object": {}, "number": 1, "integer": 1, "boolean": True, "email": "a@b.example",
        "phone": "+61412345678", "string": "x", "cron": "0 9 * * *", "date": "2026-06-17", "time": "10:00",
        "datetime": "2026-06-17T00:00:00Z", "timezone": "Australia/Perth", "url": "https://audio.example/a.mp3",
    }  # fmt: skip
    fields = [p for p in tool.parameters if p.location == "body" and p.required]
    if tool.body == "whole":
        return []
    return {p.wire: p.enum[0] if p.enum else samples[p.type] for p in fields} if tool.method != "GET" else None


def address(operation: str) -> tuple[str, str]:
    """Method and path, from the host on where the definition leaves the API's base."""
    method, path = operation.split(" ")
    path = re.sub(r":\w+", NOBODY, path)
    outside = path.startswith(("/agent-chat", "/evie-grant", "/api/v1/"))
    return method, f"/functions/v1{path}" if outside else path


async def caller_of(tool: Tool) -> Api:
    """A caller with the kind of credential that the tool takes."""
    portal = CALLER.as_key("sandbox-portal-session")
    if tool.credential != "oauth_token":
        return portal if tool.credential == "portal_token" else CALLER
    company = (await CALLER.get("/company"))["id"]
    granted = await portal.send("POST", "/functions/v1/evie-grant", {"company_id": company})
    return CALLER.as_key(granted.json()["data"]["access_token"])


def test_the_eight_core_groups_are_defined_whole() -> None:
    assert sum(len(toolset.tools) for toolset in load_toolsets() if toolset.toolset in CORE) >= 104


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_every_tool_of_a_served_group_has_a_handler(tool: Tool) -> None:
    assert tool.name in HANDLERS


# Tools that work through the endpoints of other groups.
WORKS_THROUGH = {
    "fill_form_with_ai": "list_form_fields", "generate_form_with_ai": "create_form_template",
    "generate_document_with_ai": "create_document_template", "generate_website_page_with_ai": "create_website",
}  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
async def test_every_tool_is_served_under_its_path_and_its_aliases(tool: Tool) -> None:
    if (other := WORKS_THROUGH.get(tool.name)) and other not in HANDLERS:
        pytest.skip(f"{other} is not served yet")
    api = await caller_of(tool)
    for operation in (tool.operation, *tool.aliases):
        method, path = address(operation)
        query = {p.wire: p.enum[0] for p in tool.parameters if p.location == "query" and p.required and p.enum}
        response = await api.send(method, path, body_of(tool), params=query)
        allowed = (200, 201, 204, 400, 403, 404) if tool.credential == "portal_token" else (200, 201, 204, 400, 404)
        assert response.status_code in allowed, f"{operation}: {response.text}"
        if response.status_code == 404:
            assert "endpoint" not in response.json()["error"]["message"]


CALLER = make()
REQUIRED = [
    (tool, p.wire)
    for tool in TOOLS
    if tool.response != "text" and tool.body != "whole"
    for p in tool.parameters
    if p.required and p.location != "path"
]


@pytest.mark.parametrize(("tool", "name"), REQUIRED, ids=lambda part: part if isinstance(part, str) else part.name)
async def test_what_is_required_may_not_be_left_out(tool: Tool, name: str) -> None:
    body = {k: v for k, v in (body_of(tool) or {}).items() if k != name}
    method, path = address(tool.operation)
    error = await (await caller_of(tool)).error(method, path, body if method != "GET" else None)
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["fields"][name] == "is required"


def test_no_handler_serves_a_tool_that_does_not_exist() -> None:
    assert set(HANDLERS) <= {tool.name for toolset in load_toolsets() for tool in toolset.tools}


async def test_a_group_without_behaviour_is_answered_501_by_name() -> None:
    others = [t for toolset in load_toolsets() for t in toolset.tools if t.name not in HANDLERS and t.method == "GET"]
    for tool in [t for t in others if t.base == "api" and t.credential == "api_key" and ":" not in t.path][:3]:
        error = await CALLER.error("GET", tool.path, status=501)
        assert error["code"] == "NOT_IMPLEMENTED"
        assert "does not serve" in error["message"]
