"""Every tool of the API: a valid call does what the definition says and is seen by a read; a call that lacks something is refused.

The same suite runs against the live API, see `tests/contract/endpoints/target.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.endpoints.arguments import Calls
from tests.contract.endpoints.reads import change_of, shown_by
from tests.contract.endpoints.samples import (
    ANSWERED_BY,
    ARGUMENTS,
    BEFORE,
    CHANGES,
    KEPT_AFTERWARDS,
    NAMED,
    NEVER_LIVE,
    OF_ONE_KIND,
    OTHER_FORMS,
    REWORDED,
    SHOWN_BY,
    UNSHOWN,
    WRAPPED,
)
from tests.contract.endpoints.target import TOOLS, TOOLSETS, events, target
from trustpager_mcp.definitions import Tool
from trustpager_mcp.sandbox.groups import HANDLERS

COLUMNS = {name: entity.columns for toolset in TOOLSETS for name, entity in toolset.entities.items()}
# Reads first: they find the workspace as it is.
IN_ORDER = sorted(TOOLS.values(), key=lambda tool: ("read", "write", "irreversible").index(tool.effect))


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    """One workspace for the whole file: nothing here is undone by another test."""
    calls = Calls(target())
    yield calls
    if calls.target.live:
        asyncio.run(calls.clean_up())


def check_answer(tool: Tool, response: httpx.Response) -> Any:
    """Status, envelope and columns as the definition says; the answer's data."""
    assert response.status_code in {"empty": (204,)}.get(tool.response, (200, 201, 202)), (
        f"{response.status_code} {response.text}"
    )
    match tool.response:
        case "empty":
            assert not response.content
            return None
        case "text":
            assert response.headers["content-type"].startswith("text/plain")
            assert not response.text.startswith(tool.failure_prefixes or "\0"), response.text
            return response.text
        case "file":
            assert "attachment" in response.headers["content-disposition"]
            assert response.content
            return None
        case "stream":
            assert events(response.text)[-1][0] == "done", response.text
            return None
    envelope = response.json()
    data = envelope["data"]
    if tool.name in WRAPPED:
        data = data[WRAPPED[tool.name]]
    if (tool.returns or "").endswith("[]"):
        assert isinstance(data, list)
        assert not tool.paging or set(envelope["pagination"]) >= {"next_cursor", "has_more"}
    entity = (tool.returns or "").removesuffix("[]")
    for record in (data if isinstance(data, list) else [data])[:3]:
        missing = {column for column in promised(tool, entity, record) if column.split(".")[0] not in record}
        assert not missing, f"{sorted(missing)} missing in {record}"
    return data


def promised(tool: Tool, entity: str, record: dict[str, Any]) -> set[str]:
    """The columns that this tool's answer of such a record has."""
    kinds, tools = OF_ONE_KIND.get(entity, {}), ANSWERED_BY.get(entity, {})
    others = {column for column, kind in kinds.items() if not kind.items() <= record.items()}
    others |= {column for column, name in tools.items() if name != tool.name}
    return set(COLUMNS.get(entity, ())) - others


def record_in(answer: Any, identity: str) -> dict[str, Any] | None:
    """The record with that id, anywhere in an answer."""
    if isinstance(answer, dict):
        if identity in (answer.get("id"), answer.get("user_id"), answer.get("customer_id")):
            return answer
        return record_in(list(answer.values()), identity)
    if isinstance(answer, list):
        return next((found for value in answer if (found := record_in(value, identity))), None)
    return None


def says(record: dict[str, Any], tool: Tool, sent: dict[str, Any]) -> dict[str, Any]:
    """The fields that were sent, whose column holds something else."""
    wires = {p.wire: sent[p.name] for p in tool.parameters if p.location == "body" and p.name in sent}
    plain = {k: v for k, v in wires.items() if isinstance(v, (str, int, float, bool)) and k in record}
    return {k: record[k] for k, v in plain.items() if record[k] != v and k not in REWORDED.get(tool.name, ())}


