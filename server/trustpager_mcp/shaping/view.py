"""How one answer is to be shown: what the caller asked for, what the workspace wants, and how far it may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..definitions import Entity, Tool
from .untrusted import new_nonce

Detail = Literal["concise", "full"]
Format = Literal["table", "json", "markdown"]
Kind = Literal["rows", "record", "text", "file"]


@dataclass(frozen=True)
class Limits:
    """The most that one result may hold. Estimates may be off by a tenth, so texts are fitted into less."""

    tokens: int = 8_000
    characters: int = 40_000

    @property
    def fitted_tokens(self) -> int:
        return self.tokens * 85 // 100

    @property
    def fitted_characters(self) -> int:
        return self.characters - 400


@dataclass(frozen=True)
class Spilled:
    """A whole answer of which the agent saw a part: rows, a record, a text, or a file's bytes."""

    kind: Kind
    value: Any
    name: str
    entity: Entity | None = None
    media_type: str = "application/json"


Keep = Callable[[Spilled], str | None]
"""Keeps an answer and gives the handle to read it by; None when it is too large to keep."""


def once(keep: Keep) -> Keep:
    """Keeps an answer the first time: the tries at fitting a result ask for it again and again."""
    last: tuple[Any, str | None] | None = None

    def keep_once(spilled: Spilled) -> str | None:
        nonlocal last
        if last is None or spilled.kind == "file" or spilled.value is not last[0]:
            last = spilled.value, keep(spilled)
        return last[1]

    return keep_once


def _keeps_nothing(_spilled: Spilled) -> None:
    return None


@dataclass(frozen=True)
class View:
    """One result's way of being shown. `zone` is an IANA name; None keeps UTC."""

    tool: Tool
    entity: Entity | None = None
    fields: tuple[str, ...] = ()
    detail: Detail = "concise"
    format: Format = "table"
    limits: Limits = Limits()
    zone: str | None = None
    sent: tuple[str, ...] = ()
    """The fields that a write sent: what it changed."""
    keep: Keep = _keeps_nothing
    save: Callable[[str, bytes], str] | None = None
    """Saves a file into the user's downloads and gives its path."""
    nonce: str = field(default_factory=new_nonce)

    @property
    def everything(self) -> bool:
        return self.fields == ("all",)


@dataclass(frozen=True)
class Shaped:
    """The text for the agent and the data it stands for."""

    text: str
    data: Any = None


@dataclass(frozen=True)
class Download:
    """A file that the API answered with. `rows` and `truncated` are what an export's headers say."""

    name: str
    content_type: str
    content: bytes
    rows: int | None = None
    truncated: bool = False
