"""The way to the API: versions, key, reachability, latency, clock, scopes, and what replicas share."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ...errors import ToolError
from ...request_builder import Request
from ...version import __version__
from .checks import Check

if TYPE_CHECKING:
    from ...app import App
    from ...upstream import Response

_PROBES = 5
_SKEW_SECONDS = 30
"""A clock further off than this is told; access tokens are judged by it."""
_NEW_KEY = "make a key in the workspace's settings and set TRUSTPAGER_API_KEY, or run trustpager-mcp install CLIENT again"


def versions() -> Check:
    """What is installed, and the protocol versions that it speaks."""
    import platform
    from importlib.metadata import version

    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

    shake, modern = HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
    found = {"trustpager_mcp": __version__, "mcp": version("mcp"), "python": platform.python_version()}
    eras = f"MCP protocol {shake[0]} to {modern[-1]}"
    text = f"trustpager-mcp {__version__}, mcp {found['mcp']}, Python {found['python']}; {eras}"
    return Check("versions", "ok", text, data={**found, "platform": platform.system(), "protocols": [*shake, *modern]})


def search_mode() -> Check:
    """Whether find_tools goes by words alone or by meaning too."""
    from ...search.meaning import INSTALL, missing

    if missing():
        return Check("search", "ok", f"find_tools goes by words; to go by meaning too: {INSTALL}", data={"mode": "words"})
    return Check("search", "ok", "find_tools goes by words and meaning", data={"mode": "words and meaning"})


async def api_checks(app: App) -> list[Check]:
    """Everything that needs the API; what cannot be known without an earlier check is left out."""
    data = {"tools": len(app.catalog.tools), "toolsets": len(app.catalog.toolsets)}
    checks = [Check("catalogue", "ok", f"{data['tools']} tools in {data['toolsets']} toolsets", data=data)]
    if app.shared is not None:
        checks.append(await _redis(app))
    key = app.credential.api_key
    if not key:
        text = "no API key, so the API was not asked"
        return [*checks, Check("key", "problem", text, "set TRUSTPAGER_API_KEY, or try --sandbox", {"present": False})]
    seen = {"present": True, "fingerprint": app.credential.fingerprint}
    try:
        app.credential.headers()
        answer, first = await _timed(app)
    except ToolError as error:
        name = "reachable" if error.code not in ("BAD_API_KEY", "NO_API_KEY") else "key"
        return [*checks, Check(name, "problem", error.message, error.hint or "try again later", {"base_url": app.base_url})]
    checks.append(await _reachable(app, answer.status, first))
    checks.append(_clock(answer))
    if answer.status in (401, 403):
        text = f"the API does not accept the key with fingerprint {app.credential.fingerprint} ({answer.status})"
        return [*checks, Check("key", "problem", text, _NEW_KEY, {**seen, "accepted": False})]
    text = f"the key with fingerprint {app.credential.fingerprint} is accepted"
    if answer.status == 200:
        checks.append(Check("key", "ok", text, data={**seen, "accepted": True}))
    return [*checks, await _scopes(app)]


async def _timed(app: App) -> tuple[Response, float]:
    """The API's own tool list and how long it took, in ms, with connecting."""
    started = time.monotonic()
    answer = await app.ask_for_tools(app.credential)
    return answer, (time.monotonic() - started) * 1000


async def _reachable(app: App, status: int, first: float) -> Check:
    """Round trips over a connection that stands. A preflight request: it carries no key and costs the API next to nothing."""
    probe = Request("OPTIONS", app.base_url.rstrip("/") + "/_meta/tools")
    trips = []
    try:
        for _ in range(_PROBES):
            started = time.monotonic()
            await app.upstream.send(probe, {})
            trips.append((time.monotonic() - started) * 1000)
    except ToolError as error:
        text = f"{app.base_url} answered once ({status}) and then no more: {error.message}"
        return Check("reachable", "problem", text, error.hint or "try again; look at the network between here and there")
    middle = statistics.median(trips)
    data = {
        "base_url": app.base_url,
        "status": status,
        "first_ms": round(first, 1),
        "probes_ms": [round(t, 1) for t in trips],
        "median_ms": round(middle, 1),
    }
    text = (
        f"{app.base_url} answered {status} in {first:.0f} ms{', workspace made' if app.settings.sandbox else ''}; "
        f"then {_PROBES} round trips: median {middle:.1f} ms, worst {max(trips):.1f} ms"
    )
    if status >= 500 or status == 429:
        return Check("reachable", "problem", text, "the API is overloaded or down: try again in a minute", data)
    return Check("reachable", "ok", text, data=data)


def _clock(answer: Response) -> Check:
    """Our clock against the Date header of an answer that has just come; the header counts whole seconds."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return Check("clock", "skipped", "the API's answer tells no time to compare the clock with")
    skew = round((datetime.now(UTC) - theirs.astimezone(UTC)).total_seconds())
    data = {"skew_seconds": skew}
    if abs(skew) <= _SKEW_SECONDS:
        return Check("clock", "ok", f"the clock agrees with the API's, within {max(abs(skew), 1)} s", data=data)
    text = f"the clock of this machine is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} the API's"
    return Check("clock", "warning", text, "set it by network time (NTP): access tokens and certificates are judged by it", data)


async def _scopes(app: App) -> Check:
    registry = (await app.session()).registry
    scopes, effects = registry.policy.scopes, [tool.effect for tool in registry.visible.values()]
    by_effect = {kind: effects.count(kind) for kind in ("read", "write", "irreversible")}
    counted = f"{len(effects)} tools ({', '.join(f'{n} {kind}' for kind, n in by_effect.items())})"
    data = {"scopes": None if scopes is None else sorted(scopes), "tools": len(effects), **by_effect}
    if scopes is None:
        text = f"the key's scopes could not be read, so only reads are open: {counted}. {registry.policy.scopes_unknown_because}"
        return Check("scopes", "problem", text, "state them with --scopes (TRUSTPAGER_SCOPES)", data)
    if not scopes:
        text = "the key has no scope that opens a tool"
        return Check("scopes", "problem", text, "give the key scopes in the workspace's settings", data)
    return Check("scopes", "ok", f"{len(scopes)} scopes open {counted}", data=data)


async def _redis(app: App) -> Check:
    assert app.shared is not None
    started = time.monotonic()
    if reason := await app.shared.why_not_ready():
        return Check("redis", "problem", reason, "start Redis, or correct TRUSTPAGER_REDIS", {"reachable": False})
    elapsed = (time.monotonic() - started) * 1000
    return Check("redis", "ok", f"Redis answered in {elapsed:.1f} ms", data={"reachable": True, "ms": round(elapsed, 1)})
