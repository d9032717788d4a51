"""The tools in a program's own process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator
from mcp.client import Client

import trustpager_mcp
from trustpager_mcp import Credential, Toolkit, ToolkitOptions
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.settings import Settings
from trustpager_mcp.tool_formats import FORMATS

KEYS = ("tp_live_sandbox_full", "tp_live_sandbox_sales", "tp_live_sandbox_readonly")


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_format_holds_the_same_tools_in_the_same_order(kind: Any) -> None:
    async with Toolkit(sandbox=True, tools="all", scopes="all") as toolkit:
        plain = await toolkit.tools()
        shaped = await toolkit.tools(kind)
        assert [t["name"] for t in shaped] == [t["name"] for t in plain]
        assert [t["description"] for t in shaped] == [t["description"] for t in plain]


async def test_anthropic_and_openai_tools_carry_their_schema_where_those_apis_look_for_it() -> None:
    async with Toolkit(sandbox=True, tools=["contacts"]) as toolkit:
        for anthropic, openai in zip(await toolkit.tools("anthropic"), await toolkit.tools("openai"), strict=True):
            assert set(anthropic) == {"name", "description", "input_schema"}
            assert (openai["type"], openai["strict"]) == ("function", False)
            Draft202012Validator.check_schema(anthropic["input_schema"])
            assert openai["parameters"] == anthropic["input_schema"]


async def test_meta_tools_have_the_shape_of_the_apis_own_list() -> None:
    async with Toolkit(sandbox=True, tools=["contacts"]) as toolkit:
        by_name = {t["name"]: t for t in await toolkit.tools("meta")}
    assert {k: v for k, v in by_name["create_contact"].items() if k not in ("description", "input_schema")} == {
        "name": "create_contact",
        "preferred_model": "sonnet",
        "api_path": "/contacts",
        "required_scopes": ["contacts:write"],
        "is_write": True,
        "portal_path": "/crm/contacts",
    }
    assert by_name["list_contacts"]["preferred_model"] == "haiku"
    assert by_name["search_contacts"]["is_write"] is False


async def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        with pytest.raises(ValueError, match=r"'yaml'; it must be one of mcp, anthropic, openai, meta"):
            await toolkit.tools("yaml")  # type: ignore[arg-type]


async def test_many_tasks_with_many_keys_each_have_their_own_rights_and_answers() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        outcomes: dict[int, tuple[str, bool]] = {}

        async def work(number: int) -> None:
            key = KEYS[number % len(KEYS)]
            result = await toolkit.call("create_task", {"title": f"Task {number}"}, api_key=key)
            outcomes[number] = (result.code or result.data["data"]["title"], result.is_error)

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(work, number)
        assert outcomes == {
            n: ("MISSING_SCOPE", True) if KEYS[n % len(KEYS)].endswith("readonly") else (f"Task {n}", False) for n in range(60)
        }


async def test_two_toolkits_in_one_process_share_nothing() -> None:
    async with Toolkit(sandbox=True) as one, Toolkit(sandbox=True, read_only=True) as other:
        await one.call("create_task", {"title": "Only here"})
        assert "Only here" in (await one.call("list_tasks", {"search": "Only here"})).text
        assert "Only here" not in (await other.call("list_tasks", {"search": "Only here"})).text
        assert (await other.call("create_task", {"title": "x"})).is_error


async def test_as_mcp_server_answers_a_client() -> None:
    async with Toolkit(sandbox=True, tools="lean") as toolkit, Client(toolkit.as_mcp_server()) as client:
        assert (await client.list_tools()).tools[0].name == "find_tools"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tools": "contcts"}, "contcts"),
        ({"scopes": ["contacts:reed"]}, "contacts:reed"),
        ({"deny": ("remove_everything",)}, "remove_everything"),
        ({"read_onyl": True}, "read_onyl.*Did you mean read_only"),
        ({"colour": "blue"}, "colour.*Known: portal_token, oauth_token, base_url"),
    ],
)
def test_a_mistyped_option_is_an_error_when_the_toolkit_is_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Toolkit(sandbox=True, **options)


def test_every_setting_is_an_option_of_the_toolkit_with_the_same_type() -> None:
    named = {"api_key", "sandbox", "tools", "scopes"}
    settings = {k: v for k, v in Settings.__annotations__.items() if k not in named}
    assert {k: v.__forward_arg__ for k, v in ToolkitOptions.__annotations__.items()} == settings


def test_the_package_offers_each_name_that_it_promises() -> None:
    assert [name for name in trustpager_mcp.__all__ if not hasattr(trustpager_mcp, name)] == []


async def test_a_list_of_tools_belongs_to_its_caller() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        for kind in FORMATS:
            mine = await toolkit.tools(kind)
            mine[-1]["cache_control"] = {"type": "ephemeral"}
            schema = next(mine[0][k] for k in ("inputSchema", "input_schema", "parameters") if k in mine[0])
            schema["properties"].clear()
            again = await toolkit.tools(kind)
            assert "cache_control" not in again[-1]
            assert next(again[0][k] for k in ("inputSchema", "input_schema", "parameters") if k in again[0])["properties"]


async def test_a_users_credential_brings_its_own_tokens_and_none_falls_back_on_the_toolkits() -> None:
    async with Toolkit(sandbox=True) as toolkit:
        full = "tp_live_sandbox_full"
        company = {"company_id": (await toolkit.call("get_company_settings")).data["data"]["id"]}
        other = (await toolkit.call("list_company_users")).data["data"][1]["user_id"]
        session = Credential(full, portal_token=f"sandbox-portal-session:{other}")
        own = await toolkit.call("create_evie_token", company, api_key=session)
        token = own.data["data"]["access_token"]
        assert token in own.text, "who brings tokens has to send the new one, too"
        assert (await toolkit.call("chat_with_evie", {"message": "Hi"}, api_key=session)).code == "SWITCHED_OFF"
        met = await toolkit.call("chat_with_evie", {"message": "Hi"}, api_key=Credential(full, oauth_token=token))
        assert not met.is_error, met.text
        kept = await toolkit.call("create_evie_token", company)
        assert kept.data["data"]["access_token"] not in kept.text
        assert not (await toolkit.call("chat_with_evie", {"message": "Hello"})).is_error
        assert (await toolkit.call("create_evie_token", company, api_key=full)).code == "SWITCHED_OFF"
        assert (await toolkit.call("list_contacts", api_key="")).code == "NO_API_KEY"


def test_naming_the_package_does_not_import_the_core() -> None:
    code = "import sys, trustpager_mcp; assert 'trustpager_mcp.app' not in sys.modules; trustpager_mcp.Toolkit"
    subprocess.run([sys.executable, "-c", code], check=True)
