"""One call, from the agent's arguments to the agent's text: validate → policy → build → send → classify → shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import anyio

from .approvals import held_approval, queued_text
from .audit import CallRecord
from .call_options import CallOptions, take_options
from .callers import SILENT, Caller
from .credentials import Credential
from .credits import price
from .definitions import Effect, Tool
from .errors import NotAllowedError, ToolError, UpstreamError
from .preview import preview
from .registry import Registry, forbidden_hint
from .request_builder import DEFAULT_BASE_URL, Request, build
from .safeguards import Safeguards
from .shaping import shape, shape_error
from .targets import record_name, target_reader
from .tokens import estimate_tokens
from .upstream import Response, Upstream
from .validation import prepare

_TARGET_SECONDS = 3.0
EXECUTORS: dict[Effect, str] = {"read": "call_read", "write": "call_write", "irreversible": "call_irreversible"}


@dataclass(frozen=True)
class Result:
    """What a call gives: text for the agent, the parsed answer for code, and whether it failed."""

    text: str
    data: Any = None
    is_error: bool = False
    code: str | None = None


class Dispatcher:
    """Runs calls for one credential under one registry."""

    def __init__(
        self,
        registry: Registry,
        credential: Credential,
        upstream: Upstream,
        base_url: str = DEFAULT_BASE_URL,
        safeguards: Safeguards | None = None,
    ) -> None:
        self.registry = registry
        self._credential = credential
        self._upstream = upstream
        self._base_url = base_url
        self._safe = safeguards or Safeguards()

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        options: dict[str, Any] | None = None,
        caller: Caller = SILENT,
        effect: Effect | None = None,
    ) -> Result:
        """Call a tool. Never raises a ToolError: a failure is a Result with `is_error`.

        `options` are call options given apart from the arguments. `effect` is the class of the executor that was used;
        a tool of another class is refused. Raises AnswerNeeded where a person has to be asked in another request.
        """
        with self._safe.audit.recording(name, arguments, self._credential) as record:
            try:
                result = await self._run(record, name, arguments, options, caller, effect)
            except ToolError as error:
                record.failed(error)
                result = failure(error)
            if self._safe.audit.on:
                record.tokens = estimate_tokens(result.text)
            return result

    async def _run(
        self,
        record: CallRecord,
        name: str,
        arguments: dict[str, Any],
        options: dict[str, Any] | None,
        caller: Caller,
        effect: Effect | None,
    ) -> Result:
        tool = self.registry.get(name)
        if effect is not None and tool.effect != effect:
            raise wrong_executor(tool, effect)
        chosen, rest = take_options(tool, arguments, options)
        prepared = prepare(self.registry.catalog, tool, rest)
        record.called(tool, prepared)
        request = build(tool, prepared, self._base_url)
        headers = self._credential.headers()
        cost, who = price(tool, prepared), self._credential.fingerprint
        self._safe.budget.check(tool, cost, who)
        asks = self._safe.gate.asks(tool, caller)
        if chosen.preview:
            record.outcome = "preview"
            return Result(*preview(tool, request, headers, cost, asks))
        if asks:
            await self._safe.gate.confirm(tool, prepared, caller, who, lambda: self._target(tool, prepared))
        with self._safe.budget.spending(tool, cost, who) as spending:
            response = await self._upstream.send(request, headers)
            record.answered(response.status, response.headers)
            payload = classify(tool, response)
            spending.settle(payload)
        record.credits = spending.credits
        record.outcome = "done"
        if response.status == 202 and (held := held_approval(payload)):
            record.outcome = "queued"
            return Result(_with_footer(queued_text(tool, held, self.registry.visible), spending.footer), payload)
        result = self._understood(tool, request, response, payload, chosen)
        return replace(result, text=_with_footer(result.text, spending.footer))

    async def _target(self, tool: Tool, arguments: dict[str, Any]) -> str:
        """What the record that a call acts on is called, read from the API; empty where that is not quickly possible."""
        reader = target_reader(tool, self.registry.visible)
        if reader is None:
            return ""
        wanted = {p.name: arguments[p.name] for p in reader.parameters if p.location == "path"}
        with anyio.move_on_after(_TARGET_SECONDS):
            try:
                response = await self._upstream.send(build(reader, wanted, self._base_url), self._credential.headers())
                return record_name(reader, classify(reader, response))
            except ToolError:
                return ""
        return ""

    def _understood(self, tool: Tool, request: Request, response: Response, payload: Any, options: CallOptions) -> Result:
        if payload is None:
            return Result(f"Done: {tool.name} ({request.method} answered {response.status}).")
        if isinstance(payload, str):
            return Result(payload, payload)
        entity = self.registry.catalog.entities.get((tool.returns or "").removesuffix("[]"))
        shaped = shape(tool, payload, entity, options.fields)
        return Result(shaped.text, shaped.data)


def _with_footer(text: str, footer: str) -> str:
    return f"{text}\n{footer}" if footer else text


def failure(error: ToolError) -> Result:
    """The result that tells an agent of an error."""
    return Result(shape_error(error), {"code": error.code, "details": error.details}, is_error=True, code=error.code)


def wrong_executor(tool: Tool, used: Effect) -> NotAllowedError:
    return NotAllowedError(
        f"{tool.name} is {'an' if tool.effect == 'irreversible' else 'a'} {tool.effect} tool and {EXECUTORS[used]} runs "
        f"{used} tools only. Nothing was sent.",
        code="WRONG_EXECUTOR",
        hint=f"Call it with {EXECUTORS[tool.effect]}.",
    )


def classify(tool: Tool, response: Response) -> Any:
    """The answer as data: None for an empty one, text for text, a description for a file.

    Raises UpstreamError for an error status, an error told in text, and an answer that cannot be read.
    """
    if response.status >= 300:
        raise _api_error(tool, response)
    if response.status == 204 or not response.content:
        return None
    if tool.response == "text" or tool.response == "stream":
        text = response.content.decode("utf-8", "replace")
        if any(text.startswith(prefix) for prefix in tool.failure_prefixes):
            raise UpstreamError(text, code="NOT_DONE", status=response.status)
        return text
    if tool.response == "file" and response.content_type != "application/json":
        rows = response.headers.get("x-row-count")
        return {
            "data": {
                "file": response.headers.get("content-disposition", "").partition("filename=")[2].strip('"') or tool.name,
                "content_type": response.content_type,
                "bytes": len(response.content),
                **({"rows": int(rows)} if rows and rows.isdigit() else {}),
                **({"truncated": True} if response.headers.get("x-truncated") == "1" else {}),
            }
        }
    try:
        return json.loads(response.content)
    except ValueError:
        raise UpstreamError(
            f"{tool.name}: the API answered {response.status} with {response.content_type or 'no content type'} that is "
            f"not valid JSON ({len(response.content)} bytes).",
            code="BAD_ANSWER",
            hint=_uncertain(tool),
            status=response.status,
        ) from None


def _api_error(tool: Tool, response: Response) -> UpstreamError:
    code, message, details, request_id = _envelope(response)
    if not message:
        kind = response.content_type or "no content"
        message = f"the API answered {response.status} ({kind}) without saying why"
    if isinstance(details, dict) and (missing := details.get("missing_scopes")):
        message += f" (missing scope: {', '.join(map(str, missing))})"
    return UpstreamError(
        f"{tool.name}: {message}",
        code=code or f"HTTP_{response.status}",
        details=details,
        hint=_next_step(tool, response),
        status=response.status,
        request_id=request_id or response.headers.get("x-request-id"),
    )


def _envelope(response: Response) -> tuple[str, str, Any, str]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return "", "", None, ""
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):
        return "", error, None, ""
    if not isinstance(error, dict):
        return "", "", None, ""
    return (
        str(error.get("code") or ""),
        str(error.get("message") or "")[:600],
        error.get("details"),
        str(error.get("request_id") or ""),
    )


def _next_step(tool: Tool, response: Response) -> str:
    match response.status:
        case 400 | 422:
            return "Correct the arguments and call again; nothing was changed."
        case 401:
            return "The key is wrong or was revoked: the user has to set another TRUSTPAGER_API_KEY."
        case 402:
            return "The workspace's credits are used up; the user has to top them up."
        case 403:
            return forbidden_hint(tool)
        case 404:
            return "Look the id up with a list or search tool; it may be deleted or from another workspace."
        case 409:
            return "Read the record again: it changed or already exists."
        case 429:
            wait = response.headers.get("retry-after")
            return f"Too many calls: wait {wait} s and try again." if wait else "Too many calls: wait and try again."
    if 300 <= response.status < 400:
        return f"The API redirected elsewhere, which is not followed. Check TRUSTPAGER_BASE_URL. {_uncertain(tool)}"
    return f"The API has a problem. {_uncertain(tool)}"


def _uncertain(tool: Tool) -> str:
    if tool.effect == "read":
        return "Nothing was changed; try again later."
    return "It may have taken effect: read the record before sending it again."
