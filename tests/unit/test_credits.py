from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.credits import FREE, Budget, Price, price
from trustpager_mcp.errors import NotAllowedError, ToolError, UnreachableError, UpstreamError

catalog = default_catalog()
SPEECH = catalog.tools["generate_speech_with_ai"]
FORM = catalog.tools["send_form"]
IMAGE = catalog.tools["generate_image_with_ai"]


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("list_contacts", {}, FREE),
        ("send_form", {}, Price(3)),
        ("generate_speech_with_ai", {"text": "x"}, Price(50)),
        ("generate_speech_with_ai", {"text": "x" * 100}, Price(50)),
        ("generate_speech_with_ai", {"text": "x" * 101}, Price(100)),
        ("generate_speech_with_ai", {}, Price(50, at_least=True)),
        ("transcribe_recording", {}, Price(12, at_least=True)),
        ("generate_image_with_ai", {}, Price(None)),
    ],
)
def test_prices_count_what_the_arguments_tell_and_else_the_least(tool: str, arguments: dict[str, Any], expected: Price) -> None:
    assert price(catalog.tools[tool], arguments) == expected


def test_every_cost_by_an_argument_names_one_that_the_tool_has() -> None:
    counted = [t for t in catalog.tools.values() if t.credits and t.credits.counts]
    assert counted
    assert all(t.credits and t.credits.counts in t.parameter_by_name for t in counted)


def spend(
    budget: Budget, credits: float | None = 3.0, who: str = "me", fails: ToolError | None = None, answer: Any = None
) -> str:
    with budget.spending(FORM, Price(credits), who) as spending:
        if fails is not None:
            raise fails
        spending.settle(answer)
    return spending.footer


def test_a_budget_stops_the_call_that_would_exceed_it_and_tells_what_is_left() -> None:
    budget = Budget(7)
    assert spend(budget) == "Credits: 3 credits; 3 of 7 spent in this run, 4 left."
    spend(budget)
    with pytest.raises(NotAllowedError, match="of the budget of 7 credits 1 are left") as refused:
        spend(budget)
    assert refused.value.code == "CREDIT_BUDGET"
    assert budget.spent("me") == 6
    spend(budget, 1.0)


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (NotAllowedError("refused"), 10),
        (UnreachableError("refused connection"), 10),
        (UpstreamError("invalid", status=400), 10),
        (UpstreamError("no credits", status=402), 10),
        (UnreachableError("no answer", code="TIMEOUT", sent=True), 7),
        (UpstreamError("broken", status=500), 7),
        (UpstreamError("bad answer", status=200), 7),
        (UpstreamError("conflict after a retry", status=409, uncertain=True), 7),
    ],
)
def test_credits_come_back_only_when_nothing_can_have_been_spent(error: ToolError, left: float) -> None:
    budget = Budget(10)
    with pytest.raises(ToolError):
        spend(budget, fails=error)
    assert 10 - budget.spent("me") == left


def test_an_interrupted_call_keeps_its_reservation() -> None:
    budget = Budget(10)
    with pytest.raises(KeyboardInterrupt), budget.spending(FORM, Price(3), "me"):
        raise KeyboardInterrupt
    assert budget.spent("me") == 3


def test_calls_at_the_same_time_cannot_spend_the_same_credits() -> None:
    budget = Budget(5)
    with budget.spending(FORM, Price(3), "me"), pytest.raises(NotAllowedError):
        spend(budget)


def test_the_figure_of_the_answer_replaces_the_estimate() -> None:
    budget = Budget(100)
    assert "12 credits; 12 of 100" in spend(budget, None, answer={"data": {"credits_charged": 12}})
    assert budget.spent("me") == 12
    spend(budget, 50.0, answer={"data": {"credits_charged": 40}})
    assert budget.spent("me") == 52


def test_an_unknown_price_is_told_not_counted_and_refused_once_nothing_is_left() -> None:
    budget = Budget(3)
    assert "only the API knows, not counted; 0 of 3" in spend(budget, None)
    spend(budget)
    with pytest.raises(NotAllowedError):
        spend(budget, None)
    with pytest.raises(NotAllowedError):
        Budget(0).check(IMAGE, price(IMAGE, {}), "me")


def test_every_credential_has_its_own_budget_and_every_day_a_new_one() -> None:
    now = datetime(2026, 5, 1, 23, 59, tzinfo=UTC)
    budget = Budget(3, "day", now=lambda: now)
    spend(budget)
    spend(budget, who="other")
    with pytest.raises(NotAllowedError, match=r"today \(UTC\)"):
        spend(budget)
    now += timedelta(minutes=2)
    spend(budget)


def test_credits_of_yesterday_are_not_given_back_today() -> None:
    times = iter([datetime(2026, 5, 1, 23, 59, tzinfo=UTC)] * 2 + [datetime(2026, 5, 2, tzinfo=UTC)] * 2)
    budget = Budget(3, "day", now=lambda: next(times))
    with pytest.raises(UpstreamError):
        spend(budget, fails=UpstreamError("invalid", status=400))
    assert budget.spent("me") == 0


def test_without_a_budget_the_footer_tells_the_price_alone() -> None:
    assert spend(Budget()) == "Credits: 3 credits."
    with Budget().spending(catalog.tools["list_contacts"], FREE, "me") as spending:
        pass
    assert spending.footer == ""
