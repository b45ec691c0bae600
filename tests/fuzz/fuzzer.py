"""Sends mutated requests into the application, and checks every answer."""

from __future__ import annotations

import io
import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import got_request_exception

from hookkit import HookkitError
from hookkit.senders import SENDERS
from tests.fuzz.mutate import LENGTHS, challenge, mutate_document, mutate_request
from tests.fuzz.targets import Request, facts_of, new_app, samples, sign

#: So many requests go to one application: its inbox is in memory and grows.
PER_APP = 2000
#: When the caches of the process are full, and memory must no longer grow.
WARM_AFTER = 6000
MIB = 1 << 20


@dataclass
class Report:
    """What was found.

    Attributes:
        findings: kind -> an example of it.
        grown_mib: By how much memory has grown since the caches were full; None before.
    """

    seed: int
    count: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    forged: int = 0
    findings: dict[str, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    grown_mib: float | None = None

    def add(self, kind: str, example: str) -> None:
        """Count a finding, and keep the first of its kind."""
        self.seen[kind] += 1
        self.findings.setdefault(kind, example)

    def lines(self) -> Iterator[str]:
        """Yield what a person is told."""
        rate = self.count / max(self.seconds, 0.001)
        yield f"seed {self.seed}: {self.count} requests in {self.seconds:.0f} s, {rate:.0f}/s"
        yield f"answers: {dict(sorted(self.statuses.items()))}"
        if self.grown_mib is not None:
            yield f"memory: {self.grown_mib:+.1f} MiB since {WARM_AFTER} requests"
        for kind, example in self.findings.items():
            yield f"FOUND {self.seen[kind]} x {kind}: {example}"


class Fuzzer:
    """One process's worth of hostile requests; the seed decides all but the time they name."""

    def __init__(self, seed: int) -> None:
        self.report = Report(seed)
        self._chance = random.Random(seed)  # noqa: S311  # no secret depends on it
        self._samples = samples()
        self._raised: list[BaseException] = []

    def run(self, *, requests: int | None = None, seconds: float | None = None) -> Report:
        """Send so many requests, or for so long."""
        began = time.monotonic()
        report, warm_bytes = self.report, None
        while requests is None or report.count < requests:
            if report.count % PER_APP == 0:
                app, signed = self._new_app(), set[object]()
                if report.count >= WARM_AFTER:
                    warm_bytes = _resident_bytes() if warm_bytes is None else warm_bytes
                if seconds is not None and time.monotonic() - began > seconds:
                    break
            self._one(app, signed)
            report.count += 1
        report.seconds = time.monotonic() - began
        if warm_bytes is not None:
            report.grown_mib = (_resident_bytes() - warm_bytes) / MIB
        return report

    def _new_app(self) -> Any:
        app = new_app()
        got_request_exception.connect(self._note, app)
        return app

    def _note(self, sender: object, exception: BaseException, **more: object) -> None:
        self._raised.append(exception)

    def _one(self, app: Any, signed: set[object]) -> None:
        request = self._make(signed)
        status, headers, body = self._send(app, request)
        self.report.statuses[status] += 1
        self._check(request, signed, status, headers, body)

    def _make(self, signed: set[object]) -> Request:
        chance = self._chance
        if chance.random() < 0.03:
            return challenge(chance)
        name = chance.choice(list(self._samples))
        body, headers = chance.choice(self._samples[name] or [(b"{}", {})])
        request = Request(endpoint=name, headers={"content-type": "application/json", **headers})
        request.body = mutate_document(body, chance) if chance.random() < 0.7 else body
        if chance.random() < 0.7:
            signed |= self._sign(request)
        if not request.is_signed or chance.random() < 0.6:
            mutate_request(request, chance)
        return request

    def _sign(self, request: Request) -> set[object]:
        try:
            return sign(request, self._chance)
        except (HookkitError, ValueError, KeyError, TypeError):
            # The proof lies in the body, and this one has no room for it.
            request.is_signed = False
            return set()

    def _send(self, app: Any, request: Request) -> tuple[int, dict[str, str], bytes]:
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *more: object) -> None:
            answer.update(status=int(status[:3]), headers=dict(headers))

        self._raised.clear()
        body = b"".join(app.wsgi_app(self._environ(request), start_response))
        return answer["status"], answer["headers"], body

    def _environ(self, request: Request) -> dict[str, Any]:
        chance = self._chance
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": f"/hooks/{request.endpoint}{request.path}",
            "QUERY_STRING": request.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(),
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        environ["CONTENT_LENGTH"] = str(len(request.body))
        if request.is_changed:
            self._mistreat(environ, request, chance)
        return environ

    def _mistreat(self, environ: dict[str, Any], request: Request, chance: random.Random) -> None:
        """Frame the body as senders and servers should not."""
        match chance.randrange(12):
            case 0:
                environ["CONTENT_LENGTH"] = chance.choice(LENGTHS)
            case 1:
                declared = max(0, len(request.body) + chance.choice([-1, 1, 10**9]))
                environ["CONTENT_LENGTH"] = str(declared)
                # What lies behind is no part of this request.
                request.body = request.body[:declared]
            case 2:
                del environ["CONTENT_LENGTH"]
                environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
            case 3:
                environ["wsgi.input"] = Breaking(request.body, chance)
                del environ["CONTENT_LENGTH"]
                environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}

    def _check(
        self,
        request: Request,
        signed: set[object],
        status: int,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        # repr() of a request is long: its body shows what it is.
        shown = f"{request!r:.600} -> {status} {body[:80]!r}"
        for error in self._raised:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.name}"
            self.report.add(f"{type(error).__name__} from {place}", shown)
        if status >= 500 and not self._raised:
            self.report.add(f"answer {status}", shown)
        if status == 200 and request.method == "POST" and not _is_ours(request, signed, body):
            self.report.forged += 1
            self.report.add("forgery", shown)
        if (
            request.is_signed
            and not request.is_changed
            and status not in {200, *_own_statuses(request)}
            and not _may_be_query(request)
        ):
            self.report.add(f"a proven delivery heard {status}", shown)
        if status < 500 and not _is_plain(request, status, headers, body):
            self.report.add(f"no JSON with {status}", shown)


