"""The same tools in this process, without a transport.

    from trustpager_mcp import Toolkit

    async with Toolkit(sandbox=True) as toolkit:
        result = await toolkit.call("list_contacts", {"limit": 5})

Stable: the names, parameters and results documented here; what is not documented may change in any release.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from mcp.server import Server

from .app import App, Session, build_server
from .callers import SILENT, Caller
from .credentials import Credential
from .dispatcher import Result
from .settings import Settings
from .tool_formats import ToolFormat, converted


class Toolkit:
    """TrustPager's tools for one process, safe to use from many tasks at once; it holds no global state.

    `tools` is what `serve --tools` takes; `scopes` are those of the key ("all" takes every one as given), by default the API
    is asked. `options` are further fields of Settings (read_only, deny, base_url, timeout, ...). Every method takes an
    `api_key` of its own, for assistants that serve many users: each key has its own rights, and nothing is shared.
    Raises ConfigurationError for anything unknown.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        sandbox: bool = False,
        tools: str | Iterable[str] = "core",
        scopes: str | Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        chosen = tools if isinstance(tools, str) else ",".join(tools)
        held = None if scopes is None else (scopes,) if isinstance(scopes, str) else tuple(scopes)
        self._app = App(Settings(api_key=api_key, sandbox=sandbox, tools=chosen, scopes=held, **options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._app.aclose()

    async def tools(self, format: ToolFormat = "mcp", *, api_key: str | None = None) -> list[dict[str, Any]]:
        """What the key may see, as `mcp`, `anthropic` (Messages), `openai` (Responses) or `meta` (the API's own) tools."""
        return converted((await self._session(api_key)).tools(), format, self._app.catalog)

    async def search(self, query: str, limit: int = 6, *, api_key: str | None = None) -> list[str]:
        """The names of the tools that fit a request, best first."""
        return [h.tool.name for h in (await self._session(api_key)).search.search(query, limit)]

    async def call(
        self, name: str, arguments: dict[str, Any] | None = None, *, api_key: str | None = None, caller: Caller = SILENT
    ) -> Result:
        """Run a tool: `text` for an agent, `data` for code, `is_error` and `code` when it failed. Never raises for a failure.

        Any tool that the policy allows can be called, listed or not. `caller` hears progress and answers questions.
        """
        return await (await self._session(api_key)).call(name, arguments or {}, caller)

    async def refresh_scopes(self, *, api_key: str | None = None) -> None:
        """Ask the API now what the key may do; else it is asked every five minutes (`scopes_ttl`) and after a refusal."""
        await self._app.asked_again(await self._session(api_key), at_once=True)

    def as_mcp_server(self) -> Server[Any]:
        """An MCP server over the same tools, for a transport of your own."""
        return build_server(self._app)

    async def _session(self, api_key: str | None) -> Session:
        return await self._app.session(Credential(api_key) if api_key else None)
