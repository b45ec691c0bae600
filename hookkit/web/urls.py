"""Which URLs of an application are hookkit's, and the answers to what no rule of Flask fits."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from hookkit.receiving.endpoint import Endpoint
from hookkit.web.exchange import Answer, refuse_header, refuse_method, refuse_unknown


class Urls:
    """The URLs of one application that hookkit answers.

    Args:
        prefix: Of the blueprint.
        endpoints: By their names.

    Attributes:
        rules: Flask's name of each of hookkit's rules -> the endpoint that answers; None where the
            URL belongs to no endpoint.
    """

    def __init__(self, prefix: str, endpoints: Mapping[str, Endpoint]) -> None:
        self.rules: dict[str, Endpoint | None] = {}
        self._prefix = prefix.rstrip("/")
        self._exact: set[str] = set()
        above_tokens = []
        for name, endpoint in endpoints.items():
            url = f"{self._prefix}/{name}" if endpoint.path is None else endpoint.path
            self._exact.add(url)
            if endpoint.asks_for("path_token"):
                above_tokens.append(f"{url}/")
        self._above_tokens = tuple(above_tokens)

    def is_endpoint(self, path: str) -> bool:
        """Tell whether an endpoint has *path*."""
        return path in self._exact or path.startswith(self._above_tokens)

    def is_ours(self, path: str) -> bool:
        """Tell whether hookkit answers requests for *path*, if no view of the application does."""
        # Without a prefix, the rest of the URLs are the application's.
        return self.is_endpoint(path) or (
            bool(self._prefix) and (path == self._prefix or path.startswith(f"{self._prefix}/"))
        )

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What the paths of requests to hookkit begin with, in the encoding of WSGI.

        Flask takes several slashes at the beginning for one.
        """
        texts = {"//", *self._exact, *self._above_tokens, *([self._prefix] if self._prefix else [])}
        return tuple(text.encode().decode("latin-1") for text in texts)

    def answer_to_routing(self, error: HTTPException, path: str) -> Answer | None:
        """Return the answer to a request that Flask cannot route; None if it is not hookkit's.

        Flask would answer in HTML, and redirect to the host that the request names.
        """
        if not self.is_ours(path):
            return None
        if isinstance(error, MethodNotAllowed) and self.is_endpoint(path):
            return refuse_method()
        if isinstance(error, MethodNotAllowed | NotFound | RequestRedirect):
            return refuse_unknown()
        # The Host is invalid, or the request asks for a web socket.
        return refuse_header()
