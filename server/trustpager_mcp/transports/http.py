"""MCP over Streamable HTTP, stateless. Loopback and its own key by default.

On a loopback bind the configured key (or the sandbox's) serves callers that bring none. On any other bind every
request must bring its own, as `X-API-Key` or a bearer token; Evie's tokens come as `X-Portal-Token`, `X-OAuth-Token`.
"""

from __future__ import annotations

from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse

from ..app import App, build_server, current_credential
from ..credentials import Credential

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def asgi(app: App, host: str, port: int, allowed_hosts: tuple[str, ...] = ()) -> Any:
    """The ASGI application: /mcp, and /healthz beside it."""
    names = [*allowed_hosts, *(f"{h}:{port}" for h in ("127.0.0.1", "localhost", "[::1]"))]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=names, allowed_origins=[f"http://{n}" for n in names]
    )
    inner = build_server(app).streamable_http_app(stateless_http=True, transport_security=security, host=host)
    open_to_all = host in LOOPBACK

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await inner(scope, receive, send)
        if scope["path"] == "/healthz":
            return await JSONResponse({"status": "ok"})(scope, receive, send)
        if scope["path"] == "/mcp" and scope["method"] not in ("POST", "OPTIONS"):
            return await JSONResponse({"error": "POST only"}, 405, {"allow": "POST"})(scope, receive, send)
        key = _key(scope)
        if key is None and not open_to_all:
            refusal = {"error": "no API key: send it as X-API-Key or as a bearer token"}
            return await JSONResponse(refusal, 401, {"www-authenticate": "Bearer"})(scope, receive, send)
        own = Credential(key, _header(scope, b"x-portal-token"), _header(scope, b"x-oauth-token")) if key else None
        token = current_credential.set(own)
        try:
            await inner(scope, receive, send)
        finally:
            current_credential.reset(token)

    return application


def _header(scope: Any, name: bytes) -> str | None:
    return next((v.decode("latin-1").strip() for k, v in scope["headers"] if k.lower() == name), "") or None


def _key(scope: Any) -> str | None:
    headers: dict[str, str] = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
    key: str = headers.get("x-api-key", "").strip()
    if key:
        return key
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def serve(app: App, host: str, port: int, allowed_hosts: tuple[str, ...] = ()) -> None:
    """Serve until interrupted."""
    application = asgi(app, host, port, allowed_hosts)
    uvicorn.run(application, host=host, port=port, log_level="warning", lifespan="on")
