"""Where an API key rests when it is not in a variable: a file that its owner alone can read, or the system's keyring.

A place is written `file:/path/to/key` or `keyring:name`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .errors import ConfigurationError

SERVICE = "trustpager-mcp"


def read_key(place: str) -> str:
    """The key at a place. Raises ConfigurationError, saying what to do, when there is none or others can read it."""
    kind, rest = _parts(place)
    if kind == "keyring":
        key = _keyring().get_password(SERVICE, rest)
        if not key:
            raise ConfigurationError(f"the keyring holds no key {rest!r} of {SERVICE}; run trustpager-mcp install again")
        return str(key)
    file = Path(rest).expanduser()
    try:
        mode = file.stat().st_mode
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the key file {file} cannot be read: {error}") from None
    if os.name != "nt" and mode & 0o077:
        raise ConfigurationError(f"the key file {file} can be read by others; run: chmod 600 {file}")
    if not key:
        raise ConfigurationError(f"the key file {file} is empty")
    return key


def keep_key(place: str, key: str) -> None:
    """Store a key at a place, for its owner alone. Raises ConfigurationError when that cannot be."""
    kind, rest = _parts(place)
    if kind == "keyring":
        _keyring().set_password(SERVICE, rest, key)
        return
    file = Path(rest).expanduser()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(key + "\n")
    os.replace(temporary, file)


def forget_key(place: str) -> bool:
    """Remove a key; whether there was one."""
    kind, rest = _parts(place)
    if kind == "keyring":
        ring = _keyring()
        if ring.get_password(SERVICE, rest) is None:
            return False
        ring.delete_password(SERVICE, rest)
        return True
    file = Path(rest).expanduser()
    existed = file.exists()
    file.unlink(missing_ok=True)
    return existed


def default_place(name: str) -> str:
    """The file for the key of a server entry: under XDG_CONFIG_HOME, APPDATA or ~/.config."""
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return f"file:{Path(base) if base else Path.home() / '.config'}/{SERVICE}/{name}.key"


def _parts(place: str) -> tuple[str, str]:
    kind, _, rest = place.partition(":")
    if kind not in ("file", "keyring") or not rest:
        raise ConfigurationError(f"{place!r} is no place for a key; give file:/path/to/key or keyring:name")
    return kind, rest


def _keyring() -> Any:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigurationError("the system's keyring needs the extra: pip install 'trustpager-mcp[keyring]'") from None
    try:
        backend = keyring.get_keyring()
    except KeyringError as error:
        raise ConfigurationError(f"the system's keyring cannot be opened: {error}") from None
    if backend.priority <= 0:
        raise ConfigurationError("this system has no keyring that keeps secrets; keep the key in a file (leave --keyring out)")
    return backend
