from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def count_tokens() -> Callable[[str], int]:
    """The real o200k_base count; its package opens its own data in a way that Python deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding

        encoding = get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text))
