"""How an action can end other than well."""

from __future__ import annotations


class Failed(Exception):
    """The action could not be done; the text says why."""


class Skipped(Exception):
    """The action was rightly not done (an opt-out); the text says why."""
