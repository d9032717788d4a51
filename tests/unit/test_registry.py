from __future__ import annotations

import pytest

from trustpager_mcp.catalog import default_catalog, missing_scopes
from trustpager_mcp.definitions import Tool
from trustpager_mcp.errors import ConfigurationError, NotAllowedError, UnknownToolError
from trustpager_mcp.profiles import CORE_TOOLS, parse_selection
from trustpager_mcp.registry import Policy, Registry

catalog = default_catalog()
ALL = catalog.scopes


def test_a_tool_whose_scope_is_missing_is_hidden_and_its_refusal_names_the_scope() -> None:
    registry = Registry(catalog, Policy(scopes=frozenset({"contacts:read"})))
    assert "list_contacts" in registry.visible
    assert "create_contact" not in registry.visible
    with pytest.raises(NotAllowedError, match="contacts:write"):
        registry.get("create_contact")


def test_an_unknown_tool_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownToolError) as caught:
        Registry(catalog, Policy(scopes=ALL)).get("list_contact")
    assert "list_contacts" in (caught.value.hint or "")


def test_read_only_leaves_only_tools_that_change_nothing() -> None:
    registry = Registry(catalog, Policy(scopes=ALL, read_only=True))
    assert {t.effect for t in registry.visible.values()} == {"read"}
    with pytest.raises(NotAllowedError, match="read-only"):
        registry.get("create_contact")


def test_unknown_scopes_of_the_key_leave_reads_and_hold_writes_back() -> None:
    registry = Registry(catalog, Policy(scopes=None))
    assert "list_contacts" in registry.visible
    with pytest.raises(NotAllowedError, match="not known"):
        registry.get("create_contact")


def test_allow_and_deny_take_globs_and_deny_wins() -> None:
    registry = Registry(catalog, Policy(scopes=ALL, allow=("*_contact",), deny=("delete_*",)))
    assert "create_contact" in registry.visible
    assert "delete_contact" not in registry.visible
    assert "list_tasks" not in registry.visible


def test_one_of_alternative_scopes_is_enough() -> None:
    tool = Tool.model_validate(
        {"name": "send_it", "title": "t", "operation": "POST /x", "description": "d", "intents": ["a", "b", "c"],
         "scopes": ["email:send | sms:send"], "effect": "irreversible", "idempotent": False, "parameters": []}
    )  # fmt: skip
    assert missing_scopes(tool, frozenset({"sms:send"})) == []
    assert missing_scopes(tool, frozenset({"contacts:read"})) == ["email:send | sms:send"]


def test_a_tool_that_any_of_its_scopes_opens_is_seen_with_one_and_not_with_none() -> None:
    tool = catalog.tools["export_crm_data"]
    assert missing_scopes(tool, frozenset({"contacts:read"})) == []
    assert missing_scopes(tool, frozenset({"tasks:read"})) == list(tool.scopes)


@pytest.mark.parametrize(
    "policy",
    [Policy(scopes=frozenset({"contact:read"})), Policy(toolsets=frozenset({"contact"})), Policy(deny=("remove_everything",))],
)
def test_an_unknown_name_in_the_configuration_is_an_error_that_offers_the_nearest(policy: Policy) -> None:
    with pytest.raises(ConfigurationError):
        Registry(catalog, policy)


def test_tools_takes_a_profile_or_names_and_nothing_unknown() -> None:
    assert parse_selection("lean", catalog).profile == "lean"
    named = parse_selection("contacts,create_task", catalog)
    assert (named.toolsets, named.tools) == ({"contacts"}, {"create_task"})
    for wrong in ("contcts", "core,contacts", ""):
        with pytest.raises(ConfigurationError):
            parse_selection(wrong, catalog)


def test_every_core_tool_exists() -> None:
    assert set(CORE_TOOLS) <= set(catalog.tools)
