"""The sandbox as an ASGI application: the API under /functions/v1/api/v1, its own controls under /__sandbox/."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .admin import check_local, control
from .engine import Answer
from .errors import ApiError, invalid
from .faults import strike
from .planner import Planner, by_rules
from .public import public_answer
from .uploads import form, is_multipart, shown
from .webhook_delivery import deliver
from .workspace import Workspace

_log = logging.getLogger(__name__)
API = "/functions/v1/api/v1"
_FUNCTIONS = "/functions/v1"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Room for what the reference allows in one body: a file of 50 MB as base64.
_MAX_BODY = 72 * 1024 * 1024


def create_app(
    *,
    seed: int = 1,
    database: str = ":memory:",
    now: str | None = None,
    rate_limit: int | None = None,
    planner: Planner = by_rules,
) -> Starlette:
    """A sandbox with a seeded workspace; the same seed and `now` make the same one.

    `database` may name a file: a workspace that it already holds is opened as it is. `rate_limit` is in requests a minute
    per caller; `planner` decides what Evie does. Raises WorkspaceFileError when the file cannot be used.
    """
    workspace = Workspace(seed, database, now, rate_limit, planner)

    async def api(request: Request) -> Response:
        response = await _api(workspace, request)
        response.background = BackgroundTask(deliver, workspace.world)
        return response

    async def public(request: Request) -> Response:
        request_id = str(uuid4())
        try:
            workspace.run_due()
            answer = public_answer(workspace.world, request.method, request.path_params["path"], await _json(request))
            response = _response(answer, request_id)
        except ApiError as error:
            response = _error(error, request_id)
        response.background = BackgroundTask(deliver, workspace.world)
        return response

    async def admin(request: Request) -> Response:
        request_id = str(uuid4())
        try:
            check_local(request)
            body = await _json(request) or {}
            if not isinstance(body, dict):
                raise invalid("the body must be a JSON object")
            status, data = control(workspace, request.method, request.path_params["name"], body)
        except ApiError as error:
            return _error(error, request_id)
        return JSONResponse(data, status, background=BackgroundTask(deliver, workspace.world))

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "METHOD_NOT_ALLOWED" if error.status_code == 405 else "NOT_FOUND"
        message = f"there is nothing at {request.method} {request.url.path}; the API is under {API}"
        return _error(ApiError(error.status_code, code, message), str(uuid4()))

    routes = [
        Route("/__sandbox/{name}", admin, methods=_METHODS),
        Route("/functions/v1/public/{path:path}", public, methods=["GET", "POST"]),
        Route("/functions/v1/{path:path}", api, methods=_METHODS),
    ]
    app = Starlette(routes=routes, exception_handlers={404: unknown, 405: unknown})
    app.state.workspace = workspace
    return app


async def _api(workspace: Workspace, request: Request) -> Response:
    """One API request: faults first, then authenticate and let the workspace answer."""
    request_id = str(uuid4())
    whole = request.url.path
    path = whole.removeprefix(API if whole.startswith(API + "/") else _FUNCTIONS)
    seen: dict[str, Any] = {"method": request.method, "path": path, "query": request.url.query, "request_id": request_id}
    workspace.requests.append(seen)
    fault = workspace.faults.take(request.method, path, after=False)
    if fault and (struck := await strike(fault, request_id)) is not None:
        seen["status"] = struck.status_code
        return struck
    response = await _answer(workspace, request, path, seen)
    if fault := workspace.faults.take(request.method, path, after=True):
        response = await strike(fault, request_id) or response
    seen["status"] = response.status_code
    return response


async def _answer(workspace: Workspace, request: Request, path: str, seen: dict[str, Any]) -> Response:
    request_id: str = seen["request_id"]
    limits: dict[str, str] = {}
    try:
        workspace.world.origin = f"{request.url.scheme}://{request.url.netloc}"
        key = workspace.authenticate(request.headers.get("authorization"), request.method, path)
        limits = workspace.rate_limit.take(key.name, workspace.clock.now())
        body = await form(request, _MAX_BODY) if is_multipart(request) else await _json(request)
        seen["body"] = shown(body)
        once = request.headers.get("idempotency-key")
        answer = workspace.call(key, request.method, path, request.query_params.multi_items(), body, once)
        return _response(replace(answer, headers={**limits, **answer.headers}), request_id)
    except ApiError as error:
        return _error(error, request_id)
    except Exception:
        _log.exception("%s %s failed (request %s)", request.method, path, request_id)
        return _error(ApiError(500, "INTERNAL_ERROR", "the sandbox failed; its log says where"), request_id)


def _response(answer: Answer, request_id: str) -> Response:
    headers = {**answer.headers, "x-request-id": request_id}
    if answer.text is not None:
        return PlainTextResponse(answer.text, answer.status, headers)
    if answer.file is not None:
        disposition = f'attachment; filename="{answer.file.name}"'
        headers = {**headers, **answer.file.headers, "content-disposition": disposition}
        return Response(answer.file.content, answer.status, headers, answer.file.media_type)
    if answer.events is not None:
        frames = (f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in answer.events)
        return StreamingResponse(frames, answer.status, headers, "text/event-stream")
    if answer.data is None:
        return Response(status_code=answer.status, headers=headers)
    return JSONResponse({"data": answer.data, **answer.extra}, answer.status, headers)


def _error(error: ApiError, request_id: str) -> Response:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    return JSONResponse(
        {"error": {**body, "request_id": request_id}}, error.status, {**error.headers, "x-request-id": request_id}
    )


async def _json(request: Request) -> Any:
    content = await request.body()
    if len(content) > _MAX_BODY:
        raise ApiError(413, "PAYLOAD_TOO_LARGE", f"the body is larger than {_MAX_BODY // 1024 // 1024} MB")
    if not content:
        return None
    try:
        value = json.loads(content, parse_constant=_refuse, parse_float=_finite)
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
        return value
    except (ValueError, RecursionError):
        raise invalid("the body is not valid JSON") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        return _refuse(text)
    # JSON Schema takes 1.0 for an integer, so the handlers must get one.
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
