"""Rules of the reference that several groups share: metadata and tags."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from .errors import invalid
from .store import Record

DEFAULT_TAG_COLOR = "#3b82f6"


def check_metadata(fields: Record) -> None:
    """UUID-shaped keys at the root of metadata are rejected; quick links belong under quick_links."""
    for key in fields.get("metadata") or {}:
        try:
            UUID(key)
        except ValueError:
            continue
        raise invalid("metadata has a UUID-shaped key at its root; nest it under metadata.quick_links", field=f"metadata.{key}")


def normal_tags(tags: list[Any]) -> list[Record]:
    """Tags as objects: plain strings get the default colour."""
    objects = ({"name": tag} if isinstance(tag, str) else tag for tag in tags)
    return [{"name": tag["name"], "color": tag.get("color") or DEFAULT_TAG_COLOR} for tag in objects]
