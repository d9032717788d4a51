"""How the HTTP transport listens and whom it lets in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from ...identity.oauth import OAuthSettings
from .logs import LogFormat

_MIN_TOKEN = 16
ConsoleMode = Literal["auto", "on", "off"]
CONSOLE_MODES: tuple[ConsoleMode, ...] = ("auto", "on", "off")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class HttpOptions:
    """`allowed_hosts` and `allowed_origins` are accepted besides loopback; `public_url` is the address that clients use.

    Callers: by default their own API key, in `key_header` or as a bearer token (on loopback the configured key serves
    those who bring none); with `client_tokens` a token of the operator's; with `oauth` an access token, whose subject
    `credential_store` maps to a key.

    `console`: the page for people at `/`; `auto` shows it on loopback, to callers who use a loopback name. It opens to who
    brings `console_token`; without one there is no page.

    `metrics_token` opens /metrics to who brings it; without one it is open on loopback only. At shutdown the server is not
    ready for `drain_delay_seconds` while it still takes requests, then calls in flight have `drain_seconds` to end.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    key_header: str = "x-api-key"
    client_tokens: Path | None = None
    oauth: OAuthSettings | None = None
    credential_store: str | None = None
    drain_seconds: int = 60
    drain_delay_seconds: int = 0
    metrics_token: str | None = field(default=None, repr=False)
    log_format: LogFormat = "text"
    console: ConsoleMode = "auto"
    console_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, token in (("metrics", self.metrics_token), ("console", self.console_token)):
            if token is not None and (len(token) < _MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
                raise ConfigurationError(f"the {name} token needs {_MIN_TOKEN} or more printable ASCII characters without spaces")
        self._check_console()
        if self.client_tokens and self.oauth:
            raise ConfigurationError("--client-tokens and --oauth-issuer are two ways to tell callers apart; choose one")
        if bool(self.oauth) != bool(self.credential_store):
            raise ConfigurationError("--oauth-issuer needs --credential-store, and the other way round")
        for origin in self.allowed_origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or origin.endswith("*"):
                raise ConfigurationError(
                    f"the origin {origin!r} must be a scheme and host like https://app.example, without a path"
                )
        for name in self.allowed_hosts:
            if "/" in name or "*" in name:
                raise ConfigurationError(f"the host {name!r} must be a host name, with its port if it is not 80 or 443")

    def _check_console(self) -> None:
        if self.console not in CONSOLE_MODES:
            raise ConfigurationError(f"console is {self.console!r}; give one of {', '.join(CONSOLE_MODES)}")
        if self.is_loopback:
            return
        if self.console == "on" and not self.console_token:
            raise ConfigurationError(f"the console on {self.host} needs an operator's token: give --console-token")
        if self.console == "auto" and self.console_token:
            raise ConfigurationError(f"a console token is given, and on {self.host} the console is off: add --console on")

    @property
    def shows_console(self) -> bool:
        """Whether there is a console, for who brings its token."""
        return self.console == "on" or (self.console == "auto" and self.is_loopback)

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def is_local(self, headers: Mapping[str, str]) -> bool:
        """Bound to loopback, asked by a loopback name, and not through a proxy that would show it to its own callers."""
        return self.is_loopback and headers.get("host") in self.local_hosts and not any(name in headers for name in _FORWARDED)

    @property
    def hosts(self) -> list[str]:
        """Every Host header that is accepted."""
        return [*self.allowed_hosts, *self.local_hosts]

    @property
    def local_hosts(self) -> list[str]:
        """The Host headers of callers on this machine."""
        return [f"{h}:{self.port}" for h in ("127.0.0.1", "localhost", "[::1]")]

    @property
    def origins(self) -> list[str]:
        """Every Origin header that is accepted; requests without one come from no browser and pass."""
        local = (f"http://{h}" for h in self.local_hosts)
        return [*self.allowed_origins, *(f"https://{h}" for h in self.allowed_hosts), *local]
