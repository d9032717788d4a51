"""From the subject of a verified token to the API key that works for it. The client's own token is never used for that.

A store is named `file:PATH` (a JSON object of subject → key, for its owner alone), `env:PREFIX` (TRUSTPAGER_KEY_ + the subject
in capitals), `redis:URL#PREFIX` or `command:PROGRAM ARGUMENTS` (gets the subject as its last argument, prints the key).
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConfigurationError

_COMMAND_SECONDS = 10.0


class StoreUnavailable(Exception):
    """The store could not be asked; try again later."""


class CredentialStore(Protocol):
    """Gives the API key of a subject, None for one it does not know. Raises StoreUnavailable."""

    async def api_key(self, subject: str) -> str | None: ...


def open_store(place: str) -> CredentialStore:
    """The store that a setting names. Raises ConfigurationError for one that cannot be."""
    kind, _, rest = place.partition(":")
    if kind == "file" and rest:
        return FileStore(Path(rest).expanduser())
    if kind == "env" and rest:
        return EnvironmentStore(rest)
    if kind == "redis" and rest:
        return RedisStore(rest)
    if kind == "command" and rest:
        return CommandStore(tuple(shlex.split(rest)))
    raise ConfigurationError(f"{place!r} is no credential store; give file:PATH, env:PREFIX, redis:URL#PREFIX or command:PROGRAM")


class FileStore:
    """A JSON object of subject → key, read again when it changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, str] = {}
        self._load()

    async def api_key(self, subject: str) -> str | None:
        try:
            self._load()
        except ConfigurationError as error:
            raise StoreUnavailable(str(error)) from None
        return self._keys.get(subject)

    def _load(self) -> None:
        try:
            status = self._file.stat()
            if (stamp := (status.st_mtime_ns, status.st_size)) == self._stamp:
                return
            keys = json.loads(self._file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"the credential store {self._file} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ConfigurationError(f"the credential store {self._file} is not valid JSON: {error}") from None
        if os.name != "nt" and status.st_mode & 0o077:
            raise ConfigurationError(f"the credential store {self._file} can be read by others; run: chmod 600 {self._file}")
        if not isinstance(keys, dict) or not all(isinstance(k, str) and k for k in keys.values()):
            raise ConfigurationError(f"the credential store {self._file} is not an object of subject → API key")
        self._keys, self._stamp = keys, stamp


class EnvironmentStore:
    """Variables: the prefix, then the subject in capitals with every other character as an underscore."""

    def __init__(self, prefix: str) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", prefix):
            raise ConfigurationError(f"env:{prefix} names no variables; the prefix is letters, digits and underscores")
        self._prefix = prefix

    async def api_key(self, subject: str) -> str | None:
        # Only a subject that keeps its meaning may be looked up: a-b and a_b would name the same variable.
        if not re.fullmatch(r"[a-z0-9_]+", subject):
            return None
        return os.environ.get(self._prefix + subject.upper()) or None


class CommandStore:
    """A program of the operator's; exit status 0 with the key as its first line, or 1 for an unknown subject."""

    def __init__(self, command: tuple[str, ...]) -> None:
        if not command:
            raise ConfigurationError("command: names no program")
        self._command = command

    async def api_key(self, subject: str) -> str | None:
        import anyio

        if subject.startswith("-"):
            return None  # it would be read as an option
        try:
            with anyio.fail_after(_COMMAND_SECONDS):
                ran = await anyio.run_process([*self._command, subject], check=False, stderr=None)
        except TimeoutError:
            raise StoreUnavailable(f"{self._command[0]} did not answer within {_COMMAND_SECONDS:g} s") from None
        except OSError as error:
            raise StoreUnavailable(f"{self._command[0]} could not be run: {error.strerror}") from None
        if ran.returncode == 1:
            return None
        if ran.returncode != 0:
            raise StoreUnavailable(f"{self._command[0]} ended with status {ran.returncode}")
        return ran.stdout.decode("utf-8", "replace").partition("\n")[0].strip() or None


class RedisStore:
    """A string per subject under a prefix: `redis:redis://host:6379/0#trustpager:key:`."""

    def __init__(self, place: str) -> None:
        self._url, _, prefix = place.partition("#")
        self._prefix = prefix or "trustpager:key:"
        self._client: Any = None
        try:
            import redis.asyncio  # noqa: F401 - told at start, not at the first call
        except ImportError:
            raise ConfigurationError("a credential store in Redis needs the extra: pip install 'trustpager-mcp[redis]'") from None

    async def api_key(self, subject: str) -> str | None:
        import redis.asyncio
        from redis.exceptions import RedisError

        if self._client is None:
            self._client = redis.asyncio.from_url(self._url, decode_responses=True, socket_timeout=5)
        try:
            found: str | None = await self._client.get(self._prefix + subject)
        except RedisError as error:
            raise StoreUnavailable(f"Redis could not be asked: {type(error).__name__}") from None
        return found
