"""TRUSTPAGER_* variables that no setting knows, or that are set but empty: errors, so that no switch is lost unseen."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import click

from ..errors import ConfigurationError

PREFIX = "TRUSTPAGER_"
NARROWING = ("READ_ONLY", "ALLOW", "DENY", "SCOPES", "TOOLS", "CONFIRM", "CREDIT_BUDGET", "AUDIT")
"""Settings whose loss would let more happen than the operator meant."""


def known_variables(group: click.Group) -> frozenset[str]:
    """Every variable that some option of some command reads."""
    named = (p.envvar for command in group.commands.values() for p in command.params)
    return frozenset(variable for variable in named if isinstance(variable, str))


def check_environment(environment: Mapping[str, str], known: Iterable[str], credential_store: str | None = None) -> None:
    """Raise ConfigurationError for an unknown TRUSTPAGER_* variable, or an empty one that would have narrowed something.

    A credential store `env:PREFIX` reads variables of its own.
    """
    kind, _, prefix = (credential_store or "").partition(":")
    names = sorted(known)
    for variable, value in sorted(environment.items()):
        if not variable.upper().startswith(PREFIX):
            continue
        if kind == "env" and prefix and variable.startswith(prefix):
            continue
        if variable not in names:
            near = difflib.get_close_matches(variable.upper(), names, n=2, cutoff=0.6)
            known_text = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names)}."
            raise ConfigurationError(f"the environment sets {variable}, which no setting knows. {known_text}")
        if not value.strip() and variable.removeprefix(PREFIX) in NARROWING:
            raise ConfigurationError(f"the environment sets {variable} to nothing. Give it a value, or do not set it.")
