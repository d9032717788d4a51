"""MCP clients on this machine: where each keeps its configuration, and how our entry in it looks."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigurationError

ClientName = Literal["claude-desktop", "claude-code", "cursor", "vscode"]
_DESKTOP = {
    "Darwin": "Library/Application Support/Claude/claude_desktop_config.json",
    "Windows": "Claude/claude_desktop_config.json",
    "Linux": ".config/Claude/claude_desktop_config.json",
}
_VSCODE = {
    "Darwin": "Library/Application Support/Code/User/mcp.json",
    "Windows": "Code/User/mcp.json",
    "Linux": ".config/Code/User/mcp.json",
}


_FLEETING = (
    ("uvx", r"/(archive|environments|builds)-v\d+/", ["trustpager-mcp"]),
    ("pipx", r"/pipx/(\.cache/)?[0-9a-f]{12,}$", ["run", "trustpager-mcp"]),
)
"""Programs that run a package in an environment of their cache: how its folder reads, and how to run it again."""


@dataclass(frozen=True)
class McpClient:
    """One client program. `root` is the key under which its configuration lists servers."""

    name: ClientName
    title: str
    root: str
    typed: bool
    """Its entries carry `"type": "stdio"`."""
    afterwards: str

    def config_file(self) -> Path:
        """Where the client keeps the user's servers on this system."""
        if self.name == "claude-code":
            return Path.home() / ".claude.json"
        if self.name == "cursor":
            return Path.home() / ".cursor" / "mcp.json"
        paths = _DESKTOP if self.name == "claude-desktop" else _VSCODE
        system = platform.system()
        if system == "Windows":
            return Path(os.environ.get("APPDATA") or Path.home() / "AppData/Roaming") / paths[system]
        return Path.home() / paths.get(system, paths["Linux"])


CLIENTS: dict[str, McpClient] = {
    c.name: c
    for c in (
        McpClient("claude-desktop", "Claude Desktop", "mcpServers", False, "Quit Claude Desktop and open it again."),
        McpClient("claude-code", "Claude Code", "mcpServers", True, "Start a new session; `claude mcp list` shows the server."),
        McpClient("cursor", "Cursor", "mcpServers", False, "Cursor finds it at once; switch it on under Settings → MCP."),
        McpClient("vscode", "VS Code", "servers", True, "Run `MCP: List Servers` in VS Code and start it there."),
    )
}


@dataclass(frozen=True)
class Found:
    """An entry of this server in a client's configuration. It may hold a key: never show `config`."""

    client: McpClient
    file: Path
    name: str
    config: dict[str, Any] = field(repr=False)


Unreadable = tuple[ClientName, Path, ConfigurationError]
_PROJECT_FILES: dict[ClientName, str] = {"claude-code": ".mcp.json", "cursor": ".cursor/mcp.json", "vscode": ".vscode/mcp.json"}


def find_ours() -> tuple[list[Found], list[Unreadable]]:
    """The entries of this server in the user's and this folder's client configurations, and the files that cannot be read."""
    found: list[Found] = []
    unreadable: list[Unreadable] = []
    for client in CLIENTS.values():
        files = [client.config_file()]
        if client.name in _PROJECT_FILES:
            files.append(Path.cwd() / _PROJECT_FILES[client.name])
        for file in dict.fromkeys(files):
            try:
                config = read_config(file, client.root)
            except ConfigurationError as error:
                unreadable.append((client.name, file, error))
                continue
            lists = [config.get(client.root)]
            if client.name == "claude-code" and isinstance(projects := config.get("projects"), dict):
                lists += [p.get(client.root) for p in projects.values() if isinstance(p, dict)]
            for servers in lists:
                if isinstance(servers, dict):
                    found += [Found(client, file, name, e) for name, e in servers.items() if _is_ours(name, e)]
    return found, unreadable


def _is_ours(name: str, config: Any) -> bool:
    """By what it starts, or, over HTTP, by its name."""
    if not isinstance(config, dict):
        return False
    words = [config.get("command"), *(config.get("args") or [])]
    if any(isinstance(word, str) and "trustpager-mcp" in word for word in words):
        return True
    return "url" in config and "trustpager" in name.lower()


def entry(client: McpClient, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Our server as the client's configuration wants it; the command is absolute, since clients have a PATH of their own."""
    command = [*own_command(), "serve", *arguments]
    return {
        **({"type": "stdio"} if client.typed else {}),
        "command": command[0],
        "args": command[1:],
        **({"env": environment} if environment else {}),
    }


def own_command() -> list[str]:
    """The console script of this installation; run by uvx or `pipx run`, whose environments come and go, that same way again.

    Raises ConfigurationError where there is nothing that will still be there tomorrow.
    """
    for launcher, folder, words in _FLEETING:
        if re.search(folder, Path(sys.prefix).as_posix()):
            if path := shutil.which(launcher):
                return [str(Path(path).absolute()), *words]
            raise ConfigurationError(
                f"this runs in an environment that {launcher} will remove, and {launcher} is not on the PATH; install the "
                "package first: uv tool install trustpager-mcp, pipx install trustpager-mcp or pip install trustpager-mcp"
            )
    beside = Path(sys.executable).with_name("trustpager-mcp.exe" if os.name == "nt" else "trustpager-mcp")
    found = beside if beside.exists() else shutil.which("trustpager-mcp")
    if not found:
        raise ConfigurationError("the command trustpager-mcp is not beside this Python and not on the PATH; install the package")
    return [str(Path(found).absolute())]


def read_config(file: Path, root: str) -> dict[str, Any]:
    """The configuration that stands in a file; empty where there is none.

    Raises ConfigurationError for what is not plain JSON (comments are not kept by a rewrite, so such a file is left alone).
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{file} is not plain JSON ({error}), perhaps because of comments; it was left alone. "
            "Add the entry by hand: --print shows it."
        ) from None
    if not isinstance(config, dict) or not isinstance(config.get(root, {}), dict):
        raise ConfigurationError(f"{file} does not hold an object with an object {root!r}; it was left alone")
    return config


def with_entry(config: dict[str, Any], root: str, name: str, ours: dict[str, Any] | None) -> dict[str, Any]:
    """The configuration with our entry set, or, with None, removed; everything else as it was."""
    servers = {k: v for k, v in config.get(root, {}).items() if k != name or ours is not None}
    if ours is not None:
        servers[name] = ours
    return {**config, root: servers}


def backup(file: Path) -> Path | None:
    """A copy beside the file, named by the time; None where there is no file yet."""
    if not file.exists():
        return None
    copy = file.with_name(f"{file.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.bak")
    shutil.copy2(file, copy)
    return copy


def write_whole(file: Path, text: str, mode: int | None = None) -> None:
    """Replace a file at once, never half; a new one takes `mode`, an old one keeps its own (or takes `mode`)."""
    target = file.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = mode if mode is not None else target.stat().st_mode & 0o777 if target.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, kept)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
