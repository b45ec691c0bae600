"""Servers on this machine for the tests of the command."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

from click.testing import CliRunner

from hookkit.cli.main import main

SECRET = "a secret of some length"


@dataclass
class Endpoint:
    """What arrived, and what is answered: the last answer again and again."""

    url: str = ""
    answers: list = field(default_factory=lambda: [(200, {}, b"{}")])
    requests: list = field(default_factory=list)


@contextmanager
def serving(*answers):
    """Serve status, headers and body as given, one answer after the other."""
    endpoint = Endpoint()
    endpoint.answers = list(answers) or endpoint.answers

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            number = min(len(endpoint.requests), len(endpoint.answers) - 1)
            status, headers, answer = endpoint.answers[number]
            endpoint.requests.append((self.path, dict(self.headers.items()), body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}/hooks/support"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()


def run(*arguments, stdin=None, **environment):
    """Run ``hookkit`` in this process, without the variables of the person who tests."""
    environment = {"HOOKKIT_SECRET": None, **environment}
    return CliRunner(env=environment).invoke(main, [str(each) for each in arguments], input=stdin)
