"""One call, from the agent's arguments to the agent's text: validate → policy → build → send → classify → shape."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import anyio

from .answers import FileAnswer, classify
from .approvals import held_approval, queued_text
from .audit import CallRecord
from .call_options import CallOptions, take_options
from .callers import SILENT, Caller, signs_of_life
from .credentials import Credential
from .credits import Price, price
from .definitions import Effect, Tool
from .errors import ArgumentsError, NotAllowedError, ToolError, UnreachableError, UpstreamError
from .event_stream import EventStream
from .polling import failed, where_to_look
from .polling import wait_for as poll
from .preview import preview
from .readers import Readers
from .registry import Registry
from .repeats import Flight, Outcome, Repeats, identity
from .request_builder import DEFAULT_BASE_URL, Request, build
from .retries import Delivery, Sender
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
    """What a call gives: text for the agent, the parsed answer for code, and whether it failed.

    `uncertain`: it failed, and a change may have been made all the same.
    """

    text: str
    data: Any = None
    is_error: bool = False
    code: str | None = None
    uncertain: bool = False


@dataclass(frozen=True)
class Answer:
    """What the API answered, understood: `payload` is JSON, text, a FileAnswer, or None.

    `attempts` requests were made. `credits` were spent, None where nobody knows; `footer` tells of them. `note` goes before
    the result.
    """

    payload: Any
    status: int = 200
    attempts: int = 1
    request_id: str | None = None
    credits: float | None = 0.0
    footer: str = ""
    note: str = ""


class Dispatcher:
    """Runs calls for one credential under one registry."""

    def __init__(
        self,
        registry: Registry,
        credential: Credential,
        sender: Sender | Upstream,
        base_url: str = DEFAULT_BASE_URL,
        safeguards: Safeguards | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        self.registry = registry
        self._credential = credential
        self._sender = Sender(sender) if isinstance(sender, Upstream) else sender
        self._base_url = base_url
        self._safe = safeguards or Safeguards()
        self._repeats = repeats or Repeats()
        self._tenant = credential.fingerprint

    @cached_property
    def _readers(self) -> Readers:
        return Readers(self.registry.visible.values())

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
        check_options(tool, chosen)
        prepared = prepare(self.registry.catalog, tool, rest)
        record.called(tool, prepared)
        request = build(tool, prepared, self._base_url)
        cost = price(tool, prepared)
        self._safe.budget.check(tool, cost, self._tenant)
        asks = self._safe.gate.asks(tool, caller)
        if chosen.preview:
            record.outcome = "preview"
            return Result(*preview(tool, request, self._credential.headers(tool.credential), cost, asks))
        if asks:
            await self._safe.gate.confirm(tool, prepared, caller, self._tenant, lambda: self._target(tool, prepared))
        with signs_of_life(caller, tool.name):
            answer = await self._sent(record, tool, request, prepared, cost, chosen, caller)
            if tool.poll is not None and chosen.wait_seconds and answer.status != 202:
                answer = await self._awaited(tool, answer, prepared, chosen, caller)
        result = self._understood(record, tool, request, answer, chosen)
        if tool.effect != "read":
            self._repeats.taken(self._identity(tool, prepared, chosen))
        return result

    async def _target(self, tool: Tool, arguments: dict[str, Any]) -> str:
        """What the record that a call acts on is called, read from the API; empty where that is not quickly possible."""
        reader = target_reader(tool, self.registry.visible)
        if reader is None:
            return ""
        wanted = {p.name: arguments[p.name] for p in reader.parameters if p.location == "path"}
        with anyio.move_on_after(_TARGET_SECONDS):
            try:
                request = build(reader, wanted, self._base_url)
                return record_name(reader, (await self._answer(self._delivery(reader, request, SILENT), wanted)).payload)
            except ToolError:
                return ""
        return ""

    def _identity(self, tool: Tool, arguments: dict[str, Any], options: CallOptions) -> str:
        return identity(self._tenant, tool.name, arguments, options.idempotency_key)

    def _delivery(self, tool: Tool, request: Request, caller: Caller, idempotency_key: str | None = None) -> Delivery:
        headers = self._credential.headers(tool.credential)
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return Delivery(tool, request, headers, self._tenant, caller)

    async def _sent(
        self,
        record: CallRecord,
        tool: Tool,
        request: Request,
        arguments: dict[str, Any],
        cost: Price,
        options: CallOptions,
        caller: Caller,
    ) -> Answer:
        """The answer: to a read at once; to a write that is sent once, however often it is asked for."""

        async def send(callers: Caller) -> Answer:
            delivery = self._delivery(tool, request, callers, idempotency_key)
            try:
                with self._safe.budget.spending(tool, cost, self._tenant) as spending:
                    answer = await (self._answer if tool.effect == "read" else self._write)(delivery, arguments)
                    spending.settle(answer.payload)
                return replace(answer, credits=spending.credits, footer=spending.footer)
            finally:
                record.attempts = delivery.attempts

        idempotency_key = options.idempotency_key or (uuid.uuid4().hex if tool.idempotency_key else None)
        if tool.effect == "read":
            answer = await send(caller)
        else:
            key = self._identity(tool, arguments, options)
            earlier = None if options.again else self._repeats.find(key)
            anew = options.again
            if earlier is not None and earlier.ended is not None and earlier.in_doubt:
                if earlier.idempotency_key is None:
                    raise self._still_in_doubt(tool, arguments, earlier)
                # The API knows this key: sending it again settles what happened.
                idempotency_key, anew = earlier.idempotency_key, True
            outcome = await self._repeats.once(key, send, caller, anew=anew, idempotency_key=idempotency_key)
            answer = joined(tool, outcome)
        record.answered(answer.status, {"x-request-id": answer.request_id} if answer.request_id else {})
        record.credits = answer.credits
        return answer

    async def _write(self, delivery: Delivery, arguments: dict[str, Any]) -> Answer:
        try:
            return await self._answer(delivery, arguments)
        except asyncio.CancelledError:
            if not delivery.in_doubt:
                raise
            raise UpstreamError(
                f"{delivery.tool.name} was cancelled while the API worked on it.",
                code="CANCELLED",
                hint=self._readers.advice(delivery.tool, arguments),
                uncertain=True,
            ) from None

    async def _answer(self, delivery: Delivery, arguments: dict[str, Any]) -> Answer:
        """Send, read and understand. Raises ToolError; a write whose outcome is unknown says so and how to check it."""
        tool = delivery.tool
        stream = EventStream(delivery.caller) if tool.response == "stream" else None
        delivery.on_data = stream.feed if stream else None
        try:
            response = await self._sender.send(delivery)
            if (gone := _gone_already(delivery, response)) is not None:
                return gone
            payload = stream.result() if stream and _is_stream(response) else classify(tool, response)
            return Answer(payload, response.status, delivery.attempts, response.headers.get("x-request-id"))
        except ToolError as error:
            if tool.effect == "read":
                if isinstance(error, UnreachableError) and error.sent and not error.hint:
                    error.hint = "Nothing was changed; try again."
            elif error.uncertain or delivery.in_doubt or delivery.was_in_doubt:
                error.uncertain = True
                error.hint = " ".join(p for p in (error.hint, self._readers.advice(tool, arguments)) if p)
            raise

    def _still_in_doubt(self, tool: Tool, arguments: dict[str, Any], earlier: Flight) -> UpstreamError:
        why = earlier.error.message if earlier.error else ""
        return UpstreamError(
            f"{tool.name}: this same call was sent {earlier.age():.0f} s ago and nobody knows whether it took effect ({why}). "
            "Nothing was sent now.",
            code="STILL_UNCERTAIN",
            hint=self._readers.advice(tool, arguments),
            uncertain=True,
        )

    async def _awaited(
        self, tool: Tool, answer: Answer, arguments: dict[str, Any], options: CallOptions, caller: Caller
    ) -> Answer:
        assert tool.poll is not None
        reader = self.registry.visible.get(tool.poll.tool)
        where = where_to_look(reader, answer.payload, arguments) if reader else None
        if reader is None or where is None:
            return replace(answer, note="It was started; its end cannot be waited for here.")

        async def look(where: dict[str, Any]) -> Any:
            request = build(reader, where, self._base_url)
            return (await self._answer(self._delivery(reader, request, caller), where)).payload

        try:
            payload = await poll(tool.poll, look, where, options.wait_seconds, caller, self._sender.patience)
        except ToolError as error:
            note = f"It was started, but {reader.name} failed while waiting for its end: {error.message}"
            return replace(answer, note=note)
        if failed(tool.poll, payload):
            raise UpstreamError(f"{tool.name} was started and has failed.", code="OPERATION_FAILED", details=payload)
        return replace(answer, payload=payload, note=_progress_note(tool, payload, reader, where, options))

    def _understood(self, record: CallRecord, tool: Tool, request: Request, answer: Answer, options: CallOptions) -> Result:
        """What the agent reads."""
        payload = answer.payload
        record.outcome = "done"
        if answer.status == 202 and (held := held_approval(payload)):
            record.outcome = "queued"
            text = queued_text(tool, held, self.registry.visible)
        elif payload is None:
            text = f"Done: {tool.name} ({request.method} answered {answer.status})."
        elif isinstance(payload, str):
            text = payload
        else:
            payload = describe_file(payload) if isinstance(payload, FileAnswer) else payload
            entity = self.registry.catalog.entities.get((tool.returns or "").removesuffix("[]"))
            try:
                shaped = shape(tool, payload, entity, options.fields)
            except RecursionError:
                raise UpstreamError(f"{tool.name}: the answer is nested too deep to be shown.", code="BAD_ANSWER") from None
            text, payload = shaped.text, shaped.data
        return Result("\n".join(part for part in (answer.note, text, answer.footer) if part), payload)


def check_options(tool: Tool, options: CallOptions) -> None:
    """Raises ArgumentsError for an option that means nothing to the tool."""
    if options.idempotency_key is not None and not tool.idempotency_key:
        raise ArgumentsError(
            f"{tool.name}: the API takes no idempotency_key for it. Nothing was sent.",
            hint="Leave it out: the same call is never sent twice while its outcome is open.",
        )
    if options.wait_seconds and tool.poll is None:
        raise ArgumentsError(f"{tool.name} is done when it answers: leave wait_seconds out. Nothing was sent.")


def joined(tool: Tool, outcome: Outcome) -> Answer:
    """The answer, with a note when it is that of a call which was already there."""
    answer: Answer = outcome.value
    if outcome.joined is None:
        return answer
    note = (
        f"The same {tool.name} call was sent {outcome.joined.age():.0f} s ago: this is its answer, nothing was sent twice. "
        "again=true sends it anew."
    )
    return replace(answer, note=note, credits=0.0, footer="")


def describe_file(file: FileAnswer) -> dict[str, Any]:
    """A file as data: name, type, size, and what an export says of itself."""
    described: dict[str, Any] = {"file": file.name, "content_type": file.content_type, "bytes": len(file.content)}
    if file.rows is not None:
        described["rows"] = file.rows
    if file.truncated:
        described["truncated"] = True
    return {"data": described}


def failure(error: ToolError) -> Result:
    """The result that tells an agent of an error."""
    data = {"code": error.code, "details": error.details}
    return Result(shape_error(error), data, is_error=True, code=error.code, uncertain=error.uncertain)


def wrong_executor(tool: Tool, used: Effect) -> NotAllowedError:
    return NotAllowedError(
        f"{tool.name} is {'an' if tool.effect == 'irreversible' else 'a'} {tool.effect} tool and {EXECUTORS[used]} runs "
        f"{used} tools only. Nothing was sent.",
        code="WRONG_EXECUTOR",
        hint=f"Call it with {EXECUTORS[tool.effect]}.",
    )


def _gone_already(delivery: Delivery, response: Response) -> Answer | None:
    """A delete whose first answer was lost and whose second finds nothing has done its work."""
    if delivery.request.method == "DELETE" and response.status == 404 and delivery.was_in_doubt:
        note = "The first answer was lost; asked again, the API finds nothing to delete."
        return Answer(None, 404, delivery.attempts, note=note)
    return None


def _is_stream(response: Response) -> bool:
    return response.status < 300 and response.content_type == "text/event-stream"


def _progress_note(tool: Tool, payload: Any, reader: Tool, where: dict[str, Any], options: CallOptions) -> str:
    from .polling import ended

    if tool.poll is None or ended(tool.poll, payload):
        return ""
    shown = ", ".join(f"{k}={v}" for k, v in where.items())
    return f"Not finished after {options.wait_seconds:g} s: look again with {reader.name}({shown})."