def _is_ours(request: Request, signed: set[object], answer: bytes) -> bool:
    """Tell whether what was accepted is what was signed here."""
    if _is_ping(request, answer):
        return True
    try:
        return facts_of(request) in signed
    except (HookkitError, ValueError, KeyError, TypeError):
        return False


class Breaking(io.BytesIO):
    """A body that breaks off, as servers report it."""

    def __init__(self, body: bytes, chance: random.Random) -> None:
        super().__init__(body)
        self._error = chance.choice([OSError, ValueError, ConnectionResetError, EOFError])

    def read(self, size: int | None = -1) -> bytes:
        """Return some of it, and raise the next time."""
        found = super().read(min(size or 10, 10) if size and size > 0 else 10)
        if not found or self.tell() > 20:
            raise self._error("the body broke off")
        return found


def _is_ping(request: Request, answer: bytes) -> bool:
    # 8x8 tries a URL unsigned (docs/providers/8x8.md); nothing is kept of it.
    is_unsigned = not request.headers.get("x-8x8-signature")
    return request.endpoint == "8x8" and is_unsigned and b'"new": 0, "duplicates": 0' in answer


def _may_be_query(request: Request) -> bool:
    """Tell whether the body could be a query of the signed URL, and is refused for that."""
    scheme = SENDERS[request.endpoint].scheme if request.endpoint in SENDERS else None
    return bool(getattr(scheme, "signs_url", False)) and request.body[:1] not in (b"{", b"[")


def _own_statuses(request: Request) -> set[int]:
    """Return the statuses by which tests of the URL are answered in the sender's own way."""
    sender = SENDERS.get(request.endpoint)
    return set() if sender is None else {each.status for each in sender.handshakes}


def _is_plain(request: Request, status: int, headers: dict[str, str], body: bytes) -> bool:
    if request.method == "HEAD":
        return not body
    content_type = headers.get("Content-Type", "")
    sender = SENDERS.get(request.endpoint)
    if status in _own_statuses(request) and not body:
        return True
    if sender is not None and sender.answer is not None and status == 200:
        return content_type.startswith("text/plain") and body.decode() == sender.answer
    if request.method == "GET" and status == 200:
        return content_type.startswith("text/plain")
    if content_type != "application/json":
        return False
    return isinstance(json.loads(body), dict)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