@pytest.mark.parametrize("tool", IN_ORDER, ids=lambda tool: tool.name)
async def test_a_valid_call_is_answered_as_defined_and_seen_by_a_read(tool: Tool, calls: Calls) -> None:
    prepared = await calls.prepared(tool)
    if tool.effect == "read":
        data = check_answer(tool, await calls.target.call(tool, prepared.arguments))
        searched = tool.name in ANSWERED_BY.get((tool.returns or "").removesuffix("[]"), {}).values()
        assert data or calls.target.live or not searched, "nothing was found, so that no column was seen"
        return
    prepared.arguments.update(change_of(tool, prepared.arguments))
    read = shown_by(tool)
    before = await calls.read(read, prepared) if read else None
    data = check_answer(tool, await calls.target.call(tool, prepared.arguments))
    if read is None or before is None:
        return
    after = await calls.read(read, prepared)
    identity = last_id(tool, prepared.arguments) or (data.get("id") if isinstance(data, dict) else None)
    if tool.response == "empty" and read.path == tool.path:
        kept = KEPT_AFTERWARDS.get(tool.name)
        assert after.status_code == (404 if kept is None else 200), after.text
        assert kept is None or kept.items() <= after.json()["data"].items()
    elif tool.response == "empty":
        assert identity
        assert record_in(before.json()["data"], identity)
        assert record_in(after.json()["data"], identity) is None
    else:
        assert after.status_code == 200, after.text
        assert after.json() != before.json(), f"{read.name} shows nothing new"
        shown = record_in(after.json()["data"], identity) if identity else None
        if tool.method in ("PATCH", "PUT") or (shown and tool.path == read.path):
            shown = shown or after.json()["data"]
            assert says(shown, tool, prepared.arguments) == {}
            if tool.method == "POST":
                assert data["created_at"]


@pytest.mark.parametrize("name", OTHER_FORMS)
async def test_a_valid_call_in_its_other_form_is_answered_as_defined(name: str, calls: Calls) -> None:
    prepared = await calls.prepared(TOOLS[name])
    answer = await calls.target.call(TOOLS[name], OTHER_FORMS[name])
    assert check_answer(TOOLS[name], answer) or calls.target.live, prepared


def last_id(tool: Tool, arguments: dict[str, Any]) -> str | None:
    """The id with which the path ends."""
    wire = tool.path.rpartition("/:")[2] if "/:" in tool.path else ""
    name = next((p.name for p in tool.parameters if p.location == "path" and p.wire == wire), None)
    return str(arguments[name]) if name else None


REQUIRED = [(tool, p.name) for tool in IN_ORDER for p in tool.parameters if p.required and p.location != "path"]


@pytest.mark.parametrize(("tool", "name"), REQUIRED, ids=lambda part: part if isinstance(part, str) else part.name)
async def test_a_valid_call_without_one_of_its_required_arguments_is_refused_by_name(tool: Tool, name: str, calls: Calls) -> None:
    prepared = await calls.prepared(tool)
    wire = tool.parameter_by_name[name].wire
    response = await calls.target.call(tool, {k: v for k, v in prepared.arguments.items() if k != name})
    if tool.response == "text":
        assert response.status_code == 200
        assert response.text.startswith(tool.failure_prefixes)
        return
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert wire in error["details"]["fields"]


SCOPED = [tool for tool in IN_ORDER if tool.scopes and tool.credential in ("api_key", "oauth_token")]


@pytest.mark.parametrize("tool", SCOPED, ids=lambda tool: tool.name)
async def test_a_key_without_the_scopes_is_told_which_are_missing(tool: Tool, calls: Calls) -> None:
    if calls.target.live:
        pytest.skip("keys without a scope are made in the sandbox only")
    key = await calls.target.key_without(*tool.scopes)
    path_values = {p.name: NAMED for p in tool.parameters if p.location == "path"}
    response = await calls.target.call(tool, path_values, key=key)
    assert response.status_code == 403, response.text
    error = response.json()["error"]
    assert error["code"] == "FORBIDDEN"
    assert error["details"]["missing_scopes"] == list(tool.scopes)


def test_every_tool_is_served_and_every_exception_is_one_of_a_tool() -> None:
    assert set(HANDLERS) == set(TOOLS)
    for table in (ARGUMENTS, BEFORE, CHANGES, KEPT_AFTERWARDS, NEVER_LIVE, OTHER_FORMS, REWORDED, SHOWN_BY, UNSHOWN, WRAPPED):
        assert set(table) <= set(TOOLS)
