"""Keeping secrets and trick characters out of what people and logs are shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(
    r"(^|[_-])(secrets?|passw(or)?d|passphrase|tokens?|api[_-]?key|x-api-key|auth|authorization|credentials?|cookies?|"
    r"private[_-]?key|signature)($|[_-])",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\btp_[a-z]+_\w+"  # TrustPager's own keys and tokens
    r"|\b(?:bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # a password inside an address
    r"|(?<=[?&])((?:access_)?token|sig|signature|key|api_key|secret)=[^&\s\"]+",
    re.IGNORECASE,
)


def without_secrets(value: Any) -> Any:
    """A copy of a JSON value in which whatever is named or looks like a secret is hidden."""
    if isinstance(value, dict):
        return {k: HIDDEN if _SECRET_NAME.search(str(k)) and v is not None else without_secrets(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(v) for v in value]
    return _SECRET_TEXT.sub(HIDDEN, value) if isinstance(value, str) else value


def one_line(text: str, limit: int) -> str:
    """Text that cannot forge lines or direction: no control, format or unassigned characters, at most `limit` characters."""
    # A generous piece first: normalising megabytes to show a line of them would be work for nothing.
    piece = text[: limit * 4]
    visible = "".join(" " if c.isspace() else c for c in piece if c.isspace() or not unicodedata.category(c).startswith("C"))
    flat = " ".join(visible.split())
    if len(flat) <= limit and len(piece) == len(text):
        return flat
    return f"{flat[:limit]}… ({len(text)} characters)"
