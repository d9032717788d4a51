"""Callers with an OAuth 2.1 access token; this server is the resource server (RFC 9728), not the one that issues tokens.

A token is accepted when its signature fits the issuer's keys, and issuer, audience, expiry and scopes are right. Its subject
chooses the API key; the token itself goes nowhere else. What the protocol says about that stands in docs/security.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from .base import Identity, Unauthenticated, bearer_token
from .credential_store import CredentialStore, StoreUnavailable

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
READ, WRITE = "trustpager:read", "trustpager:write"
TOOLSET = "trustpager:toolset:"
_LEEWAY = 30
_KEYS_SECONDS = 300.0
_FETCH_SECONDS = 10.0
Fetch = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class OAuthSettings:
    """`issuer` and `audience` as the tokens name them (the audience is this server's own address); `jwks_url` of its keys."""

    issuer: str
    audience: str
    jwks_url: str

    def __post_init__(self) -> None:
        for name, url in (("issuer", self.issuer), ("jwks-url", self.jwks_url)):
            host = url.partition("://")[2].partition("/")[0].partition(":")[0]
            if not url.startswith("https://") and not (url.startswith("http://") and host in ("127.0.0.1", "localhost", "[")):
                raise ConfigurationError(f"--oauth-{name} is {url!r}; it must be an https address")


class OAuth:
    """Verifies access tokens with the issuer's published keys, fetched when first needed and when an unknown one is named."""

    def __init__(self, settings: OAuthSettings, store: CredentialStore, known_toolsets: frozenset[str], fetch: Fetch) -> None:
        self.settings = settings
        self._store, self._known_toolsets, self._fetch = store, known_toolsets, fetch
        self._keys: Any = None
        self._fetched_at = float("-inf")

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        token = bearer_token(headers)
        if not token:
            raise Unauthenticated("no access token: send one as a bearer token", error="invalid_request")
        claims = await self._claims(token)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Unauthenticated("the token names no subject")
        toolsets, read_only = self._bounds(claims)
        try:
            key = await self._store.api_key(subject)
        except StoreUnavailable as error:
            raise Unauthenticated(str(error), status=503, error="temporarily_unavailable", retry_after=5) from None
        if not key:
            raise Unauthenticated("nobody has connected this account to a TrustPager key", status=403, error="access_denied")
        return Identity(key, f"oauth:{subject}", toolsets, read_only)

    def _bounds(self, claims: dict[str, Any]) -> tuple[frozenset[str] | None, bool]:
        """Scopes narrow: read or write at all, and, where toolset scopes are given, only those toolsets."""
        text = claims.get("scope", claims.get("scp", ""))
        scopes = set(text if isinstance(text, list) else str(text).split())
        if not scopes & {READ, WRITE}:
            raise Unauthenticated(
                f"the token needs the scope {READ} or {WRITE}", status=403, error="insufficient_scope", scope=READ
            )
        named = {s.removeprefix(TOOLSET) for s in scopes if s.startswith(TOOLSET)}
        toolsets = frozenset(named & self._known_toolsets) if named else None
        return toolsets, WRITE not in scopes

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=self.settings.audience, issuer=self.settings.issuer,
                leeway=_LEEWAY, options={"require": ["exp", "iss", "aud", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated(f"the token is not meant for {self.settings.audience}") from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated(f"the token is not from {self.settings.issuer}") from None
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid ({type(error).__name__})") from None
        return claims

    async def _key(self, kid: str) -> Any:
        """The issuer's key of an id; fetched anew for an unknown one, but not more often than every few seconds."""
        import time

        import jwt

        age = time.monotonic() - self._fetched_at
        if self._keys is None or age > _KEYS_SECONDS or (age > _FETCH_SECONDS and not _named(self._keys, kid)):
            try:
                self._keys = jwt.PyJWKSet.from_dict(await self._fetch(self.settings.jwks_url))
            except jwt.PyJWTError as error:
                raise _unavailable(type(error).__name__) from None
            except Exception as error:
                if self._keys is None:
                    raise _unavailable(type(error).__name__) from None
            self._fetched_at = time.monotonic()
        found = _named(self._keys, kid)
        if found is None:
            raise Unauthenticated("the token is signed with a key that the issuer does not publish")
        return found


def protected_resource(settings: OAuthSettings, toolsets: frozenset[str]) -> dict[str, Any]:
    """The document at /.well-known/oauth-protected-resource (RFC 9728)."""
    return {
        "resource": settings.audience,
        "authorization_servers": [settings.issuer],
        "scopes_supported": [READ, WRITE, *(TOOLSET + t for t in sorted(toolsets))],
        "bearer_methods_supported": ["header"],
        "resource_name": "TrustPager MCP",
    }


def _named(keys: Any, kid: str) -> Any:
    usable = [k for k in keys.keys if k.public_key_use in (None, "sig")]
    if not kid and len(usable) == 1:
        return usable[0]
    return next((k for k in usable if k.key_id == kid), None)


def _unavailable(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"the issuer's keys could not be read ({reason}); try again", status=503, error="temporarily_unavailable", retry_after=5
    )
