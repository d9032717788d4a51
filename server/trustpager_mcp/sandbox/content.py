"""Bytes that the workspace keeps and serves under a public link of its own: generated images, audio and the like."""

from __future__ import annotations

import base64
from uuid import uuid4

from .engine import Answer, File
from .errors import not_found
from .world import World


def put(world: World, content: bytes, media_type: str, name: str) -> str:
    """Keep bytes; the link under which anyone reaches them."""
    record = {"id": str(uuid4()), "media_type": media_type, "name": name, "base64": base64.b64encode(content).decode()}
    world.store.add("content", [record])
    return f"{world.origin}/functions/v1/public/content/{record['id']}/{name}"


def get(world: World, content_id: str) -> Answer:
    """The bytes as a file. Raises 404 NOT_FOUND."""
    record = world.store.get("content", content_id)
    if record is None:
        raise not_found("content", content_id)
    return Answer(file=File(base64.b64decode(record["base64"]), record["media_type"], record["name"]))


def of_url(world: World, url: str) -> bytes | None:
    """The bytes behind one of the sandbox's own links; None for any other link, since nothing is fetched from elsewhere."""
    _, found, rest = url.partition("/functions/v1/public/content/")
    record = world.store.get("content", rest.split("/")[0]) if found else None
    return base64.b64decode(record["base64"]) if record else None
