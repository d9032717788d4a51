"""Whatever JSON comes, the sandbox answers in the API's envelope and never with a failure of its own."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.test_sandbox_coverage import TOOLS, body_of
from tests.contract.test_sandbox_support import make

CALLER = make()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
KINDS = {
    "contacts": "contact", "companies": "company", "opportunities": "opportunity", "pipelines": "pipeline", "products": "product",
    "tasks": "task", "work-orders": "work_order", "automations": "automation", "auto-queues": "auto_queue",
    "auto-schedules": "auto_schedule", "scheduled-event-types": "scheduled_event_type", "scheduling-bookings": "booking",
    "scheduling": "scheduled_event_type", "scheduled-communications": "scheduled_communication",
}  # fmt: skip
IDS = {kind: CALLER.workspace.store.all(kind)[0]["id"] for kind in KINDS.values()}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_body_or_query_makes_the_sandbox_fail(data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(TOOLS))
    body: dict[str, Any] = {} if tool.body == "whole" else dict(body_of(tool) or {})
    for parameter in data.draw(st.lists(st.sampled_from([p.wire for p in tool.parameters] or ["x"]), max_size=4)):
        body[parameter] = data.draw(st.sampled_from(sorted(IDS.values())) | JSON)
    path = re.sub(r":\w+", IDS[KINDS.get(tool.path.split("/")[1], "task")], tool.path)
    query = {k: str(v) for k, v in body.items()} if tool.method == "GET" else {}

    async def check() -> None:
        caller = CALLER.as_key("tp_live_sandbox_full")
        options: dict[str, Any] = {"params": query} if query else {"content": json.dumps(body)}
        response = await caller.send(tool.method, path, **options)
        assert response.status_code < 500, f"{tool.operation} {body}: {response.text}"

    asyncio.run(check())


@pytest.mark.parametrize(
    "content",
    ['{"first_name": "\\ud800"}', '{"first_name": NaN}', '{"metadata": {"a": 1e999}}', "[" * 100_000, "\x00", '"text"', "5"],
)
async def test_what_is_no_json_object_is_a_validation_error(content: str) -> None:
    assert (await CALLER.error("POST", "/contacts", content=content))["code"] == "VALIDATION_ERROR"
