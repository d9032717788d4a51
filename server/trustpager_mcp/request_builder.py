"""Valid arguments → one HTTP request, as plain data. No I/O, so every rule of the wire is testable alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .definitions import PATH_PLACEHOLDER, Parameter, Tool
from .errors import ArgumentsError

DEFAULT_BASE_URL = "https://api.trustpager.com/functions/v1/api/v1"


@dataclass(frozen=True)
class Request:
    """What would be sent. `json` is None when there is no body; `query` keeps order and repeats for arrays."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    files: tuple[tuple[str, str], ...] = ()


def build(tool: Tool, arguments: dict[str, Any], base_url: str = DEFAULT_BASE_URL) -> Request:
    """The request of a call whose arguments are validated. Raises ArgumentsError for a value no path can hold."""
    query: list[tuple[str, str]] = []
    body: dict[str, Any] = {}
    files: list[tuple[str, str]] = []
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
        elif tool.body == "multipart":
            files.append((parameter.wire, _text(value)))
        elif tool.body == "whole":
            whole_body = value
        else:
            _put(body, parameter.wire, value)
    if tool.body == "whole":
        json: Any = whole_body
    else:
        takes_body = tool.method in ("POST", "PUT", "PATCH") and tool.body == "object"
        json = body if body or takes_body else None
    return Request(tool.method, _url(tool, path_values, base_url), tuple(query), json, tuple(files))


def path_segment(parameter: Parameter, value: Any) -> str:
    """One percent-encoded path segment: no slash, no dot segment, no empty one can leave it."""
    text = _text(value)
    if text in ("", ".", "..") or any(ord(c) < 32 for c in text):
        raise ArgumentsError(f"{parameter.name}: {text!r} cannot stand in a path.", hint="Give the id as a read returned it.")
    return quote(text, safe="")


def _url(tool: Tool, values: dict[str, str], base_url: str) -> str:
    base = base_url.rstrip("/")
    path = re.sub(PATH_PLACEHOLDER + r"(?=/|$)", lambda m: values[m.group(1)], tool.path)
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
