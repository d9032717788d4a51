"""Any sequence of calls, faults, repeats and cancellations: no write takes effect twice, no uncertain one looks certain."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faulty_upstream import ID, FaultyUpstream, app_on
from trustpager_mcp.dispatcher import Result

WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "create": ("create_contact", {"first_name": "Ann"}),
    "create another": ("create_contact", {"first_name": "Bob"}),
    "update": ("update_contact", {"contact_id": ID, "first_name": "Ann"}),
    "replace": ("update_file", {"file_id": ID, "name": "plan.pdf"}),
    "delete": ("delete_contact", {"contact_id": ID}),
    "keyed": ("fire_auto_schedule", {"auto_schedule_id": ID}),
}
FAULTS = ("ok", "reset", "reset_midbody", "server_error", "unavailable", "html502", "bad_json", "too_many", "truncated_gzip", "redirect")  # fmt: skip
ALWAYS_ONCE = ("replace", "delete", "keyed")
"""Here the API itself makes a second request of the same call harmless, and the client may rely on it."""


class Effects(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runner.run(self._open())
        self.open_question: set[str] = set()

    async def _open(self) -> None:
        self.upstream = await FaultyUpstream().__aenter__()
        self.context = app_on(self.upstream, seconds=10)
        self.app = await self.context.__aenter__()
        self.dispatcher = (await self.app.session()).dispatcher

    async def _close(self) -> None:
        await self.context.__aexit__(None, None, None)
        await self.upstream.__aexit__(None, None, None)

    def teardown(self) -> None:
        self.runner.run(self._close())
        self.runner.close()

    def effects(self, which: str) -> int:
        """How often a write took effect."""
        name, arguments = WRITES[which]
        method = self.app.catalog.tools[name].method
        mark = arguments.get("first_name") or ("fire-now" if name == "fire_auto_schedule" else ID)
        return sum(n for text, n in self.upstream.effects.items() if text.startswith(method) and mark in text)

    @rule(
        which=st.sampled_from(sorted(WRITES)),
        faults=st.lists(st.tuples(st.sampled_from(FAULTS), st.booleans()), max_size=5),
        again=st.booleans(),
    )
    def write(self, which: str, faults: list[tuple[str, bool]], again: bool) -> None:
        self.upstream.plan.clear()
        for kind, acts in faults:
            self.upstream.fail(kind, acts=acts and kind not in ("ok", "too_many"))
        before, requests = self.effects(which), len(self.upstream.requests)
        options = {"again": True} if again else {}
        result = self.runner.run(self.dispatcher.call(*WRITES[which], options=options))
        self.check(which, result, self.effects(which) - before, len(self.upstream.requests) - requests, again)

    @rule(which=st.sampled_from(sorted(WRITES)), acts=st.booleans(), joined=st.booleans())
    def write_and_give_up(self, which: str, acts: bool, joined: bool) -> None:
        if which in self.open_question:
            return
        before = self.effects(which)
        self.runner.run(self._given_up(which, acts, joined))
        assert self.effects(which) - before <= int(acts)
        self.open_question.add(which)

    async def _given_up(self, which: str, acts: bool, joined: bool) -> None:
        self.upstream.plan.clear()
        self.upstream.fail("hang", acts=acts)
        count = len(self.upstream.requests)
        tasks = [asyncio.create_task(self.dispatcher.call(*WRITES[which])) for _ in range(2 if joined else 1)]
        await self.upstream.received(count + 1)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.upstream.settled()
        assert len(self.upstream.requests) == count + 1

    def check(self, which: str, result: Result, effects: int, requests: int, again: bool) -> None:
        was_open = which in self.open_question
        assert effects <= 1, "a write took effect twice"
        if result.is_error and not result.uncertain:
            assert effects == 0, f"an effect was reported as none: {result.text}"
        if was_open and not again and which != "keyed":
            assert (requests, effects, result.code) == (0, 0, "STILL_UNCERTAIN")
        if result.uncertain:
            assert "may have taken effect" in result.text
            self.open_question.add(which)
            return
        if not result.is_error and which not in ALWAYS_ONCE:
            assert effects == 1, "a write was called done without an effect"
        if not was_open or not result.is_error:
            self.open_question.discard(which)

    @invariant()
    def a_read_always_works(self) -> None:
        self.upstream.plan.clear()
        assert not self.runner.run(self.dispatcher.call("get_contact", {"contact_id": ID})).is_error


TestEffects = Effects.TestCase
TestEffects.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
