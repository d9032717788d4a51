"""MCP clients on this machine that are set up for this server: does what their configuration says start, and answer?"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

import anyio

from ...clients import Found, find_ours
from ...errors import ConfigurationError
from ...key_store import read_key
from ...redaction import one_line, without_secrets
from ...version import __version__
from .checks import Check

_SECONDS = 60.0
"""Time for a server to start and list its tools: uvx may have to fetch the package first."""


async def client_checks() -> list[Check]:
    """One check for each entry of ours and for each configuration that cannot be read; where there is none, one saying so."""
    found, unreadable = find_ours()
    checks = [
        Check("client", "warning", str(error), "look at its entry of this server by hand", {"client": name, "file": str(file)})
        for name, file, error in unreadable
    ]
    done: dict[str, tuple[str, str | None, dict[str, Any]]] = {}
    for entry in found:
        checks.append(await _entry(entry, done))
    if not checks:
        text = "no MCP client on this machine is set up for this server"
        return [Check("client", "skipped", f"{text}; trustpager-mcp install CLIENT connects one")]
    return checks


async def _entry(found: Found, done: dict[str, tuple[str, str | None, dict[str, Any]]]) -> Check:
    what = f"{found.client.title}: {found.name!r} in {found.file}"
    data: dict[str, Any] = {"client": found.client.name, "file": str(found.file), "name": found.name}
    again = f"trustpager-mcp install {found.client.name}" + ("" if found.name == "trustpager" else f" --name {found.name}")
    config = found.config
    if isinstance(config.get("url"), str):
        return await _over_http(what, config["url"], data)
    command, arguments, environment = config.get("command"), config.get("args") or [], config.get("env") or {}
    if not isinstance(command, str) or not _strings(arguments) or not _strings(environment):
        return Check("client", "problem", f"{what} is no command with arguments and variables", again, data)
    data["command"] = command
    path = shutil.which(command)
    if path is None:
        return Check("client", "problem", f"{what} starts {command}, which {_why_not(command)}", again, data)
    if place := environment.get("TRUSTPAGER_API_KEY_FROM"):
        try:
            read_key(place)
        except ConfigurationError as error:
            return Check("client", "problem", f"{what}: {error}", again, data)
    key = repr((path, arguments, sorted(environment.items())))
    if key not in done:
        done[key] = await _started(path, arguments, environment)
    problem, fix, answer = done[key]
    data |= answer
    if problem:
        return Check("client", "problem", f"{what}: {problem}", fix or again, data)
    text = f"{what} starts, and lists {answer['tools']} tools"
    if answer["version"] != __version__:
        text = f"{text}, but it is version {answer['version']} and this one is {__version__}"
        return Check("client", "warning", text, again, data)
    if "TRUSTPAGER_API_KEY" in environment:
        return Check("client", "warning", f"{text}; its key stands in that file in the open", again, data)
    return Check("client", "ok", text, data=data)


async def _started(path: str, arguments: list[str], environment: dict[str, str]) -> tuple[str, str | None, dict[str, Any]]:
    """Start what the client would start, shake hands and list the tools: what is wrong, its fix if known, and what was seen."""
    from mcp import StdioServerParameters
    from mcp.client import Client
    from mcp.client.stdio import stdio_client

    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        parameters = StdioServerParameters(command=path, args=arguments, env=environment, cwd=Path.home())
        try:
            with anyio.fail_after(_SECONDS):
                async with Client(stdio_client(parameters, errlog=said)) as client:
                    tools = (await client.list_tools()).tools
                    info = client.server_info
        except TimeoutError:
            return f"it did not answer within {_SECONDS:g} s. {_last_words(said)}", None, {}
        except Exception as error:  # whatever a foreign program does is told, not raised
            return f"it does not answer as an MCP server ({_root(error)}). {_last_words(said)}".strip(), None, {}
    return "", None, {"version": info.version if info else None, "tools": len(tools)}


async def _over_http(what: str, url: str, data: dict[str, Any]) -> Check:
    import httpx

    shown = data["url"] = without_secrets(url)
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            status = (await client.get(url)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        fix = "start the server: trustpager-mcp serve --transport http"
        return Check("client", "problem", f"{what}: nothing answers at {shown} ({type(error).__name__})", fix, data)
    # A server of ours answers GET with 405, or 401 where it wants a credential first.
    if status in (401, 405):
        return Check("client", "ok", f"{what}: a server answers at {shown}", data=data)
    return Check(
        "client", "warning", f"{what}: {shown} answers {status}, as no MCP server of ours does", "look at the address", data
    )


def _why_not(command: str) -> str:
    if os.path.lexists(command):
        return "cannot be executed"
    return "does not exist" if os.sep in command else "is not on the PATH"


def _strings(value: Any) -> bool:
    """A list of strings, or an object whose values are strings."""
    values = value.values() if isinstance(value, dict) else value
    return isinstance(value, list | dict) and all(isinstance(v, str) for v in values)


def _root(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _last_words(said: IO[str]) -> str:
    """The last line that the program wrote to standard error, without secrets."""
    said.seek(0)
    lines = [line.strip() for line in said.read()[-4_000:].splitlines() if line.strip()]
    return f"It says: {without_secrets(one_line(lines[-1], 200))}" if lines else ""
