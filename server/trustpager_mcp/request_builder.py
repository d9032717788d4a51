"""Valid arguments → one HTTP request, as plain data. No I/O, so every rule of the wire is testable alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .definitions import PATH_PLACEHOLDER, Parameter, Tool
from .errors import ArgumentsError

DEFAULT_BASE_URL = "https://api.trustpager.com/functions/v1/api/v1"
MAX_URL = 8_192
"""Characters; what servers on the way take."""
MAX_BODY = 8 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f]")
_PLACEHOLDER = re.compile(PATH_PLACEHOLDER + r"(?=/|$)")


@dataclass(frozen=True)
class Attachment:
    """One file of a multipart form."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """What would be sent. `json` is None when there is no JSON body; `query` keeps order and repeats for arrays.

    A multipart body is `form` (its plain fields) and `files`.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[Attachment, ...] = ()

    @property
    def full_url(self) -> str:
        """The URL with its query."""
        return f"{self.url}?{urlencode(self.query)}" if self.query else self.url

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.split("/", 3)[2]


def build(tool: Tool, arguments: dict[str, Any], base_url: str = DEFAULT_BASE_URL) -> Request:
    """The request of a call whose arguments are validated. Raises ArgumentsError for a value that no request can hold."""
    query: list[tuple[str, str]] = []
    body: dict[str, Any] = {}
    form: list[tuple[str, str]] = []
    files: list[Attachment] = []
    whole_body: Any = None
    path_values: dict[str, str] = {}
    for parameter in tool.parameters:
        if parameter.name not in arguments:
            continue
        value = arguments[parameter.name]
        if value is None and not parameter.nullable:
            continue
        if parameter.location == "path":
            path_values[parameter.wire] = path_segment(parameter, value)
        elif parameter.location == "query":
            query += [(parameter.wire, _text(v)) for v in (value if isinstance(value, list) else [value])]
        elif tool.body == "multipart" and parameter.wire == "file":
            files.append(attachment(parameter, _text(value)))
        elif tool.body == "multipart":
            form.append((parameter.wire, _text(value)))
        elif tool.body == "whole":
            whole_body = value
        else:
            _put(body, parameter.wire, value)
    if tool.body == "whole":
        content: Any = whole_body
    else:
        takes_body = tool.method in ("POST", "PUT", "PATCH") and tool.body == "object"
        content = body if body or takes_body else None
    return Request(tool.method, _url(tool, path_values, base_url), tuple(query), content, tuple(form), tuple(files))


def encoded_body(request: Request) -> bytes | None:
    """The JSON body as it is sent. Raises ArgumentsError for what JSON, or the API's database, cannot hold."""
    if request.json is None:
        return None
    try:
        content = json.dumps(request.json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise _unsendable("a text holds half of a Unicode character (a lone surrogate)") from None
    except RecursionError:
        raise _unsendable("the arguments are nested too deep") from None
    except ValueError as error:
        raise _unsendable(f"a number cannot be sent ({error})") from None
    if b"\\u0000" in content and _holds_nul(request.json):
        raise _unsendable("a text holds a NUL character")
    if len(content) > MAX_BODY:
        raise _unsendable(f"the arguments make {len(content):,} bytes; at most {MAX_BODY:,} can be sent")
    return content


def checked_url(request: Request) -> str:
    """The full URL. Raises ArgumentsError when it is longer than servers take or holds what no URL can."""
    try:
        url = request.full_url
    except UnicodeEncodeError:
        raise _unsendable("a text holds half of a Unicode character (a lone surrogate)") from None
    if len(url) > MAX_URL:
        raise _unsendable(f"the filters make a URL of {len(url):,} characters; at most {MAX_URL:,} can be sent")
    return url


def _unsendable(reason: str) -> ArgumentsError:
    return ArgumentsError(f"{reason}. Nothing was sent.", hint="Correct or shorten that argument and call again.")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(v) for pair in value.items() for v in pair)
    return isinstance(value, list) and any(_holds_nul(v) for v in value)


_IMAGES = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff": "jpeg", b"<svg": "svg+xml", b"<?xml": "svg+xml"}


def attachment(parameter: Parameter, value: str) -> Attachment:
    """A file from base64, a data URL or SVG text. Raises ArgumentsError for anything else."""
    import base64
    import binascii

    text = value.strip()
    try:
        content = text.encode() if text.startswith("<") else base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    kind = next((kind for start, kind in _IMAGES.items() if content.startswith(start)), None)
    if kind is None:
        raise ArgumentsError(
            f"{parameter.name}: got {value[:40]!r}, expected a PNG, WebP, JPEG or SVG image as base64, a data URL or SVG text. "
            "Nothing was sent.",
            hint="A path or address is not read: give the content itself.",
        )
    return Attachment(parameter.wire, f"upload.{kind.partition('+')[0]}", f"image/{kind}", content)


def path_segment(parameter: Parameter, value: Any) -> str:
    """One percent-encoded path segment: no slash, no dot segment, no empty one can leave it."""
    text = _text(value)
    if text in ("", ".", "..") or _CONTROL.search(text):
        raise ArgumentsError(f"{parameter.name}: {text!r} cannot stand in a path.", hint="Give the id as a read returned it.")
    return quote(text, safe="")


def _url(tool: Tool, values: dict[str, str], base_url: str) -> str:
    base = base_url.rstrip("/")
    path = _PLACEHOLDER.sub(lambda m: values[m.group(1)], tool.path)
    if path.startswith("https://"):
        return path if base == DEFAULT_BASE_URL else _origin(base) + urlsplit(path).path
    if tool.base == "functions":
        base = base.removesuffix("/api/v1")
        return base + path
    return base + path


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _put(body: dict[str, Any], wire: str, value: Any) -> None:
    *parents, last = wire.split(".")
    for parent in parents:
        # A copy: the parent may be an object that the caller gave.
        body[parent] = dict(body.get(parent) or {})
        body = body[parent]
    body[last] = value
