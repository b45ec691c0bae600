"""Figures that Prometheus scrapes over HTTP from a real server."""

import re
import textwrap
import urllib.request

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hookkit import HookKit, signals
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.event import EventType
from hookkit.observing import prometheus
from tests.acceptance.servers import gunicorn
from tests.applications import SECRET, make_app, message
from tests.serving import deliver, fetch, serving
from tests.waiting import wait_until


class Sample(dict):
    """The samples of a scrape by name and labels."""

    def __missing__(self, key):
        return 0.0


def scraped(text):
    return Sample(
        {
            (sample.name.removeprefix("hookkit_"), *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


@pytest.fixture
def registry():
    return CollectorRegistry()


def app_with_metrics(hooks, registry, **config):
    app = make_app(hooks, **config)
    prometheus.enable(app, registry=registry)
    app.add_url_rule("/metrics", "metrics", lambda: generate_latest(registry))
    return app


def scrape(base):
    status, text = fetch(f"{base}/metrics")
    assert status == 200
    return scraped(text.decode())


def test_scrape_counts_deliveries_events_and_attempts(registry):
    hooks = HookKit()

    @hooks.on("conversation:message", name="greet")
    def greet(event):
        if event.id == "event-3":
            raise ValueError("no")

    with serving(app_with_metrics(hooks, registry)) as base:
        for body in (message("event-1"), message("event-1"), message("event-1", "other text")):
            assert deliver(base, body) == 200
        # The runner of tests answers what its handlers came to; the delivery is kept all the same.
        assert deliver(base, message("event-3")) == 503
        assert deliver(base, message("event-2"), secret="wrong") == 401
        found = scrape(base)

    assert found["deliveries_total", "accepted", "support"] == 4
    assert found["deliveries_total", "signature_mismatch", "support"] == 1
    assert found["delivery_seconds_count", "support"] == 5
    results = {"new": 2, "duplicate": 1, "conflict": 1}
    for result, count in results.items():
        labels = sorted(["support", "conversation:message", result])
        assert found["events_total", *labels] == count
    assert found["events_settled_total", "conversation:message", "done", "support"] == 1
    assert found["events_settled_total", "conversation:message", "support", "waiting"] == 1
    assert found["attempts_total", "greet", "succeeded"] == 1
    assert found["attempts_total", "failed", "greet"] == 1
    assert found["handler_seconds_count", "greet"] == 2
    assert found["wait_seconds_count", "support"] == 2


def test_scrape_reads_the_inbox(registry):
    with serving(app_with_metrics(HookKit(), registry)) as base:
        deliver(base, message())
        found = scrape(base)

    assert found["inbox_up",] == 1
    assert found["entries", "done"] == 1
    assert found["entries", "dead"] == 0
    assert found["overdue_seconds",] == 0


def test_scrape_of_an_inbox_that_is_away_says_so(registry, monkeypatch):
    app = app_with_metrics(HookKit(), registry)

    def away():
        raise Unavailable("the database is away")

    monkeypatch.setattr(app.extensions["hookkit"].watch, "_inbox", away)
    with serving(app) as base:
        found = scrape(base)

    assert found["inbox_up",] == 0
    assert [name for name, *_ in found if name in ("entries", "overdue_seconds")] == []


def test_words_of_senders_make_no_labels(registry):
    hooks = HookKit()
    hooks.on("sunshine/known:here")(lambda event: None)
    with serving(app_with_metrics(hooks, registry)) as base:
        for number, word in enumerate(["invented:1", "invented:2", "known:here"]):
            body = message(f"event-{number}")
            body["events"][0]["type"] = word
            deliver(base, body)
        fetch(f"{base}/hooks/invented", b"{}")
        text = fetch(f"{base}/metrics")[1].decode()

    found = scraped(text)
    assert "invented" not in text
    assert found["events_total", *sorted(["support", "other", "new"])] == 2
    assert found["events_total", *sorted(["support", "known:here", "new"])] == 1


def test_handler_that_is_not_registered_is_no_label(registry):
    app = app_with_metrics(HookKit(), registry)
    labels = prometheus._Labels(app.extensions["hookkit"])

    assert labels.handler("of.newer.code") == "other"
    assert labels.endpoint("gone") == "other"


def test_unavailable_delivery_is_counted(registry):
    hooks = HookKit()

    def away():
        raise OSError

    app = app_with_metrics(hooks, registry, HOOKKIT_DATABASE=away)
    with serving(app) as base:
        assert deliver(base, message()) == 503
        found = scrape(base)

    assert found["deliveries_total", "support", "unavailable"] == 1
    assert found["inbox_up",] == 0


def test_enabling_twice_counts_once(registry):
    app = app_with_metrics(HookKit(), registry)
    prometheus.enable(app, registry=registry)
    with serving(app) as base:
        deliver(base, message())
        found = scrape(base)

    assert found["deliveries_total", "accepted", "support"] == 1


def test_applications_that_are_made_one_after_another_share_a_registry(registry):
    for _ in range(2):
        app = app_with_metrics(HookKit(), registry)
    with serving(app) as base:
        deliver(base, message())
        found = scrape(base)

    assert found["entries", "done"] == 1


def test_application_without_hookkit_is_refused(registry):
    with pytest.raises(ConfigurationError, match="has not registered a HookKit"):
        prometheus.enable(Flask("without"), registry=registry)


def test_nothing_is_exposed_or_received_by_default():
    app = make_app(HookKit())

    assert fetch_local(app, "/metrics") == 404
    for signal in (signals.delivery_began, signals.attempt_began, signals.event_settled):
        assert list(signal.receivers_for(app)) == []


def fetch_local(app, path):
    return app.test_client().get(path).status_code


def test_every_event_type_is_a_word_that_a_label_may_have():
    assert all(re.fullmatch(r"[A-Za-z_:]+", each.value) for each in EventType)


MULTIPROCESS = """
    from flask import Flask, Response
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess

    from hookkit import HookKit
    from hookkit.observing import prometheus

    hooks = HookKit()

    @hooks.on("conversation:message", name="greet")
    def greet(event):
        pass

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {{
        "support": {{"provider": "sunshine", "secrets": ["{secret}"]}}
    }}
    app.config["HOOKKIT_DATABASE"] = "sqlite:///{folder}/inbox.db"
    hooks.init_app(app)
    prometheus.enable(app)

    @app.get("/metrics")
    def metrics():
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        registry.register(prometheus.InboxCollector(app))
        return Response(generate_latest(registry), mimetype="text/plain")
"""


def test_processes_of_gunicorn_are_scraped_as_one(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "figures"))
    source = textwrap.dedent(MULTIPROCESS).format(secret=SECRET, folder=tmp_path)

    def read(server):
        with urllib.request.urlopen(
            f"http://127.0.0.1:{server.port}/metrics", timeout=20
        ) as response:
            return scraped(response.read().decode())

    with gunicorn(tmp_path, source) as server:
        for number in range(20):
            assert server.post(message(f"event-{number}"))[0] == 200
        wait_until(lambda: read(server)["attempts_total", "greet", "succeeded"] == 20)
        found = read(server)

    assert found["deliveries_total", "accepted", "support"] == 20
    assert found["inbox_up",] == 1
    assert found["entries", "done"] in range(21)  # as it was a few seconds ago
