"""Searches that found nothing good: counted, and kept in a small file, so that the catalogue's owner sees what is missing."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LOW_SCORE = 0.5
"""Best scores below this are counted: of requests answered rightly 1 in 20 is below, of those answered wrongly a third."""
NOTHING = 0.15
"""Best scores below this are noise: no tool was found, only the nearest one."""
MOST_ENTRIES = 500
_LONGEST = 160
_SECRETS = re.compile(
    r"[^\s@]+@[^\s@]+"  # addresses
    r"|\b(?=[\w-]*\d)[\w-]{16,}"  # keys, tokens, UUIDs
    r"|\+?\d[\d\s().-]{4,}\d"  # phone, card and account numbers
    r"|(?<=\bpassword )\S+|(?<=\bsecret )\S+|(?<=\btoken )\S+|(?<=\bkey )\S+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Miss:
    """A request that found nothing good: how often, its best score at the last time, and when that was (ISO, UTC)."""

    request: str
    times: int
    score: float
    last: str


class Misses:
    """Counts misses in this process and, given a file, keeps the newest MOST_ENTRIES of them there. Never raises."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def file(self) -> Path | None:
        """Where they are kept beside memory; None where nowhere, or when it could not be written to."""
        return self._file

    @property
    def total(self) -> int:
        """Misses since the start of this process."""
        return self._counts.total()

    def note(self, request: str, best: float) -> None:
        """Count the request if its best score says that the answer is a guess."""
        if best >= LOW_SCORE or not request.strip():
            return
        text = masked(request)
        with self._lock:
            if len(self._counts) < MOST_ENTRIES or text in self._counts:
                self._counts[text] += 1
            if self._file is None:
                return
            try:
                _append(
                    self._file, {"at": datetime.now(UTC).isoformat(timespec="seconds"), "request": text, "score": round(best, 3)}
                )
            except OSError as error:
                logging.getLogger(__name__).warning("searches that find nothing are no longer kept in %s: %s", self._file, error)
                self._file = None


def masked(request: str) -> str:
    """The request on one line, without what looks like an address, a number of a person, or a secret."""
    return _SECRETS.sub("…", " ".join(request.split()))[:_LONGEST]


def state_file() -> Path:
    """Where `serve` keeps misses: in the user's state directory."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "trustpager-mcp" / "searches.jsonl"


def read_misses(file: Path) -> list[Miss]:
    """The kept misses, most frequent first; empty when there is no file. Lines that cannot be read are passed over."""
    found: dict[str, Miss] = {}
    for line in _lines(file):
        try:
            entry = json.loads(line)
            request, score, at = str(entry["request"]), float(entry["score"]), str(entry["at"])
        except (ValueError, KeyError, TypeError):
            continue
        times = found[request].times + 1 if request in found else 1
        found[request] = Miss(request, times, score, at)
    return sorted(found.values(), key=lambda m: (-m.times, m.request))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _append(file: Path, entry: dict[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [*_lines(file), json.dumps(entry, ensure_ascii=False)][-MOST_ENTRIES:]
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    temporary.replace(file)
