"""Spans for OpenTelemetry: one for each delivery, one for each attempt, linked across the inbox.

It needs the extra ``hookkit[otel]``, and an SDK that the application sets up as it does for its
other spans. The span of a delivery is kept with it in the inbox, so that the span of an attempt
can be linked with it, even if another process makes the attempt hours later.

A span holds names out of the settings and the code, ids of entries and types of events. It holds
no body, no header, and of an error its class and a text without addresses, numbers and quotes.

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import NamedTuple

from flask import Flask
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hookkit import signals
from hookkit.application.app_state import state_of
from hookkit.core.attempts import Attempt
from hookkit.core.entry import Receipt
from hookkit.core.event import Event
from hookkit.core.masking import masked_error
from hookkit.core.provider import TRACE_HEADER

_SYSTEM = "hookkit"
_W3C = TraceContextTextMapPropagator()


class _Open(NamedTuple):
    """A span that has begun in this thread; handlers may run while a delivery is received.

    Attributes:
        entry_id: The entry that is handled; None for a delivery.
    """

    entry_id: int | None
    span: Span
    token: Token[Context]
    outer: _Open | None


_open: ContextVar[_Open | None] = ContextVar("hookkit_open_span", default=None)


def enable(
    app: Flask,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    trusts_traceparent: bool = False,
) -> None:
    """Make spans of what *app* receives and handles; calling it again changes nothing.

    Args:
        app: An application that has registered a HookKit.
        tracer_provider: What makes the spans; None is the global one.
        trusts_traceparent: Whether the span of a delivery continues the trace that its header
            ``traceparent`` names. Nothing proves this header: by default it is only a link.

    Raises:
        ConfigurationError: *app* has not registered a HookKit.
    """
    state = state_of(app)
    if "hookkit-opentelemetry" in app.extensions:
        return
    tracer = trace.get_tracer("hookkit", tracer_provider=tracer_provider)
    app.extensions["hookkit-opentelemetry"] = tracer
    tracing = _Tracing(tracer, trusts_traceparent=trusts_traceparent)
    state.receiver.trace_headers = tracing.headers
    for signal, receiver in (
        (signals.delivery_began, tracing.delivery_began),
        (signals.delivery_answered, tracing.delivery_answered),
        (signals.attempt_began, tracing.attempt_began),
        (signals.attempt_ended, tracing.attempt_ended),
    ):
        signal.connect(receiver, sender=app, weak=False)


class _Tracing:
    """Receives the signals of one application."""

    def __init__(self, tracer: trace.Tracer, *, trusts_traceparent: bool) -> None:
        self._tracer = tracer
        self._trusts_traceparent = trusts_traceparent

    def headers(self) -> Mapping[str, str]:
        """Return what is kept with the delivery that is being received: its span."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return {TRACE_HEADER: carrier["traceparent"]} if carrier else {}

    def delivery_began(
        self, _: object, *, endpoint: str, traceparent: str | None, **__: object
    ) -> None:
        # Whoever traces the web server has made the span of the request already.
        is_inner = trace.get_current_span().get_span_context().is_valid
        named = None if is_inner else _context_of(traceparent)
        is_parent = named is not None and self._trusts_traceparent
        _begin(
            None,
            self._tracer.start_span(
                f"receive {endpoint}",
                context=trace.set_span_in_context(trace.NonRecordingSpan(named))
                if named is not None and is_parent
                else None,
                kind=SpanKind.INTERNAL if is_inner else SpanKind.SERVER,
                links=[] if named is None or is_parent else [Link(named)],
                attributes={
                    "messaging.system": _SYSTEM,
                    "messaging.operation.name": "receive",
                    "messaging.operation.type": "receive",
                    "messaging.destination.name": endpoint,
                },
            ),
        )

    def delivery_answered(self, _: object, *, receipt: Receipt | None, **__: object) -> None:
        span = _end(None)
        if span is None:
            return
        if receipt is None:
            span.set_status(Status(StatusCode.ERROR))
        else:
            span.set_attribute("hookkit.code", receipt.code)
            span.set_attribute("http.response.status_code", receipt.status)
            span.set_attribute("messaging.batch.message_count", len(receipt.admitted))
            span.set_attribute("hookkit.new_count", receipt.new_count)
            span.set_attribute("hookkit.entry_ids", receipt.new_ids[:20])
            if receipt.status >= 500:  # the sender is at fault below that
                span.set_attribute("error.type", receipt.code)
                span.set_status(Status(StatusCode.ERROR))
        span.end()

    def attempt_began(
        self,
        _: object,
        *,
        event: Event,
        entry_id: int,
        handler: str,
        attempt: int,
        traceparent: str | None,
        **__: object,
    ) -> None:
        delivery = _context_of(traceparent)
        _begin(
            entry_id,
            self._tracer.start_span(
                f"process {handler}",
                kind=SpanKind.CONSUMER,
                links=[] if delivery is None else [Link(delivery)],
                attributes={
                    "messaging.system": _SYSTEM,
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": event.endpoint,
                    "messaging.message.id": str(entry_id),
                    "hookkit.handler": handler,
                    "hookkit.attempt": attempt,
                    "hookkit.event_type": event.type.value,
                    "hookkit.provider": event.provider,
                    "hookkit.version": event.version,
                },
            ),
        )

    def attempt_ended(
        self,
        _: object,
        *,
        entry_id: int,
        attempt: Attempt,
        error: BaseException | None,
        **__: object,
    ) -> None:
        span = _end(entry_id)
        if span is None:
            return
        span.set_attribute("hookkit.outcome", attempt.outcome.value)
        if error is not None:
            kind = f"{type(error).__module__}.{type(error).__qualname__}"
            text = masked_error(attempt.error or kind)
            span.set_attribute("error.type", kind)
            span.add_event("exception", {"exception.type": kind, "exception.message": text})
            span.set_status(Status(StatusCode.ERROR, text))
        span.end()


def _begin(entry_id: int | None, span: Span) -> None:
    """Make *span* the current one of this thread."""
    token = context.attach(trace.set_span_in_context(span))
    _open.set(_Open(entry_id, span, token, _open.get()))


def _end(entry_id: int | None) -> Span | None:
    """Return the span that has begun last in this thread, and make the one around it current.

    None if the last span is of something else: then this one could not be begun.
    """
    opened = _open.get()
    if opened is None or opened.entry_id != entry_id:
        return None
    context.detach(opened.token)
    _open.set(opened.outer)
    return opened.span


def _context_of(traceparent: str | None) -> SpanContext | None:
    """Return the span that *traceparent* names; None if it names none."""
    if traceparent is None:
        return None
    carrier = {"traceparent": traceparent}
    found = trace.get_current_span(_W3C.extract(carrier, context=Context()))
    named = found.get_span_context()
    return named if named.is_valid else None
