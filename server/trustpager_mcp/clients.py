"""MCP clients on this machine: where each keeps its configuration, and how our entry in it looks."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
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


def entry(client: McpClient, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Our server as the client's configuration wants it; the command is absolute, since clients have a PATH of their own."""
    command = [str(own_command()), "serve", *arguments]
    return {
        **({"type": "stdio"} if client.typed else {}),
        "command": command[0],
        "args": command[1:],
        **({"env": environment} if environment else {}),
    }


def own_command() -> Path:
    """The console script of this installation."""
    beside = Path(sys.executable).with_name("trustpager-mcp.exe" if os.name == "nt" else "trustpager-mcp")
    found = beside if beside.exists() else shutil.which("trustpager-mcp")
    if not found:
        raise ConfigurationError("the command trustpager-mcp is not beside this Python and not on the PATH; install the package")
    return Path(found).absolute()


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
