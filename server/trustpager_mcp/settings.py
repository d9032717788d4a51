"""Every setting of a running server in one place; the CLI fills it from options and TRUSTPAGER_* variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .request_builder import DEFAULT_BASE_URL

SANDBOX_BASE_URL = "http://sandbox.local/functions/v1/api/v1"
SANDBOX_KEY = "tp_live_sandbox_full"


@dataclass(frozen=True)
class Settings:
    """`scopes`: None asks the API, `("all",)` takes every scope as given. `timeout` in seconds per call."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    sandbox: bool = False
    seed: int = 1
    db: str | None = None
    tools: str = "core"
    scopes: tuple[str, ...] | None = None
    read_only: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    approvals: bool = False
    timeout: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError(f"the base URL {self.base_url!r} is no http(s) address like {DEFAULT_BASE_URL}")
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1", "sandbox.local")
        if parts.scheme == "http" and not loopback:
            raise ConfigurationError(f"the base URL {self.base_url!r} would send the API key unencrypted; use https")
        if self.db and not self.sandbox:
            raise ConfigurationError("a file for the workspace (--db) is the sandbox's; add --sandbox or leave it out")
        if self.timeout <= 0:
            raise ConfigurationError(f"the timeout is {self.timeout:g} s; give a positive number of seconds")
