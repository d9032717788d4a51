"""Callers with a token of the operator's own; all of them work with the operator's API key.

The file holds hashes only: `{"tokens": [{"name": "evie", "sha256": "...", "toolsets": ["contacts"], "read_only": true}]}`. A
token has 256 random bits, so that a plain hash of it gives nothing away.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .base import Identity, Unauthenticated, bearer_token

_log = logging.getLogger(__name__)
PREFIX = "tpmcp_"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClientTokens:
    """Reads the file again when it changes, so that a token taken out of it is refused without a restart."""

    def __init__(self, file: Path, api_key: str, known_toolsets: frozenset[str]) -> None:
        self._file, self._api_key, self._known_toolsets = file, api_key, known_toolsets
        self._stamp: tuple[int, int] | None = None
        self._by_hash: dict[str, Identity] = {}
        self._load()

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        token = headers.get("x-api-key", "").strip() or bearer_token(headers)
        if not token:
            raise Unauthenticated("no token: send the one that the operator gave you as a bearer token", error="invalid_request")
        try:
            self._load()
        except ConfigurationError as error:
            # The file may have been meant to take a token back, so the last good one does not stay in force.
            _log.error("%s", error)
            raise Unauthenticated(
                "the operator's list of tokens cannot be read", status=503, error="temporarily_unavailable", retry_after=30
            ) from None
        identity = self._by_hash.get(token_hash(token))
        if identity is None:
            raise Unauthenticated("this token is not one of the operator's, or was taken back")
        return identity

    def _load(self) -> None:
        try:
            status = self._file.stat()
        except OSError as error:
            raise ConfigurationError(f"the client tokens {self._file} cannot be read: {error.strerror}") from None
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return
        entries = read_tokens(self._file)
        by_hash = {}
        for entry in entries:
            toolsets = frozenset(entry["toolsets"]) if "toolsets" in entry else None
            if unknown := sorted((toolsets or frozenset()) - self._known_toolsets):
                raise ConfigurationError(f"{self._file}: {entry['name']} names unknown toolsets: {', '.join(unknown)}")
            by_hash[entry["sha256"]] = Identity(
                self._api_key, f"client:{entry['name']}", toolsets, read_only=bool(entry.get("read_only"))
            )
        self._by_hash, self._stamp = by_hash, stamp


def token_hash(token: str) -> str:
    """What the file keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def read_tokens(file: Path) -> list[dict[str, Any]]:
    """The entries of a file; none where there is no file. Raises ConfigurationError naming the wrong entry."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the client tokens {file} cannot be read: {error}") from None
    try:
        entries = json.loads(text)["tokens"]
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f'{file} is not {{"tokens": [...]}}; make it with trustpager-mcp client-token') from None
    if not isinstance(entries, list):
        raise ConfigurationError(f"{file}: tokens must be a list")
    for number, entry in enumerate(entries, 1):
        _check(file, number, entry)
    names = [e["name"] for e in entries]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigurationError(f"{file}: the name {twice[0]!r} stands twice")
    return list(entries)


def add_token(file: Path, name: str, toolsets: tuple[str, ...] = (), read_only: bool = False) -> str:
    """Make a token, write its hash to the file (for its owner alone) and give the token, which is kept nowhere."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"the name {name!r} must be 1 to 64 letters, digits, dots, - or _")
    entries = read_tokens(file)
    if any(e["name"] == name for e in entries):
        raise ConfigurationError(f"{file} already has a token for {name!r}; revoke it first")
    token = new_token()
    entry: dict[str, Any] = {"name": name, "sha256": token_hash(token)}
    if toolsets:
        entry["toolsets"] = list(toolsets)
    if read_only:
        entry["read_only"] = True
    _write(file, [*entries, entry])
    return token


def revoke_token(file: Path, name: str) -> None:
    """Take a token's hash out of the file. Raises ConfigurationError when there is none of that name."""
    entries = read_tokens(file)
    rest = [e for e in entries if e["name"] != name]
    if len(rest) == len(entries):
        known = ", ".join(e["name"] for e in entries) or "none"
        raise ConfigurationError(f"{file} has no token for {name!r}; it has: {known}")
    _write(file, rest)


def _write(file: Path, entries: list[dict[str, Any]]) -> None:
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps({"tokens": entries}, indent=2) + "\n")
    os.replace(temporary, file)


def _check(file: Path, number: int, entry: Any) -> None:
    wrong = f"{file}: token {number}"
    if not isinstance(entry, dict) or not _NAME.fullmatch(str(entry.get("name", ""))):
        raise ConfigurationError(f"{wrong} has no name of 1 to 64 letters, digits, dots, - or _")
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256", ""))):
        raise ConfigurationError(f"{wrong} ({entry['name']}) has no sha256 of 64 hex digits")
    if unknown := sorted(set(entry) - {"name", "sha256", "toolsets", "read_only"}):
        raise ConfigurationError(f"{wrong} ({entry['name']}) has unknown keys: {', '.join(unknown)}")
    toolsets = entry.get("toolsets", [])
    if not isinstance(toolsets, list) or not all(isinstance(t, str) for t in toolsets):
        raise ConfigurationError(f"{wrong} ({entry['name']}): toolsets must be a list of names")
    if not isinstance(entry.get("read_only", False), bool):
        raise ConfigurationError(f"{wrong} ({entry['name']}): read_only must be true or false")
