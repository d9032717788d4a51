"""What a text costs a model: exactly by o200k_base where its package is installed, else estimated."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

_PIECE = re.compile(r"[A-Za-z]+|\d{1,3}|[^\sA-Za-z\d]+|\s+")
_LETTERS_PER_TOKEN = 6.0


@lru_cache(maxsize=1)
def _encoder() -> Any:
    try:
        from bpe_openai import get_encoding
    except ImportError:
        return None
    return get_encoding("o200k_base")


def counter_name() -> str:
    return "estimated" if _encoder() is None else "o200k_base"


def count_tokens(text: str) -> int:
    """The tokens of a text, exact or estimated as `counter_name` says."""
    encoder = _encoder()
    return estimate_tokens(text) if encoder is None else len(encoder.encode(text))


def estimate_tokens(text: str) -> int:
    """A guess without a vocabulary: short words are a token, long ones several, spaces belong to the next word."""
    total = 0.0
    for piece in _PIECE.findall(text):
        if piece[0].isspace():
            total += piece.count("\n") * 0.5
        elif piece[0].isascii() and piece[0].isalpha():
            total += max(1.0, len(piece) / _LETTERS_PER_TOKEN)
        elif piece[0].isdigit():
            total += 1
        else:
            total += max(1.0, len(piece) / 2.5)
    return round(total)


def tool_text(tool: dict[str, Any]) -> str:
    """What a listed MCP tool puts before a model."""
    schema = json.dumps(tool["inputSchema"], ensure_ascii=False, separators=(",", ":"))
    return f"{tool['name']} {tool['title']} {tool['description']} {schema}"
