"""What every way of telling callers apart has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Identity:
    """One caller: the API key that works for it, and bounds narrower than the server's own.

    `toolsets` None leaves the server's selection as it is. `subject` names the caller in logs; it is no secret.
    """

    api_key: str = field(repr=False)
    subject: str
    toolsets: frozenset[str] | None = None
    read_only: bool = False


class Unauthenticated(Exception):
    """The request is refused: `status` 401, 403 or 503, an OAuth `error` code, and a description for people.

    `scope` names what a 403 lacks; `retry_after` the seconds after which a 503 is worth another try.
    """

    def __init__(
        self, description: str, *, status: int = 401, error: str = "invalid_token", scope: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(description)
        self.description, self.status, self.error = description, status, error
        self.scope, self.retry_after = scope, retry_after


class IdentityProvider(Protocol):
    """Turns the headers of a request (names in lower case) into an identity. Raises Unauthenticated."""

    async def identify(self, headers: Mapping[str, str]) -> Identity: ...


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
