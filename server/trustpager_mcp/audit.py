"""The audit log: one JSON line a call, so that a person can see afterwards what agents did.

Arguments are a keyed digest by default: two calls with the same arguments show the same digest, and who does not hold the
API key cannot try out which arguments they were. Values are written only when asked for, and secrets never.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from .callers import AnswerNeeded
from .credentials import Credential
from .definitions import Effect, Tool
from .errors import ConfigurationError, ToolError, nothing_happened
from .redaction import one_line, without_secrets
from .tracing import call_span, tracing

Outcome = Literal["done", "queued", "preview", "refused", "declined", "asked", "failed", "uncertain", "cancelled", "broken"]
OUTCOMES: dict[Outcome, str] = {
    "done": "the API did it",
    "queued": "the API holds it until a person approves",
    "preview": "shown, not sent",
    "refused": "not sent: unknown tool, policy, arguments, budget, or nobody could be asked",
    "declined": "not sent: a person said no",
    "asked": "not sent yet: a person is being asked, the answer comes with another call",
    "failed": "the API refused it or was not reached; nothing was done",
    "uncertain": "no usable answer; it may have been done",
    "cancelled": "the client gave up or the server stopped; it may have been done if it had been sent",
    "broken": "an error of this server",
}
_MAX_ARGUMENTS = 8_000
_FROM_A_PERSON = ("DECLINED",)


@dataclass
class CallRecord:
    """What is known of one call; filled while the call runs. `duration_ms` and `upstream_ms` in milliseconds, `tokens` estimated.

    `upstream_ms`: the part of the duration that the API took, retries included. `joined`: answered from the same call of
    before, nothing was sent for this one.
    """

    tool: str
    credential: str
    time: str = ""
    effect: Effect | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome = "broken"
    code: str | None = None
    status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    duration_ms: float = 0.0
    upstream_ms: float = 0.0
    joined: bool = False
    tokens: int = 0
    credits: float | None = 0.0
    approval_id: str | None = None
    """The approval that an API which holds the call asks for."""

    def called(self, tool: Tool, arguments: dict[str, Any]) -> None:
        """The tool is known and its arguments are checked."""
        self.tool, self.effect, self.arguments = tool.name, tool.effect, arguments

    def answered(self, status: int, headers: dict[str, str]) -> None:
        """The API answered."""
        self.status, self.request_id = status, headers.get("x-request-id")
        self.attempts = max(self.attempts, 1)

    def failed(self, error: ToolError) -> None:
        """The call ended in an error that the agent was told."""
        self.code, self.status = error.code, error.status or self.status
        self.request_id = error.request_id or self.request_id
        if not nothing_happened(error):
            self.outcome = "failed" if self.effect == "read" else "uncertain"
        elif error.code in _FROM_A_PERSON:
            self.outcome = "declined"
        else:
            self.outcome = "failed" if self.attempts or self.status is not None else "refused"


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: str) -> None: ...


class StderrSink:
    """Lines on standard error, which MCP hosts keep as the server's log."""

    def write(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class FileSink:
    """Lines appended to a file, each in one write. Made with mode 0600; opened anew after a rotation.

    Raises ConfigurationError when the file cannot be opened at start. Later failures are told on standard error, once, and
    do not stop calls.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._complained = False
        try:
            self._open()
        except OSError as error:
            raise ConfigurationError(f"the audit log {str(path)!r} cannot be written: {error.strerror}. See --audit.") from None

    def write(self, line: str) -> None:
        try:
            self._reopen_when_rotated()
            assert self._descriptor is not None
            data = (line + "\n").encode()
            if os.write(self._descriptor, data) != len(data):
                raise OSError(0, "only a part of a line fitted")
            self._complained = False
        except OSError as error:
            if not self._complained:
                print(f"trustpager-mcp: the audit log cannot be written: {error.strerror}", file=sys.stderr, flush=True)
            self._complained = True

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(self._path, flags, 0o600)

    def _reopen_when_rotated(self) -> None:
        if self._descriptor is not None:
            ours = os.fstat(self._descriptor)
            try:
                there = os.stat(self._path)
                if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
                    return
            except FileNotFoundError:
                pass
            os.close(self._descriptor)
            self._descriptor = None
        self._open()


Observer = Callable[[CallRecord], None]
"""Gets the record of every call when the call has ended. It must neither block nor raise."""


class AuditLog:
    """Writes one line a call to a sink and shows the record to observers; without either it only keeps the record meanwhile."""

    def __init__(self, sink: Sink | None = None, *, with_arguments: bool = False) -> None:
        self._sink = sink
        self._with_arguments = with_arguments
        self._observers: list[Observer] = []

    @property
    def on(self) -> bool:
        """Whether anyone reads the records."""
        return self._sink is not None or bool(self._observers)

    def observe(self, observer: Observer) -> None:
        """Show the record of every call from now on."""
        self._observers.append(observer)

    def recording(self, tool: str, arguments: dict[str, Any], credential: Credential) -> AbstractContextManager[CallRecord]:
        """The record of a call, written when the call ends, however it ends. A tracing span lies around the call."""
        return _Recording(self, CallRecord(tool, credential.fingerprint, arguments=arguments), credential)

    def write(self, record: CallRecord, credential: Credential) -> None:
        """Write the record of a call that has ended, and show it to the observers."""
        if self._sink is not None:
            self._sink.write(self._line(record, credential))
        for observer in self._observers:
            observer(record)

    def _line(self, record: CallRecord, credential: Credential) -> str:
        entry: dict[str, Any] = {
            "time": record.time,
            "credential": record.credential,
            "tool": one_line(without_secrets(record.tool), 64),
            "effect": record.effect,
            "arguments_digest": digest(record.arguments, credential),
        }
        if self._with_arguments:
            entry["arguments"] = _bounded(without_secrets(record.arguments))
        entry.update(
            outcome=record.outcome,
            code=record.code,
            status=record.status,
            request_id=one_line(record.request_id, 128) if record.request_id else None,
            attempts=record.attempts,
            duration_ms=record.duration_ms,
            tokens=record.tokens,
            credits=record.credits,
        )
        return json.dumps(entry, separators=(",", ":"), default=str)


class _Recording:
    """Around one call. A class of its own, since nested generators cost every call more than all that is recorded."""

    def __init__(self, log: AuditLog, record: CallRecord, credential: Credential) -> None:
        self._log = log
        self._record = record
        self._credential = credential
        self._span = call_span(record) if tracing() else None
        self._started = 0.0

    def __enter__(self) -> CallRecord:
        if self._span is not None:
            self._span.__enter__()
        if self._log.on:
            self._record.time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._started = time.perf_counter()
        return self._record

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is not None:
                self._ended_by(error)
            if self._log.on:
                self._record.duration_ms = round((time.perf_counter() - self._started) * 1000, 1)
                self._log.write(self._record, self._credential)
        finally:
            if self._span is not None:
                self._span.__exit__(kind, error, trace)

    def _ended_by(self, error: BaseException) -> None:
        """How a call ended that no answer ended."""
        if isinstance(error, AnswerNeeded):
            self._record.outcome = "asked"
        elif isinstance(error, Exception):
            self._record.outcome, self._record.code = "broken", type(error).__name__
        else:
            self._record.outcome = "cancelled"


def digest(arguments: dict[str, Any], credential: Credential) -> str:
    """A keyed digest of arguments: the same for the same arguments and key, not to be guessed without the key."""
    canonical = json.dumps(arguments, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    key = b"trustpager-mcp audit\0" + (credential.api_key or "").encode()
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()[:24]


def _bounded(arguments: Any) -> Any:
    text = json.dumps(arguments, ensure_ascii=False, default=str)
    return arguments if len(text) <= _MAX_ARGUMENTS else {"left_out": f"{len(text)} characters", "beginning": text[:1_000]}


def audit_log(where: str, *, with_arguments: bool = False) -> AuditLog:
    """The log for `off`, `stderr` or a file's path. Raises ConfigurationError."""
    if where == "off":
        if with_arguments:
            raise ConfigurationError("--audit-arguments needs a log: give --audit stderr or --audit FILE.")
        return AuditLog()
    if where == "stderr":
        return AuditLog(StderrSink(), with_arguments=with_arguments)
    if not where.strip() or (os.sep not in where and "." not in where):
        raise ConfigurationError(f"--audit {where!r}: give off, stderr, or a file such as ./audit.jsonl.")
    return AuditLog(FileSink(Path(where).expanduser()), with_arguments=with_arguments)
