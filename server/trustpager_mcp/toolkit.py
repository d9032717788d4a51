"""The same tools in this process, without a transport.

    from trustpager_mcp import Toolkit

    async with Toolkit(sandbox=True) as toolkit:
        result = await toolkit.call("list_contacts", {"limit": 5})

Stable: the names, parameters and results documented here; what is not documented may change in any release.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from mcp.server import Server

from .app import App, Session, build_server
from .callers import SILENT, Caller
from .credentials import Credential
from .credits import Period
from .dispatcher import Result
from .errors import ConfigurationError
from .gate import Confirm
from .settings import Settings
from .tool_formats import ToolFormat, converted


class ToolkitOptions(TypedDict, total=False):
    """What a Toolkit takes besides its named parameters: the settings of `serve`, told in docs/settings.md."""

    portal_token: str | None
    oauth_token: str | None
    base_url: str
    scopes_ttl: float
    seed: int
    db: str | None
    sandbox_model_key: str | None
    sandbox_model_url: str
    sandbox_model: str | None
    read_only: bool
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    approvals: bool
    timeout: float
    result_tokens: int
    result_characters: int
    timezone: str | None
    downloads: str | None
    confirm: Confirm
    confirm_secret: str | None
    credit_budget: float | None
    credit_period: Period
    redis: str | None
    audit: str
    audit_arguments: bool


class Toolkit:
    """TrustPager's tools for one process, safe to use from many tasks at once; it holds no global state.

    `tools` is what `serve --tools` takes; `scopes` are those of the key ("all" takes every one as given), by default the API
    is asked. `options` are the fields of ToolkitOptions. Every method takes an `api_key` of its own, for assistants that serve
    many users: each key has its own rights, and nothing is shared. A `Credential` in its place brings the user's tokens for
    Evie too; those that the Toolkit was made with never go out with another key.
    Raises ConfigurationError for anything unknown.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        sandbox: bool = False,
        tools: str | Iterable[str] = "core",
        scopes: str | Iterable[str] | None = None,
        **options: Unpack[ToolkitOptions],
    ) -> None:
        _check_options(options)
        chosen = tools if isinstance(tools, str) else ",".join(tools)
        held = None if scopes is None else (scopes,) if isinstance(scopes, str) else tuple(scopes)
        self._app = App(Settings(api_key=api_key, sandbox=sandbox, tools=chosen, scopes=held, **options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._app.aclose()

    async def tools(self, format: ToolFormat = "mcp", *, api_key: str | Credential | None = None) -> list[dict[str, Any]]:
        """What the key may see, as `mcp`, `anthropic` (Messages), `openai` (Responses) or `meta` (the API's own) tools.

        The list is the caller's own, to change as they like. Raises ValueError for an unknown format.
        """
        listed = (await self._session(api_key)).tools()
        own: list[dict[str, Any]] = json.loads(json.dumps(listed))
        return converted(own, format, self._app.catalog)

    async def search(self, query: str, limit: int = 6, *, api_key: str | Credential | None = None) -> list[str]:
        """The names of the tools that fit a request, best first."""
        return [h.tool.name for h in (await self._session(api_key)).search.search(query, limit)]

    async def call(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        *,
        api_key: str | Credential | None = None,
        caller: Caller = SILENT,
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

    async def _session(self, api_key: str | Credential | None) -> Session:
        if api_key is None:
            return await self._app.session()
        # An empty key is a caller without one: it must not fall back on the key of the Toolkit.
        return await self._app.session(api_key if isinstance(api_key, Credential) else Credential(api_key))


def _check_options(options: ToolkitOptions) -> None:
    for name in options:
        if name not in ToolkitOptions.__annotations__:
            near = difflib.get_close_matches(name, ToolkitOptions.__annotations__, n=1)
            known = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(ToolkitOptions.__annotations__)}."
            raise ConfigurationError(f"a Toolkit has no option {name!r}. {known}")
