"""Write docs/pictures: what commands really print, as SVG. `--check` says whether those that are always the same are current.

    .venv/bin/python scripts/write_pictures.py [--check] [--inspector PATH]

With `--inspector`, the MCP Inspector's command line (needs Node 22), its pictures are written anew too. The screenshots of the
example app are written by its browser test: PICTURES=1 pytest tests/examples/test_evie.py.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/pictures"
COMMAND = Path(sys.executable).with_name("trustpager-mcp")
_WIDE = 108
_CHARACTER, _LINE, _MARGIN, _BAR = 7.8, 18, 16, 34
_DOTS = ("#ff6058", "#ffbd2e", "#28c940")
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


@dataclass(frozen=True)
class Picture:
    """A picture's name, the command as a person types it, and whether it prints the same every time."""

    name: str
    words: tuple[str, ...]
    steady: bool = True
    inspector: bool = False

    @property
    def typed(self) -> str:
        program = ("npx", "@modelcontextprotocol/inspector", "--cli", "trustpager-mcp") if self.inspector else ("trustpager-mcp",)
        return " ".join(w if re.fullmatch(r"[\w@./:=,-]+", w) else f"'{w}'" for w in (*program, *self.words))


_FIND = '{"query": "log a call with a customer"}'
PICTURES_OF = (
    *(
        Picture(f"install-{client}", ("install", client, "--print"))
        for client in ("claude-desktop", "claude-code", "cursor", "vscode")
    ),
    Picture("find-tools", ("call", "find_tools", _FIND, "--sandbox")),
    Picture("list-contacts", ("call", "list_contacts", '{"limit": 6}', "--sandbox"), steady=False),
    Picture("doctor", ("doctor", "--sandbox"), steady=False),
    Picture(
        "inspector",
        ("serve", "--sandbox", "--method", "tools/call", "--tool-name", "find_tools", "--tool-args-json", _FIND),
        inspector=True,
    ),
)


def printed(picture: Picture, inspector: str | None = None) -> str:
    """What the command prints, in a home that holds nothing; that home and our folder read as a person's would."""
    with tempfile.TemporaryDirectory() as home:
        program = [inspector, "--cli", str(COMMAND)] if picture.inspector and inspector else [str(COMMAND)]
        environment = {"HOME": home, "APPDATA": home, "PATH": os.environ["PATH"]}
        ran = subprocess.run(
            [*program, *picture.words], capture_output=True, text=True, env=environment, cwd=home, timeout=120, check=False
        )
        if ran.returncode:
            raise SystemExit(f"{picture.typed} ended with {ran.returncode}: {ran.stderr}")
        return ran.stdout.replace(str(COMMAND.parent), "/home/jo/.local/bin").replace(home, "/home/jo")


def drawn(typed: str, text: str) -> str:
    """A terminal as SVG: the command, and below it what it printed. Long lines are folded; nothing comes from outside."""
    lines = [(f"$ {typed}", "typed")] + [(line, _kind(line)) for line in text.expandtabs(4).splitlines()]
    rows = [(part, kind) for line, kind in lines for part in _folded(line)]
    width = round(max(len(part) for part, _ in rows) * _CHARACTER) + 2 * _MARGIN
    height = len(rows) * _LINE + _BAR + _MARGIN
    dots = "".join(
        f'<circle cx="{18 + 18 * n}" cy="17" r="5.5" fill="{c}"/>' for n, c in enumerate(("#ff6058", "#ffbd2e", "#28c940"))
    )
    body = "".join(
        f'<text x="{_MARGIN}" y="{_BAR + 12 + n * _LINE}" class="{kind}" textLength="{len(part) * _CHARACTER:.1f}">'
        f"{html.escape(part, quote=False)}</text>\n"
        for n, (part, kind) in enumerate(rows)
        if part.strip()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
        f"<title>{html.escape(typed)}</title>\n"
        f"<style>text{{font:13px {_FONT};fill:#d6deeb;white-space:pre}}.typed{{fill:#82e0aa;font-weight:600}}"
        ".bad{fill:#ff8a80}.warn{fill:#ffd479}.dim{fill:#8fa3bf}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#101826"/>{dots}\n{body}</svg>\n'
    )


def _kind(line: str) -> str:
    if line.startswith("FAIL"):
        return "bad"
    if line.startswith("warn"):
        return "warn"
    return "dim" if line.startswith(("-  ", "     fix:")) else "plain"


def _folded(line: str) -> list[str]:
    """A line in pieces of at most _WIDE characters, later ones set in."""
    return textwrap.wrap(
        line, _WIDE, subsequent_indent="     ", drop_whitespace=False, replace_whitespace=False, break_on_hyphens=False
    ) or [""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a picture is not current")
    parser.add_argument("--inspector", help="the mcp-inspector command, if it is installed")
    given = parser.parse_args()
    stale = []
    for picture in PICTURES_OF:
        if (picture.inspector and not given.inspector) or (given.check and not picture.steady):
            continue
        file = PICTURES / f"{picture.name}.svg"
        svg = drawn(picture.typed, printed(picture, given.inspector))
        if given.check and (not file.exists() or file.read_text(encoding="utf-8") != svg):
            stale.append(file.name)
        elif not given.check:
            file.write_text(svg, encoding="utf-8")
    if stale:
        sys.exit(f"not current: {', '.join(stale)}; run scripts/write_pictures.py and look at them")


if __name__ == "__main__":
    main()
