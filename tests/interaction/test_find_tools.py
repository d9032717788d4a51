"""find_tools, describe_tool and the executors as an agent uses them, over a real client."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from trustpager_mcp.app import App
from trustpager_mcp.settings import Settings
from trustpager_mcp.tokens import count_tokens
from trustpager_mcp.toolkit import Toolkit

REQUESTS = Path(__file__).parents[2] / "bench" / "search" / "requests.jsonl"
ID = "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"


async def test_answers_stay_within_150_250_and_500_tokens_over_the_evaluations_requests() -> None:
    requests = [r["request"] for r in map(json.loads, REQUESTS.read_text().splitlines()) if r["split"] == "test"]
    async with Toolkit(sandbox=True, tools="lean", scopes="all") as toolkit:
        costs = [count_tokens((await toolkit.call("find_tools", {"query": r})).text) for r in requests]
    assert len(costs) > 500
    assert statistics.median(costs) <= 150
    assert statistics.quantiles(costs, n=20)[-1] <= 250
    assert max(costs) <= 500


async def test_six_requests_at_once_stay_within_the_bound_of_one_answer() -> None:
    requests = [json.loads(line)["request"] for line in REQUESTS.read_text().splitlines()]
    batches = [requests[i::160][:6] for i in range(40)]
    async with Toolkit(sandbox=True, tools="lean", scopes="all") as toolkit:
        costs = [count_tokens((await toolkit.call("find_tools", {"query": b})).text) for b in batches]
    assert {len(b) for b in batches} <= {5, 6}
    assert statistics.quantiles(costs, n=20)[-1] <= 500


async def test_a_line_holds_signature_effect_and_purpose(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        lines = (await agent.text("find_tools", query="move a deal to another stage")).splitlines()
        line = next(li for li in lines if li.startswith("move_opportunity("))
        assert line.startswith("move_opportunity(opportunity_id: uuid, pipeline_id: uuid, stage_id: uuid")
        assert "[write]" in line
        assert 3 <= len(lines) <= 6


@pytest.mark.parametrize("several", [["list contacts", "create a task"], '["list contacts", "create a task"]'])
async def test_several_requests_are_answered_in_one_call_and_no_tool_is_explained_twice(serve: Any, several: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        text = await agent.text("find_tools", query=several)
        assert text.index("# list contacts") < text.index("list_contacts(") < text.index("# create a task")
        assert "create_task(title: string" in text
        twice = await agent.text("find_tools", query=["list contacts", "list the contacts"])
        assert twice.count("list_contacts(search?") == 1
        assert "list_contacts (see above)" in twice


async def test_a_toolset_and_an_effect_narrow_the_answer(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        text = await agent.text("find_tools", query="contact", toolset="contacts", effect="irreversible")
        assert "delete_contact(" in text
        assert all("[irreversible]" in line for line in text.splitlines())
        spoken = await agent.text("find_tools", query="run", toolset="Email campaigns")
        assert "campaign" in spoken


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": "x", "toolset": "contcts"}, "Did you mean contacts"),
        ({"query": "x", "effect": "dangerous"}, "Allowed: read, write, irreversible"),
        ({"query": "x", "include_unavailable": "maybe"}, "true or false"),
        ({"query": []}, "text or a list of texts"),
        ({"query": [1]}, "text or a list of texts"),
        ({"query": ["x"] * 7}, "at most 6"),
        ({"query": "x", "tolset": "contacts"}, "did you mean toolset?"),
        ({}, "query is required"),
    ],
)
async def test_a_wrong_argument_is_explained(arguments: dict[str, Any], told: str) -> None:
    async with Toolkit(sandbox=True, tools="lean", scopes="all") as toolkit:
        result = await toolkit.call("find_tools", arguments)
        assert (result.is_error, result.code) == (True, "INVALID_ARGUMENTS")
        assert told in result.text


async def test_what_a_key_may_not_do_is_shown_with_its_scope_only_when_asked_for(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean", TRUSTPAGER_API_KEY="tp_live_sandbox_readonly") as agent:
        assert "create_contact(" not in await agent.text("find_tools", query="create a contact")
        text = await agent.text("find_tools", query="create a contact", include_unavailable=True)
        line = next(li for li in text.splitlines() if li.startswith("create_contact("))
        assert line.endswith("unavailable: lacks contacts:write")
        evie = await agent.text("find_tools", query="chat with Evie", include_unavailable=True)
        assert next(li for li in evie.splitlines() if li.startswith("chat_with_evie(")).endswith(
            "which this server does not hold"
        )
        readable = await agent.text("find_tools", query="list contacts", effect="read", include_unavailable=True)
        assert "list_contacts(" in readable
        assert "unavailable" not in readable


async def test_nonsense_gets_the_nearest_toolsets_and_a_filter_that_hides_all_is_named() -> None:
    async with Toolkit(sandbox=True, tools="lean", scopes="all") as toolkit:
        nothing = (await toolkit.call("find_tools", {"query": "qqzzkkx"})).text
        assert "toolsets: " in nothing or "[" in nothing
        hidden = await toolkit.call("find_tools", {"query": "delete a contact", "toolset": "search", "effect": "irreversible"})
        assert "toolset search and effect irreversible" in hidden.text
        assert not hidden.is_error


async def test_describe_shows_nested_bodies_ranges_rules_scopes_costs_example_and_neighbours(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        text = await agent.text("describe_tool", tool="create_export_template")
        assert "  columns: {\n    id: uuid" in text
        assert "source: root|relation" in text
        assert "bom?: boolean = true" in text
        assert "Scopes: exports:write." in text
        assert "Prefer export_crm_data when" in text
        form = await agent.text("describe_tool", tool="send_form")
        assert "Costs 3 credits per call." in form
        assert "At least one of: deal_id, contact_id, customer_id." in form


async def test_the_example_of_a_description_is_a_call_that_works(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        text = await agent.text("describe_tool", tool="create_task")
        line = next(li for li in text.splitlines() if li.startswith("Example: "))
        executor, rest = line.removeprefix("Example: ").split("(", 1)
        await agent.text(executor, **json.loads(rest.removesuffix(")")))


async def test_the_schema_comes_as_json_when_asked_for(serve: Any) -> None:
    async with serve("--sandbox", "--tools", "lean") as agent:
        text = await agent.text("describe_tool", tool="move_opportunity", format="json_schema")
        schema = json.loads(next(li for li in text.splitlines() if li.startswith("{")))
        assert schema["required"] == ["opportunity_id", "pipeline_id", "stage_id"]
        assert "Allowed: signature, json_schema" in await agent.failure("describe_tool", tool="move_opportunity", format="xml")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lst_contcts", "list_contacts"),
        ("listContacts", "list_contacts"),
        ("list contacts", "list_contacts"),
        ("contacts.list", "list_contacts"),
        ("mcp__trustpager__list-contacts", "list_contacts"),
        ("list_deals", "list_opportunities"),
        ("get_customer", "get_company"),
        ("GetCustomers", "get_company"),
        ("create deal", "create_opportunity"),
        ("move_deal", "move_opportunity"),
        ("delete-person", "delete_contact"),
        ("sendSMS", "send_sms"),
        ("add_task", "create_task"),
    ],
)
async def test_an_unknown_name_gets_the_three_nearest_tools_and_the_meant_one_among_them(name: str, meant: str) -> None:
    async with Toolkit(sandbox=True, tools="lean", scopes="all") as toolkit:
        for executor, argument in (("call_read", {"tool": name, "args": {}}), ("describe_tool", {"tool": name})):
            result = await toolkit.call(executor, argument)
            assert (result.is_error, result.code) == (True, "UNKNOWN_TOOL")
            named = result.text.split("Nearest: ")[1].split(".")[0].split(", ")
            assert len(named) == 3
            assert meant in named


async def test_nearest_names_are_only_those_that_the_key_may_use() -> None:
    async with Toolkit("tp_live_sandbox_readonly", sandbox=True, tools="lean") as toolkit:
        result = await toolkit.call("call_write", {"tool": "createContact"})
        assert result.code == "UNKNOWN_TOOL"
        assert "create_contact" not in result.text.split("Nearest")[-1]


async def test_arguments_beside_the_tool_work_like_those_under_args() -> None:
    async with Toolkit(sandbox=True, tools="lean") as toolkit:
        flat = await toolkit.call("call_read", {"tool": "list_tasks", "limit": 2})
        nested = await toolkit.call("call_read", {"tool": "list_tasks", "args": {"limit": 2}})
        as_text = await toolkit.call("call_read", {"tool": "list_tasks", "args": '{"limit": 2}'})
        assert flat.text == nested.text == as_text.text
        assert not flat.is_error


async def test_the_wrong_executor_names_the_right_one_and_sends_nothing() -> None:
    app = App(Settings(sandbox=True, tools="lean"))
    session = await app.session()
    refused = await session.call("call_read", {"tool": "delete_contact", "args": {"contact_id": ID}})
    assert refused.code == "WRONG_EXECUTOR"
    assert "call_irreversible" in refused.text
    await app.aclose()
