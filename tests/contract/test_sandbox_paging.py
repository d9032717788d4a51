"""Lists: every row once, in a stable order, whatever the limit and whatever happens between two pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.test_sandbox_support import Api, make

CALLER = make()
PAGED = ("/contacts", "/companies", "/opportunities", "/products", "/activities", "/tasks")


async def loop(api: Api, path: str, limit: int, **filters: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.listed(path, limit=limit, **filters, **cursor)
        assert len(page["data"]) <= limit
        rows += page["data"]
        if not page["pagination"]["has_more"]:
            assert page["pagination"]["next_cursor"] is None
            assert len(rows) == page["total"]
            return rows
        cursor = {"cursor": page["pagination"]["next_cursor"]}


@settings(max_examples=40, deadline=None)
@given(path=st.sampled_from(PAGED), limit=st.integers(7, 100))
def test_a_cursor_loop_recovers_every_row_once_for_any_limit(path: str, limit: int) -> None:
    async def check() -> None:
        rows = await loop(CALLER.as_key("tp_live_sandbox_full"), path, limit)
        whole = await loop(CALLER.as_key("tp_live_sandbox_full"), path, 100)
        assert len({r["id"] for r in rows}) == len(rows)
        assert [r["id"] for r in rows] == [r["id"] for r in whole]

    asyncio.run(check())


@pytest.mark.parametrize("path", [p for p in PAGED if p != "/tasks"])
async def test_the_newest_come_first(path: str) -> None:
    times = [r["created_at"] for r in await loop(CALLER, path, 100)]
    assert times == sorted(times, reverse=True)


async def test_rows_that_come_and_go_between_pages_neither_repeat_nor_hide_others() -> None:
    api = make()
    first = await api.listed("/contacts", limit=50)
    await api.ok("POST", "/contacts", {"first_name": "New"}, status=201)
    await api.ok("DELETE", f"/contacts/{first['data'][-1]['id']}", status=204)
    second = await api.listed("/contacts", limit=50, cursor=first["pagination"]["next_cursor"])
    assert not {r["id"] for r in first["data"]} & {r["id"] for r in second["data"]}
    assert second["data"][0]["created_at"] <= first["data"][-1]["created_at"]


async def test_the_cursor_of_another_list_is_refused() -> None:
    page = await CALLER.listed("/contacts", limit=1)
    error = await CALLER.error("GET", "/companies", params={"cursor": page["pagination"]["next_cursor"]})
    assert "cursor" in error["details"]["fields"]


async def test_fields_keeps_the_chosen_ones_and_the_id() -> None:
    (row,) = await CALLER.get("/contacts", limit=1, fields="display_name, email")
    assert set(row) == {"id", "display_name", "email"}


async def test_twenty_five_rows_are_a_page_unless_said_otherwise() -> None:
    assert len(await CALLER.get("/activities")) == 25
