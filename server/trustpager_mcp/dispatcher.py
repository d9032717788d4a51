"""One call, from the agent's arguments to the agent's text: validate → policy → build → send → classify → shape."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import anyio

from .answers import Answer, classify, granted_token
from .approvals import held_approval, queued_text
from .audit import CallRecord
from .call_options import CallOptions, take_options
from .callers import SILENT, Caller, SignsOfLife
from .credentials import Credential
from .credits import price
from .definitions import Effect, Tool
from .errors import ArgumentsError, NotAllowedError, ToolError, UnreachableError, UpstreamError
from .event_stream import EventStream
from .paging import walk
from .polling import failed, where_to_look
from .polling import wait_for as poll
from .preview import preview
from .readers import Readers
from .redaction import without_secrets
from .registry import Registry
from .repeats import Flight, Outcome, Repeats, answer_again, identity, still_in_doubt
from .request_builder import DEFAULT_BASE_URL, Request, build
from .results import Presentation, ReadRequest, read
from .retries import Delivery, Sender
from .safeguards import Safeguards
from .shaping import Shaped, present, shape_error
from .shaping.tokens import estimate
from .targets import record_name, target_reader
from .upstream import Response, Upstream
from .validation import prepare

_TARGET_SECONDS = 3.0
EXECUTORS: dict[Effect, str] = {"read": "call_read", "write": "call_write", "irreversible": "call_irreversible"}


@dataclass(frozen=True)
class Result:
    """What a call gives: text for the agent, the parsed answer for code, and whether it failed.

    `uncertain`: it failed, and a change may have been made all the same. `status`: that of the API's error, if it gave one.
    """

    text: str
    data: Any = None
    is_error: bool = False
    code: str | None = None
    uncertain: bool = False
    status: int | None = None


@dataclass(frozen=True)
class Prepared:
    """One call that may be sent: everything is known of it and nothing has left."""

    tool: Tool
    arguments: dict[str, Any]
    options: CallOptions
    request: Request
    caller: Caller
    record: CallRecord


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
        presentation: Presentation | None = None,
        take_grant: Callable[[str], None] | None = None,
    ) -> None:
        """`take_grant` keeps a token that a call brings for the tools that want it; without it the agent sees the token."""
        self.registry = registry
        self._credential = credential
        self._sender = Sender(sender) if isinstance(sender, Upstream) else sender
        self._base_url = base_url
        self._repeats = repeats or Repeats()
        self._safe = safeguards or Safeguards()
        self._presentation = presentation or Presentation()
        self._take_grant = take_grant
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
                call = self._prepared(name, arguments, options, caller, effect, record)
                result = await self._run(call)
            except ToolError as error:
                record.failed(error)
                result = failure(error)
            await self._presentation.store.share()
            if self._safe.audit.on:
                record.tokens = estimate(result.text)
            return result

    def _prepared(
        self,
        name: str,
        arguments: dict[str, Any],
        options: dict[str, Any] | None,
        caller: Caller,
        effect: Effect | None,
        record: CallRecord,
    ) -> Prepared:
        """Policy, validation and building: all that needs no I/O. Raises ToolError."""
        tool = self.registry.get(name)
        if effect is not None and tool.effect != effect:
            raise wrong_executor(tool, effect)
        chosen, rest = take_options(tool, arguments, options)
        check_options(tool, chosen)
        checked = prepare(self.registry.catalog, tool, rest)
        record.called(tool, checked)
        return Prepared(tool, checked, chosen, build(tool, checked, self._base_url), caller, record)

    async def _run(self, call: Prepared) -> Result:
        tool, record = call.tool, call.record
        cost = price(tool, call.arguments)
        await self._safe.budget.refresh(cost, self._tenant)
        self._safe.budget.check(tool, cost, self._tenant)
        asks = self._safe.gate.asks(tool, call.caller)
        if call.options.preview:
            record.outcome = "preview"
            return Result(*preview(tool, call.request, self._headers(call, call.options.idempotency_key), cost, asks))
        key = identity(self._tenant, tool.name, call.arguments, call.options.idempotency_key) if tool.effect != "read" else ""
        if asks and not self._will_join(key, call.options):
            await self._safe.gate.confirm(tool, call.arguments, call.caller, self._tenant, lambda: self._target(call))
        with SignsOfLife(call.caller, tool.name):
            answer = await (self._once(key, call) if key else self._answer(self._delivery(call), call))
            record.attempts, record.status = answer.attempts, answer.status
            record.credits, record.request_id = answer.credits, answer.request_id
            record.outcome = "done"
            result = await self._result(call, answer)
            if key and (flight := await self._repeats.taken(key)) is not None and flight.shared is not None:
                await flight.shared.taken()
            return result

    def _will_join(self, key: str, options: CallOptions) -> bool:
        """The same call is under way or done: nothing will be sent for this one, so nobody needs to be asked again."""
        earlier = None if options.again else self._repeats.find(key)
        return earlier is not None and not earlier.in_doubt

    def _headers(self, call: Prepared, idempotency_key: str | None = None) -> dict[str, str]:
        headers = self._credential.headers(call.tool.credential)
        return headers if idempotency_key is None else {**headers, "idempotency-key": idempotency_key}

    def _delivery(self, call: Prepared, caller: Caller | None = None, idempotency_key: str | None = None) -> Delivery:
        return Delivery(call.tool, call.request, self._headers(call, idempotency_key), self._tenant, caller or call.caller)

    async def _once(self, key: str, call: Prepared) -> Answer:
        """The answer to a write that is sent once, however often it is asked for."""
        tool, options = call.tool, call.options
        earlier = None if options.again else self._repeats.find(key)
        anew = options.again
        idempotency_key = options.idempotency_key or (uuid.uuid4().hex if tool.idempotency_key else None)
        if earlier is not None and earlier.ended is not None and earlier.in_doubt:
            if earlier.idempotency_key is None:
                raise self._still_in_doubt(call, earlier)
            # The API knows this key: sending it again settles what happened.
            idempotency_key, anew = earlier.idempotency_key, True
        call.record.joined = earlier is not None and not anew

        async def send(flight: Flight) -> Answer:
            def write(key_to_send: str | None) -> Awaitable[Answer]:
                return self._write(self._delivery(call, flight.callers, key_to_send), call)

            if self._repeats.shared is None:
                return await write(flight.idempotency_key)
            advice = self._readers.advice(tool, call.arguments)
            answer, elsewhere = await self._repeats.shared.once(key, flight, write, tool.name, advice, anew=anew)
            call.record.joined = call.record.joined or elsewhere
            return answer

        outcome = await self._repeats.once(key, send, call.caller, anew=anew, idempotency_key=idempotency_key)
        return joined(tool, outcome)

    async def _write(self, delivery: Delivery, call: Prepared) -> Answer:
        """Send a write within the budget: its price is reserved first, and given back only when nothing was done."""
        tool = call.tool
        async with self._safe.budget.spending_for_all(tool, price(tool, call.arguments), self._tenant) as spending:
            try:
                answer = await self._answer(delivery, call)
            except asyncio.CancelledError:
                if not delivery.in_doubt:
                    raise
                raise UpstreamError(
                    f"{tool.name} was cancelled while the API worked on it.",
                    code="CANCELLED",
                    hint=self._readers.advice(tool, call.arguments),
                    uncertain=True,
                ) from None
            spending.settle(answer.payload)
        return replace(answer, footer=spending.footer, credits=spending.credits)

    async def _answer(self, delivery: Delivery, call: Prepared) -> Answer:
        """Send, read and understand. Raises ToolError; a write whose outcome is unknown says so and how to check it."""
        tool = delivery.tool
        stream = EventStream(delivery.caller) if tool.response == "stream" else None
        delivery.on_data = stream.feed if stream else None
        started = time.perf_counter()
        try:
            response = await self._sender.send(delivery)
            if (gone := _gone_already(delivery, response)) is not None:
                return gone
            payload = stream.result() if stream and _is_stream(response) else classify(tool, response)
            return Answer(payload, response.status, delivery.attempts, request_id=response.headers.get("x-request-id"))
        except ToolError as error:
            call.record.attempts = max(call.record.attempts, delivery.attempts)
            if tool.effect == "read":
                if isinstance(error, UnreachableError) and error.sent and not error.hint:
                    error.hint = "Nothing was changed; try again."
            elif error.uncertain or delivery.in_doubt or delivery.was_in_doubt:
                error.uncertain = True
                error.hint = " ".join(p for p in (error.hint, self._readers.advice(tool, call.arguments)) if p)
            raise
        finally:
            call.record.upstream_ms += (time.perf_counter() - started) * 1000

    def _still_in_doubt(self, call: Prepared, earlier: Flight) -> UpstreamError:
        why = earlier.error.message if earlier.error else ""
        return still_in_doubt(call.tool.name, earlier.age(), why, self._readers.advice(call.tool, call.arguments))

    def _reading(self, reader: Tool, where: dict[str, Any], call: Prepared) -> Prepared:
        """A read of our own beside a call: to wait for its end, or to name its record."""
        return Prepared(reader, where, CallOptions(), build(reader, where, self._base_url), call.caller, call.record)

    async def _target(self, call: Prepared) -> str:
        """What the record that a call acts on is called, read from the API; empty where that is not quickly possible."""
        reader = target_reader(call.tool, self.registry.visible)
        if reader is None:
            return ""
        look = self._reading(reader, {p.name: call.arguments[p.name] for p in reader.parameters if p.location == "path"}, call)
        with anyio.move_on_after(_TARGET_SECONDS):
            try:
                return record_name(reader, (await self._answer(self._delivery(look, SILENT), look)).payload)
            except ToolError:
                return ""
        return ""

    async def _result(self, call: Prepared, answer: Answer) -> Result:
        """What the agent reads, after waiting for the end of the operation if it asked for that."""
        if call.tool.poll is not None and call.options.wait_seconds and answer.status != 202:
            answer = await self._awaited(call, answer)
        result = await self._understood(call, answer)
        text = "\n".join(part for part in (answer.note, result.text, answer.footer) if part)
        return result if text == result.text else replace(result, text=text)

    async def _awaited(self, call: Prepared, answer: Answer) -> Answer:
        tool, options = call.tool, call.options
        assert tool.poll is not None
        reader = self.registry.visible.get(tool.poll.tool)
        where = where_to_look(reader, answer.payload, call.arguments) if reader else None
        if reader is None or where is None:
            return replace(answer, note="It was started; its end cannot be waited for here.")

        async def look(where: dict[str, Any]) -> Any:
            reading = self._reading(reader, where, call)
            return (await self._answer(self._delivery(reading), reading)).payload

        try:
            payload = await poll(tool.poll, look, where, options.wait_seconds, call.caller, self._sender.patience)
        except ToolError as error:
            return replace(answer, note=f"It was started, but {reader.name} failed while waiting for its end: {error.message}")
        if failed(tool.poll, payload):
            raise UpstreamError(f"{tool.name} was started and has failed.", code="OPERATION_FAILED", details=payload)
        return replace(answer, payload=payload, note=_progress_note(tool, payload, reader, where, options))

    async def _understood(self, call: Prepared, answer: Answer) -> Result:
        tool, payload = call.tool, answer.payload
        if answer.status == 202 and (held := held_approval(payload)):
            call.record.outcome, call.record.approval_id = "queued", held
            return Result(queued_text(tool, held, self.registry.visible), payload)
        if payload is None:
            return Result(f"Done: {tool.name} ({call.request.method} answered {answer.status}).")
        if call.options.max_items:
            payload = await walk(tool, call.request, payload, self._page_of(call), call.options.max_items)
        if tool.grants and self._take_grant and (token := granted_token(payload)):
            self._take_grant(token)
            note = f"The server keeps the token for this run: {self._wanting(tool.grants)} can be called now."
            return Result(f"{self._presented(call, without_secrets(payload)).text}\n{note}", payload)
        shaped = self._presented(call, payload)
        return Result(shaped.text, shaped.data)

    def _wanting(self, credential: str) -> str:
        """The tools that take a kind of credential, by name."""
        return " and ".join(t.name for t in self.registry.catalog.tools.values() if t.credential == credential)

    def _page_of(self, call: Prepared) -> Callable[[Request], Awaitable[Any]]:
        async def page(request: Request) -> Any:
            further = replace(call, request=request)
            return (await self._answer(self._delivery(further), further)).payload

        return page

    def _presented(self, call: Prepared, payload: Any) -> Shaped:
        """What the agent reads of an answer, within its budget; what does not fit is kept for this credential."""
        options, body = call.options, call.request.json
        view = self._presentation.view(
            call.tool,
            self.registry.catalog.entities.get((call.tool.returns or "").removesuffix("[]")),
            self._tenant,
            fields=options.fields,
            detail=options.detail,
            format=options.format,
            sent=tuple(body) if isinstance(body, dict) else (),
        )
        try:
            return present(payload, view)
        except RecursionError:
            raise UpstreamError(f"{call.tool.name}: the answer is nested too deep to be shown.", code="BAD_ANSWER") from None

    async def fetch_result(self, handle: str) -> None:
        """Bring an answer that another replica kept, if it is not here. Raises ToolError when that cannot be known."""
        await self._presentation.store.fetch(self._tenant, handle)

    def read_result(self, request: ReadRequest) -> Shaped:
        """A part of an answer that was kept for this credential. Raises ToolError."""
        return read(self._presentation, self._tenant, request)


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
    return answer if outcome.joined is None else answer_again(answer, tool.name, outcome.joined.age())


def failure(error: ToolError) -> Result:
    """The result that tells an agent of an error."""
    data = {"code": error.code, "details": error.details}
    return Result(shape_error(error), data, True, error.code, error.uncertain, error.status)


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
        return Answer(
            None, 404, delivery.attempts, note="The first answer was lost; asked again, the API finds nothing to delete."
        )
    return None


def _is_stream(response: Response) -> bool:
    return response.status < 300 and response.content_type == "text/event-stream"


def _progress_note(tool: Tool, payload: Any, reader: Tool, where: dict[str, Any], options: CallOptions) -> str:
    from .polling import ended

    if tool.poll is None or ended(tool.poll, payload):
        return ""
    shown = ", ".join(f"{k}={v}" for k, v in where.items())
    return f"Not finished after {options.wait_seconds:g} s: look again with {reader.name}({shown})."
