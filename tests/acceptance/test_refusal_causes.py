"""Each cause of a refusal, made to happen over HTTP: the log and ``hookkit verify`` name it.

A middleware stands for what breaks deliveries on the way; nginx breaks headers by itself.
"""

import http.client
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from hookkit.cli.main import main
from hookkit.core.delivery import Delivery
from tests.acceptance.debian import program
from tests.acceptance.servers import free_port, gunicorn
from tests.acceptance.test_nginx import serving
from tests.receiving.refused import URL, delivery_of, pair_of
from tests.waiting import DEADLINE_S

APPLICATION = """
    import base64, gzip, io, json, logging
    from pathlib import Path
    from flask import Flask
    import hookkit.log
    from hookkit import HookKit

    HERE = Path(__file__).parent
    # Each case needs its reason, however many there are within a minute.
    hookkit.log.DETAILS = 10_000

    class Reasons(logging.Handler):
        def emit(self, record):
            found = {name: getattr(record, name, None) for name in ("action", "endpoint", "cause")}
            with (HERE / "reasons").open("a") as file:
                file.write(json.dumps({**found, "line": record.getMessage()}) + "\\n")

    hookkit.log.logger.setLevel("INFO")
    hookkit.log.logger.addHandler(Reasons())

    BODIES = {
        "parse": lambda body: json.dumps(json.loads(body)).encode(),
        "newline": lambda body: body + b"\\n",
        "bom": lambda body: b"\\xef\\xbb\\xbf" + body,
        "charset": lambda body: body.decode().encode("latin-1"),
        "gzip": gzip.compress,
        "cut": lambda body: body[:-9],
        "lose": lambda body: b"",
        "form": lambda body: body.replace(b"%20", b"+"),
    }

    class Broken:
        def __init__(self, wsgi):
            self.wsgi = wsgi

        def __call__(self, environ, start_response):
            how = environ.pop("HTTP_X_BROKEN", "")
            name = "HTTP_" + environ.pop("HTTP_X_HEADER", "").upper().replace("-", "_")
            body = environ["wsgi.input"].read()
            body = BODIES.get(how, bytes)(body)
            if how == "drop":
                del environ[name]
            if how == "rename":
                environ["HTTP_X_ORIGINAL_" + name[5:]] = environ.pop(name)
            if how == "double":
                environ[name] += "," + environ[name]
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            keep(environ, body)
            return self.wsgi(environ, start_response)

    def keep(environ, body):
        headers = {k[5:].replace("_", "-"): v for k, v in environ.items() if k[:5] == "HTTP_"}
        kept = {
            "method": "POST",
            "url": environ["PATH_INFO"] + "?" + environ["QUERY_STRING"],
            "headers": headers,
            "body_base64": base64.b64encode(body).decode(),
        }
        (HERE / (Path(environ["PATH_INFO"]).name + ".json")).write_text(json.dumps(kept))

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = json.loads((HERE / "endpoints").read_text())
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{HERE / 'inbox.db'}"
    app.config["HOOKKIT_RUNNER"] = "none"
    HookKit().init_app(app)
    app.wsgi_app = Broken(app.wsgi_app)

    @app.get("/")
    def page():
        return "up"
"""

