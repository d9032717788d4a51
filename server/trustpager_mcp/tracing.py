"""An OpenTelemetry span around every call, with what became of it and never an argument or a result.

Without an OpenTelemetry SDK in the process, or where its sampler says no, nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry.trace import ProxyTracerProvider, StatusCode, get_tracer, get_tracer_provider, use_span

from .redaction import one_line

_BAD = ("failed", "uncertain", "broken")
_tracer = get_tracer("trustpager_mcp")


class Traced(Protocol):
    """What a span tells of a call, known when the call has ended."""

    @property
    def tool(self) -> str: ...
    @property
    def effect(self) -> str | None: ...
    @property
    def outcome(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def joined(self) -> bool: ...


def tracing() -> bool:
    """Whether an OpenTelemetry SDK has been set up in this process. It may be at any time, so this is asked at each call."""
    return not isinstance(get_tracer_provider(), ProxyTracerProvider)


def only_when_tracing(middleware: Any) -> Any:
    """The SDK's middleware for spans, passed by where nobody collects them: it costs as much as a validation of the call."""

    async def span_or_not(ctx: Any, call_next: Any) -> Any:
        return await (middleware(ctx, call_next) if tracing() else call_next(ctx))

    return span_or_not


@contextmanager
def call_span(call: Traced) -> Iterator[None]:
    """The span of a call: a child of the request's, which the MCP SDK opens and gives the client's trace."""
    span = _tracer.start_span("trustpager.call")
    if not span.is_recording():
        yield
        return
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        finally:
            known = {
                "trustpager.tool": one_line(call.tool, 64),
                "trustpager.effect": call.effect,
                "trustpager.outcome": call.outcome,
                "trustpager.attempts": call.attempts,
                "trustpager.joined": call.joined,
                "error.type": call.code,
                "http.response.status_code": call.status,
            }
            span.set_attributes({name: value for name, value in known.items() if value is not None})
            if call.outcome in _BAD:
                span.set_status(StatusCode.ERROR, call.code)
