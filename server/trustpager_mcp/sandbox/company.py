"""The workspace's own settings: one record that every group may read."""

from __future__ import annotations

from typing import Any

from .store import Record, Store

KIND, RECORD_ID = "company_settings", "settings"
_DEFAULTS: Record = {
    "company_name": "Brightside Home Energy", "company_slug": "brightside", "company_email": "hello@brightside.example",
    "timezone": "Australia/Sydney", "notetaker_enabled": True, "automation_error_notify_emails": [],
    "automation_error_notify_phones": [], "deal_tag_options": [],
}  # fmt: skip


def setting(store: Store, name: str) -> Any:
    """One setting: what was stored, else the default."""
    return {**_DEFAULTS, **(store.get(KIND, RECORD_ID) or {})}.get(name)


def set_settings(store: Store, **changes: Any) -> None:
    """Store settings beside those that are there."""
    known = store.get(KIND, RECORD_ID)
    if known is None:
        store.add(KIND, [{"id": RECORD_ID, **changes}])
    else:
        store.save(KIND, {**known, **changes})
