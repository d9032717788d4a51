"""Server-sent events → one result: the text joined, tool events kept, everything bounded."""

from __future__ import annotations

import json
from typing import Any

from .callers import Caller
from .errors import UpstreamError

_MAX_TEXT = 400_000
_MAX_EVENTS = 200
_MAX_LINE = 1_000_000
_TELL_EVERY = 80
"""Characters of text between two progress messages."""
_LONGEST_NAME = 80
_TEXT_KEYS = ("text", "delta", "content")


class EventStream:
    """Reads a stream as it comes; `result` is what it amounted to. Text and tool calls go to the caller as progress."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._rest = b""
        self._event = ""
        self._data: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._untold = ""
        self._begun: list[str] = []
        self._tools: list[dict[str, Any]] = []
        self._other: dict[str, Any] = {}
        self._left_out = 0
        self._error: Any = None
        self._ended = False

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises UpstreamError for a line without end."""
        lines = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _MAX_LINE:
            raise UpstreamError(f"the stream sent a line of more than {_MAX_LINE:,} bytes.", code="BAD_ANSWER", uncertain=True)
        for line in lines:
            self._line(line.decode("utf-8", "replace").rstrip("\r"))
        begun, self._begun = self._begun, []
        for name in begun:
            await self._caller.progress(f"calls {name}")
        if len(self._untold) >= _TELL_EVERY:
            told, self._untold = self._untold, ""
            await self._caller.progress(told)

    def result(self) -> dict[str, Any]:
        """Text, tool events and what else the stream said. Raises UpstreamError when it told of an error or broke off empty."""
        if self._rest:
            self._line(self._rest.decode("utf-8", "replace"))
        self._dispatch()
        if self._error is not None:
            message = self._error.get("message") if isinstance(self._error, dict) else self._error
            raise UpstreamError(f"the stream ended with an error: {str(message)[:600]}", code="STREAM_ERROR", uncertain=True)
        data: dict[str, Any] = {"text": "".join(self._text), **self._other}
        if self._tools:
            data["tool_events"] = self._tools
        if self._left_out:
            data["left_out"] = f"{self._left_out} more events or pieces of text"
        return {"data": data}

    def _line(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)

    def _dispatch(self) -> None:
        text, self._data = "\n".join(self._data), []
        event, self._event = self._event, ""
        if not text or text == "[DONE]":
            return
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = text
        kind = event or (str(data.get("type") or data.get("event") or "") if isinstance(data, dict) else "")
        if "error" in kind:
            self._error = data.get("error", data) if isinstance(data, dict) else data
        elif "tool" in kind:
            self._keep_tool(kind, data)
        elif (piece := _piece(data)) is not None:
            self._keep_text(piece)
        elif isinstance(data, dict):
            self._other.update({k: v for k, v in data.items() if k != "type"} if len(self._other) < _MAX_EVENTS else {})

    def _keep_tool(self, kind: str, data: Any) -> None:
        if len(self._tools) >= _MAX_EVENTS:
            self._left_out += 1
            return
        if "call" in kind and isinstance(data, dict) and isinstance(data.get("name"), str):
            self._begun.append(data["name"][:_LONGEST_NAME])
        self._tools.append({"event": kind, **data} if isinstance(data, dict) else {"event": kind, "data": data})

    def _keep_text(self, piece: str) -> None:
        if self._size >= _MAX_TEXT:
            self._left_out += 1
            return
        self._text.append(piece)
        self._size += len(piece)
        self._untold += piece


def _piece(data: Any) -> str | None:
    if isinstance(data, str):
        return data
    if isinstance(data, dict):
        for key in _TEXT_KEYS:
            value = data.get(key)
            if isinstance(value, str):
                return value
            if isinstance(value, dict) and isinstance(value.get("text"), str):
                return str(value["text"])
    return None
