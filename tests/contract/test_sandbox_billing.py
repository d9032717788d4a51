"""Plan, balance, use and prices of credits; AI instructions."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.contract.test_sandbox_support import make


async def test_the_plan_tells_subscription_seats_trial_and_gates() -> None:
    api = make()
    plan = await api.get("/billing/plan")
    assert plan["subscription_status"] == "active"
    assert plan["seats"] == {"used": 6, "included": 10}
    assert {"trial_started_at", "trial_ends_at", "plan_gating", "current_period_end"} <= set(plan)
    await api.ok("POST", "/company/users/invite", {"email": "new@brightside.example", "role": "client_viewer"}, status=201)
    assert (await api.get("/billing/plan"))["seats"]["used"] == 6
    assert len(await api.get("/company/users")) == 7


async def test_what_is_spent_shows_in_balance_and_use() -> None:
    api = make()
    before = (await api.get("/billing/balance"))["balance"]
    await api.ok("POST", "/ai/edit-text", {"text": "Hi there", "instruction": "formal"})
    assert (await api.get("/billing/balance"))["balance"] == before - 1
    latest = (await api.get("/billing/usage", limit=1))[0]
    assert (latest["feature_key"], latest["credits"], latest["balance_after"]) == ("ai_edit_text", -1, before - 1)
    await api.ok("POST", "/__sandbox/credits", {"balance": 5})
    history = await api.get("/billing/usage", limit=100)
    assert (history[0]["type"], history[0]["credits"], history[0]["balance_after"]) == ("adjustment", 6 - before, 5)
    assert {t["type"] for t in history} == {"usage", "grant", "adjustment"}
    for later, earlier in pairwise(history):
        assert later["balance_after"] == pytest.approx(earlier["balance_after"] + later["credits"])
    total = sum(t["credits"] for t in history if t["type"] == "usage")
    assert (await api.get("/billing/balance"))["total_used"] == pytest.approx(-total)


async def test_prices_are_listed_for_free() -> None:
    api = make()
    before = await api.get("/billing/balance")
    prices = {p["feature_key"]: p for p in await api.get("/billing/pricing")}
    assert prices["ai_call_coaching"]["credits_per_use"] == 3
    assert all({"credits_per_use", "category", "description"} <= set(p) for p in prices.values())
    assert await api.get("/billing/balance") == before


async def test_the_instructions_for_agents_are_free_and_cover_the_documented_subjects() -> None:
    api = make("tp_live_sandbox_readonly")
    told = await api.get("/ai-instructions")
    subjects = {
        "email_sending",
        "automation_setup",
        "deal_management",
        "scheduling",
        "document_workflows",
        "formatting_rules",
        "common_mistakes",
    }
    assert subjects <= set(told)
    assert all(told[s] for s in subjects)
