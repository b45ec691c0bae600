"""Spans, as a collector gets them from real processes, and as an exporter in memory gets them."""

import asyncio
import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hookkit import HookKit, signals
from hookkit.core.provider import TRACE_HEADER
from hookkit.observing import opentelemetry
from tests.acceptance.servers import gunicorn, hookkit_worker
from tests.applications import ENDPOINTS, make_app, message, post
from tests.observing.collector import attributes, collecting
from tests.waiting import wait_until

STRANGER = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

APPLICATION = """
    from flask import Flask
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from hookkit import HookKit
    from hookkit.observing import opentelemetry

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter("{url}")))
    trace.set_tracer_provider(provider)

    hooks = HookKit()

    @hooks.on("conversation:message", name="greet")
    def greet(event):
        trace.get_tracer("application").start_span("look up an order").end()
        if event.id == "event-2":
            raise LookupError("no order of ann@example.org, telephone 0049 30 1234567")

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {endpoints}
    app.config["HOOKKIT_DATABASE"] = "sqlite:///{folder}/inbox.db"
    app.config["HOOKKIT_RUNNER"] = "none"
    hooks.init_app(app)
    opentelemetry.enable(app)
"""


def test_collector_gets_spans_that_are_linked_across_processes(tmp_path):
    with collecting() as collector:
        source = APPLICATION.format(url=collector.url, folder=tmp_path, endpoints=ENDPOINTS)
        with gunicorn(tmp_path, source) as server, hookkit_worker(tmp_path) as worker:
            for number in (1, 2):
                body = message(f"event-{number}", "My name is Ann Example")
                assert server.post(body)[0] == 200
            wait_until(lambda: len(collector.named("process greet")) == 2)
            worker.end()
        # The probe of the server is no delivery, so that these are all.
        wait_until(lambda: len(collector.named("receive support")) == 2)

    received = {attributes(each)["hookkit.entry_ids"][0]: each for each in deliveries(collector)}
    processed = collector.named("process greet")
    inner = collector.named("look up an order")
    for span in processed:
        entry_id = int(attributes(span)["messaging.message.id"])
        delivery = received[entry_id]
        assert [(each.trace_id, each.span_id) for each in span.links] == [
            (delivery.trace_id, delivery.span_id)
        ]
        assert span.kind == span.SPAN_KIND_CONSUMER
        assert delivery.kind == delivery.SPAN_KIND_SERVER
        assert span.start_time_unix_nano >= delivery.start_time_unix_nano
    assert {each.parent_span_id for each in inner} == {each.span_id for each in processed}
    assert_holds_nothing_personal(collector)


def deliveries(collector):
    return collector.named("receive support")


def assert_holds_nothing_personal(collector):
    sent = b"".join(collector.requests)
    for text in (
        b"Ann",
        b"ann@example.org",
        b"1234567",
        b"event-1",
        ENDPOINTS["support"]["secrets"][0].encode(),
    ):
        assert text not in sent
    (failed,) = [each for each in collector.named("process greet") if each.status.code == 2]
    assert attributes(failed)["error.type"] == "builtins.LookupError"
    assert attributes(failed)["hookkit.outcome"] == "failed"
    assert "no order of" in failed.status.message


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def traced(provider, hooks=None, **options):
    app = make_app(hooks or HookKit())
    opentelemetry.enable(app, tracer_provider=provider, **options)
    return app


def span_of(exporter, name):
    (found,) = [each for each in exporter.get_finished_spans() if each.name == name]
    return found


def deliver(app, body, **headers):
    headers = {"X-API-Key": "the-secret-of-every-test", **headers}
    return app.test_client().post(
        "/hooks/support", data=json.dumps(body), headers=headers, content_type="application/json"
    )


def test_traceparent_of_a_stranger_is_a_link_and_no_parent(exporter, provider):
    deliver(traced(provider), message(), traceparent=STRANGER)

    span = span_of(exporter, "receive support")
    assert span.parent is None
    assert [format(each.context.trace_id, "032x") for each in span.links] == ["a" * 32]
    assert format(span.context.trace_id, "032x") != "a" * 32


