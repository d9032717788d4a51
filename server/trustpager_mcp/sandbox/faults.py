"""Faults on order: what a client must survive, injected into chosen requests."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from starlette.responses import JSONResponse, Response

from .errors import invalid
from .store import Record

KINDS = ("status", "delay", "invalid_json", "html", "empty")
_CODES = {
    400: "VALIDATION_ERROR", 401: "UNAUTHORIZED", 402: "INSUFFICIENT_CREDITS", 403: "FORBIDDEN", 404: "NOT_FOUND",
    409: "CONFLICT", 429: "RATE_LIMITED", 502: "BAD_GATEWAY", 503: "SERVICE_UNAVAILABLE", 504: "GATEWAY_TIMEOUT",
}  # fmt: skip


@dataclass
class Fault:
    """One fault: which requests it hits, what it does to them, and how many times yet."""

    kind: str
    method: str = ""
    path: str = ""
    """The beginning of the path below the API's base."""
    status: int = 500
    seconds: float = 0.0
    retry_after: float | None = None
    times: int = 1
    after: bool = False
    """Strike when the work is done: the change is stored, but its answer is lost."""
    id: str = field(default_factory=lambda: str(uuid4()))


class Faults:
    """The faults that wait for a request."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, body: Record) -> Record:
        """Order a fault. Raises VALIDATION_ERROR."""
        kind = body.get("kind")
        if kind not in KINDS:
            raise invalid(f"kind must be one of {', '.join(KINDS)}", field="kind")
        if unknown := set(body) - set(Fault.__dataclass_fields__) | ({"id"} & set(body)):
            raise invalid(f"unknown: {', '.join(sorted(unknown))}")
        try:
            fault = Fault(
                kind=str(kind),
                method=str(body.get("method") or "").upper(),
                path=str(body.get("path") or ""),
                status=int(body.get("status") or (502 if kind == "html" else 500)),
                seconds=float(body.get("seconds") or 0),
                retry_after=None if body.get("retry_after") is None else float(body["retry_after"]),
                times=int(body.get("times", 1)),
                after=bool(body.get("after")),
            )
        except (TypeError, ValueError):
            raise invalid("status, seconds, retry_after and times must be numbers") from None
        if not 200 <= fault.status <= 599:
            raise invalid("status must be from 200 to 599", field="status")
        self._waiting.append(fault)
        return asdict(fault)

    def all(self) -> list[Record]:
        return [asdict(f) for f in self._waiting]

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, method: str, path: str, *, after: bool) -> Fault | None:
        """The first fault for a request, counted down."""
        for fault in self._waiting:
            if fault.after == after and fault.method in ("", method) and path.startswith(fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


async def strike(fault: Fault, request_id: str) -> Response | None:
    """What the fault answers; None when it only delays."""
    if fault.seconds:
        await asyncio.sleep(fault.seconds)
    headers = {"x-request-id": request_id}
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    match fault.kind:
        case "status":
            code = _CODES.get(fault.status, "INTERNAL_ERROR")
            error: dict[str, Any] = {"code": code, "message": "a fault that was ordered", "request_id": request_id}
            return JSONResponse({"error": error}, fault.status, headers)
        case "invalid_json":
            return Response(b'{"data": [{"id": ', 200, headers, "application/json")
        case "html":
            page = f"<html><body><h1>{fault.status} Bad Gateway</h1></body></html>"
            return Response(page, fault.status, headers, "text/html")
        case "empty":
            return Response(b"", 200, headers, "application/json")
    return None
