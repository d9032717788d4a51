"""Kept results as MCP resources: `trustpager://results/<handle>`, each credential its own."""

from __future__ import annotations

import base64
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from .results import ResultStore, StoredResult
from .results.store import UnknownResultError
from .shaping.untrusted import cleaned

SCHEME = "trustpager://results/"
_NOT_FOUND = -32602


def listed(store: ResultStore, owner: str) -> list[types.Resource]:
    """The owner's kept results, newest first."""
    return [
        types.Resource(
            uri=SCHEME + kept.handle,
            name=_name(kept),
            mime_type=_media_type(kept),
            size=len(kept.content),
        )
        for kept in store.list(owner)
    ]


def contents(store: ResultStore, owner: str, uri: str) -> types.ReadResourceResult:
    """A kept result whole: text cleaned of what cannot be seen, a file as bytes. Raises MCPError when there is none."""
    try:
        if not uri.startswith(SCHEME):
            raise MCPError(_NOT_FOUND, f"no resource {uri[:120]!r}; kept results are {SCHEME}<handle>")
        kept = store.get(owner, uri.removeprefix(SCHEME))
    except UnknownResultError as error:
        raise MCPError(_NOT_FOUND, f"{error.message} {error.hint}") from None
    content: types.TextResourceContents | types.BlobResourceContents
    if kept.kind == "file":
        blob = base64.b64encode(kept.content).decode()
        content = types.BlobResourceContents(uri=uri, mime_type=_media_type(kept), blob=blob)
    else:
        text = cleaned(kept.content.decode("utf-8", "replace"))[0]
        content = types.TextResourceContents(uri=uri, mime_type=_media_type(kept), text=text)
    return types.ReadResourceResult(contents=[content], ttl_ms=0, cache_scope="private")


def links(data: Any) -> list[types.ResourceLink]:
    """A link to the file that a result is about, if it kept one."""
    about = data.get("data") if isinstance(data, dict) else None
    if not isinstance(about, dict) or not str(about.get("resource", "")).startswith(SCHEME) or "file" not in about:
        return []
    return [
        types.ResourceLink(
            type="resource_link",
            uri=about["resource"],
            name=about["file"],
            mime_type=about.get("content_type") or None,
            size=about.get("bytes"),
        )
    ]


def _name(kept: StoredResult) -> str:
    return kept.name if kept.kind == "file" else f"{kept.name} ({kept.kind})"


def _media_type(kept: StoredResult) -> str:
    return kept.media_type or "application/octet-stream"
