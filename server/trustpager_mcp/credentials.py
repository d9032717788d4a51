"""Who is calling: an API key and the headers it becomes. A key is never shown, only its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from .errors import NotAllowedError


@dataclass(frozen=True)
class Credential:
    """One caller's API key; None when there is none yet."""

    api_key: str | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """A short, stable name of the key that is safe to log."""
        return hashlib.sha256((self.api_key or "").encode()).hexdigest()[:12]

    def headers(self) -> dict[str, str]:
        """The bearer header. Raises NotAllowedError, with the ways out, when there is no key."""
        if not self.api_key:
            raise NotAllowedError(
                "there is no TrustPager API key, so nothing can be called.",
                code="NO_API_KEY",
                hint="Set TRUSTPAGER_API_KEY to a key from the workspace's settings, or start the server with --sandbox "
                "to work on a practice workspace without a key.",
            )
        if not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise NotAllowedError(
                "the API key holds characters that no key has (spaces, line breaks or non-ASCII).",
                code="BAD_API_KEY",
                hint="Copy the key again, without quotes or line breaks.",
            )
        return {"authorization": f"Bearer {self.api_key}"}
