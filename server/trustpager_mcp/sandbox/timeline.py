"""Entries that other groups leave on the records' timelines."""

from __future__ import annotations

from typing import Any

from .store import Record
from .world import World

LINKS = ("contact_id", "deal_id", "customer_id")


def log_activity(world: World, activity_type: str, subject: str, description: str | None = None, **fields: Any) -> Record:
    """An activity of its links (contact_id, deal_id, customer_id); an opportunity's last activity is now."""
    links = {name: fields.pop(name, None) for name in LINKS}
    content = {"activity_type": activity_type, "subject": subject, "description": description}
    record = world.fresh({**content, **links, **fields})
    world.store.add("activity", [record])
    if deal := world.store.get("opportunity", links["deal_id"] or ""):
        world.store.save("opportunity", {**deal, "last_activity_at": record["created_at"]})
    return record
