"""The sandbox serves every tool of the groups that it claims, by every path that the definitions name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, make
from trustpager_mcp.definitions import Tool, load_toolsets
from trustpager_mcp.sandbox.groups import HANDLERS

CORE = ("search", "contacts", "companies", "opportunities", "pipelines", "products", "activities", "tasks")
WORK = ("work_orders", "automations", "auto_queues", "auto_schedules", "trigger_schemas", "scheduled_communications")
TIME = ("scheduled_event_types", "scheduling_availability", "scheduling_bookings")
REACH = (
    "email", "email_campaigns", "sms", "phone", "agents", "agent_knowledge_bases", "transcripts", "voices", "crm_templates",
    "knowledge", "memory", "lead_generation",
)  # fmt: skip
OFFICE = ("reports", "spreadsheets", "notepads", "crm_export", "export_templates", "service_requests", "reputation", "referrals")
SERVED = (*CORE, *WORK, *TIME, *REACH, *OFFICE)
TOOLS = [tool for toolset in load_toolsets() for tool in toolset.tools if toolset.toolset in SERVED]


def body_of(tool: Tool) -> dict[str, Any] | None:
    samples: dict[str, Any] = {
        "uuid": NOBODY, "array": [NOBODY], "object": {}, "number": 1, "integer": 1, "boolean": True, "email": "a@b.example",
        "phone": "+61412345678", "string": "x", "cron": "0 9 * * *", "date": "2026-06-17", "time": "10:00",
        "datetime": "2026-06-17T00:00:00Z", "timezone": "Australia/Perth", "url": "https://audio.example/a.mp3",
    }  # fmt: skip
    fields = [p for p in tool.parameters if p.location == "body" and p.required]
    return {p.wire: p.enum[0] if p.enum else samples[p.type] for p in fields} if tool.method != "GET" else None


def test_the_eight_core_groups_are_defined_whole() -> None:
    assert sum(len(toolset.tools) for toolset in load_toolsets() if toolset.toolset in CORE) == 104


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_every_tool_of_a_served_group_has_a_handler(tool: Tool) -> None:
    assert tool.name in HANDLERS


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
async def test_every_tool_is_served_under_its_path_and_its_aliases(tool: Tool) -> None:
    api = CALLER
    for operation in (tool.operation, *tool.aliases):
        method, path = operation.split(" ")
        response = await api.send(method, re.sub(r":\w+", NOBODY, path), body_of(tool))
        assert response.status_code in (200, 201, 204, 400, 404), f"{operation}: {response.text}"
        if response.status_code == 404:
            assert "endpoint" not in response.json()["error"]["message"]


CALLER = make()
REQUIRED = [
    (tool, p.wire) for tool in TOOLS if tool.response != "text" for p in tool.parameters if p.required and p.location != "path"
]


@pytest.mark.parametrize(("tool", "name"), REQUIRED, ids=lambda part: part if isinstance(part, str) else part.name)
async def test_what_is_required_may_not_be_left_out(tool: Tool, name: str) -> None:
    body = {k: v for k, v in (body_of(tool) or {}).items() if k != name}
    error = await CALLER.error(tool.method, re.sub(r":\w+", NOBODY, tool.path), body if tool.method != "GET" else None)
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
