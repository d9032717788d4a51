"""The API's answer → data, or an error that says what happened, why, and whether a change may have been made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from .definitions import Tool
from .errors import UpstreamError
from .shaping import Download
from .upstream import Response

_MAX_MESSAGE = 600
_EXCERPT = 300
_HELPFUL_STATUSES = {
    400: "Correct the arguments and call again; nothing was changed.",
    402: "The workspace's credits are used up; the user has to top them up.",
    404: "Look the id up with a list or search tool; it may be deleted or from another workspace.",
    409: "Read the record again: it changed or already exists.",
    413: "Send less at once: fewer or smaller items.",
    422: "Correct the arguments and call again; nothing was changed.",
}
_UNAUTHORIZED = {
    "api_key": "The key is wrong or was revoked: the user has to set another TRUSTPAGER_API_KEY.",
    "portal_token": "The portal session is wrong or has ended: the user has to set another TRUSTPAGER_PORTAL_TOKEN.",
    "oauth_token": "Evie's token is wrong or a newer one has ended it: create_evie_token gets a new one, or the user sets "
    "another TRUSTPAGER_OAUTH_TOKEN.",
}


@dataclass(frozen=True)
class Answer:
    """What the API answered, understood: `payload` is JSON, text, a Download, or None. `attempts` requests were made.

    `note` stands above what the agent reads of it, `footer` (what it cost) below.
    """

    payload: Any
    status: int = 200
    attempts: int = 1
    note: str = ""
    footer: str = ""
    credits: float | None = 0.0
    request_id: str | None = None


def classify(tool: Tool, response: Response) -> Any:
    """The answer as data: None for an empty one, text for text, a Download for a file, else parsed JSON.

    Raises UpstreamError for an error status, for an error told in text or inside a success, and for an answer that cannot
    be read. Its `uncertain` says that a change may have been made.
    """
    if response.status >= 300:
        raise _api_error(tool, response)
    if response.status == 204:
        return None
    if not response.content:
        if tool.effect == "read" and tool.response in ("json", "file"):
            raise _unreadable(tool, response, "an empty body")
        return None
    if tool.response in ("text", "stream"):
        return _text(tool, response)
    if _is_file(response):
        return file_answer(tool, response)
    try:
        payload = _parsed(response.content)
    except (ValueError, RecursionError):
        raise _unreadable(tool, response, _seen(response)) from None
    if _tells_of_failure(payload):
        raise _api_error(tool, response)
    return payload


def _parsed(content: bytes) -> Any:
    """JSON as data. The quick parser refuses what the lenient one takes: lone surrogates, a byte order mark, deep nesting."""
    try:
        return from_json(content)
    except ValueError:
        return json.loads(content)


def granted_token(payload: Any) -> str | None:
    """The access_token of an answer that grants one."""
    data = payload.get("data", payload) if isinstance(payload, dict) else None
    token = data.get("access_token") if isinstance(data, dict) else None
    return token if isinstance(token, str) and token else None


def file_answer(tool: Tool, response: Response) -> Download:
    """The answer as a file; its name never holds a folder."""
    rows = response.headers.get("x-row-count", "")
    return Download(
        name=_file_name(response.headers.get("content-disposition", "")) or tool.name,
        content_type=response.content_type or "application/octet-stream",
        content=response.content,
        rows=int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 12 else None,
        truncated=response.headers.get("x-truncated", "").lower() in ("1", "true"),
    )


def _text(tool: Tool, response: Response) -> str:
    text = response.content.decode("utf-8", "replace")
    if any(text.lstrip().startswith(prefix) for prefix in tool.failure_prefixes):
        raise UpstreamError(
            text[:_MAX_MESSAGE],
            code="NOT_DONE",
            status=response.status,
            hint="It was not done, whatever the status says. Tell the user, or correct the call by what the text says.",
        )
    return text


def _is_file(response: Response) -> bool:
    if "attachment" in response.headers.get("content-disposition", "").lower():
        return True
    kind = response.content_type
    return kind == "text/csv" or (bool(kind) and not kind.startswith("text/") and "json" not in kind and "xml" not in kind)


def _file_name(disposition: str) -> str:
    from email.message import Message

    message = Message()
    message["content-disposition"] = disposition
    name = message.get_filename() or ""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in base if c.isprintable()).strip(". ")[:120]


def _tells_of_failure(payload: Any) -> bool:
    """An error inside a success: the API's error envelope, or `success: false`."""
    if not isinstance(payload, dict) or "data" in payload:
        return False
    error = payload.get("error")
    return (isinstance(error, dict) and bool(error.keys() & {"code", "message"})) or (
        payload.get("success") is False and bool(error)
    )


