"""Commands, options and variables: each is documented, and the documentation names none that the code does not know."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from trustpager_mcp.cli import cli
from trustpager_mcp.cli.environment import known_variables

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "docs/settings.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "Dockerfile", "server.json", "deploy/bundle/manifest.json")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.yaml")),
]
RUN = "run scripts/write_settings_page.py (or make format) and look at what it adds to docs/settings.md"
FOREIGN = {
    "TRUSTPAGER_NAME": "stands for any option's variable",
    "TRUSTPAGER_READONLY": "the example of a mistyped variable",
    "TRUSTPAGER_LIVE_TESTS": "read by the contract tests, not by the server",
}
"""Variables that the pages name and no option reads, each with the reason."""
FOREIGN_OPTIONS = {"--from", "--spec", "--rm", "--header", "--cli", "--method", "--tool-name", "--tool-args-json", "--no-dev"}
"""Options of other programs in our command lines."""


def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_settings_page", ROOT / "scripts/write_settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options() -> list[tuple[str, click.Option]]:
    made = writer()
    return [(name, o) for name, command in made.commands().items() for o in made.options_of(command).values()]


def test_every_option_and_variable_is_documented() -> None:
    page = SETTINGS.read_text(encoding="utf-8")
    missing = [f"{name} {o.opts[0]}" for name, o in options() if f"| `{o.opts[0]}`" not in page]
    missing += [v for v in known_variables(cli) if f"| `{v}` |" not in page]
    assert not missing, f"docs/settings.md lacks {', '.join(sorted(missing))}: {RUN}"


def test_every_option_says_what_it_does() -> None:
    silent = [f"{name} {o.opts[0]}" for name, o in options() if not o.help]
    assert not silent, f"give a help text to {', '.join(silent)}, then {RUN}"


def test_the_page_is_what_the_code_says() -> None:
    current = writer().rendered().splitlines()
    page = SETTINGS.read_text(encoding="utf-8").splitlines()
    new, old = ([line for line in one if line not in other] for one, other in ((current, page), (page, current)))
    assert (new, old) == ([], []), f"docs/settings.md lacks {new} and should not have {old}: {RUN}"
    assert current == page, RUN


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_names_no_variable_or_option_that_the_code_does_not_know(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    variables = set(re.findall(r"\bTRUSTPAGER_[A-Z_]*[A-Z]\b(?!\w*\*)", text)) - known_variables(cli) - FOREIGN.keys()
    assert not variables, f"{page.name} names {variables}, which no option reads"
    known = {word for _, o in options() for word in (*o.opts, *o.secondary_opts)} | {"--help", "--version"} | FOREIGN_OPTIONS
    named = set(re.findall(r"`(--[a-z][a-z-]+)", text))
    for line in re.findall(
        r"trustpager-mcp (?:serve|sandbox|call|search|catalog|audit|install|doctor|client-token)\b[^`\n]*", text
    ):
        named |= set(re.findall(r"(?<=\s)--[a-z][a-z-]+", line))
    assert not named - known, f"{page.name} names {named - known}, which no command takes"
