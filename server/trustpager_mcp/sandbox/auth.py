"""Bearer keys of the sandbox and the scopes that they hold."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ..definitions import Tool
from .errors import ApiError, forbidden
from .store import Record, Store

_SALES = ("contacts", "companies", "opportunities", "pipelines", "products", "activities", "tasks")


PORTAL_SESSION = "sandbox-portal-session"
_WANTED = {
    "api_key": "no valid API key; send it as Authorization: Bearer tp_live_...",
    "oauth_token": "no valid token; POST /evie-grant gives one, to be sent as Authorization: Bearer tp_oauth_...",
    "portal_token": f"no valid portal session; the sandbox's is Authorization: Bearer {PORTAL_SESSION}",
}


@dataclass(frozen=True)
class Key:
    """Who calls: the scopes held, and whether writes wait for a person's approval.

    `name` tells keys apart without giving them away; `user_id` is the person behind a session or a token.
    """

    scopes: frozenset[str]
    approval: bool = False
    name: str = "system"
    user_id: str | None = None


class Keys:
    """The credentials that the sandbox accepts. Those made by hand and those granted are kept in the store."""

    def __init__(self, tools: list[Tool], store: Store) -> None:
        named = (s for t in tools for s in (*t.scopes, *(a.scope for a in t.also_needs)))
        every = frozenset(part.strip() for s in named for part in s.split("|"))
        sales = frozenset(f"{group}:{right}" for group in _SALES for right in ("read", "write"))
        self.system = Key(every)
        self._store = store
        self._keys = {
            "tp_live_sandbox_full": Key(every, name="full"),
            "tp_live_sandbox_sales": Key(every & sales, name="sales"),
            "tp_live_sandbox_readonly": Key(frozenset(s for s in every if s.endswith(":read")), name="readonly"),
            "tp_live_sandbox_approval": Key(every, approval=True, name="approval"),
        }

    def create(self, scopes: list[str], approval: bool) -> str:
        """A new key with the given scopes."""
        key = "tp_live_sandbox_" + secrets.token_hex(8)
        made: Record = {"id": key, "scopes": sorted(set(scopes)), "approval": approval, "name": f"key ...{key[-4:]}"}
        self._store.add("made_key", [made])
        return key

    def change(self, key: str, scopes: list[str]) -> bool:
        """Give a key that was made by hand other scopes. Whether there is such a key."""
        made = self._store.get("made_key", key)
        if made is None:
            return False
        self._store.save("made_key", {**made, "scopes": sorted(set(scopes))})
        return True

    def authenticate(self, header: str | None, credential: str = "api_key") -> Key:
        """The caller of an Authorization header, for the kind of credential that a tool takes. Raises 401 UNAUTHORIZED.

        The tokens that Evie gets work like API keys, too.
        """
        if credential == "none":
            return Key(frozenset(), name="anyone")
        scheme, _, token = (header or "").partition(" ")
        found = self._find(token.strip(), credential) if scheme.lower() == "bearer" else None
        if found is None:
            raise ApiError(401, "UNAUTHORIZED", _WANTED[credential])
        return found

    def _find(self, token: str, credential: str) -> Key | None:
        if credential == "portal_token":
            return self._portal_user(token)
        granted = self._store.get("granted_token", token)
        if granted is not None:
            return Key(frozenset(granted["scopes"]), name=f"user {granted['user_id']}", user_id=granted["user_id"])
        if credential == "oauth_token":
            return None
        made = self._store.get("made_key", token)
        if made is not None:
            return Key(frozenset(made["scopes"]), made["approval"], made["name"])
        return self._keys.get(token)

    def _portal_user(self, token: str) -> Key | None:
        """`sandbox-portal-session` is the session of the first team member, with `:<user id>` that of another."""
        session, _, user_id = token.partition(":")
        if session != PORTAL_SESSION:
            return None
        users = self._store.all("user")
        user = self._store.get("user", user_id) if user_id else users[-1] if users else None
        return Key(self.system.scopes, name="portal", user_id=user["id"]) if user else None


def missing_scopes(tool: Tool, key: Key) -> list[str]:
    """The scopes of a tool that the key lacks; `a | b` is satisfied by either."""
    missing = [s for s in tool.scopes if not {part.strip() for part in s.split("|")} & key.scopes]
    return [] if tool.any_scope and len(missing) < len(tool.scopes) else missing


def authorize(tool: Tool, key: Key) -> None:
    """Raise 403 FORBIDDEN when the key lacks a scope of the tool."""
    if missing := missing_scopes(tool, key):
        raise forbidden(*missing)
