"""The same tools in this process, without a transport.

async with Toolkit(sandbox=True) as toolkit:
    result = await toolkit.call("list_contacts", {"limit": 5})
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from .app import App, Session
from .callers import SILENT, Caller
from .credentials import Credential
from .dispatcher import Result
from .settings import Settings


class Toolkit:
    """TrustPager's tools for one process. `options` are the fields of Settings (scopes, read_only, deny, ...)."""

    def __init__(self, api_key: str | None = None, *, sandbox: bool = False, tools: str = "core", **options: Any) -> None:
        self._app = App(Settings(api_key=api_key, sandbox=sandbox, tools=tools, **options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._app.aclose()

    async def tools(self, api_key: str | None = None) -> list[dict[str, Any]]:
        """tools/list as plain MCP tools for the credential."""
        return (await self._session(api_key)).tools()

    async def search(self, query: str, limit: int = 6, api_key: str | None = None) -> list[str]:
        """The names of the tools that fit a request, best first."""
        return [h.tool.name for h in (await self._session(api_key)).search.search(query, limit)]

    async def call(
        self, name: str, arguments: dict[str, Any] | None = None, api_key: str | None = None, caller: Caller = SILENT
    ) -> Result:
        """Run a tool: text for an agent, `data` for code, `is_error` when it failed. `caller` hears of its progress."""
        return await (await self._session(api_key)).call(name, arguments or {}, caller)

    async def _session(self, api_key: str | None) -> Session:
        return await self._app.session(Credential(api_key) if api_key else None)
