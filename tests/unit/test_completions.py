"""Completions: which names come first, and how long what was read is kept."""

from __future__ import annotations

from trustpager_mcp.app import App
from trustpager_mcp.context.completions import Completer, matching
from trustpager_mcp.settings import Settings


def test_names_that_begin_with_the_text_come_before_those_that_hold_it() -> None:
    assert matching(["Photo", "hot", "Cold", "hot", ""], "HO") == ["hot", "Photo"]


async def test_what_was_read_is_kept_for_a_minute_and_then_read_anew() -> None:
    app = App(Settings(sandbox=True, scopes=("all",)))
    session = await app.session()
    now = 0.0
    completer = Completer(session.dispatcher, clock=lambda: now)
    before = await completer.values("pipeline", "")
    created = await session.call("call_write", {"tool": "create_pipeline", "args": {"name": "Brand new"}})
    assert not created.is_error, created.text
    now = 59.0
    assert await completer.values("pipeline", "") == before
    now = 61.0
    assert "Brand new" in await completer.values("pipeline", "")
    await app.aclose()
