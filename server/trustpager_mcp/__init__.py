"""TrustPager's API as MCP tools: definitions, catalogue, dispatcher, transports and a sandbox.

`Toolkit` is the door for programs; it is imported when first named, so that the command line starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .toolkit import Toolkit

__all__ = ["Toolkit", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Toolkit":
        from .toolkit import Toolkit

        return Toolkit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
