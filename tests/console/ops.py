"""An application with a console, and somebody who looks at it."""

import re
from html.parser import HTMLParser
from http.cookies import SimpleCookie

from hookkit import HookKit, RetryPolicy
from hookkit.application.app_state import state_of
from hookkit.console import Access
from tests.applications import ENDPOINTS, make_app, message, post

SECRET_KEY = "the-key-of-the-application-of-these-tests"
MOVING_SECRET = "the-secret-of-what-moves"
#: An endpoint that moves from one payload version to another.
MOVING = {
    "moving": {
        "provider": "sunshine",
        "secrets": [MOVING_SECRET],
        "versions": {"v1.1": "live", "v2": "shadow"},
    }
}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Ops:
    """An application whose handler ``forward`` fails while ``is_broken``, and its console.

    Attributes:
        access: What the permission answers; an exception is raised.
        below: Where the application is mounted.
    """

    def __init__(self, *, prefix="/ops", extend=None, **config):
        """Make the application.

        Args:
            extend: Is called with the application before its first request.
        """
        self.hooks = HookKit()
        self.is_broken = True
        self.error = "the shop is away"
        self.ran = []
        self.asked = []
        self.prefix = prefix.rstrip("/")
        self.below = ""
        self.as_user("view")

        @self.hooks.on("*", name="forward", retry=RetryPolicy(max_attempts=1))
        def forward(event):
            self.ran.append(event.id)
            if self.fails(event):
                raise RuntimeError(self.error_of(event))

        @self.hooks.on("conversation:message", name="greet")
        def greet(event):
            pass

        declared = {"SECRET_KEY": SECRET_KEY, "HOOKKIT_ENDPOINTS": ENDPOINTS | MOVING}
        self.app = make_app(self.hooks, **declared | config)
        self.app.register_blueprint(
            self.hooks.console(permission=self._permission), url_prefix=prefix
        )
        if extend is not None:
            extend(self.app)
        self.client = self.app.test_client()

    def fails(self, event):
        return self.is_broken

    def error_of(self, event):
        return self.error

    def _permission(self, request):
        self.asked.append(request.path)
        if isinstance(self.access, Exception):
            raise self.access
        return self.access

    @property
    def state(self):
        return state_of(self.app)

    @property
    def inbox(self):
        return self.state.opening.inbox()

    def now(self):
        return self.state.now()

    def close(self):
        self.state.stop()

    def as_user(self, *rights, user="ada@example.com"):
        self.access = Access(user, set(rights)) if rights else None

    def receive(self, *event_ids, text="Where is my order?"):
        for event_id in event_ids:
            post(self.client, message(event_id, text))

    def receive_all(self):
        """Keep a dead entry and a done one."""
        self.receive("event-1")
        self.is_broken = False
        self.receive("event-2")

    def get(self, path, **options):
        return self.client.get(self.prefix + path, **options)

    def token(self, page, action):
        """Return the fields of the form for *action* that the page has."""
        return form_of(self.get(page).text, f"{self.below}{self.prefix}{action}")

    def post(self, action, fields=(), *, page, headers=SAME_ORIGIN):
        """Press a button of *page*."""
        return self.client.post(
            self.prefix + action, data=self.token(page, action) | dict(fields), headers=headers
        )

    def acts(self):
        return [
            (each.act.who, each.act.action, each.act.target, each.result)
            for each in self.inbox.audit.find()
        ]


class _Forms(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = {}
        self._fields = {}

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form":
            self._fields = self.forms.setdefault(values["action"], {})
        if tag == "input" and values.get("type") == "hidden":
            self._fields[values["name"]] = values["value"]


def form_of(text, action):
    """Return the hidden fields of the form that is sent to *action*."""
    parser = _Forms()
    parser.feed(text)
    return parser.forms[action]


def cookie_of(response, name):
    """Return the attributes of a cookie that *response* sets."""
    for header in response.headers.getlist("Set-Cookie"):
        cookie = SimpleCookie(header)
        if name in cookie:
            return cookie[name]
    return None


def filled(rule, *, edition="0" * 16):
    """Return an address that fits *rule*."""
    filled_in = re.sub(r"<int\(.*?\):\w+>", "1", rule.rule)
    filled_in = filled_in.replace("<edition>", edition).replace("<name>", "console.css")
    return re.sub(r"<\w+>", "support", filled_in)
