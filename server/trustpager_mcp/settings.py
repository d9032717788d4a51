"""Every setting of a running server in one place; the CLI fills it from options and TRUSTPAGER_* variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from urllib.parse import urlsplit

from .credits import Period
from .errors import ConfigurationError
from .gate import CONFIRM_MODES, MIN_SECRET, Confirm
from .request_builder import DEFAULT_BASE_URL

SANDBOX_MODEL_URL = "https://api.openai.com/v1"
SANDBOX_BASE_URL = "http://sandbox.local/functions/v1/api/v1"
SANDBOX_KEY = "tp_live_sandbox_full"
SANDBOX_PORTAL_TOKEN = "sandbox-portal-session"


@dataclass(frozen=True)
class Settings:
    """`scopes`: None asks the API, `("all",)` takes every scope as given. `scopes_ttl`: seconds after which the API is asked
    again.

    `sandbox_model_key`, `sandbox_model_url`, `sandbox_model`: the model that leads the sandbox's Evie, if any (docs/sandbox.md).
    `timeout` in seconds per request; a call with its retries may take 1.8 times that.
    `result_tokens` and `result_characters` bound one result. `timezone` is the IANA zone that moments are shown in (None:
    UTC). `downloads` is the directory that files may be saved to.
    `confirm`: who confirms irreversible calls; `confirm_secret` seals confirmations where replicas share them.
    `credit_budget`: credits that a credential may spend in a `credit_period`; None is no limit.
    `redis`: address of the Redis that replicas share their state in. `audit`: `off`, `stderr` or a file.
    docs/policy.md explains them.
    """

    api_key: str | None = field(default=None, repr=False)
    portal_token: str | None = field(default=None, repr=False)
    oauth_token: str | None = field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    sandbox: bool = False
    seed: int = 1
    db: str | None = None
    sandbox_model_key: str | None = field(default=None, repr=False)
    sandbox_model_url: str = SANDBOX_MODEL_URL
    sandbox_model: str | None = None
    tools: str = "core"
    scopes: tuple[str, ...] | None = None
    scopes_ttl: float = 300.0
    read_only: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    approvals: bool = False
    timeout: float = 30.0
    result_tokens: int = 8_000
    result_characters: int = 40_000
    timezone: str | None = None
    downloads: str | None = None
    confirm: Confirm = "client"
    confirm_secret: str | None = field(default=None, repr=False)
    credit_budget: float | None = None
    credit_period: Period = "run"
    redis: str | None = field(default=None, repr=False)
    audit: str = "off"
    audit_arguments: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError(f"the base URL {self.base_url!r} is no http(s) address like {DEFAULT_BASE_URL}")
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1", "sandbox.local")
        if parts.scheme == "http" and not loopback:
            raise ConfigurationError(f"the base URL {self.base_url!r} would send the API key unencrypted; use https")
        if self.db and not self.sandbox:
            raise ConfigurationError("a file for the workspace (--db) is the sandbox's; add --sandbox or leave it out")
        if not self.timeout > 0:
            raise ConfigurationError(f"the timeout is {self.timeout:g} s; give a positive number of seconds")
        if not 0 <= self.scopes_ttl < 1e6:
            raise ConfigurationError(f"scopes are remembered for {self.scopes_ttl:g} s; give 0 or a positive number of seconds")
        if self.result_tokens < 1_000 or self.result_characters < 4_000:
            raise ConfigurationError(
                f"a result of {self.result_tokens} tokens and {self.result_characters} characters is too small to say anything: "
                "give at least 1000 tokens and 4000 characters"
            )
        self._check_policy()

    def _check_policy(self) -> None:
        for name in ("scopes", "allow", "deny"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, (tuple, list)):
                raise ConfigurationError(f"{name} is {value!r}; give a tuple of names like ('contacts', 'tasks')")
        for name in ("sandbox", "read_only", "approvals", "audit_arguments"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}; give True or False")
        if self.confirm not in CONFIRM_MODES:
            raise ConfigurationError(f"confirm is {self.confirm!r}; give one of {', '.join(CONFIRM_MODES)}")
        if self.credit_period not in ("run", "day"):
            raise ConfigurationError(f"the credit period is {self.credit_period!r}; give run or day")
        if self.confirm_secret is not None and len(self.confirm_secret) < MIN_SECRET:
            raise ConfigurationError(f"the confirm secret has fewer than {MIN_SECRET} characters; give a long random one")
        if self.credit_budget is not None and not (isfinite(self.credit_budget) and self.credit_budget >= 0):
            raise ConfigurationError(f"the credit budget is {self.credit_budget:g}; give 0 or a positive number of credits")
