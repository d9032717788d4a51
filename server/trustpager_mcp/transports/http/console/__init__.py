"""A page for people, at `/`: the catalogue as an agent sees it, a form per tool, and the calls of this server as they happen.

It opens to the operator alone. The token comes as a bearer token, which no other web page can send: nothing rests on a
cookie. The printed link carries it behind a #, so that it reaches no server's log and no Referer header.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ....app import App, Session
from ....credentials import Credential
from ....identity import Unauthenticated
from ....identity.api_keys import ApiKeys
from ..options import HttpOptions
from . import views
from .feed import CallFeed
from .views import Refused

__all__ = ["PREFIX", "Console"]
PREFIX = "/console/"
_API = PREFIX + "api/"
_KEY_HEADER = "x-console-key"
_MOST_BYTES = 4 * 1024 * 1024
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
Handler = Callable[[Request], Awaitable[Response]]


@lru_cache(maxsize=1)
def _static() -> dict[str, tuple[bytes, str]]:
    """Content and media type of every file of the page by its path, the page itself at `/`. Read once."""
    found = {}
    for file in files(__name__).joinpath("static").iterdir():
        if (kind := _TYPES.get(file.name.rpartition(".")[2])) is not None:
            path = "/" if file.name == "page.html" else PREFIX + file.name
            found[path] = (file.read_bytes(), kind)
    return found


class Console:
    """The ASGI application of the console. From its making on it hears of every call of the App.

    `accepts` tells whether the API accepts a key: the operator brings one where the server has none of its own. It is sent
    with each request and kept by the page alone.
    """

    def __init__(self, app: App, options: HttpOptions, accepts: Callable[[str], Awaitable[bool | None]]) -> None:
        assert options.console_token is not None
        self._app, self._options = app, options
        self._token = f"Bearer {options.console_token}".encode()
        self._keys = ApiKeys(accepts, header=_KEY_HEADER)
        self._feed = CallFeed(app.catalog.tools, with_arguments=app.settings.audit_arguments)
        app.safeguards.audit.observe(self._feed.observe)
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "state"): self._state,
            ("POST", "find"): self._find,
            ("GET", "tools"): self._browse,
            ("GET", "tool"): self._describe,
            ("POST", "call"): self._call,
            ("GET", "calls"): self._calls,
        }

    def close(self) -> None:
        """The server shuts down: end what would go on for ever."""
        self._feed.close()

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is the console's."""
        return path == "/" or path.startswith(PREFIX)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Refused as refused:
            extra = {"www-authenticate": "Bearer"} if refused.status == 401 else None
            response = JSONResponse({"error": refused.message}, refused.status, extra)
        except ClientDisconnect:
            return
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path: str = request.scope["path"]
        self._check_source(request.headers)
        if not path.startswith(_API):
            found = _static().get(path)
            if found is None or request.method not in ("GET", "HEAD"):
                raise Refused(404, "not found")
            return Response(found[0], media_type=found[1])
        self._check_operator(request.headers)
        handler = self._handlers.get((request.method, path.removeprefix(_API)))
        if handler is None:
            raise Refused(404, "not found")
        return await handler(request)

    def _check_source(self, headers: Mapping[str, str]) -> None:
        """Refuse what comes by a foreign name (DNS rebinding), through a proxy nobody meant, or from another web page."""
        host = headers.get("host", "")
        if host not in self._options.hosts:
            raise Refused(421, "this server does not answer to that name; see --allowed-hosts")
        if self._options.console == "auto" and not self._options.is_local(headers):
            raise Refused(404, "the console is shown on this machine only; see --console")
        origin = headers.get("origin")
        foreign = origin is not None and origin not in (f"http://{host}", f"https://{host}")
        fetched = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        if foreign or (fetched and headers.get("sec-fetch-mode") != "navigate"):
            raise Refused(403, "the console answers to its own page only")

    def _check_operator(self, headers: Mapping[str, str]) -> None:
        given = headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._token):
            raise Refused(401, "give the operator's token" if given else "the operator's token is missing")

    async def _credential(self, request: Request) -> Credential | None:
        """The server's own key, else the one that the operator brought; None where there is neither."""
        if self._app.credential.api_key:
            return self._app.credential
        if not request.headers.get(_KEY_HEADER):
            return None
        try:
            return Credential((await self._keys.identify({_KEY_HEADER: request.headers[_KEY_HEADER]})).api_key)
        except Unauthenticated as refused:
            # Not 401, which says that the operator's token is wrong.
            raise Refused(503 if refused.status == 503 else 403, f"the key: {refused.description}") from None

    async def _session(self, request: Request) -> Session:
        credential = await self._credential(request)
        if credential is None:
            raise Refused(403, "this server has no key of its own: bring one")
        return await self._app.session(credential)

    async def _state(self, request: Request) -> Response:
        credential = await self._credential(request)
        session = await self._app.session(credential) if credential else None
        return JSONResponse(views.state(self._app, credential, session))

    async def _find(self, request: Request) -> Response:
        return JSONResponse(await views.find(await self._session(request), await _body(request)))

    async def _browse(self, request: Request) -> Response:
        asked = request.query_params
        unavailable = asked.get("unavailable") == "true"
        return JSONResponse(views.browse(await self._session(request), asked.get("toolset", ""), unavailable=unavailable))

    async def _describe(self, request: Request) -> Response:
        return JSONResponse(await views.describe(await self._session(request), request.query_params.get("name", "")))

    async def _call(self, request: Request) -> Response:
        return JSONResponse(await views.call(await self._session(request), await _body(request)))

    async def _calls(self, _request: Request) -> Response:
        return StreamingResponse(self._feed.messages(), media_type="text/event-stream")


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "send JSON")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _MOST_BYTES:
            raise Refused(413, f"at most {_MOST_BYTES // (1024 * 1024)} MB")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(400, "that is not valid JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "send a JSON object")
    return body
