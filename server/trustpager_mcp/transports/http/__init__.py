"""MCP over Streamable HTTP, stateless: any replica can answer any request. Loopback by default.

Every request is told apart by its own headers (see `identity`), and works with its own key under its own bounds. Host and
Origin are checked on every bind.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from starlette.responses import JSONResponse

from ...app import App, build_server, current_credential, current_narrowing
from ...credentials import Credential
from ...errors import ToolError
from ...identity import Identity, IdentityProvider, Unauthenticated
from ...identity.api_keys import ApiKeys
from ...profiles import with_meta_tools
from ...registry import Narrowing
from ...search import prepare
from .draining import DrainingServer
from .logs import set_up_logs
from .metrics import Metrics
from .older_eras import OlderEras, is_of_an_older_era
from .operations import PATHS as OPERATIONS
from .operations import Operations, counting
from .options import HttpOptions

if TYPE_CHECKING:
    from .console import Console

__all__ = ["HttpOptions", "asgi", "serve"]
_METADATA = "/.well-known/oauth-protected-resource"


def operations_of(app: App, options: HttpOptions) -> Operations:
    """What /healthz, /readyz and /metrics tell; from now on it counts the App's calls."""
    metrics = Metrics(app.catalog.tools)
    app.safeguards.audit.observe(metrics.observe)
    return Operations(options, metrics, (app.shared.why_not_ready,) if app.shared else ())


def asgi(app: App, options: HttpOptions, operations: Operations | None = None, *, server: Server[Any] | None = None) -> Any:
    """The ASGI application: /mcp, and beside it what `operations` answers and, with OAuth, the resource's metadata.

    `server` is what /mcp speaks to, by default the App's own.
    """
    operations = operations or operations_of(app, options)
    metrics = operations.metrics
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=options.hosts, allowed_origins=options.origins
    )
    server = server or build_server(app)
    inner = server.streamable_http_app(stateless_http=True, transport_security=security, host=options.host)
    older = OlderEras(server, security, lambda: app.caller.fingerprint, app.news)
    provider = _provider(app, options)
    console = _console(app, options, operations)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await inner(scope, receive, send)
        path: str = scope["path"]
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if path in OPERATIONS:
            return await (await operations.answer(path, headers))(scope, receive, send)
        if console is not None and console.serves(path):
            return await console(scope, receive, send)
        if options.oauth and path in (_METADATA, _METADATA + "/mcp"):
            from ...identity.oauth import protected_resource

            document = protected_resource(options.oauth, frozenset(app.catalog.toolsets))
            return await JSONResponse(document)(scope, receive, send)
        if path != "/mcp":
            return await JSONResponse({"error": "not found: MCP is at /mcp"}, 404)(scope, receive, send)
        if scope["method"] not in ("POST", "OPTIONS"):
            return await JSONResponse({"error": "POST only"}, 405, {"allow": "POST"})(scope, receive, send)
        send = counting(send, metrics)
        try:
            identity = await _identify(app, options, provider, headers)
        except Unauthenticated as refused:
            return await _refusal(options, refused)(scope, receive, send)
        tokens = (headers.get("x-portal-token"), headers.get("x-oauth-token"))
        own = Credential(identity.api_key, *tokens) if identity else None
        credential = current_credential.set(own)
        bounds = Narrowing(identity.toolsets, identity.read_only) if identity else Narrowing()
        narrowing = current_narrowing.set(bounds)
        try:
            is_older = scope["method"] == "POST" and is_of_an_older_era(headers.get(MCP_PROTOCOL_VERSION_HEADER))
            with metrics.in_flight.track_inprogress():
                await (older if is_older else inner)(scope, receive, send)
        finally:
            current_narrowing.reset(narrowing)
            current_credential.reset(credential)

    return application


def _console(app: App, options: HttpOptions, operations: Operations) -> Console | None:
    """The page for people; None where it is off, and then none of its code is loaded."""
    if not options.shows_console or not options.console_token:
        return None
    from .console import Console

    console = Console(app, options, lambda key: _accepted(app, key))
    operations.at_drain(console.close)
    return console


async def _identify(app: App, options: HttpOptions, provider: IdentityProvider, headers: dict[str, str]) -> Identity | None:
    """Who sends this; None for a caller without a key of its own on loopback, whom the configured key serves."""
    brings_none = not headers.get(options.key_header.lower()) and not headers.get("authorization")
    open_to_all = options.is_loopback and not options.client_tokens and not options.oauth
    if brings_none and open_to_all and app.credential.api_key:
        return None
    return await provider.identify(headers)


def _provider(app: App, options: HttpOptions) -> IdentityProvider:
    toolsets = frozenset(app.catalog.toolsets)
    if options.client_tokens:
        from ...errors import ConfigurationError
        from ...identity.client_tokens import ClientTokens

        if not app.credential.api_key:
            raise ConfigurationError("--client-tokens lets callers work with the server's own key; set TRUSTPAGER_API_KEY")
        return ClientTokens(options.client_tokens, app.credential.api_key, toolsets)
    if options.oauth and options.credential_store:
        from ...identity.credential_store import open_store
        from ...identity.oauth import OAuth

        return OAuth(options.oauth, open_store(options.credential_store), toolsets, fetch_json)
    return ApiKeys(lambda key: _accepted(app, key), header=options.key_header)


async def _accepted(app: App, key: str) -> bool | None:
    """Whether the API accepts a key, by the one answer that every key may read."""
    try:
        response = await app.ask_for_tools(Credential(key))
    except ToolError:
        return None
    if response.status == 401:
        return False
    return True if response.status < 500 and response.status != 429 else None


async def fetch_json(url: str) -> Any:
    """A small public document such as an issuer's keys. Raises httpx.HTTPError and ValueError."""
    import httpx

    async with httpx.AsyncClient(timeout=10.0, follow_redirects=False) as client:
        response = await client.get(url, headers={"accept": "application/json"})
        response.raise_for_status()
        return json.loads(response.content)


def _refusal(options: HttpOptions, refused: Unauthenticated) -> JSONResponse:
    """401, 403 or 503 with what RFC 6750 and RFC 9728 want in WWW-Authenticate."""
    headers = {}
    if refused.status in (401, 403):
        parts = [f'error="{refused.error}"', f'error_description="{_quotable(refused.description)}"']
        if refused.scope:
            parts.append(f'scope="{refused.scope}"')
        if options.oauth:
            base = options.oauth.audience.partition("://")
            origin = f"{base[0]}://{base[2].partition('/')[0]}"
            parts.append(f'resource_metadata="{origin}{_METADATA}"')
        headers["www-authenticate"] = "Bearer " + ", ".join(parts)
    if refused.retry_after:
        headers["retry-after"] = str(refused.retry_after)
    body = {"error": refused.error, "error_description": refused.description}
    return JSONResponse(body, refused.status, headers)


def _quotable(text: str) -> str:
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


def serve(app: App, options: HttpOptions, *, sockets: list[socket.socket] | None = None) -> None:
    """Serve until interrupted; calls in flight are let finish for `drain_seconds`. `sockets` are bound already, if given."""
    set_up_logs(options.log_format)
    operations = operations_of(app, options)
    if with_meta_tools(app.selection):
        # Else the first caller who looks for a tool waits for it. Over stdio, where none may look, it would cost memory.
        threading.Thread(target=prepare, args=(app.catalog,), daemon=True).start()
    config = uvicorn.Config(
        asgi(app, options, operations),
        host=options.host,
        port=options.port,
        log_config=None,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=options.drain_seconds,
    )
    DrainingServer(config, operations, options.drain_delay_seconds, app.subscriptions.close).run(sockets)
