"""Which tools one credential may see and call: upper bounds that compose, checked when listing and again when calling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from .catalog import Catalog, missing_scopes
from .credentials import SETTINGS, WORDS
from .definitions import Tool
from .errors import ConfigurationError, NotAllowedError, UnknownToolError


@dataclass(frozen=True)
class Policy:
    """What the operator allows. Everything here only narrows.

    `scopes` is what the credential holds; None means that nobody knows yet, and then reads are let through (the API
    has the last word) and writes wait; `scopes_unknown_because` says why nobody does. `toolsets` and `tools` are names;
    `allow` and `deny` are globs over tool names. `approvals` switches on the tools that approve or reject what was held
    back for a person. `tokens` are the kinds of token that the credential holds besides its key (portal_token, oauth_token).
    """

    scopes: frozenset[str] | None = None
    scopes_unknown_because: str = ""
    toolsets: frozenset[str] | None = None
    tools: frozenset[str] = frozenset()
    read_only: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    approvals: bool = False
    tokens: frozenset[str] = frozenset()
    within: frozenset[str] | None = None
    """The toolsets of one caller; None: all that the operator allows."""


@dataclass(frozen=True)
class Narrowing:
    """Bounds of one caller, within those of the server: only these toolsets (None: all of them), reads only."""

    toolsets: frozenset[str] | None = None
    read_only: bool = False


def narrowed(policy: Policy, bounds: Narrowing) -> Policy:
    """The policy within a caller's bounds; never wider."""
    return replace(policy, read_only=policy.read_only or bounds.read_only, within=bounds.toolsets)


def check_policy(policy: Policy, catalog: Catalog) -> None:
    """Raise ConfigurationError when the policy names a scope, toolset or tool that does not exist."""
    _all_known("scope", policy.scopes or (), catalog.scopes)
    _all_known("toolset", policy.toolsets or (), catalog.toolsets)
    _all_known("tool", policy.tools, catalog.tools)
    for switch, patterns in (("--allow", policy.allow), ("--deny", policy.deny)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in catalog.tools):
                near = catalog.nearest(pattern)
                raise ConfigurationError(f"{switch} {pattern!r} matches no tool." + _did_you_mean(near))


def _all_known(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    import difflib

    names = sorted(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            allowed = _did_you_mean(near) or f" Known: {', '.join(names[:12])} …"
            raise ConfigurationError(f"unknown {kind} {name!r}.{allowed}")


def _did_you_mean(names: list[str]) -> str:
    return f" Did you mean {' or '.join(names)}?" if names else ""


class Registry:
    """The catalogue as one credential sees it under one policy."""

    def __init__(self, catalog: Catalog, policy: Policy) -> None:
        check_policy(policy, catalog)
        self.catalog = catalog
        self.policy = policy
        self.visible: dict[str, Tool] = {n: t for n, t in catalog.tools.items() if self.refusal(t) is None}

    def refusal(self, tool: Tool) -> NotAllowedError | None:
        """Why the tool may not be called here, or None when it may."""
        policy = self.policy
        if policy.read_only and tool.effect != "read":
            return NotAllowedError(
                f"{tool.name} changes data and this server is read-only.",
                code="READ_ONLY",
                hint="Ask the operator to start the server without --read-only.",
            )
        selected = policy.toolsets is not None or bool(policy.tools)
        toolset = self.catalog.toolset_of[tool.name]
        if selected and toolset not in (policy.toolsets or ()) and tool.name not in policy.tools:
            return self._off(tool, f"the toolset {toolset} is not switched on (--tools)")
        if policy.within is not None and toolset not in policy.within:
            return self._off(tool, f"the toolset {toolset} is not open to this caller")
        if policy.allow and not any(fnmatchcase(tool.name, p) for p in policy.allow):
            return self._off(tool, "it is not on the operator's allow list")
        if any(fnmatchcase(tool.name, p) for p in policy.deny):
            return self._off(tool, "it is on the operator's deny list")
        if tool.approves and not policy.approvals:
            return self._off(tool, "approving what was held back for a person is a person's work; see --approvals")
        if tool.credential not in ("api_key", "none") and tool.credential not in policy.tokens:
            return self._off(
                tool, f"it needs the user's {WORDS[tool.credential]}, which this server does not hold", self._ways_to(tool)
            )
        if policy.scopes is None:
            if tool.effect == "read":
                return None
            return NotAllowedError(
                f"{tool.name} is held back: the scopes of this credential are not known yet.",
                code="SCOPES_UNKNOWN",
                hint=f"{self.policy.scopes_unknown_because or 'Nobody has asked the API for them.'} Check the key and the "
                "connection (`trustpager-mcp doctor`), or have the operator state the scopes with --scopes.",
            )
        if missing := missing_scopes(tool, policy.scopes):
            return NotAllowedError(
                f"{tool.name} is not available to this credential: it lacks the scope {', '.join(missing)}.",
                code="MISSING_SCOPE",
                hint="Ask the workspace's owner for a key with that scope; another tool will not get around it.",
                details={"missing_scopes": missing},
            )
        return None

    def _ways_to(self, tool: Tool) -> str:
        """How the credential that a tool lacks can be had."""
        granting = (t for t in self.catalog.tools.values() if t.grants == tool.credential and t.credential in self.policy.tokens)
        first = next((f"Call {t.name} first. " for t in granting), "")
        return f"{first}The operator can set {SETTINGS[tool.credential]}."

    @staticmethod
    def _off(tool: Tool, reason: str, hint: str = "") -> NotAllowedError:
        return NotAllowedError(f"{tool.name} is not available here: {reason}.", code="SWITCHED_OFF", hint=hint)

    @property
    def notice(self) -> str:
        """What an agent should know about this view of the catalogue; empty when there is nothing to say."""
        if self.policy.scopes is not None or self.policy.read_only:
            return ""
        because = self.policy.scopes_unknown_because
        return f"Only reads are available: the scopes of this credential are not known.{' ' + because if because else ''}"

    def get(self, name: str) -> Tool:
        """The tool, or UnknownToolError / NotAllowedError with the reason and the nearest names."""
        tool = self.visible.get(name)
        if tool is not None:
            return tool
        if (hidden := self.catalog.tools.get(name)) is not None and (refusal := self.refusal(hidden)) is not None:
            raise refusal
        near = self.catalog.nearest(name, self.visible)
        hint = f"Nearest: {', '.join(near)}." if near else "Use find_tools to look for one."
        raise UnknownToolError(f"there is no tool {name!r}.", hint=hint)


def everything(catalog: Catalog) -> Registry:
    """All tools, as a credential with every scope and token sees them where the operator allows everything."""
    return Registry(catalog, Policy(scopes=catalog.scopes, approvals=True, tokens=frozenset(WORDS)))
