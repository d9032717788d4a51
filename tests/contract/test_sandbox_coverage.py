"""The sandbox serves every tool by every path that the definitions name, aliases too."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.definitions import Tool, load_toolsets

PAPERS = (
    "files", "documents", "document_templates", "signing", "forms", "websites", "order_forms", "learning_hub", "supplier_catalog",
)  # fmt: skip
TOOLS = [tool for toolset in load_toolsets() for tool in toolset.tools]


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


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
async def test_every_tool_is_served_under_its_path_and_its_aliases(tool: Tool) -> None:
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
