"""The README's walk-through, in every way to a server and in both protocol eras."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest


def rows(text: str) -> list[dict[str, str]]:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split(",")[0] == "id")
    end = next(i for i, line in enumerate(lines) if line.startswith(("</outsider", "more fields:", "shown ")))
    return list(csv.DictReader(lines[start:end]))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_works_a_deal_from_finding_the_tool_to_seeing_its_changes(serve: Any, mode: str) -> None:
    async with serve("--sandbox", mode=mode) as agent:
        found = await agent.text("find_tools", query="which deals are still open in the sales pipeline")
        assert "list_opportunities(" in found

        pipelines = rows(await agent.text("call_read", tool="list_pipelines"))
        sales = next(p["id"] for p in pipelines if p["name"] == "Sales")
        stages = rows(await agent.text("list_pipeline_stages", pipeline_id=sales))
        target = next(s for s in stages if s["name"] == "Negotiation")

        filters = {"pipeline_id": sales, "status": "open", "limit": 5}
        deals = rows(await agent.text("call_read", tool="list_opportunities", args=filters))
        assert len(deals) == 5
        deal = deals[0]["id"]
        assert deal in await agent.text("call_read", tool="get_opportunity", args={"opportunity_id": deal})

        move = {"opportunity_id": deal, "pipeline_id": sales, "stage_id": target["id"]}
        await agent.text("call_write", tool="move_opportunity", args=move)
        note = {"activity_type": "note", "subject": "Moved on", "description": "Wants to start in May.", "deal_id": deal}
        await agent.text("call_write", tool="create_activity", args=note)
        await agent.text("call_write", tool="create_task", args={"title": "Send the contract", "deal_id": deal})

        assert "Negotiation" in await agent.text("get_opportunity", opportunity_id=deal)
        assert "Moved on" in await agent.text("call_read", tool="list_opportunity_activities", args={"opportunity_id": deal})
        assert "Send the contract" in await agent.text("call_read", tool="list_opportunity_tasks", args={"opportunity_id": deal})


async def test_cursors_lead_through_every_contact_once(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        seen: list[str] = []
        arguments: dict[str, Any] = {"limit": 100}
        while True:
            text = await agent.text("list_contacts", **arguments)
            seen += [r["id"] for r in rows(text)]
            if "cursor=" not in text:
                break
            arguments["cursor"] = text.rsplit("cursor=", 1)[1].strip()
        assert len(seen) == len(set(seen)) == 400


async def test_fields_choose_what_a_list_shows(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        text = await agent.text("call_read", tool="list_tasks", args={"limit": 3}, fields=["title"])
        assert text.splitlines()[0] == "id,title"


async def test_a_call_that_the_api_holds_for_approval_is_told_as_queued_and_not_done(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_API_KEY="tp_live_sandbox_approval") as agent:
        text = await agent.text("call_write", tool="create_task", args={"title": "Held"})
        assert text.startswith("Queued, not done")
        assert "Held" not in await agent.text("call_read", tool="list_tasks", args={"search": "Held"})


@pytest.mark.only("stdio", because="the server's own credential is tried, and the token of a grant stays with one process")
async def test_evie_is_met_with_a_grant_and_acts_within_the_scopes_of_its_token(serve: Any) -> None:
    async with serve("--sandbox", TRUSTPAGER_OAUTH_TOKEN="tp_oauth_wrong") as agent:
        heard: list[str] = []

        async def hear(_done: float, _total: float | None, message: str | None) -> None:
            heard.append(message or "")

        async def say(message: str) -> str:
            arguments = {"tool": "chat_with_evie", "args": {"message": message}}
            result = await agent.client.call_tool("call_irreversible", arguments, progress_callback=hear)
            assert not result.is_error, result.content[0].text
            return str(result.content[0].text)

        async def grant() -> str:
            arguments = {"tool": "create_evie_token", "args": {"company_id": company}, "again": True}
            return await agent.text("call_write", **arguments)

        company = re.findall("id: (.+)", await agent.text("call_read", tool="get_company_settings"))[0]
        wrong = await agent.failure("call_irreversible", tool="chat_with_evie", args={"message": "Hi"})
        assert "Evie's token is wrong or a newer one has ended it: create_evie_token gets a new one" in wrong
        assert "tp_oauth_" not in (await grant()).replace("(tp_oauth_...)", "")

        answer = await say("list our products")
        assert heard[0] == "calls list_products"
        assert heard[1].startswith("I found 5: ")
        assert heard[1] in answer
        assert "Created: Ring Ann" in await say('Create a task "Ring Ann" due tomorrow')
        assert "Ring Ann" in await agent.text("call_read", tool="list_tasks", args={"search": "Ring Ann"})

        users = await agent.text("call_read", tool="list_company_users", fields=["user_id", "role"])
        (owner,) = re.findall("(.+),client_admin", users)
        role = {"user_id": owner, "role": "client_viewer"}
        await agent.text("call_write", tool="update_workspace_user_role", args=role)
        await grant()
        refused = await say('Create a task "Ring Bob" due tomorrow')
        assert "it takes create_task, which needs tasks:write" in refused
        assert "Ring Bob" not in await agent.text("call_read", tool="list_tasks", args={"limit": 5})
