"""What a call would send, shown and not sent."""

from __future__ import annotations

import json
from typing import Any

from .credits import FREE, Price
from .definitions import Tool
from .redaction import HIDDEN
from .request_builder import Request

_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "x-portal-token"})
_MAX_BODY = 16_000


def preview(tool: Tool, request: Request, headers: dict[str, str], cost: Price, asks: bool) -> tuple[str, dict[str, Any]]:
    """The request as text for a reader and as data for code. `asks`: a person would be asked first."""
    url = request.full_url
    shown = {name: _header(name, value) for name, value in headers.items()}
    data: dict[str, Any] = {"method": request.method, "url": url, "headers": shown, "body": request.json}
    if request.files:
        data["form"] = dict(request.form)
        data["files"] = [{"field": f.field, "name": f.name, "bytes": len(f.content)} for f in request.files]
    lines = [f"Preview: {tool.name} would send this. Nothing was sent.", f"{request.method} {url}"]
    lines += [f"{name}: {value}" for name, value in shown.items()]
    if request.json is not None:
        lines += ["", _body_text(request.json)]
    lines += [f"form {name}: {value}" for name, value in request.form]
    lines += [f"file {f['field']}: {f['name']}, {f['bytes']} bytes" for f in data.get("files", ())]
    notes = [f"It would cost {cost}."] if cost != FREE else []
    if asks:
        notes.append("A person would be asked to confirm it first.")
    if notes:
        lines += ["", " ".join(notes)]
    return "\n".join(lines), data


def _header(name: str, value: str) -> str:
    if name.lower() not in _SECRET_HEADERS:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {HIDDEN}" if space else HIDDEN


def _body_text(body: Any) -> str:
    text = json.dumps(body, ensure_ascii=False, indent=1)
    if len(text) <= _MAX_BODY:
        return text
    return f"{text[:_MAX_BODY]}\n… ({len(text) - _MAX_BODY} more characters of the body are not shown)"
