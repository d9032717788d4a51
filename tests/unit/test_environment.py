"""Settings and the environment: nothing mistyped is passed over, nothing is undocumented."""

from __future__ import annotations

from typing import Any

import click
import pytest

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.cli import cli
from trustpager_mcp.cli.environment import check_environment, known_variables
from trustpager_mcp.cli.serve import serve
from trustpager_mcp.errors import ConfigurationError
from trustpager_mcp.profiles import parse_selection
from trustpager_mcp.settings import Settings

KNOWN = known_variables(cli)
OPTIONS = [p for p in serve.params if isinstance(p, click.Option)]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda o: str(o.name))
def test_every_option_of_serve_has_its_variable(option: click.Option) -> None:
    variable = "TRUSTPAGER_" + option.opts[0].removeprefix("--").replace("-", "_").upper()
    assert option.envvar == variable


@pytest.mark.parametrize("variable", ["TRUSTPAGER_READONLY", "trustpager_read_only", "TRUSTPAGER_", "TRUSTPAGER_DENNY"])
def test_a_variable_that_no_setting_knows_stops_the_start(variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        check_environment({variable: "1"}, KNOWN)


def test_an_empty_switch_stops_the_start_and_other_programs_variables_do_not() -> None:
    with pytest.raises(ConfigurationError, match="to nothing"):
        check_environment({"TRUSTPAGER_READ_ONLY": " "}, KNOWN)
    check_environment({"TRUSTPAGER_READ_ONLY": "true", "TRUSTPAGER_API_KEY": "", "HOME": ""}, KNOWN)


def test_the_keys_of_a_credential_store_are_no_unknown_variables() -> None:
    keys = {"TRUSTPAGER_KEY_ANNA": "tp_live_a"}
    check_environment(keys, KNOWN, "env:TRUSTPAGER_KEY_")
    with pytest.raises(ConfigurationError, match="TRUSTPAGER_KEY_ANNA"):
        check_environment(keys, KNOWN, "file:keys.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"read_only": "yes"},
        {"deny": "delete_*"},
        {"confirm": "always"},
        {"credit_budget": -1.0},
        {"credit_budget": float("nan")},
        {"timeout": float("nan")},
        {"confirm_secret": "short"},
        {"credit_period": "week"},
    ],
)
def test_code_gets_the_same_strictness(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Settings(**wrong)


def test_tools_may_be_chosen_by_glob_and_one_that_matches_nothing_is_an_error() -> None:
    catalog = default_catalog()
    selection = parse_selection("tasks,list_contact?", catalog)
    assert selection.tools == {"list_contacts"}
    with pytest.raises(ConfigurationError, match="lst_"):
        parse_selection("lst_*", catalog)
