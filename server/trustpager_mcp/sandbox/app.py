"""The sandbox as an ASGI application: the API under /functions/v1/api/v1, its own controls under /__sandbox/."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..definitions import Tool, input_schema, load_toolsets
from .auth import Key, Keys, authorize, missing_scopes
from .checks import validated
from .clock import Clock
from .engine import Answer, Call, Router
from .errors import ApiError
from .groups import HANDLERS
from .seed import seed_workspace
from .store import Record, Store

API = "/functions/v1/api/v1"
_FUNCTIONS = "/functions/v1"
_MAX_BODY = 4 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "::1", "localhost", "testclient")
_FAULT_KINDS = ("status", "delay", "invalid_json", "html")


class Sandbox:
    """One workspace and everything that answers for it."""

    def __init__(self, seed: int, database: str, now: str | None) -> None:
        self._seed = seed
        self._tools: list[Tool] = [t for toolset in load_toolsets() for t in toolset.tools]
        self._router = Router(self._tools)
        self._store = Store(database)
        self._start = now
        self.reset()

    def reset(self) -> None:
        """The seeded workspace again: clock, keys, faults and records."""
        self._clock = Clock(self._start)
        self._keys = Keys(self._tools)
        self._faults: list[Record] = []
        self._outbox: list[Record] = []
        self._requests: deque[Record] = deque(maxlen=1000)
        self._credits = 10_000.0
        self._store.clear()
        seed_workspace(self._store, self._clock.now(), self._seed)

    async def api(self, request: Request) -> Response:
        """One API request: authenticate, route, authorize, validate, handle."""
        request_id = str(uuid4())
        path = request.url.path.removeprefix(API if request.url.path.startswith(API) else _FUNCTIONS)
        self._requests.append({"method": request.method, "path": path, "query": request.url.query, "request_id": request_id})
        try:
            if (fault := await self._fault(request.method, path)) is not None:
                return fault
            key = self._keys.authenticate(request.headers.get("authorization"))
            if path == "/_meta/tools" and request.method == "GET":
                answer = Answer({"tools": [_meta_entry(t) for t in self._tools if not missing_scopes(t, key)]})
            else:
                answer = await self._answer(request, path, key)
        except ApiError as error:
            body: Record = {"code": error.code, "message": error.message, "request_id": request_id}
            if error.details is not None:
                body["details"] = error.details
            return JSONResponse({"error": body}, error.status, {"x-request-id": request_id})
        headers = {"x-request-id": request_id}
        if answer.text is not None:
            return PlainTextResponse(answer.text, headers=headers)
        if answer.data is None:
            return Response(status_code=answer.status, headers=headers)
        return JSONResponse({"data": answer.data, **answer.extra}, answer.status, headers)

    async def _answer(self, request: Request, path: str, key: Key) -> Answer:
        tool, ids = self._router.find(request.method, path)
        authorize(tool, key)
        query, body = validated(tool, ids, request.query_params.multi_items(), await _json(request))
        handler = HANDLERS.get(tool.name)
        if handler is None:
            raise ApiError(501, "NOT_IMPLEMENTED", f"the sandbox does not serve {tool.operation} yet")
        if key.approval and tool.effect != "read":
            return self._held(tool, ids, query, body)
        return handler(Call(tool, self._store, self._clock, key, ids, query, body, self._outbox))

    def _held(self, tool: Tool, ids: Record, query: Record, body: Any) -> Answer:
        approval = {
            "id": str(uuid4()), "status": "pending", "operation": tool.operation, "ids": ids, "query": query, "body": body,
            "created_at": self._clock.iso(),
        }  # fmt: skip
        self._store.add("approval", [approval])
        return Answer({"status": "pending_approval", "approval_id": approval["id"]}, status=202)

    async def _fault(self, method: str, path: str) -> Response | None:
        for fault in self._faults:
            if fault.get("method", method) != method or not path.startswith(fault.get("path", "")):
                continue
            fault["times"] -= 1
            if fault["times"] <= 0:
                self._faults.remove(fault)
            await asyncio.sleep(fault.get("seconds", 0))
            if fault["kind"] == "invalid_json":
                return Response(b'{"data": [', media_type="application/json")
            if fault["kind"] == "html":
                return Response("<html><body>Bad gateway</body></html>", 502, media_type="text/html")
            if fault["kind"] == "status":
                retry = fault.get("retry_after")
                headers = {"retry-after": str(retry)} if retry is not None else None
                code = "RATE_LIMITED" if fault["status"] == 429 else "INTERNAL_ERROR"
                return JSONResponse({"error": {"code": code, "message": "injected fault"}}, fault["status"], headers)
            return None
        return None

    async def admin(self, request: Request) -> Response:
        """Controls for tests and rehearsals; loopback only."""
        if request.client is not None and request.client.host not in _LOOPBACK:
            return JSONResponse({"error": "loopback only"}, 403)
        name = request.path_params["name"]
        try:
            body = await _json(request) or {}
            if not isinstance(body, dict):
                raise ApiError(400, "VALIDATION_ERROR", "the body must be a JSON object")
            return JSONResponse(self._control(request.method, name, body))
        except ApiError as error:
            return JSONResponse({"error": {"code": error.code, "message": error.message}}, error.status)

    def _control(self, method: str, name: str, body: Record) -> Any:
        match (method, name):
            case ("POST", "reset"):
                self.reset()
                return {"reset": True}
            case (_, "clock"):
                if method == "POST":
                    self._move_clock(body)
                return {"now": self._clock.iso()}
            case ("POST", "faults"):
                if body.get("kind") not in _FAULT_KINDS or (body["kind"] == "status" and "status" not in body):
                    raise ApiError(400, "VALIDATION_ERROR", f"kind is one of {', '.join(_FAULT_KINDS)}; status needs a status")
                self._faults.append({"times": 1, **body})
                return {"faults": self._faults}
            case ("DELETE", "faults"):
                self._faults.clear()
                return {"faults": []}
            case ("GET", "faults"):
                return {"faults": self._faults}
            case ("GET", "outbox"):
                return {"outbox": self._outbox}
            case ("GET", "requests"):
                return {"requests": list(self._requests)}
            case ("GET", "field-changes"):
                return {"field_changes": self._store.all("field_change")}
            case ("POST", "keys"):
                return {"key": self._keys.create(list(body.get("scopes") or []), bool(body.get("approval")))}
            case (_, "credits"):
                if method == "POST":
                    self._credits = float(body["balance"])
                return {"balance": self._credits}
        raise ApiError(404, "NOT_FOUND", f"there is no control {method} {name}")

    def _move_clock(self, body: Record) -> None:
        try:
            if "now" in body:
                self._clock.set(str(body["now"]))
            else:
                self._clock.advance(float(body["advance_seconds"]))
        except (KeyError, TypeError, ValueError):
            raise ApiError(400, "VALIDATION_ERROR", 'give {"advance_seconds": n} or {"now": "2026-03-31T09:00:00Z"}') from None


async def _json(request: Request) -> Any:
    content = await request.body()
    if len(content) > _MAX_BODY:
        raise ApiError(413, "PAYLOAD_TOO_LARGE", f"the body is larger than {_MAX_BODY // 1024 // 1024} MB")
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        raise ApiError(400, "VALIDATION_ERROR", "the body is not valid JSON") from None


def _meta_entry(tool: Tool) -> Record:
    """One tool as the reference documents GET /api/v1/_meta/tools."""
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": input_schema(tool),
        "preferred_model": "haiku" if tool.effect == "read" else "sonnet",
        "api_path": tool.path,
        "required_scopes": list(tool.scopes),
        "is_write": tool.is_write,
        "portal_path": "/crm/" + tool.path.split("/")[1],
    }


def create_app(*, seed: int = 1, database: str = ":memory:", now: str | None = None) -> Starlette:
    """A sandbox with a freshly seeded workspace; the same seed and `now` make the same one."""
    sandbox = Sandbox(seed, database, now)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/__sandbox/{name}", sandbox.admin, methods=methods),
            Route("/functions/v1/{path:path}", sandbox.api, methods=methods),
        ]
    )
