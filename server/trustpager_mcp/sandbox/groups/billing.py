"""Plan, credit balance, what was spent, and prices."""

from __future__ import annotations

from dataclasses import asdict

from ..engine import Answer, Call, Handler, everything, page
from ..pricing import PRICES, description_of, feature_of
from ..seed import Seeder
from ..store import Record
from ..world import ADJUSTMENT, START_CREDITS

_SEATS_INCLUDED = 10
_MONTHLY = 10_000
_ADDED = {"monthly_credits": "grant", ADJUSTMENT: "adjustment"}


def _plan(call: Call) -> Answer:
    plan = call.store.all("billing_plan")[0]
    seats = len(call.store.all("membership", status="active"))
    flags = {"api_access": True, "voice_agents": True, "websites": True, "lead_generation": True, "reports": True}
    shown = {k: v for k, v in plan.items() if k not in ("id", "created_at", "updated_at")}
    return Answer({**shown, "seats": {"used": seats, "included": _SEATS_INCLUDED}, "plan_gating": flags})


def _balance(call: Call) -> Answer:
    used = sum(u["credits"] for u in call.store.all("credit_usage") if u["operation"] not in _ADDED)
    return Answer({"balance": call.world.balance, "currency": "credits", "total_used": round(used, 4)})


def _transaction(usage: Record) -> Record:
    """A change of the balance as the API shows it: what a feature took is negative, what was added positive."""
    kind = _ADDED.get(usage["operation"], "usage")
    return {
        "id": usage["id"], "type": kind, "credits": -usage["credits"],
        "feature_key": feature_of(usage["operation"]) if kind == "usage" else None,
        "description": description_of(usage["operation"]), "balance_after": usage["balance_after"],
        "created_at": usage["created_at"],
    }  # fmt: skip


def _usage(call: Call) -> Answer:
    return page(call, call.store.numbered("credit_usage"), _transaction)


def seed(s: Seeder) -> None:
    """A growing plan, two months of what features took, and this month's credits; together they make the balance."""
    start, end = s.time(12), s.time(-18)
    plan = {"plan": "growth", "plan_name": "Growth", "subscription_status": "active", "billing_interval": "month"}
    window = {
        "trial_started_at": None,
        "trial_ends_at": None,
        "current_period_start": start,
        "current_period_end": end,
        "cancel_at_period_end": False,
    }
    s.store.add("billing_plan", [s.record(365, **plan, **window, monthly_credits=_MONTHLY)])
    spent = [("voice_agent_minute", 12.0), ("edit_text_with_ai", 1.0), ("ai_image", 8.0), ("transcription", 46.0),
             ("lead_gen_search", 1.0)]  # fmt: skip
    taken = [(60 - i * 1.4, *spent[s.rng.randrange(len(spent))]) for i in range(40)]
    changes = sorted([*taken, (12.0, "monthly_credits", -float(_MONTHLY))], reverse=True)
    left = START_CREDITS + sum(cost for _, _, cost in changes)
    for age, operation, cost in changes:
        left -= cost
        s.store.add("credit_usage", [s.record(age, operation=operation, credits=cost, balance_after=left)])


HANDLERS: dict[str, Handler] = {
    "get_billing_plan": _plan,
    "get_credit_balance": _balance,
    "list_credit_usage": _usage,
    "get_credit_pricing": lambda _: everything([asdict(price) for price in PRICES]),
}
