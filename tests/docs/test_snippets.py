"""What the documentation shows is run: every Python and shell block; JSON is parsed; links, and the headings they name, are there.

The word after ``` says what a block is: `python`, `sh` and `json` are tried; `text` and `mermaid` are data. `not-run: <reason>` after it
says why a block cannot be tried. Blocks that are only indented are refused, since nobody could tell what they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests import forked
from trustpager_mcp.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "bench/search/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
TRIED, DATA = {"python", "sh", "json"}, {"text", "mermaid"}
NOT_RUN_AT_MOST = 20


class Snippet(NamedTuple):
    where: str
    language: str
    note: str
    text: str


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def snippets() -> list[Snippet]:
    found = []
    for page in PAGES:
        for token in tokens(page):
            if token.type == "fence":
                language, _, note = token.info.partition(" ")
                found.append(Snippet(f"{named(page)}:{(token.map or [0])[0] + 1}", language, note.strip(), token.content))
    return found


def of(language: str) -> list[Snippet]:
    return [s for s in snippets() if s.language == language and not s.note.startswith("not-run:")]


def environment(home: Path) -> dict[str, str]:
    programs = (Path(forked.command()).parent, Path(sys.executable).parent, os.environ["PATH"])
    return {"HOME": str(home), "PATH": os.pathsep.join(map(str, programs)), "APPDATA": str(home)}


# In this process: importing everything anew for each block would take most of the time.
@pytest.mark.parametrize("snippet", of("python"), ids=lambda s: s.where)
def test_a_python_snippet_runs(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile(snippet.text, snippet.where, "exec"), {"__name__": "__main__"})
    finally:
        asyncio.set_event_loop(None)


@pytest.mark.parametrize("snippet", of("sh"), ids=lambda s: s.where)
def test_a_shell_snippet_runs(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in filter(None, (part.split("  #")[0].strip() for part in snippet.text.splitlines())):
        words = shlex.split(line)
        if words[:2] in (["trustpager-mcp", "serve"], ["trustpager-mcp", "sandbox"]):
            serves(words, tmp_path)
        elif words[0] == "trustpager-mcp":
            ran = CliRunner().invoke(cli, words[1:], env={**environment(tmp_path)})
            assert ran.exit_code == 0, f"{line}: {ran.output} {ran.exception}"
        else:
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment(tmp_path), check=False)
            assert done.returncode == 0, f"{line}: {done.stderr}"


def serves(words: list[str], home: Path) -> None:
    """The command keeps running and answers on the port it names, or, on stdio, waits for its client."""
    pipe = subprocess.PIPE
    server = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(home))
    try:
        if "--port" in words:
            reachable(int(words[words.index("--port") + 1]))
        else:
            assert server.stdin is not None
            server.stdin.close()
            assert server.wait(20) == 0
    finally:
        server.kill()
        server.communicate()


def reachable(port: int) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), trust_env=False) as client:
        assert client.get(f"http://127.0.0.1:{port}/").status_code < 500


@pytest.mark.parametrize("snippet", of("json"), ids=lambda s: s.where)
def test_a_json_snippet_is_json(snippet: Snippet) -> None:
    json.loads(snippet.text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_shows_no_block_that_is_only_indented(page: Path) -> None:
    indented = [f"line {(t.map or [0])[0] + 1}: {t.content.splitlines()[0]}" for t in tokens(page) if t.type == "code_block"]
    assert not indented, f"{named(page)}: put ``` and a language around {indented}"


def test_every_block_says_what_it_is() -> None:
    assert [s.where for s in snippets() if s.language not in TRIED | DATA] == []


def test_no_command_hides_in_a_block_that_is_not_tried() -> None:
    commands = re.compile(r"^\s*(\$ |trustpager-mcp |pip |make |python )", re.MULTILINE)
    assert [s.where for s in snippets() if s.language in DATA and commands.search(s.text)] == []


def test_few_snippets_are_not_run_and_each_says_why() -> None:
    skipped = [s for s in snippets() if s.note]
    assert [s.where for s in skipped if not re.fullmatch(r"not-run: \S.{10,}", s.note)] == []
    assert len(skipped) <= NOT_RUN_AT_MOST


# Links


def links(page: Path) -> list[str]:
    inline = [child for token in tokens(page) for child in token.children or ()]
    found = [str(child.attrGet("href") or child.attrGet("src") or "") for child in inline if child.type in ("link_open", "image")]
    return [link for link in found if not re.match(r"https?:|mailto:", link)]


@cache
def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to: lower case, spaces as hyphens, other signs left out."""
    every = tokens(page)
    headings = [every[n + 1].content for n, token in enumerate(every) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_within_the_project_lead_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and (target.suffix != ".md" or anchor not in anchors(target))):
            broken.append(link)
    assert broken == []


def test_every_guide_and_picture_is_linked() -> None:
    index = {(ROOT / "docs" / link).resolve() for link in links(ROOT / "docs/README.md")}
    assert [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md" and p.resolve() not in index] == []
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert [p.name for p in (ROOT / "docs/pictures").iterdir() if p.resolve() not in shown] == []


# Pictures


def test_pictures_that_are_always_the_same_show_what_the_commands_print_now() -> None:
    script = ROOT / "scripts/write_pictures.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/pictures").iterdir()), ids=lambda p: p.name)
def test_a_picture_is_small_and_takes_nothing_from_outside(picture: Path) -> None:
    content = picture.read_bytes()
    assert len(content) < 150_000
    if picture.suffix == ".svg":
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)|<script|<image", content.replace(b"http://sandbox.local", b""))
