"""What several groups need to know of the workspace's own company and of its settings."""

from __future__ import annotations

from typing import Any

from .store import Record, Store

COMPANY, SETTINGS = "own_company", "company_settings"
"""The kinds of record, of which there is one each: the profile, and the CRM's settings."""
# Settings that are fields of the profile.
_OF_COMPANY = {"company_name": "name", "company_slug": "slug", "company_email": "contact_email", "timezone": "timezone"}
_DEFAULTS: Record = {
    "company_name": "Brightside Home Energy", "company_slug": "brightside-home-energy",
    "company_email": "hello@brightside.example", "timezone": "Australia/Sydney", "notetaker_enabled": True,
    "automation_error_notify_emails": [], "automation_error_notify_phones": [], "deal_tag_options": [],
}  # fmt: skip


def setting(store: Store, name: str) -> Any:
    """One setting: what was stored, else the default."""
    stored = next(iter(store.all(COMPANY if name in _OF_COMPANY else SETTINGS)), {})
    return stored.get(_OF_COMPANY.get(name, name), _DEFAULTS[name])