def test_traceparent_that_is_trusted_is_the_parent(exporter, provider):
    deliver(traced(provider, trusts_traceparent=True), message(), traceparent=STRANGER)

    span = span_of(exporter, "receive support")
    assert format(span.context.trace_id, "032x") == "a" * 32
    assert format(span.parent.span_id, "016x") == "b" * 16


@pytest.mark.parametrize("header", ["", "00-zz", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16])
def test_traceparent_that_is_none_is_ignored(exporter, provider, header):
    assert deliver(traced(provider), message(), traceparent=header).status_code == 200

    span = span_of(exporter, "receive support")
    assert (span.parent, list(span.links)) == (None, [])


def test_kept_header_is_never_that_of_a_stranger(provider):
    app = traced(provider)
    deliver(app, message(), traceparent=STRANGER, **{TRACE_HEADER: STRANGER})

    (kept,) = app.extensions["hookkit"].opening.inbox().kept("support", limit=10)
    assert kept.headers[TRACE_HEADER] != STRANGER


def test_span_of_a_request_is_the_parent(exporter, provider):
    app = traced(provider)
    with provider.get_tracer("server").start_as_current_span("POST /hooks/support") as request:
        deliver(app, message(), traceparent=STRANGER)

    span = span_of(exporter, "receive support")
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.kind is trace.SpanKind.INTERNAL


def test_refused_delivery_is_no_error_of_ours(exporter, provider):
    post(traced(provider).test_client(), message(), secret="wrong")

    span = span_of(exporter, "receive support")
    assert span.attributes["hookkit.code"] == "signature_mismatch"
    assert span.attributes["http.response.status_code"] == 401
    assert span.status.is_unset


def test_failure_of_hookkit_is_an_error(exporter, provider, monkeypatch):
    app = traced(provider)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(*arguments):
        raise RuntimeError

    monkeypatch.setattr(app.extensions["hookkit"].receiver, "_receive", fail)
    assert deliver(app, message()).status_code == 500

    assert not span_of(exporter, "receive support").status.is_ok
    assert not trace.get_current_span().get_span_context().is_valid


def test_spans_of_coroutines_lie_below_the_attempt(exporter, provider):
    hooks = HookKit()

    @hooks.on("*", name="greet")
    async def greet(event):
        await asyncio.sleep(0)
        provider.get_tracer("application").start_span("inner").end()

    deliver(traced(provider, hooks), message())

    attempt = span_of(exporter, "process greet")
    assert span_of(exporter, "inner").parent.span_id == attempt.context.span_id


def test_attempt_whose_span_could_not_begin_leaves_the_outer_one_open(exporter, provider):
    hooks = HookKit()
    hooks.on("*", name="greet")(lambda event: None)
    app = traced(provider, hooks)
    tracer = app.extensions["hookkit-opentelemetry"]
    start = tracer.start_span

    def fails_for_attempts(name, **options):
        if name.startswith("process"):
            raise RuntimeError(name)
        return start(name, **options)

    tracer.start_span = fails_for_attempts
    assert deliver(app, message()).status_code == 200

    assert [each.name for each in exporter.get_finished_spans()] == ["receive support"]


def test_enabling_twice_makes_one_span(exporter, provider):
    app = traced(provider)
    opentelemetry.enable(app, tracer_provider=provider)
    deliver(app, message())

    assert len(exporter.get_finished_spans()) == 1


def test_nothing_is_kept_when_nobody_traces():
    app = make_app(HookKit())
    deliver(app, message(), traceparent=STRANGER)

    (kept,) = app.extensions["hookkit"].opening.inbox().kept("support", limit=10)
    assert TRACE_HEADER not in kept.headers
    assert list(signals.delivery_began.receivers_for(app)) == []
