"""Whom the suite calls: a sandbox in this process, or, when two variables say so, the live API.

`TRUSTPAGER_LIVE_TESTS=reads` with `TRUSTPAGER_API_KEY` (and `TRUSTPAGER_BASE_URL` for another address) calls the API's reads.
`writes` adds what another call can undo, on records that the suite made itself; `all` adds what deletes, sends, calls and
spends. Without the first variable nothing leaves this process, whatever key the environment holds.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import httpx
import pytest

from trustpager_mcp.definitions import Tool, load_toolsets
from trustpager_mcp.sandbox.app import create_app

SWITCH = "TRUSTPAGER_LIVE_TESTS"
LEVELS = {"reads": ("read",), "writes": ("read", "write"), "all": ("read", "write", "irreversible")}
TOOLSETS = load_toolsets()
TOOLS: dict[str, Tool] = {tool.name: tool for toolset in TOOLSETS for tool in toolset.tools}
TOOLSET_OF = {tool.name: toolset.toolset for toolset in TOOLSETS for tool in toolset.tools}
EVERY_SCOPE = {part.strip() for tool in TOOLS.values() for scope in tool.scopes for part in scope.split("|")}
SANDBOX_BASE = "http://sandbox.local/functions/v1/api/v1"
LIVE_BASE = "https://api.trustpager.com/functions/v1/api/v1"
FULL_KEY = "tp_live_sandbox_full"
APPROVAL_KEY = "tp_live_sandbox_approval"
PORTAL_SESSION = "sandbox-portal-session"
_MORE_TRIES = 3


@dataclass
class Target:
    """One API and the credential for it. `effects` are the effects of tools that may be called."""

    client: httpx.AsyncClient
    base: str
    key: str
    live: bool
    effects: tuple[str, ...] = LEVELS["all"]
    credentials: dict[str, str] = field(default_factory=dict)
    """Bearers of those tools that do not take the key, by the kind of credential."""

    def may(self, tool: Tool) -> bool:
        return tool.effect in self.effects

    async def call(self, tool: Tool, arguments: Mapping[str, Any], *, key: str | None = None) -> httpx.Response:
        """Send what the arguments (by the definition's names) say. A rate limit of the live API is waited for."""
        if tool.credential == "oauth_token" and "oauth_token" not in self.credentials and self.has("portal_token"):
            await self._meet_evie()
        bearer = key or self.credentials.get(tool.credential) or self.key
        headers = {} if tool.credential == "none" else {"authorization": f"Bearer {bearer}"}
        url, parts = self.url(tool, arguments), content(tool, arguments)
        response = await self.client.request(tool.method, url, headers=headers, **parts)
        for _ in range(_MORE_TRIES):
            if response.status_code != 429 or not self.live:
                break
            await anyio.sleep(float(response.headers.get("retry-after", 1)))
            response = await self.client.request(tool.method, url, headers=headers, **parts)
        return response

    async def key_without(self, *scopes: str) -> str:
        """A key of the sandbox that holds every scope but these."""
        held = sorted(EVERY_SCOPE - {part.strip() for scope in scopes for part in scope.split("|")})
        answer = await self.client.post(_origin(self.base) + "/__sandbox/keys", json={"scopes": held})
        return str(answer.json()["key"])

    async def _meet_evie(self) -> None:
        company = await self.data(TOOLS["get_company_settings"], {})
        granted = await self.data(TOOLS["create_evie_token"], {"company_id": company["id"]})
        self.credentials["oauth_token"] = granted["access_token"]

    def url(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        values = {p.wire: quote(str(arguments[p.name]), safe="") for p in tool.parameters if p.location == "path"}
        path = re.sub(r":(\w+)(?=/|$)", lambda match: values[match[1]], tool.path)
        if path.startswith("https://"):
            return path if self.base == LIVE_BASE else _origin(self.base) + urlsplit(path).path
        return (self.base.removesuffix("/api/v1") if tool.base == "functions" else self.base) + path

    def has(self, credential: str | None) -> bool:
        """Whether a kind of credential is at hand; the suite's own key always is."""
        return credential in (None, "api_key", "none") or credential in self.credentials

    async def data(self, tool: Tool, arguments: Mapping[str, Any], *, key: str | None = None) -> Any:
        """The answer's data, for steps on the way to what is tested: a failure there fails or, live, skips the test."""
        response = await self.call(tool, arguments, key=key)
        if self.live and response.status_code == 403:
            pytest.skip(f"the key may not call {tool.name}")
        assert response.is_success, f"{tool.name}({dict(arguments)}): {response.status_code} {response.text}"
        if tool.response == "stream":
            return dict(events(response.text))
        return response.json()["data"] if response.content else None


def events(text: str) -> list[tuple[str, Any]]:
    """Server-sent events: names and data, in order."""
    found = re.findall(r"^event: (.+)\ndata: (.+)$", text, re.MULTILINE)
    return [(name, json.loads(data)) for name, data in found]


def content(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Query and body of a call, as httpx takes them."""
    given = [(p, arguments[p.name]) for p in tool.parameters if p.name in arguments]
    query = [(p.wire, _text(one)) for p, v in given if p.location == "query" for one in (v if isinstance(v, list) else [v])]
    body = {p.wire: v for p, v in given if p.location in ("body", "file")}
    if tool.body == "multipart":
        # Parts without a file name are the form's plain fields.
        parts = {k: ("upload.svg", v.encode(), "image/svg+xml") if k == "file" else (None, v) for k, v in body.items()}
        return {"params": query, "files": parts}
    if tool.method not in ("POST", "PUT", "PATCH") and not body:
        return {"params": query}
    if tool.body == "whole":
        return {"params": query, "json": next(iter(body.values()), None)}
    nested: dict[str, Any] = {}
    for wire, value in body.items():
        *parents, last = wire.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return {"params": query, "json": nested}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def sandbox() -> Target:
    app = create_app(now="2026-06-15T02:00:00Z")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("127.0.0.1", 1)))
    return Target(
        client, SANDBOX_BASE, FULL_KEY, live=False, credentials={"portal_token": PORTAL_SESSION, "approval": APPROVAL_KEY}
    )


def target(environment: Mapping[str, str] = os.environ) -> Target:
    """The sandbox unless the switch is set; a switch that is set wrongly is an error, not a sandbox."""
    level = environment.get(SWITCH)
    if not level:
        return sandbox()
    if level not in LEVELS:
        raise pytest.UsageError(f"{SWITCH} is {level!r}; it may be {', '.join(LEVELS)}")
    key = environment.get("TRUSTPAGER_API_KEY")
    if not key:
        raise pytest.UsageError(f"{SWITCH} is set and TRUSTPAGER_API_KEY is not")
    # Every test has an event loop of its own, so no connection may outlive one.
    client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
    base = environment.get("TRUSTPAGER_BASE_URL", LIVE_BASE).rstrip("/")
    return Target(client, base, key, live=True, effects=LEVELS[level])
