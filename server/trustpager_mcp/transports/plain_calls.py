"""A plain `tools/call` on its short way: checked by a few comparisons instead of four models of the SDK.

The SDK checks a request against its version of the protocol, against the newest, and once more for the handler, and takes the
result apart and puts it together again. That costs about a twentieth of a call. What is not plain (another method, a key more, a
newer era, a client that has not introduced itself) goes the SDK's way, which alone knows what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server import Server

_METHOD = "tools/call"
_KEYS = frozenset(("name", "arguments", "_meta"))
_VERSIONS = ("2025-06-18", "2025-11-25")
"""Those in which a result of text and resource links is sent as it is."""


@dataclass(frozen=True)
class PlainParams:
    """What the handler of `tools/call` reads of its request."""

    name: str
    arguments: dict[str, Any] | None


class PlainCalls:
    """Middleware for a server of one connection, to stand last: it sees the connection being opened."""

    def __init__(self, server: Server[Any]) -> None:
        entry = server.get_request_handler(_METHOD)
        assert entry is not None
        self._handler = entry.handler
        self._opened = False

    async def __call__(self, ctx: Any, call_next: Any) -> Any:
        if not self._opened or ctx.method != _METHOD or ctx.protocol_version not in _VERSIONS or not _is_plain(ctx):
            result = await call_next(ctx)
            self._opened = self._opened or ctx.method == "initialize"
            return result
        result = await self._handler(ctx, PlainParams(ctx.params["name"], ctx.params.get("arguments")))
        assert isinstance(result, dict), "only clients of the newer era are asked for more input by a result"
        return {"content": result["content"], "isError": result["isError"]}


def _is_plain(ctx: Any) -> bool:
    params = ctx.params
    return (
        isinstance(params, dict)
        and _KEYS.issuperset(params)
        and isinstance(params.get("name"), str)
        and isinstance(params.get("arguments"), (dict, type(None)))
        and ("_meta" not in params or ctx.meta is not None)
    )
