"""What the sessions of one server share, and what they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from trustpager_mcp.app import App, current_narrowing
from trustpager_mcp.credentials import Credential
from trustpager_mcp.registry import Narrowing
from trustpager_mcp.settings import Settings


@pytest.fixture
async def app() -> AsyncIterator[App]:
    made = App(Settings(scopes=("all",), base_url="http://127.0.0.1:9/api"))
    yield made
    await made.aclose()


async def test_credentials_that_see_the_same_tools_share_one_search_and_nothing_else(app: App) -> None:
    one, other = [await app.session(Credential(key)) for key in ("tp_live_one", "tp_live_other")]
    assert one.search.index() is other.search.index()
    assert one.dispatcher is not other.dispatcher


async def test_a_credential_that_sees_less_has_a_search_of_its_own(app: App) -> None:
    wide = await app.session(Credential("tp_live_one"))
    token = current_narrowing.set(Narrowing(None, True))
    try:
        narrow = await app.session(Credential("tp_live_one"))
    finally:
        current_narrowing.reset(token)
    assert narrow.search.index() is not wide.search.index()
    assert {hit.tool.effect for hit in narrow.search.search("delete a contact")} == {"read"}
    assert "delete_contact" in {hit.tool.name for hit in wide.search.search("delete a contact")}
