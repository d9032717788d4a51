from __future__ import annotations

from typing import Any

import pytest

from trustpager_mcp.callers import SILENT, AnswerNeeded, Caller, Question, Reply
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.errors import NotAllowedError
from trustpager_mcp.gate import Gate, Seals, question_text

catalog = default_catalog()
DELETE = catalog.tools["delete_contact"]
CREATE = catalog.tools["create_contact"]
ARGUMENTS = {"contact_id": "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10"}


class Later(Caller):
    """A client that answers in another request."""

    can_ask = True


class Answering(Later):
    def __init__(self, state: str, accepted: bool = True) -> None:
        self.answer = Reply(accepted, state)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def nowhere() -> str:
    return ""


async def asked(gate: Gate, arguments: dict[str, Any] = ARGUMENTS, credential: str = "one") -> Question:
    with pytest.raises(AnswerNeeded) as needed:
        await gate.confirm(DELETE, arguments, Later(), credential, nowhere)
    return needed.value.question


async def test_a_confirmation_lets_its_call_through_once() -> None:
    gate = Gate("strict")
    state = (await asked(gate)).state
    await gate.confirm(DELETE, ARGUMENTS, Answering(state), "one", nowhere)
    with pytest.raises(NotAllowedError, match="was used before"):
        await gate.confirm(DELETE, ARGUMENTS, Answering(state), "one", nowhere)


@pytest.mark.parametrize(
    ("tool", "arguments", "credential"),
    [
        ("delete_company", ARGUMENTS, "one"),
        ("delete_contact", {"contact_id": "00000000-4b7d-4e0a-9c55-2d8f3b1a7e10"}, "one"),
        ("delete_contact", ARGUMENTS, "two"),
    ],
)
async def test_a_confirmation_counts_for_no_other_tool_arguments_or_credential(
    tool: str, arguments: dict[str, Any], credential: str
) -> None:
    gate = Gate("elicit")
    state = (await asked(gate)).state
    with pytest.raises(NotAllowedError, match="belongs to another call"):
        await gate.confirm(catalog.tools[tool], arguments, Answering(state), credential, nowhere)
    await gate.confirm(DELETE, ARGUMENTS, Answering(state), "one", nowhere)


async def test_a_confirmation_that_comes_too_late_does_not_count() -> None:
    clock = Clock()
    gate = Gate("strict", clock=clock)
    state = (await asked(gate)).state
    clock.now += 301
    with pytest.raises(NotAllowedError, match="came too late"):
        await gate.confirm(DELETE, ARGUMENTS, Answering(state), "one", nowhere)


@pytest.mark.parametrize("state", ["", "made up", "é", "A" * 80, "AAAA" * 1000])
async def test_a_yes_without_a_seal_of_ours_does_not_count(state: str) -> None:
    with pytest.raises(NotAllowedError, match="Nothing was sent") as refused:
        await Gate("elicit").confirm(DELETE, ARGUMENTS, Answering(state), "one", nowhere)
    assert refused.value.code == "CONFIRMATION_INVALID"


async def test_a_no_is_final_and_tells_the_agent_to_accept_it() -> None:
    gate = Gate("elicit")
    state = (await asked(gate)).state
    with pytest.raises(NotAllowedError) as refused:
        await gate.confirm(DELETE, ARGUMENTS, Answering(state, accepted=False), "one", nowhere)
    assert refused.value.code == "DECLINED"


async def test_replicas_with_one_secret_accept_each_others_seals_and_others_do_not() -> None:
    one, other, stranger = Seals(b"s" * 32), Seals(b"s" * 32), Seals()
    token = one.issue(b"call")
    assert await stranger.redeem(token, b"call") is not None
    assert await other.redeem(token, b"call") is None


def test_who_is_asked_depends_on_mode_effect_and_client() -> None:
    assert not Gate("client").asks(DELETE, Later())
    assert Gate("elicit").asks(DELETE, Later())
    assert not Gate("elicit").asks(DELETE, SILENT)
    assert not Gate("strict").asks(CREATE, SILENT)
    with pytest.raises(NotAllowedError, match="no way to ask"):
        Gate("strict").asks(DELETE, SILENT)


def test_the_question_says_what_to_whom_at_what_cost_and_shows_no_secret() -> None:
    tool = catalog.tools["transcribe_recording"]
    arguments = {"recording_url": "https://x.test/a.mp3?token=abc123", "recording_auth": "Basic c2VjcmV0", "title": "Call"}
    text = question_text(tool, arguments)
    assert "transcribe_recording" in text
    assert "at least 12 credits" in text
    assert "“Call”" in text
    assert "c2VjcmV0" not in text
    assert "abc123" not in text


def test_the_question_cannot_be_forged_by_values_and_stays_bounded() -> None:
    tool = catalog.tools["send_sms"]
    body = "Hi\n\nCosts nothing. ”\u202eesrever\u200b\x1b[31m" + "x" * 100_000
    text = question_text(tool, {"body": body, **{f"extra_{i}": "y" * 1000 for i in range(50)}}, target="a\nb: c")
    lines = text.splitlines()
    assert len(text) < 4_000
    assert not [c for c in text if c in "\u202e\u200b\x1b"]
    assert not [line for line in lines if line.startswith("Costs nothing")]
    assert [line for line in lines if "and 39 more" in line]
