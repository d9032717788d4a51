"""Bearer keys of the sandbox and the scopes that they hold."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ..definitions import Tool
from .errors import ApiError, forbidden

_SALES = ("contacts", "companies", "opportunities", "pipelines", "products", "activities", "tasks")


@dataclass(frozen=True)
class Key:
    """One key: its scopes, and whether its writes wait for a person's approval."""

    scopes: frozenset[str]
    approval: bool = False


class Keys:
    """The keys that the sandbox accepts."""

    def __init__(self, tools: list[Tool]) -> None:
        named = (s for t in tools for s in (*t.scopes, *(a.scope for a in t.also_needs)))
        every = frozenset(part.strip() for s in named for part in s.split("|"))
        sales = frozenset(f"{group}:{right}" for group in _SALES for right in ("read", "write"))
        self.system = Key(every)
        self._keys = {
            "tp_live_sandbox_full": self.system,
            "tp_live_sandbox_sales": Key(every & sales),
            "tp_live_sandbox_readonly": Key(frozenset(s for s in every if s.endswith(":read"))),
            "tp_live_sandbox_approval": Key(every, approval=True),
        }

    def create(self, scopes: list[str], approval: bool) -> str:
        """A new key with the given scopes."""
        key = "tp_live_sandbox_" + secrets.token_hex(8)
        self._keys[key] = Key(frozenset(scopes), approval)
        return key

    def authenticate(self, header: str | None, credential: str = "api_key") -> Key:
        """The key of an Authorization header; nobody's where a tool takes no credential. Raises 401 UNAUTHORIZED."""
        if credential == "none":
            return Key(frozenset())
        scheme, _, token = (header or "").partition(" ")
        key = self._keys.get(token.strip())
        if scheme.lower() != "bearer" or key is None:
            raise ApiError(401, "UNAUTHORIZED", "no valid API key; send it as Authorization: Bearer tp_live_...")
        return key


def missing_scopes(tool: Tool, key: Key) -> list[str]:
    """The scopes of a tool that the key lacks; `a | b` is satisfied by either."""
    missing = [s for s in tool.scopes if not {part.strip() for part in s.split("|")} & key.scopes]
    return [] if tool.any_scope and len(missing) < len(tool.scopes) else missing


def authorize(tool: Tool, key: Key) -> None:
    """Raise 403 FORBIDDEN when the key lacks a scope of the tool."""
    if missing := missing_scopes(tool, key):
        raise forbidden(*missing)