def _unreadable(tool: Tool, response: Response, what: str) -> UpstreamError:
    return UpstreamError(
        f"{tool.name}: the API answered {response.status} with {what}.",
        code="BAD_ANSWER",
        hint=_next(tool),
        status=response.status,
        request_id=response.headers.get("x-request-id"),
        uncertain=tool.effect != "read",
    )


def _seen(response: Response) -> str:
    """What an answer that is no JSON looks like."""
    kind = response.content_type or "no content type"
    excerpt = _excerpt(response)
    size = f"{len(response.content):,} bytes"
    if kind == "application/json":
        return f"{kind} that is not valid JSON ({size}): broken off or garbled"
    return f"{kind} in place of JSON ({size})" + (f": {excerpt}" if excerpt else "")


def _excerpt(response: Response) -> str:
    """The words of a text or page: a page's title, a text's beginning."""
    text = response.content[:20_000].decode("utf-8", "replace")
    if "<html" in text.lower() or response.content_type == "text/html":
        title = re.search(r"<title[^>]*>([^<]{1,200})", text, re.IGNORECASE)
        return " ".join(title[1].split()) if title else "an HTML page"
    printable = "".join(c if c.isprintable() else " " for c in text[:_EXCERPT])
    return " ".join(printable.split())


def _api_error(tool: Tool, response: Response) -> UpstreamError:
    code, message, details, request_id = _envelope(response)
    if not message:
        kind = response.content_type or "no content"
        excerpt = "" if "json" in kind else _excerpt(response)
        message = f"the API answered {response.status} ({kind})" + (f": {excerpt}" if excerpt else " without saying why")
    if isinstance(details, dict) and (missing := details.get("missing_scopes")):
        message += f" (missing scope: {', '.join(map(str, missing))})"
    uncertain = tool.effect != "read" and (response.status >= 500 or 300 <= response.status < 400)
    return UpstreamError(
        f"{tool.name}: {message}",
        code=code or f"HTTP_{response.status}",
        details=details,
        hint=_next_step(tool, response),
        status=response.status,
        request_id=request_id or response.headers.get("x-request-id"),
        uncertain=uncertain,
    )


def _envelope(response: Response) -> tuple[str, str, Any, str]:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return "", "", None, ""
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):
        return "", error[:_MAX_MESSAGE], None, ""
    if not isinstance(error, dict):
        return "", "", None, ""
    return (
        str(error.get("code") or "")[:80],
        str(error.get("message") or "")[:_MAX_MESSAGE],
        error.get("details"),
        str(error.get("request_id") or "")[:80],
    )


def _next_step(tool: Tool, response: Response) -> str:
    if response.status == 403:
        return forbidden_hint(tool)
    if response.status == 401 and tool.credential in _UNAUTHORIZED:
        return _UNAUTHORIZED[tool.credential]
    if response.status in _HELPFUL_STATUSES:
        return _HELPFUL_STATUSES[response.status]
    if response.status == 429:
        wait = response.headers.get("retry-after", "")[:40]
        return f"Too many calls (429): wait {_seconds(wait)} and try again; nothing was changed."
    if 300 <= response.status < 400:
        where = response.headers.get("location", "elsewhere")[:120]
        return f"The API redirected to {where}, which is not followed. Check TRUSTPAGER_BASE_URL. {_next(tool)}".strip()
    if response.status < 300:
        return "It was not done, whatever the status says: act on what the error says."
    return f"The API has a problem ({response.status}). {_next(tool)}".strip()


def _seconds(wait: str) -> str:
    return f"{wait} s" if wait.replace(".", "", 1).isdigit() else f"until {wait}" if wait else "a little"


def _next(tool: Tool) -> str:
    return "Nothing was changed; try again later." if tool.effect == "read" else ""


def forbidden_hint(tool: Tool) -> str:
    """What to do after a 403, with the scopes that the tool needs when the API did not name one."""
    needs = [*tool.scopes, *(f"{a.scope} (when {a.when})" for a in tool.also_needs)]
    scopes = f"{tool.name} needs {', '.join(needs)}. " if needs else ""
    return f"This credential may not do that. {scopes}Tell the user which scope is missing; do not try again."
