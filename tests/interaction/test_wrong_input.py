"""What goes wrong is explained, and the server lives on."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

import pytest

ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"


@pytest.mark.parametrize(
    ("executor", "arguments", "expected"),
    [
        ("call_read", {"tool": "list_contact"}, ["UNKNOWN_TOOL", "list_contacts"]),
        ("call_read", {"tool": "list_contacts", "args": {"serch": "x"}}, ["unknown argument", "did you mean search"]),
        ("call_read", {"tool": "list_contacts", "args": {"limit": "lots"}}, ["limit", "a whole number"]),
        ("call_read", {"tool": "get_contact"}, ["contact_id (uuid) is required"]),
        ("call_read", {"tool": "get_contact", "args": {"contact_id": "../companies"}}, ["contact_id", "UUID"]),
        ("call_read", {"tool": "get_contact", "args": {"contact_id": ID}}, ["NOT_FOUND", "list or search"]),
        ("call_read", {"tool": "create_contact", "args": {"first_name": "A"}}, ["WRONG_EXECUTOR", "call_write"]),
        ("call_write", {"tool": "delete_contact", "args": {"contact_id": ID}}, ["WRONG_EXECUTOR", "call_irreversible"]),
        ("call_write", {"tool": "create_contact", "args": {"first_name": "A", "phone": "+61290001234"}}, ["mobile", "landline"]),
        ("call_read", {"args": {}}, ["tool is required"]),
        ("call_read", {"tool": "get_contact", "args": "{broken"}, ["not valid JSON"]),
        ("no_such_tool", {}, ["UNKNOWN_TOOL"]),
    ],
)
async def test_wrong_calls_get_an_error_that_teaches(
    serve: Any, executor: str, arguments: dict[str, Any], expected: list[str]
) -> None:
    async with serve("--sandbox") as agent:
        text = await agent.failure(executor, **arguments)
        assert not [e for e in expected if e not in text], text
        assert "shown 1" in await agent.text("list_contacts", limit=1)


async def test_a_key_without_the_scope_is_refused_with_its_name_and_does_not_see_the_tool(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_readonly") as agent:
        text = await agent.failure("call_read", tool="create_contact", args={"first_name": "A"})
        assert "contacts:write" in text
        names = [t.name for t in (await agent.client.list_tools()).tools]
        assert "create_contact" not in names
        assert "create_contact(" not in await agent.text("find_tools", query="create a contact")


async def test_the_sales_key_may_not_set_a_payment_status(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_sales") as agent:
        deal = (await agent.text("list_opportunities", limit=1)).splitlines()
        deal_id = next(line for line in deal if line[8:9] == "-").split(",")[0]
        text = await agent.text("call_read", tool="list_opportunity_products", args={"opportunity_id": deal_id})
        assert "payment_status" not in text
        product = text.splitlines()
        line_id = next(line for line in product if line[8:9] == "-").split(",")[0]
        arguments = {"opportunity_id": deal_id, "opportunity_product_id": line_id, "payment_status": "paid"}
        assert "invoices:write" in await agent.failure("call_write", tool="update_opportunity_product", args=arguments)


@pytest.mark.only("in-process", "stdio", because="over HTTP nobody is let in while the API cannot be asked for the key")
async def test_an_unreachable_api_is_named_and_the_server_lives_on(serve: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        base = f"http://127.0.0.1:{port}/api/v1"
        async with serve("--base-url", base, "--scopes", "all", TRUSTPAGER_API_KEY="tp_live_x") as agent:
            for _ in range(2):
                text = await agent.failure("list_contacts")
                assert "UNREACHABLE" in text
                assert f"127.0.0.1:{port}" in text


@pytest.mark.only("in-process", "stdio", because="over HTTP a caller without a key is not let in")
async def test_without_a_key_the_way_on_is_told(serve: Any) -> None:
    async with serve() as agent:
        text = await agent.failure("list_contacts")
        assert "TRUSTPAGER_API_KEY" in text
        assert "--sandbox" in text


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (["--tools", "contcts"], {}, "contacts"),
        (["--scopes", "contact:read"], {}, "contacts:read"),
        (["--deny", "nothing_like_this"], {}, "matches no tool"),
        (["--base-url", "ftp://x"], {}, "base URL"),
        (["--base-url", "http://crm.example/api"], {}, "unencrypted"),
        ([], {"TRUSTPAGER_READ_ONLY": "ture"}, "not a valid boolean"),
    ],
)
def test_a_wrong_configuration_stops_the_start(command: str, options: list[str], env: dict[str, str], expected: str) -> None:
    started = [command, "serve", *options]
    done = subprocess.run(started, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
