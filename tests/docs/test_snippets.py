"""What the documentation shows is run: every Python snippet, every shell line, every JSON block; and its links lead somewhere.

A fenced block's info string may end in `not-run: <reason>`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/README.md"]
NOT_RUN_AT_MOST = 4
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Snippet(NamedTuple):
    where: str
    language: str
    note: str
    text: str


def snippets() -> list[Snippet]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(Snippet(f"{page.name}:{line}", match[1], match[2].strip(), match[3]))
    return found


def of(language: str) -> list[Snippet]:
    return [s for s in snippets() if s.language == language and not s.note.startswith("not-run:")]


def environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "APPDATA": str(home)}


@pytest.mark.parametrize("snippet", of("python"), ids=lambda s: s.where)
def test_a_python_snippet_runs(snippet: Snippet, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet.text],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("snippet", of("sh"), ids=lambda s: s.where)
def test_a_shell_snippet_runs(snippet: Snippet, tmp_path: Path) -> None:
    for line in filter(None, (part.split("  #")[0].strip() for part in snippet.text.splitlines())):
        if re.match(r"trustpager-mcp (serve|sandbox)\b", line):
            serves(line, tmp_path)
            continue
        ran = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), check=False
        )
        assert ran.returncode == 0, f"{line}: {ran.stderr}"


def serves(line: str, home: Path) -> None:
    """The command keeps running and answers on the port it names, or, on stdio, waits for its client."""
    words = shlex.split(line)
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home))
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


def test_few_snippets_are_not_run_and_each_says_why() -> None:
    skipped = [s for s in snippets() if s.note]
    assert all(re.fullmatch(r"not-run: \S.+", s.note) for s in skipped)
    assert len(skipped) <= NOT_RUN_AT_MOST


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    targets = [t for t in _LINK.findall(page.read_text(encoding="utf-8")) if not re.match(r"https?:|mailto:|#", t)]
    assert [t for t in targets if not (page.parent / t.split("#")[0]).exists()] == []
