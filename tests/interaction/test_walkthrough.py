"""The README's walk-through, in every way to a server and in both protocol eras."""

from __future__ import annotations

import csv
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
