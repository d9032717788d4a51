"""What a text costs a model: exactly by o200k_base where its package is installed, else estimated."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from .shaping.tokens import estimate


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
    return estimate(text) if encoder is None else len(encoder.encode(text))


def tool_text(tool: dict[str, Any]) -> str:
    """What a listed MCP tool puts before a model."""
    schema = json.dumps(tool["inputSchema"], ensure_ascii=False, separators=(",", ":"))
    return f"{tool['name']} {tool['title']} {tool['description']} {schema}"
