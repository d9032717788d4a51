"""Who sends a request over HTTP, and whose API key works for them.

Three ways, one at a time: the caller's own API key, a client token of the operator's, an OAuth access token. Each turns the
headers of a request into an `Identity` or raises `Unauthenticated`.
"""

from .base import Identity, IdentityProvider, Unauthenticated, bearer_token

__all__ = ["Identity", "IdentityProvider", "Unauthenticated", "bearer_token"]
