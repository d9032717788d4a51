"""Rules of the reference that several groups share: phone numbers, metadata, tags."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from .errors import invalid
from .store import Record

DEFAULT_TAG_COLOR = "#3b82f6"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
# Australian numbers: 4 and 5 begin mobiles, 2, 3, 7 and 8 landlines of the four areas.
_AU_LANDLINE = re.compile(r"\+61[2378]\d{8}")


def check_phones(fields: Record) -> None:
    """`phone` must be an E.164 mobile, `landline` an E.164 number (reference: POST /contacts, /companies)."""
    for name in ("phone", "landline"):
        number = fields.get(name)
        if number is None:
            continue
        if not isinstance(number, str) or not _E164.fullmatch(number):
            raise invalid(f"{name} must be in E.164 format, like +61412345678", field=name)
        if name == "phone" and _AU_LANDLINE.fullmatch(number):
            raise invalid("phone must be a mobile number; put landlines into the landline field", field="phone")


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
    return [
        {"name": tag, "color": DEFAULT_TAG_COLOR} if isinstance(tag, str) else {"color": DEFAULT_TAG_COLOR, **tag}
        for tag in tags
    ]
