"""Multipart bodies: text fields as text, files as uploads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from .errors import ApiError, invalid


@dataclass(frozen=True)
class Upload:
    """A file that came with a multipart body."""

    name: str
    media_type: str
    content: bytes


def is_multipart(request: Request) -> bool:
    """Whether the request says that its body is multipart/form-data."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def form(request: Request, most_bytes: int) -> dict[str, Any]:
    """The fields of a multipart body. Raises 413 for a body that is too large and VALIDATION_ERROR for a malformed one."""
    from starlette.exceptions import HTTPException
    from starlette.formparsers import MultiPartException

    if len(await request.body()) > most_bytes:
        raise ApiError(413, "PAYLOAD_TOO_LARGE", f"the body is larger than {most_bytes // 1024 // 1024} MB")
    fields: dict[str, Any] = {}
    try:
        async with request.form(max_files=20, max_fields=100, max_part_size=most_bytes) as parsed:
            for name, value in parsed.multi_items():
                fields[name] = value if isinstance(value, str) else await _upload(value)
    except (HTTPException, MultiPartException, KeyError, ValueError):
        raise invalid("the body is no multipart/form-data that can be read") from None
    return fields


async def _upload(file: UploadFile) -> Upload:
    return Upload(file.filename or "upload", file.content_type or "application/octet-stream", await file.read())


def shown(body: Any) -> Any:
    """A body as JSON can tell it: files by name, type and size."""
    if not isinstance(body, dict) or not any(isinstance(v, Upload) for v in body.values()):
        return body
    return {
        k: {"file": v.name, "media_type": v.media_type, "size": len(v.content)} if isinstance(v, Upload) else v
        for k, v in body.items()
    }
