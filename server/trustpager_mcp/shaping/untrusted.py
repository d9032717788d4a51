"""Text that people outside the workspace may have written: cleaned of what cannot be seen, and marked as data.

A boundary carries a random nonce per result. A text that imitates a boundary loses its angle bracket, so that even a
guessed nonce would not close one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..definitions import Entity

MARK = "outsider"
_FREE_TEXT = frozenset(
    "notes note description body body_text text_body html_body body_html message content snippet transcript transcript_text "
    "summary comment comments responses answers values feedback testimonial_text subject bio payload cells reason "
    "first_name last_name display_name full_name contact_name customer_name recipient_name sender_name from_name "
    "reviewer_name participants last_message output_summary extracted_text".split()
)
_LONG = 60
_LONG_NAME = 64
_LONGEST_SHOWN = 200
_MOST_NAMES = 1_024
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
_JOINERS = "\u200c\u200d\ufe0f"
_INVISIBLE = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_JOINED = re.compile(f"[{_JOINERS}]+")
_REMOVED = re.compile(f"{_ESCAPES}|{_INVISIBLE}")
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")
_FORGED = re.compile(rf"<(?=\s*(?:/\s*)?{MARK})", re.IGNORECASE)


def cleaned(text: str) -> tuple[str, int]:
    """The text without control, invisible and direction-changing characters, and how many were removed."""
    if _PLAIN.fullmatch(text):
        return (text, 0) if "<" not in text else (_FORGED.sub("‹", text), 0)
    normal = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    kept = _JOINED.sub(_joiner, _REMOVED.sub("", normal))
    return _FORGED.sub("‹", kept), len(normal) - len(kept)


def _joiner(run: re.Match[str]) -> str:
    """Joiners between letters or signs that use them (Persian, Devanagari, emoji) stay; runs that could hide data do not."""
    before, after = run.string[run.start() - 1 : run.start()], run.string[run.end() : run.end() + 1]
    if not before or before.isascii():
        return ""
    last = run[0] == "\ufe0f" or (after != "" and not after.isascii())
    if last and (len(run[0]) == 1 or run[0] == "\ufe0f\u200d"):
        return run[0]
    return "\ufe0f" if run[0][0] == "\ufe0f" else ""


def cleaned_value(value: Any, depth: int = 0) -> tuple[Any, int]:
    """The value with every text in it cleaned, keys included."""
    if isinstance(value, str):
        return cleaned(value)
    if depth > 100:
        return value, 0
    if isinstance(value, list):
        parts = [cleaned_value(v, depth + 1) for v in value]
        return [p for p, _ in parts], sum(n for _, n in parts)
    if isinstance(value, dict):
        removed = 0
        kept: dict[str, Any] = {}
        for key, inner in value.items():
            name, in_key = cleaned(key)
            kept[name], in_value = cleaned_value(inner, depth + 1)
            removed += in_key + in_value
        return kept, removed
    return value, 0


@dataclass(frozen=True, slots=True)
class Field:
    """What the name of a field tells: the name to show, how many hidden characters it lost, and who wrote its text."""

    name: str
    removed: int
    outsiders: bool
    """Whatever is in it, someone outside may have written it: hinted, or named like free text."""
    html: bool


class Fields(dict[str, Field]):
    """The fields of one kind of record, by name. The records of an API repeat its names: what they tell is found out once.

    Long names and more than any API has, which a hostile one could send, are not kept.
    """

    def __init__(self, outsider: tuple[str, ...], html: tuple[str, ...]) -> None:
        super().__init__()
        self._outsider = outsider
        self._html = html

    def __missing__(self, name: str) -> Field:
        shown, removed = cleaned(name)
        first = name.split(".", 1)[0]
        outsiders = first in _FREE_TEXT or name.rsplit(".", 1)[-1] in _FREE_TEXT
        outsiders = outsiders or name in self._outsider or first in self._outsider
        field = Field(shown[:_LONGEST_SHOWN], removed, outsiders, name in self._html)
        if len(name) <= _LONG_NAME and len(self) < _MOST_NAMES:
            self[name] = field
        return field


_fields = lru_cache(maxsize=1_024)(Fields)


def fields_of(entity: Entity | None) -> Fields:
    """What is known of the fields of an entity's records, or of records of no known kind."""
    return _fields(entity.outsider, entity.html) if entity else _fields((), ())


def is_outsiders(name: str, value: Any, entity: Entity | None) -> bool:
    """Whether someone outside may have written this field: hinted, named like free text, or long text of any name."""
    return fields_of(entity)[name].outsiders or has_long_text(value)


def has_long_text(value: Any, depth: int = 0) -> bool:
    """Whether there is a text anywhere in the value that is long enough to say something, or a field for such texts."""
    if isinstance(value, str):
        return len(value) > _LONG and " " in value
    if depth > 20:
        return True
    if isinstance(value, dict):
        return any(k in _FREE_TEXT or has_long_text(v, depth + 1) for k, v in value.items())
    return isinstance(value, list) and any(has_long_text(v, depth + 1) for v in value)


def new_nonce() -> str:
    """A name for this result's boundaries that nobody can foresee; six digits are two tokens."""
    return str(100_000 + int.from_bytes(secrets.token_bytes(8)) % 900_000)


def bounded(text: str, nonce: str) -> str:
    """`text` between boundaries, on lines of their own."""
    return f"<{MARK}-{nonce}>\n{text}\n</{MARK}-{nonce}>"


def bounded_inline(text: str, nonce: str) -> str:
    """`text` between boundaries, inside one value (JSON)."""
    return f"<{MARK}-{nonce}>{text}</{MARK}-{nonce}>"
