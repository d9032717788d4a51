"""What operators and their programs ask a server: does it live, may it be sent traffic, what has it done."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from .metrics import CONTENT_TYPE, Metrics
from .options import HttpOptions

PATHS = ("/healthz", "/readyz", "/metrics")
Reason = Callable[[], Awaitable[str]]
"""Why the server should get no traffic now; empty when it may."""


class Operations:
    """Answers /healthz, /readyz and /metrics. `draining` is set when the server begins to shut down."""

    def __init__(self, options: HttpOptions, metrics: Metrics, reasons: tuple[Reason, ...] = ()) -> None:
        self._options, self._reasons = options, reasons
        self.metrics = metrics
        self.draining = False
        self._at_drain: list[Callable[[], None]] = []

    def at_drain(self, act: Callable[[], None]) -> None:
        """Have `act` called when the server begins to shut down: from a signal handler, so it must not block or raise."""
        self._at_drain.append(act)

    def drain(self) -> None:
        """The server begins to shut down."""
        self.draining = True
        for act in self._at_drain:
            act()

    async def answer(self, path: str, headers: Mapping[str, str]) -> Response:
        """The answer to a request for one of `PATHS`; names of headers in lower case."""
        if path == "/healthz":
            return JSONResponse({"status": "ok"})
        if path == "/readyz":
            reason = "shutting down" if self.draining else await self._reason()
            return JSONResponse({"status": "not ready", "reason": reason}, 503) if reason else JSONResponse({"status": "ok"})
        return self._metrics(headers)

    async def _reason(self) -> str:
        for reason in self._reasons:
            if why := await reason():
                return why
        return ""

    def _metrics(self, headers: Mapping[str, str]) -> Response:
        token = self._options.metrics_token
        if token:
            given = headers.get("authorization", "")
            if not hmac.compare_digest(given.encode("latin-1", "replace"), f"Bearer {token}".encode()):
                return JSONResponse({"error": "give the metrics token as a bearer token"}, 401, {"www-authenticate": "Bearer"})
        elif not self._options.is_local(headers):
            return JSONResponse({"error": "metrics are shown here with --metrics-token only"}, 404)
        return Response(self.metrics.page(), media_type=CONTENT_TYPE)


def counting(send: Any, metrics: Metrics) -> Any:
    """The ASGI `send`, counting the status that passes through it."""

    async def counted(message: Any) -> None:
        if message["type"] == "http.response.start":
            metrics.answered(message["status"])
        await send(message)

    return counted
