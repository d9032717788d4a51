"""Bytes of files, and the links under which they are reached: public ones, and signed ones that expire."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import timedelta
from urllib.parse import quote

from .checks import moment
from .engine import Answer, File
from .errors import ApiError, not_found
from .store import Record, Store
from .world import World

DOWNLOAD_SECONDS, IMAGE_SECONDS, BUNDLE_SECONDS = 60, 600, 600


def put(store: Store, content_id: str, content: bytes) -> None:
    """Keep the bytes of a file under the id of its record, instead of earlier ones."""
    store.delete("file_content", content_id)
    store.add("file_content", [{"id": content_id, "base64": base64.b64encode(content).decode()}])


def get(store: Store, content_id: str) -> bytes | None:
    """The bytes of a file; None for an entry without contents."""
    record = store.get("file_content", content_id)
    return base64.b64decode(record["base64"]) if record else None


def remove(store: Store, content_id: str) -> None:
    store.delete("file_content", content_id)


def public_url(world: World, record: Record) -> str:
    """The link under which anyone reaches a public file."""
    return f"{world.origin}/functions/v1/public/files/{record['id']}/{quote(record['name'], safe='')}"


def signed_url(world: World, content_id: str, name: str, media_type: str, seconds: int) -> tuple[str, str]:
    """A link that reaches the bytes for so many seconds, and when it expires."""
    now = world.clock.now()
    for old in world.store.all("signed_url"):
        # An hour longer than it works, so that a late caller learns that the link has expired.
        if (at := moment(old["expires_at"])) is not None and at < now - timedelta(hours=1):
            world.store.delete("signed_url", old["id"])
    expires_at = (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    token = secrets.token_urlsafe(24)
    link = {"id": token, "content_id": content_id, "name": name, "media_type": media_type, "expires_at": expires_at}
    world.store.add("signed_url", [link])
    return f"{world.origin}/functions/v1/public/signed/{token}/{quote(name, safe='')}", expires_at


def withdraw_links(store: Store, content_id: str) -> None:
    """End the signed links to bytes that no longer lie where they point."""
    for link in store.all("signed_url", content_id=content_id):
        store.delete("signed_url", link["id"])


def serve_signed(world: World, token: str) -> Answer:
    """The bytes behind a signed link. Raises 403 URL_EXPIRED, or 404 NOT_FOUND when link or file are gone."""
    link = world.store.get("signed_url", token)
    if link is None:
        raise ApiError(404, "NOT_FOUND", "there is no such link")
    expires = moment(link["expires_at"])
    if expires is None or world.clock.now() >= expires:
        raise ApiError(403, "URL_EXPIRED", f"the link expired at {link['expires_at']}; ask for another")
    return _answer(world.store, link["content_id"], link["name"], link["media_type"])


def serve_public(world: World, file_id: str) -> Answer:
    """The bytes of a file or image variant that is public. Raises 404 NOT_FOUND for any other."""
    variant = world.store.get("image_variant", file_id)
    owner = (variant or {}).get("file_id") or file_id
    record = find(world.store, owner)
    if variant is not None and (variant["file_id"] is None or (record is not None and is_public(record))):
        return _answer(world.store, file_id, variant["name"], "image/webp")
    if record is None or not is_public(record):
        raise ApiError(404, "NOT_FOUND", "there is no public file under this link")
    return _answer(world.store, file_id, record["name"], record.get("mime_type") or "application/octet-stream")


def find(store: Store, file_id: str) -> Record | None:
    """A file of any type: those uploaded, and the library's documents."""
    return store.get("file", file_id) or store.get("document", file_id)


def kind_of(store: Store, file_id: str) -> str:
    """The kind under which the store holds a file."""
    return "file" if store.get("file", file_id) else "document"


def type_of(record: Record) -> str:
    """document, image or secure: the library's documents are of type document."""
    return str(record.get("type") or "document")


def is_public(record: Record) -> bool:
    """Images are public unless they were made private, the others only once they were published."""
    return not record.get("is_private") if type_of(record) == "image" else bool(record.get("is_published"))


def of_url(world: World, url: str) -> bytes | None:
    """The bytes behind one of the sandbox's own public links; None for any other."""
    match = re.search(r"/functions/v1/public/files/([\w-]+)/", url)
    try:
        found = serve_public(world, match[1]).file if match else None
    except ApiError:
        return None
    return found.content if found else None


def header_name(name: str) -> str:
    """A file name that a header can carry."""
    return re.sub(r"[^\w. ()-]", "_", name, flags=re.ASCII).strip() or "file"


def _answer(store: Store, content_id: str, name: str, media_type: str) -> Answer:
    content = get(store, content_id)
    if content is None:
        raise not_found("contents of", content_id)
    # A type that a header cannot carry is no type.
    known = (
        media_type
        if re.fullmatch(r"[\w.+-]+/[\w.+-]+(; ?[\w=\"-]+)*", media_type, flags=re.ASCII)
        else "application/octet-stream"
    )
    return Answer(file=File(content, known, header_name(name)))