JSON_BODY = '{"type":"order.paid","id":"1","text":"Grüße"}'.encode()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A delivery that is refused.

    Attributes:
        cause: What is to be named.
        secret: What the vendor signs with, if not the secret in the settings.
        settings: Settings of the endpoint, beside its provider and its secret.
        how: What the middleware does, and to which header.
    """

    provider: str
    cause: str
    how: str = ""
    header: str = ""
    secret: str | None = None
    settings: dict[str, object] = field(default_factory=dict)
    url: str = URL
    late: timedelta = timedelta()
    body: bytes | None = JSON_BODY
    sender: str = ""
    #: Whether the command knows as much as the application does.
    is_known_alone: bool = True

    @property
    def endpoint(self):
        setting = "keys" if self.provider == "8x8" else "secrets"
        url = {"public_url": URL} if self.provider in ("twilio", "square") else {}
        return {
            "provider": self.provider,
            setting: [pair_of(self.provider)[1]],
            **url,
            **self.settings,
        }

    def delivery(self) -> Delivery:
        return delivery_of(
            self.sender or self.provider,
            self.body,
            secret=self.secret,
            url=self.url,
            now=datetime.now(UTC) - self.late,
        )


BYTEWISE = ("stripe", "github", "slack", "standard", "8x8")
FORM = b"command=%2Fweather&text=New%20York"
MINE = "a-secret-of-mine"

CASES = {
    **{
        f"{provider}-{how}": Case(provider=provider, how=how, cause=cause)
        for provider in BYTEWISE
        for how, cause in (
            ("parse", "body_reencoded"),
            ("newline", "body_newline"),
            ("bom", "body_bom"),
            ("charset", "body_charset"),
            ("gzip", "body_compressed"),
            ("cut", "body_truncated"),
            ("lose", "body_empty"),
        )
    },
    **{
        f"{provider}-{how}": Case(provider=provider, how=how, header=header, cause=cause, body=body)
        for provider, header, body in (
            ("sunshine", "x-api-key", None),
            ("stripe", "stripe-signature", JSON_BODY),
            ("github", "x-hub-signature-256", JSON_BODY),
            ("slack", "x-slack-signature", JSON_BODY),
            ("twilio", "x-twilio-signature", None),
            ("standard", "webhook-signature", JSON_BODY),
            ("8x8", "x-8x8-signature", JSON_BODY),
        )
        for how, cause in (("drop", "header_missing"), ("rename", "header_renamed"))
        # Which of 8x8's keys it needs, only that header says.
        if (provider, how) != ("8x8", "rename")
    },
    **{
        f"{provider}-double": Case(
            provider=provider, how="double", header=header, cause="header_form", body=None
        )
        for provider, header in (("sunshine", "x-api-key"), ("twilio", "x-twilio-signature"))
    },
    **{
        f"{provider}-clock": Case(provider=provider, late=late, cause="clock")
        for provider, late in (
            ("stripe", timedelta(hours=1)),
            ("slack", timedelta(minutes=-20)),
            ("standard", timedelta(days=2)),
            ("8x8", timedelta(minutes=10)),
        )
    },
    **{
        f"{provider}-other": Case(
            provider=provider,
            secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            cause="secret_of_other_endpoint",
            body=None,
            is_known_alone=False,
        )
        for provider in ("sunshine", "livechat", "stripe", "github", "slack", "twilio", "standard")
    },
    **{
        f"{provider}-quoted": Case(
            provider=provider,
            settings={"secrets": [f'"{MINE}"']},
            secret=MINE,
            cause="secret_form",
            body=None,
        )
        for provider in ("sunshine", "livechat", "stripe", "github", "slack", "twilio")
    },
    "standard-text": Case(
        provider="generic",
        settings={
            "secrets": ["00ff00ff"],
            "scheme": {"header": "x-signature", "secret_encoding": "hex"},
        },
        secret="00ff00ff",
        cause="secret_form",
    ),
    "stripe-variable": Case(
        provider="stripe",
        settings={"secrets": ["$STRIPE_SECRET"]},
        secret="y" * 20,
        cause="secret_form",
    ),
    "livechat-gzip": Case(provider="livechat", how="gzip", cause="body_compressed", body=None),
    "sunshine-version": Case(
        provider="sunshine",
        settings={"versions": {"v1": {"secrets": ["secret-of-v1"]}}},
        secret="secret-of-v1",
        cause="secret_of_other_version",
        body=None,
    ),
    **{
        f"twilio-{cause}-{number}": Case(provider="twilio", url=url, cause=cause, body=None)
        for number, (url, cause) in enumerate(
            {
                "http://example.com/hooks/shop": "url_scheme",
                "https://example.com:8443/hooks/shop": "url_port",
                "https://example.com/hooks/shop/": "url_path",
                "https://backend.internal/hooks/shop": "url_host",
            }.items()
        )
    },
    "slack-form": Case(provider="slack", how="form", body=FORM, cause="body_form"),
    "github-of-stripe": Case(provider="github", sender="stripe", cause="wrong_scheme"),
    "livechat-of-sunshine": Case(
        provider="livechat", sender="sunshine", cause="other_sender", body=None
    ),
    "stripe-sha512": Case(
        provider="generic",
        settings={"scheme": {"header": "x-signature", "algorithm": "sha512"}},
        cause="wrong_scheme",
    ),
    "zoom-unit": Case(
        provider="zoom",
        settings={
            "scheme": {
                "header": "x-zm-signature",
                "prefix": "v0=",
                "signed": "v0:{timestamp}:{body}",
                "timestamp_header": "x-zm-request-timestamp",
                "timestamp_unit": "ms",
            }
        },
        cause="time_unit",
    ),
    **{
        f"{provider}-unknown": Case(
            provider=provider,
            secret="whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
            cause="unknown",
            body=None,
        )
        for provider in ("sunshine", "livechat", "stripe", "github", "slack", "twilio", "standard")
    },
}

NGINX = """
    underscores_in_headers off;
    server {{
        listen 127.0.0.1:{port};
        location /hooks/ {{ proxy_pass http://127.0.0.1:{behind}; }}
        location /drop/ {{
            proxy_set_header Stripe-Signature "";
            proxy_pass http://127.0.0.1:{behind}/hooks/;
        }}
        location /rename/ {{
            proxy_set_header X-Forwarded-Api-Key $http_x_api_key;
            proxy_set_header X-Api-Key "";
            proxy_pass http://127.0.0.1:{behind}/hooks/;
        }}
    }}
"""


@pytest.fixture(scope="module")
def receiving(tmp_path_factory):
    """Return a server whose endpoints have the names of the cases."""
    folder = tmp_path_factory.mktemp("refused")
    second = {"provider": "sunshine", "secrets": ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}
    endpoints = {"second": second, **{name: case.endpoint for name, case in CASES.items()}}
    for name in ("nginx-drop", "nginx-underscore"):
        endpoints[name] = Case(provider="stripe", cause="").endpoint
    endpoints["nginx-underscore"]["scheme"] = {"header": "x_signature"}
    endpoints["nginx-rename"] = Case(provider="sunshine", cause="").endpoint
    (folder / "endpoints").write_text(json.dumps(endpoints))
    with gunicorn(folder, APPLICATION, "--workers=1") as server:
        yield server


def post(port, path, delivery, **more):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        headers = {**delivery.headers, "Host": "backend.internal", **more}
        connection.request("POST", path, body=delivery.body, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def reason_of(server, endpoint):
    lines = map(json.loads, server.lines("reasons"))
    (found,) = [each for each in lines if each["endpoint"] == endpoint]
    return found


@pytest.mark.parametrize("name", CASES)
def test_log_and_command_name_the_cause(receiving, name, tmp_path):
    case = CASES[name]
    headers = {"X-Broken": case.how, "X-Header": case.header, "X-Forwarded-Port": "8443"}

    status, answer = post(receiving.port, f"/hooks/{name}", case.delivery(), **headers)

    assert status in (400, 401)
    assert answer.keys() == {"code"}
    found = reason_of(receiving, name)
    assert (found["action"], found["cause"]) == ("delivery_rejected", case.cause)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(case.endpoint))
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    captured = str(receiving.folder / f"{name}.json")
    result = CliRunner().invoke(main, ["verify", captured, "--settings", str(settings), "--at", at])
    assert result.exit_code == 1, result.output
    first = result.output.splitlines()[0].partition(": ")
    assert first[0] == (case.cause if case.is_known_alone else "unknown")
    # The time goes on between the two.
    assert first[2] in found["line"] or not case.is_known_alone or case.cause == "clock"


@pytest.fixture(scope="module")
def proxy(receiving):
    program("nginx")
    port = free_port()
    server = NGINX.format(port=port, behind=receiving.port)
    with serving(receiving.folder, port, server):
        yield port


@pytest.mark.parametrize(
    ("endpoint", "path", "cause", "said"),
    [
        ("nginx-drop", "/drop/", "header_missing", "stripe-signature"),
        ("nginx-rename", "/rename/", "header_renamed", "x-forwarded-api-key"),
        ("nginx-underscore", "/hooks/", "header_missing", "underscore"),
    ],
)
def test_proxy_that_takes_a_header(receiving, proxy, endpoint, path, cause, said):
    case = Case(provider=receiving_provider(receiving, endpoint), cause=cause, body=None)
    delivery, more = case.delivery(), {}
    if endpoint == "nginx-underscore":
        delivery, more = replace(delivery, headers={}), {"X_Signature": "0" * 64}

    status, _ = post(proxy, f"{path}{endpoint}", delivery, **more)

    found = reason_of(receiving, endpoint)
    assert (status, found["cause"]) == (401, cause)
    assert said in found["line"]


def receiving_provider(server, endpoint):
    return json.loads((server.folder / "endpoints").read_text())[endpoint]["provider"]
