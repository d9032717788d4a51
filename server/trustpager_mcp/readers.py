"""Which read tells whether a write took effect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .definitions import PATH_PLACEHOLDER, Tool


class Readers:
    """The reads among some tools, by path."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._by_path = {_normal(t.path): t for t in tools if t.effect == "read" and t.method == "GET"}

    def of(self, tool: Tool) -> Tool | None:
        """The read nearest to what the tool changes: of the same record, else the list that it would be in."""
        path = _normal(tool.path)
        while path.count("/") >= 1 and path:
            if (reader := self._by_path.get(path)) is not None:
                return reader
            path = path.rsplit("/", 1)[0]
        return None

    def advice(self, tool: Tool, arguments: dict[str, Any]) -> str:
        """What an agent does before it sends a write again whose outcome is unknown."""
        reader = self.of(tool)
        again = "if it did not, call again with again=true"
        if reader is None:
            return f"It may have taken effect: tell the user, and only if they confirm that it did not, {again[15:]}."
        wanted = {p.name: arguments[p.name] for p in reader.parameters if p.required and p.name in arguments}
        shown = ", ".join(f"{k}={str(v)[:40]}" for k, v in wanted.items())
        return f"It may have taken effect: check with {reader.name}({shown}); {again}."


def _normal(path: str) -> str:
    return re.sub(PATH_PLACEHOLDER + r"(?=/|$)", ":", path)
