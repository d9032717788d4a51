"""TrustPager's API as MCP tools: definitions, catalogue, dispatcher, transports and a sandbox.

`Toolkit` is the door for programs. It, and the types that its methods take and give, are imported when first named, so that
the command line starts without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .callers import Caller, Question, Reply
    from .credentials import Credential
    from .dispatcher import Result
    from .tool_formats import ToolFormat
    from .toolkit import Toolkit, ToolkitOptions

__all__ = [
    "Caller",
    "Credential",
    "Question",
    "Reply",
    "Result",
    "ToolFormat",
    "Toolkit",
    "ToolkitOptions",
    "__version__",
]
_HOMES = {
    "Caller": "callers",
    "Credential": "credentials",
    "Question": "callers",
    "Reply": "callers",
    "Result": "dispatcher",
    "ToolFormat": "tool_formats",
    "Toolkit": "toolkit",
    "ToolkitOptions": "toolkit",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
