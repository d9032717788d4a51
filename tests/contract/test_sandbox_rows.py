"""Whole rows: an entity's records have every column of its table, in every endpoint that answers them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.test_sandbox_support import Api, make
from trustpager_mcp.definitions import Tool, load_toolsets
from trustpager_mcp.sandbox.rows import rows_of

TOOLSETS = load_toolsets()
ROWS = rows_of(TOOLSETS)
TOOLS = [
    t for toolset in TOOLSETS for t in toolset.tools if t.base == "api" and t.credential == "api_key" and t.response == "json"
]
Row = dict[str, Any]
Seen = dict[str, dict[str, list[Row]]]
"""Rows by entity and tool."""


def entity_of(tool: Tool) -> str:
    return (tool.returns or "").removesuffix("[]")


def parent_of(path: str) -> str:
    """The list that a path's last id comes from: /websites/:id/pages for /websites/:id/pages/:pageId."""
    return path.rsplit("/:", 1)[0]


class Walk:
    """Calls the endpoints of rows, each once what stands before its ids has answered."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.rows: dict[str, list[tuple[str, Row]]] = {}
        """By a list's path: each row with the address of the list."""
        self.seen: Seen = defaultdict(dict)

    def addresses(self, tool: Tool) -> list[str]:
        """Where the tool can be called: once for each of the first rows that its path may name."""
        if ":" not in tool.path:
            return [tool.path]
        _, _, rest = tool.path.removeprefix(parent_of(tool.path)).partition("/:")
        after = "/" + rest.partition("/")[2] if "/" in rest else ""
        return [f"{at}/{r['id']}{after}" for at, r in self.rows.get(parent_of(tool.path), [])[:6] if "id" in r]

    async def read(self, tool: Tool) -> None:
        needed = [p for p in tool.parameters if p.required and p.location == "query"]
        for address in self.addresses(tool):
            for value in needed[0].enum if needed else ("",):
                response = await self.api.send("GET", address, params={needed[0].wire: value} if needed else {})
                if response.status_code != 200:
                    continue
                data = response.json()["data"]
                found = [r for r in (data if isinstance(data, list) else [data]) if isinstance(r, dict)]
                self.seen[entity_of(tool)].setdefault(tool.name, []).extend(found)
                if isinstance(data, list):
                    self.rows.setdefault(tool.path, []).extend((address, r) for r in found)

    async def write(self, tool: Tool) -> None:
        """Create a row like one that is there, or set a field of one to what it is."""
        like = [r for rows in self.seen[entity_of(tool)].values() for r in rows]
        for address, row in zip(self.addresses(tool), like, strict=False):
            body = {
                p.wire: row[p.wire] for p in tool.parameters if p.location == "body" and row.get(p.wire) not in (None, "", [], {})
            }
            if tool.method == "PATCH":
                body = dict(list(body.items())[:1])
            response = await self.api.send(tool.method, address, body)
            if response.status_code in (200, 201):
                self.seen[entity_of(tool)][tool.name] = [response.json()["data"]]
                return


# What an endpoint adds to a row on purpose: its parts, texts that lists leave out, counts of a list.
ONLY_IN_SOME = frozenset(
    "actions card_count cards content documents enrolment_counts evaluations fields live merged parent_columns results row_count rows "
    "sections steps tiptap_json transcript_text triggers values".split()
)
# Text and voice agents, and the three kinds of files, are tables of their own behind one path.
OF_SEVERAL_KINDS = ("agent", "file")


@pytest.fixture(scope="module")
def api() -> Api:
    return make()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walked(api: Api) -> Seen:
    walk = Walk(api)
    entities = [t for t in TOOLS if entity_of(t) in ROWS.shapes]
    reads = sorted((t for t in entities if t.method == "GET"), key=lambda t: t.path.count("/"))
    for tool in reads:
        await walk.read(tool)
    for tool in entities:
        if (tool.method == "POST" and tool.path in ROWS.collections) or tool.method == "PATCH":
            await walk.write(tool)
    return walk.seen


def rows_by_tool(walked: Seen) -> list[tuple[str, str, Row]]:
    return [(entity, name, row) for entity, tools in walked.items() for name, rows in tools.items() for row in rows]


def test_every_row_has_every_column_of_its_table(walked: Seen) -> None:
    for entity, name, row in rows_by_tool(walked):
        assert not set(ROWS.shapes[entity]) - set(row), f"{name} leaves out columns of {entity}"


def test_a_row_has_the_same_columns_in_lists_alone_created_and_changed(walked: Seen) -> None:
    for entity, tools in walked.items():
        keys = {name: {k for row in rows for k in row} for name, rows in tools.items() if rows}
        for name, own in keys.items() if entity not in OF_SEVERAL_KINDS else ():
            others = set.intersection(*keys.values())
            assert own - others <= ONLY_IN_SOME, f"only {name} has {sorted(own - others - ONLY_IN_SOME)}"


def test_most_tables_were_seen_in_lists_and_written(walked: Seen) -> None:
    made = {t.name: t.method for t in TOOLS}
    seen = {(entity, made[name]) for entity, name, _ in rows_by_tool(walked)}
    counts = {method: sum(m == method for _, m in seen) for method in ("GET", "POST", "PATCH")}
    assert counts["GET"] >= 75
    assert counts["POST"] >= 35
    assert counts["PATCH"] >= 35


async def test_the_columns_that_nobody_set_are_answered_but_not_stored(api: Api) -> None:
    made = await api.ok("POST", "/contacts", {"first_name": "Ann"}, status=201)
    stored = api.workspace.store.get("contact", made["id"])
    assert made["company_id"] == (await api.get("/company"))["id"]
    assert made["created_by"] in {u["user_id"] for u in await api.get("/company/users")}
    assert (made["timezone"], made["contact_type"], made["metadata"]) == (None, None, {})
    assert not {"company_id", "created_by", "timezone"} & set(stored)


async def test_a_choice_of_fields_stays_a_choice_and_may_name_an_unset_column(api: Api) -> None:
    assert {frozenset(c) for c in await api.get("/contacts", fields="email,company_id")} == {
        frozenset(("id", "email", "company_id"))
    }


async def test_what_a_bulk_creation_answers_are_whole_rows_too(api: Api) -> None:
    done = await api.ok("POST", "/companies/bulk-create", {"records": [{"name": "Acme"}, {"name": ""}]}, status=201)
    assert set(ROWS.shapes["company"]) <= set(done["created"][0])
    assert [e["index"] for e in done["errors"]] == [1]


async def test_a_referral_embeds_both_people_and_the_opportunity(api: Api) -> None:
    referral = next(r for r in await api.get("/referrals") if r["referred_deal_id"])
    person = await api.get(f"/contacts/{referral['referrer_contact_id']}")
    assert referral["referrer_contact"] == {k: person[k] for k in ("id", "display_name", "email", "phone")}
    assert referral["referred_deal"]["id"] == referral["referred_deal_id"]


async def test_a_column_that_needs_a_scope_is_not_put_back(api: Api) -> None:
    deal = next(d for d in await api.get("/opportunities", expand="products") if d["products"])
    assert all("payment_status" in line for line in deal["products"])
    seen = await api.as_key("tp_live_sandbox_sales").get(f"/opportunities/{deal['id']}", expand="products")
    assert all("payment_status" not in line and "company_id" in line for line in seen["products"])
