"""The suite of every endpoint against a live API: only when the switch says so, and only as far as it says.

A sandbox on a port stands for the live API: it tells which requests reached it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.endpoints.arguments import Calls
from tests.contract.endpoints.samples import NEVER_LIVE
from tests.contract.endpoints.target import SWITCH, TOOLS, target
from tests.http_processes import Process, base_url

ROOT = Path(__file__).parents[2]
SUITE = "tests/contract/test_every_endpoint.py"
VALID = f"{SUITE}::test_a_valid_call_is_answered_as_defined_and_seen_by_a_read"
CHOSEN = [
    *(f"{VALID}[{name}]" for name in ("get_contact", "search_contacts", "list_pipeline_stages", "update_contact", "send_sms")),
    f"{SUITE}::test_a_valid_call_without_one_of_its_required_arguments_is_refused_by_name[create_contact-first_name]",
    f"{SUITE}::test_a_key_without_the_scopes_is_told_which_are_missing[get_contact]",
]


def environment(api: Process, level: str) -> dict[str, str]:
    return {"TRUSTPAGER_API_KEY": "tp_live_sandbox_full", "TRUSTPAGER_BASE_URL": base_url(api), SWITCH: level}


def run(env: dict[str, str]) -> dict[str, int]:
    """The chosen tests in a process of their own: how many passed, were skipped, failed."""
    words = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", *CHOSEN]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    counted = re.findall(r"(\d+) (passed|skipped|failed|error)", done.stdout.strip().splitlines()[-1])
    assert counted, done.stdout + done.stderr
    return {word: int(number) for number, word in counted}


def reset(api: Process) -> None:
    httpx.post(api.url + "/__sandbox/reset", timeout=60)


def seen(api: Process) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = httpx.get(api.url + "/__sandbox/requests").json()["requests"]
    return requests


def contacts(api: Process) -> int:
    answer = httpx.get(base_url(api) + "/contacts", headers={"authorization": "Bearer tp_live_sandbox_full"})
    return int(answer.json()["total"])


def test_without_the_switch_nothing_leaves_the_process_whatever_key_is_set() -> None:
    chosen = target({"TRUSTPAGER_API_KEY": "tp_live_of_a_customer", "TRUSTPAGER_BASE_URL": "https://crm.example/api/v1"})
    assert not chosen.live
    assert chosen.key == "tp_live_sandbox_full"
    assert chosen.base == "http://sandbox.local/functions/v1/api/v1"


def test_the_level_of_reads_calls_what_changes_nothing_and_skips_the_rest(api: Process) -> None:
    reset(api)
    assert run(environment(api, "reads")) == {"passed": 3, "skipped": 4}
    assert {(r["method"], r["path"].split("/")[1]) for r in seen(api)} == {
        ("GET", "contacts"), ("POST", "contacts"), ("GET", "pipelines")
    }  # fmt: skip
    assert [r["path"] for r in seen(api) if r["method"] != "GET"] == ["/contacts/search"]


async def test_the_level_of_writes_changes_only_what_it_made_and_takes_it_away_again(api: Process) -> None:
    reset(api)
    before = contacts(api)
    calls = Calls(target(environment(api, "writes")))
    update = TOOLS["update_contact"]
    prepared = await calls.prepared(update)
    assert (await calls.target.call(update, {**prepared.arguments, "notes": "Changed"})).status_code == 200
    for name in ("send_sms", "delete_contact"):
        with pytest.raises(pytest.skip.Exception, match="is irreversible"):
            await calls.prepared(TOOLS[name])
    assert contacts(api) == before + 1
    await calls.clean_up()
    assert contacts(api) == before
    changed = [(r["method"], re.sub(r"[0-9a-f-]{36}", ":id", r["path"])) for r in seen(api) if r["method"] != "GET"]
    assert changed == [("POST", "/contacts"), ("PATCH", "/contacts/:id"), ("DELETE", "/contacts/:id")]


async def test_a_live_write_takes_neither_records_nor_settings_of_the_workspace(api: Process) -> None:
    reset(api)
    calls = Calls(target(environment(api, "writes")))
    own = {row["id"] for row in await calls.target.data(TOOLS["list_opportunities"], {"limit": 100})}
    moved = await calls.prepared(TOOLS["bulk_move_opportunities"])
    assert not own & set(moved.arguments["ids"])
    for name in ("update_crm_settings", "replace_tag_palette", "set_scheduling_availability", "assign_opportunity_user"):
        with pytest.raises(pytest.skip.Exception, match="would change"):
            await calls.prepared(TOOLS[name])
    await calls.clean_up()
    assert {row["id"] for row in await calls.target.data(TOOLS["list_opportunities"], {"limit": 100})} == own


async def test_what_would_reach_the_workspaces_own_people_is_never_called_live(api: Process) -> None:
    reset(api)
    calls = Calls(target(environment(api, "all")))
    for name, reason in NEVER_LIVE.items():
        with pytest.raises(pytest.skip.Exception, match=reason):
            await calls.prepared(TOOLS[name])
    assert seen(api) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({SWITCH: "on", "TRUSTPAGER_API_KEY": "x"}, "it may be reads, writes, all"),
        ({SWITCH: "reads"}, "TRUSTPAGER_API_KEY is not"),
    ],
)
def test_a_switch_that_is_set_wrongly_is_an_error_and_no_sandbox(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(pytest.UsageError, match=told):
        target(wrong)
