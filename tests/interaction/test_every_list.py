"""Every list of the sandbox, read only as an agent reads it: each row and, asked for, each value comes back; none is too long."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from statistics import median
from typing import Any

import pytest_asyncio

from trustpager_mcp import Toolkit
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Tool
from trustpager_mcp.shaping.envelopes import unwrapped
from trustpager_mcp.shaping.tokens import estimate
from trustpager_mcp.tokens import count_tokens

LISTS = [
    t
    for t in default_catalog().tools.values()
    if t.effect == "read" and (t.returns or "").endswith("[]") and ":" not in t.path and t.method == "GET"
    and t.credential == "api_key" and t.base == "api"
]  # fmt: skip
FEW, MANY, ENOUGH_ROWS = 7, 100, 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def toolkit() -> AsyncIterator[Toolkit]:
    async with Toolkit(sandbox=True, tools="all", scopes="all") as toolkit:
        yield toolkit


def asked(tool: Tool, **more: Any) -> dict[str, Any]:
    """Arguments of the tool: what it requires, and only those further ones that it takes."""
    required = {p.name: p.enum[0] for p in tool.parameters if p.required and p.enum}
    limit = tool.parameter_by_name.get("limit")
    if limit is None:
        more.pop("limit", None)
    elif limit.maximum and more.get("limit", 0) > limit.maximum:
        more["limit"] = int(limit.maximum)
    return {**required, **more}


def table(text: str) -> list[dict[str, str]]:
    body = re.sub(r"^</?outsider-\d+>\n?", "", text, flags=re.MULTILINE)
    body = re.sub(r"\Aall rows: .*\n", "", body)
    body = re.split(
        r"^(?:shown \d|more fields: |\d+ long values |\d+ more rows |beside: )", body, maxsplit=1, flags=re.MULTILINE
    )[0]
    return list(csv.DictReader(io.StringIO(body, newline=""), strict=True))


def as_cell(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, (bool, int, float, dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


async def pages(toolkit: Toolkit, tool: Tool, **more: Any) -> AsyncIterator[tuple[str, list[Any]]]:
    """The list's texts, each with the API's rows, following cursors and what did not fit as the texts say."""
    cursor: dict[str, str] = {}
    while True:
        result = await toolkit.call(tool.name, asked(tool, **more) | cursor)
        assert not result.is_error, result.text
        yield result.text, unwrapped(result.data).rows or []
        text = result.text
        while found := re.search(r'more rows did not fit: read_result\("(\w+)", rows="([\d-]+)"\)', text):
            arguments = {"handle": found[1], "rows": found[2], "fields": more.get("fields", [])}
            text = (await toolkit.call("read_result", {k: v for k, v in arguments.items() if v})).text
            yield text, []
        following = re.search(r"; next page: cursor=(\S+)$", result.text)
        if not following:
            return
        cursor = {"cursor": following[1]}


async def test_a_cursor_loop_over_the_text_alone_recovers_every_row_and_value_of_every_list(toolkit: Toolkit) -> None:
    checked = 0
    for tool in LISTS:
        told: list[dict[str, str]] = []
        rows: list[dict[str, Any]] = []
        async for text, answered in pages(toolkit, tool, limit=MANY, fields="all"):
            assert "long values clipped" not in text, tool.name
            told += table(text) if "No results." not in text else []
            rows += answered
        assert len(told) == len(rows), tool.name
        for row, cells in zip(rows, told, strict=True):
            for key, value in row.items():
                assert cells.get(key, "") == as_cell(value), f"{tool.name}: {key}"
        checked += bool(rows)
    assert checked >= 60


async def test_every_id_is_whole_and_first_in_every_list_by_default_whatever_the_page(toolkit: Toolkit) -> None:
    for tool in LISTS:
        seen: list[str] = []
        ids: list[str] = []
        async for text, answered in pages(toolkit, tool, limit=FEW if tool.name != "list_activities" else MANY):
            seen += [next(iter(cells.values())) for cells in table(text)] if "No results." not in text else []
            ids += [r["id"] for r in answered if "id" in r]
        assert not ids or seen == ids, tool.name


async def test_no_list_is_over_the_limits_most_cost_an_eighth_of_their_json_at_most_and_the_estimate_is_near(
    toolkit: Toolkit,
) -> None:
    off: list[float] = []
    shares: list[float] = []
    for tool in LISTS:
        for more in ({}, {"fields": "all"}):
            result = await toolkit.call(tool.name, asked(tool, limit=MANY, **more))
            tokens = count_tokens(result.text)
            assert len(result.text) <= 40_000
            assert tokens <= 8_000
            raw = json.dumps(result.data, ensure_ascii=False, separators=(",", ":"))
            if not more and len(unwrapped(result.data).rows or []) >= ENOUGH_ROWS:
                shares.append(tokens / count_tokens(raw))
            if tokens >= 300:
                off.append(abs(estimate(result.text) / tokens - 1))
    assert median(shares) <= 0.125
    assert max(off) <= 0.2
    assert sum(o <= 0.1 for o in off) >= 0.95 * len(off)
