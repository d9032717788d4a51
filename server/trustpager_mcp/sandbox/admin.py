"""The controls under /__sandbox/: what tests and rehearsals need and the API does not have."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from .approval import view
from .checks import moment
from .errors import ApiError, invalid
from .inbound import receive
from .store import Record
from .workspace import Workspace

# An in-process caller has no peer address worth checking; httpx.ASGITransport says 127.0.0.1, Starlette's client "testclient".
_LOOPBACK = ("127.0.0.1", "::1", "localhost", "testclient")


def check_local(request: Request) -> None:
    """Loopback only, and no web page of another host on the same machine. Raises 403."""
    if request.client is not None and request.client.host not in _LOOPBACK:
        raise ApiError(403, "FORBIDDEN", "the sandbox's controls answer on the loopback interface only")
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).hostname not in _LOOPBACK:
        raise ApiError(403, "FORBIDDEN", "the sandbox's controls do not answer web pages of other hosts")


def control(workspace: Workspace, method: str, name: str, body: Record) -> tuple[int, Any]:
    """One control: status and answer. Raises ApiError."""
    match (method, name):
        case ("POST", "reset"):
            seed = body.get("seed")
            if seed is not None and not isinstance(seed, int):
                raise invalid("seed must be a whole number", field="seed")
            workspace.reset(seed)
            return 200, {"reset": True}
        case ("GET", "clock"):
            return 200, {"now": workspace.clock.iso()}
        case ("POST", "clock"):
            _move_clock(workspace, body)
            return 200, {"jobs_run": workspace.run_due(), "now": workspace.clock.iso()}
        case ("GET", "faults"):
            return 200, {"faults": workspace.faults.all()}
        case ("POST", "faults"):
            return 201, {"fault": workspace.faults.add(body)}
        case ("DELETE", "faults"):
            workspace.faults.clear()
            return 200, {"faults": []}
        case ("GET", "outbox"):
            return 200, {"outbox": list(workspace.world.outbox)}
        case ("POST", "inbound"):
            with workspace.store.transaction():
                return 201, {"message": receive(workspace.world, body)}
        case ("GET", "requests"):
            return 200, {"requests": list(workspace.requests)}
        case ("GET", "field-changes"):
            return 200, {"field_changes": workspace.store.all("field_change")}
        case ("POST", "keys"):
            scopes = body.get("scopes")
            if not isinstance(scopes, list) or not all(isinstance(s, str) for s in scopes):
                raise invalid("scopes must be a list of strings", field="scopes")
            if (key := body.get("key")) is not None:
                if not workspace.keys.change(str(key), scopes):
                    raise ApiError(404, "NOT_FOUND", "only a key that was made here can be given other scopes")
                return 200, {"key": key}
            return 201, {"key": workspace.keys.create(scopes, bool(body.get("approval")))}
        case ("GET", "approvals"):
            return 200, {"approvals": [view(a) for a in workspace.store.all("approval")]}
        case ("GET", "rate-limit"):
            return 200, {"per_minute": workspace.rate_limit.per_minute}
        case ("POST", "rate-limit"):
            per_minute = body.get("per_minute")
            if per_minute is not None and (isinstance(per_minute, bool) or not isinstance(per_minute, int) or per_minute < 1):
                raise invalid("per_minute must be a whole number from 1, or null for no limit", field="per_minute")
            workspace.rate_limit.set(per_minute)
            return 200, {"per_minute": per_minute}
        case ("GET", "credits"):
            return 200, {"balance": workspace.world.balance}
        case ("POST", "credits"):
            balance = body.get("balance")
            if isinstance(balance, bool) or not isinstance(balance, (int, float)):
                raise invalid("balance must be a number", field="balance")
            with workspace.store.transaction():
                workspace.world.adjust(float(balance))
            return 200, {"balance": workspace.world.balance}
    raise ApiError(404, "NOT_FOUND", f"there is no control {method} /__sandbox/{name}")


def _move_clock(workspace: Workspace, body: Record) -> None:
    seconds = body.get("advance_seconds")
    try:
        if moment(body.get("now")) is not None:
            workspace.clock.set(body["now"])
        elif isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            workspace.clock.advance(seconds)
        else:
            raise ValueError(body)
        workspace.clock.iso()
        workspace.keep_clock()
    except (ValueError, OverflowError):
        raise invalid('give {"advance_seconds": n} or {"now": "2026-03-31T09:00:00Z"}') from None
