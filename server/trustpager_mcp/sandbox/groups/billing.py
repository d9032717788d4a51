"""Plan, credit balance, what was spent, and prices."""

from __future__ import annotations

from dataclasses import asdict

from ..engine import Answer, Call, Handler, everything, page
from ..pricing import PRICES, description_of, feature_of
from ..seed import Seeder
from ..store import Record

_SEATS_INCLUDED = 10


def _plan(call: Call) -> Answer:
    plan = call.store.all("billing_plan")[0]
    seats = sum(user.get("status", "active") == "active" for user in call.store.all("user"))
    flags = {"api_access": True, "voice_agents": True, "websites": True, "lead_generation": True, "reports": True}
    shown = {k: v for k, v in plan.items() if k not in ("id", "created_at", "updated_at")}
    return Answer({**shown, "seats": {"used": seats, "included": _SEATS_INCLUDED}, "plan_gating": flags})


def _balance(call: Call) -> Answer:
    used = sum(u["credits"] for u in call.store.all("credit_usage") if u["credits"] > 0)
    return Answer({"balance": call.world.balance, "currency": "credits", "total_used": round(used, 4)})


def _transaction(usage: Record) -> Record:
    """Spending as the API shows it: negative credits, with the feature that took them."""
    return {
        "id": usage["id"], "type": "usage", "feature_key": feature_of(usage["operation"]), "credits": -usage["credits"],
        "description": description_of(usage["operation"]), "balance_after": usage["balance_after"],
        "created_at": usage["created_at"],
    }  # fmt: skip


def _usage(call: Call) -> Answer:
    return page(call, call.store.numbered("credit_usage"), _transaction)


def seed(s: Seeder) -> None:
    """A growing plan, and two months of what features took."""
    start, end = s.time(12), s.time(-18)
    plan = {"plan": "growth", "plan_name": "Growth", "subscription_status": "active", "billing_interval": "month"}
    window = {"trial_ends_at": None, "current_period_start": start, "current_period_end": end, "cancel_at_period_end": False}
    s.store.add("billing_plan", [s.record(365, **plan, **window, monthly_credits=10_000)])
    spent = [("voice_agent_minute", 12.0), ("edit_text_with_ai", 1.0), ("ai_image", 8.0), ("transcription", 46.0),
             ("lead_gen_search", 1.0)]  # fmt: skip
    left, usage = 12_400.0, []
    for i in range(40):
        operation, cost = spent[s.rng.randrange(len(spent))]
        left -= cost
        usage.append(s.record(60 - i * 1.4, operation=operation, credits=cost, balance_after=left))
    s.store.add("credit_usage", usage)


HANDLERS: dict[str, Handler] = {
    "get_billing_plan": _plan,
    "get_credit_balance": _balance,
    "list_credit_usage": _usage,
    "get_credit_pricing": lambda _: everything([asdict(price) for price in PRICES]),
}
