"""What the sandbox's contract tests share: a caller that speaks HTTP to a sandbox in this process."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.applications import Starlette

from trustpager_mcp.sandbox.app import create_app

NOW = "2026-06-15T02:00:00Z"
ORIGIN = "http://sandbox.local"
BASE = "/functions/v1/api/v1"
NOBODY = "00000000-0000-4000-8000-000000000000"


class Api:
    """A caller with one key; `make` starts a sandbox of its own."""

    def __init__(self, app: Starlette, key: str | None = "tp_live_sandbox_full") -> None:
        self.app = app
        self.workspace = app.state.workspace
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        self.client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)

    def as_key(self, key: str | None) -> Api:
        """The same sandbox, called with another key."""
        return Api(self.app, key)

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        url = path if path.startswith(("/__sandbox", "/functions")) else BASE + path
        if body is not None:
            options["json"] = body
        return await self.client.request(method, url, **options)

    async def ok(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        """The answer's data; its status must be the expected one."""
        response = await self.send(method, path, body, **options)
        assert response.status_code == status, response.text
        if not response.content:
            return None
        answer = response.json()
        return answer["data"] if not path.startswith("/__sandbox") else answer

    async def get(self, path: str, **params: Any) -> Any:
        return await self.ok("GET", path, params=params)

    async def listed(self, path: str, **params: Any) -> dict[str, Any]:
        """A list with its envelope."""
        response = await self.send("GET", path, params=params)
        assert response.status_code == 200, response.text
        envelope: dict[str, Any] = response.json()
        return envelope

    async def error(self, method: str, path: str, body: Any = None, *, status: int = 400, **options: Any) -> Any:
        """The error of an answer; its status must be the expected one."""
        response = await self.send(method, path, body, **options)
        assert response.status_code == status, response.text
        return response.json()["error"]

    async def advance(self, seconds: float) -> None:
        """Move the clock; what falls due is done."""
        await self.ok("POST", "/__sandbox/clock", {"advance_seconds": seconds})

    async def outbox(self, channel: str) -> list[dict[str, Any]]:
        """What has left the workspace by a channel, in order."""
        sent = (await self.ok("GET", "/__sandbox/outbox"))["outbox"]
        return [message for message in sent if message["channel"] == channel]


def set_up(api: Api, kind: str, **fields: Any) -> None:
    """Give the one record of a kind (company_settings, own_company) other fields."""
    store = api.workspace.store
    if known := store.all(kind):
        store.save(kind, {**known[0], **fields})
    else:
        store.add(kind, [{"id": NOBODY, **fields}])


def make(key: str | None = "tp_live_sandbox_full", **options: Any) -> Api:
    """A caller of a sandbox that stands at NOW."""
    return Api(create_app(**{"now": NOW, **options}), key)
