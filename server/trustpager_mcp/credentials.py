"""Who is calling: an API key, the tokens beside it, and the headers they become. None is ever shown, only a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from .errors import NotAllowedError

CredentialKind = Literal["api_key", "portal_token", "oauth_token", "none"]
SETTINGS = {"api_key": "TRUSTPAGER_API_KEY", "portal_token": "TRUSTPAGER_PORTAL_TOKEN", "oauth_token": "TRUSTPAGER_OAUTH_TOKEN"}
WORDS = {"api_key": "API key", "portal_token": "portal session token", "oauth_token": "Evie token (tp_oauth_...)"}


@dataclass(frozen=True)
class Credential:
    """One caller's API key, and the tokens that a few tools take in its place; None where there is none."""

    api_key: str | None = field(default=None, repr=False)
    portal_token: str | None = field(default=None, repr=False)
    oauth_token: str | None = field(default=None, repr=False)
    granted: str | None = field(default=None, repr=False, compare=False)
    """Evie's token that a call has brought meanwhile: it goes before `oauth_token`, and who calls stays the same."""

    @cached_property
    def fingerprint(self) -> str:
        """A short, stable name of the credential that is safe to log."""
        parts = [self.api_key or ""]
        if self.portal_token or self.oauth_token:
            parts += [self.portal_token or "", self.oauth_token or ""]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12]

    @property
    def tokens(self) -> frozenset[str]:
        """The kinds of token that are here besides the key."""
        return frozenset(kind for kind in ("portal_token", "oauth_token") if self._secret(kind))

    def _secret(self, kind: str) -> str | None:
        secret: str | None = getattr(self, kind)
        return self.granted or secret if kind == "oauth_token" else secret

    def headers(self, kind: CredentialKind = "api_key") -> dict[str, str]:
        """The bearer header; empty for an operation that takes no credential, so that no key leaves with it.

        Raises NotAllowedError, with the ways out, when what the operation needs is not there.
        """
        if kind == "none":
            return {}
        secret, word = self._secret(kind), WORDS[kind]
        if not secret:
            raise NotAllowedError(
                f"there is no TrustPager {word}, so nothing can be called.",
                code=f"NO_{kind.upper()}",
                hint=f"Set {SETTINGS[kind]}"
                + (
                    " to a key from the workspace's settings, or start the server with --sandbox to work on a practice workspace "
                    "without a key."
                    if kind == "api_key"
                    else "."
                ),
            )
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise NotAllowedError(
                f"the {word} holds characters that none has (spaces, line breaks or non-ASCII).",
                code=f"BAD_{kind.upper()}",
                hint="Copy it again, without quotes or line breaks.",
            )
        return {"authorization": f"Bearer {secret}"}
