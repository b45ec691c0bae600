"""``HookKit``: registers handlers, and makes the blueprint."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakSet

from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState

from hookkit.application.app_state import AppState
from hookkit.application.autostart import serve
from hookkit.cli.flask_commands import COMMANDS
from hookkit.core.attempts import RetryPolicy
from hookkit.core.entry import Filter
from hookkit.core.errors import ConfigurationError
from hookkit.core.handlers import (
    AuthorWord,
    Condition,
    Handler,
    HandlerFunction,
    HandlerRegistry,
    check_condition,
    check_options,
    takes_run,
)
from hookkit.core.triggers import explain
from hookkit.operating.operations import Stats
from hookkit.providers import load_providers
from hookkit.receiving.endpoint import Endpoint
from hookkit.web.views import answer_for_routing, refuse_unknown, view_of

F = TypeVar("F", bound=HandlerFunction)

DEFAULT_PREFIX = "/hooks"

#: The view gets every method, so that all answers are hookkit's own.
_EVERY_METHOD: dict[str, Any] = {
    "methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
    "provide_automatic_options": False,
}


class HookKit:
    """Handlers, and the blueprint that receives their events.

    One instance can serve several applications. Register it with
    ``app.register_blueprint(hooks.blueprint, url_prefix="/hooks")`` or ``hooks.init_app(app)``.
    """

    def __init__(self) -> None:
        self._registry = HandlerRegistry()
        self._states: WeakSet[AppState] = WeakSet()
        self._blueprint: Blueprint | None = None

    @property
    def blueprint(self) -> Blueprint:
        """The blueprint, with the endpoints below its ``url_prefix`` (``/hooks``)."""
        if self._blueprint is None:
            self._blueprint = Blueprint(
                "hookkit", "hookkit", url_prefix=DEFAULT_PREFIX, cli_group="hookkit"
            )
            for command in COMMANDS:
                self._blueprint.cli.add_command(command)
            self._blueprint.record(self._register)
        return self._blueprint

    def init_app(self, app: Flask) -> None:
        """Register the blueprint under ``HOOKKIT_URL_PREFIX`` (``/hooks``).

        Raises:
            ConfigurationError: A setting is wrong; every mistake is listed.
        """
        prefix = app.config.get("HOOKKIT_URL_PREFIX", DEFAULT_PREFIX)
        # An invalid prefix is reported with the other mistakes in the settings.
        is_path = isinstance(prefix, str) and prefix.startswith("/")
        app.register_blueprint(self.blueprint, url_prefix=prefix if is_path else DEFAULT_PREFIX)

    def on(  # noqa: PLR0913  # a handler is described in one place
        self,
        *triggers: str,
        author: AuthorWord | None = None,
        channel: str | None = None,
        provider: str | None = None,
        endpoint: str | None = None,
        version: str | None = None,
        when: Callable[[Any], bool] | None = None,
        name: str | None = None,
        retry: RetryPolicy | None = None,
        transactional: bool = False,
        ordered: bool = False,
    ) -> Callable[[F], F]:
        """Register the decorated function for the events that any of *triggers* means.

        The function takes the event, and optionally the ``Run`` as a second argument. It can be
        a coroutine function. It runs in an application context of its own.

        Args:
            triggers: An event type (``"conversation:message"``), a wildcard
                (``"conversation:*"``, ``"*"``), a vendor's word of any version
                (``"message:appUser"``) or exactly one as sent (``"sunshine/message:appUser"``).
            author: Only events of this author: ``user``, ``business``, ``bot`` or ``system``.
            channel: Only events that came through a channel of this type: ``whatsapp``, ``web``,
                ``api:conversations``, ...: the words of ``Source.type``.
            provider: Only events of this provider.
            endpoint: Only events received by this endpoint.
            version: Only events read from this payload version.
            when: Only events for which this function returns true. It is called with the
                event; if it raises, the attempt has failed.
            name: The handler's lasting name in the inbox; default module and qualname.
            retry: When and how often it is tried again; default ``HOOKKIT_RETRY``.
            transactional: ``run.connection`` is a SQLAlchemy connection to the inbox's own
                database. What is written there is committed with the record of success, so
                it happens exactly once. On SQLite such a handler must be short: nothing
                else can be written meanwhile.
            ordered: The handler gets the events of a conversation one at a time, in the order
                they arrived. An event that waits for its next attempt holds up the later
                events of its conversation; a dead one does not.

        Raises:
            ConfigurationError: A trigger is unknown, the name is taken, an application has
                received deliveries already, or a transactional handler takes no run.
        """
        _check_triggers(triggers)
        check_options(when, retry)
        providers = load_providers()
        vocabulary = {each.name: each.triggers for each in providers.values()}
        explained = tuple(explain(word, vocabulary) for word in triggers)
        check_condition(author, provider, version, providers)
        condition = Condition(
            author=author,
            channel=channel,
            provider=provider,
            endpoint=endpoint,
            version=version,
            when=when,
        )

        def register(function: F) -> F:
            self._add(
                Handler(
                    name=_name_of(function) if name is None else name,
                    function=function,
                    triggers=explained,
                    condition=condition,
                    retry=retry,
                    takes_run=takes_run(function),
                    transactional=transactional,
                    ordered=ordered,
                )
            )
            return function

        return register

    def fallback(self, function: F) -> F:
        """Register *function* for the events that no handler wants, unknown events included.

        Raises:
            ConfigurationError: As ``on`` does.
        """
        self._add(
            Handler(
                name=_name_of(function),
                function=function,
                triggers=(),
                takes_run=takes_run(function),
            )
        )
        return function

    def replay(self, app: Flask, entry_id: int, *, handlers: Collection[str] | None = None) -> None:
        """Run an entry of *app*'s inbox again.

        For a DONE entry every handler runs again; for a WAITING or DEAD one, those that have
        not succeeded.

        Args:
            handlers: The names of the only handlers to run, whether they have succeeded or not.

        Raises:
            ReplayRefused: There is no such entry; it is due or running already; its body was
                deleted; or it is WAITING and *handlers* are given.
            ConfigurationError: A handler is not known.
            Unavailable: The inbox cannot be reached.
        """
        _state_of(app).operations.replay(entry_id, handlers=handlers)

    def replay_all(
        self,
        app: Flask,
        wanted: Filter,
        *,
        handlers: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Replay every entry of *app*'s inbox that matches *wanted*; return how many.

        Entries that ``replay`` would refuse are left out, and so are entries that arrive
        meanwhile.

        Args:
            handlers: As ``replay`` takes them.
            progress: Called now and then with the number of entries replayed so far.

        Raises:
            ConfigurationError: A handler is not known.
            Unavailable: The inbox cannot be reached; entries replayed until then stay replayed.
        """
        operations = _state_of(app).operations
        return operations.replay_all(wanted, handlers=handlers, progress=progress)

    def stats(self, app: Flask) -> Stats:
        """Return the statistics of *app*'s inbox, for health checks and metrics.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        return _state_of(app).operations.stats()

    def _add(self, handler: Handler) -> None:
        late = [state for state in self._states if state.has_received and not state.app.testing]
        if late:
            raise ConfigurationError(
                f"handler {handler.name!r} is registered after {late[0].app.name!r} received its"
                " first delivery, which it has missed; import its module before the start"
            )
        if handler.transactional and not handler.takes_run:
            raise ConfigurationError(
                f"handler {handler.name!r} is transactional and takes no second argument, whose"
                " connection its effects must go through; write def handle(event, run)"
            )
        self._registry.add(handler)

    def _register(self, setup: BlueprintSetupState) -> None:
        app = cast("Flask", setup.app)
        if "hookkit" in app.extensions:
            raise ConfigurationError(f"application {app.name!r} has a HookKit already")
        state = AppState(app, self._registry, load_providers())
        self._states.add(state)
        for endpoint in state.settings.endpoints.values():
            _add_rule(setup, app, endpoint, state)
        if (setup.url_prefix or "").strip("/"):
            # Without a prefix, these rules would match every unknown path of the application.
            for rule in ("/", "/<path:path>"):
                setup.add_url_rule(
                    rule, endpoint="unknown", view_func=refuse_unknown, **_EVERY_METHOD
                )
        _answer_unroutable(setup, app, state)
        app.extensions["hookkit"] = state
        serve(state)


def _add_rule(setup: BlueprintSetupState, app: Flask, endpoint: Endpoint, state: AppState) -> None:
    # Flask would take a dot for a blueprint within the blueprint.
    name = f"at_{endpoint.name.replace('.', '%2E')}"
    view = view_of(endpoint, state)
    if endpoint.path is None:
        paths = [f"/{endpoint.name}"]
        if endpoint.asks_for("path_token"):
            # It matches any token, so that verification refuses a wrong one, not the routing.
            paths.append(f"/{endpoint.name}/<path:path_token>")
        for path in paths:
            setup.add_url_rule(path, endpoint=name, view_func=view, **_EVERY_METHOD)
        return
    other = endpoint.path.removeprefix(f"{(setup.url_prefix or '').rstrip('/')}/")
    if other != endpoint.path and other.partition("/")[0] in state.settings.endpoints:
        raise ConfigurationError(
            f"HOOKKIT_ENDPOINTS.{endpoint.name}.path: {endpoint.path} is the URL of endpoint"
            f" {other.partition('/')[0]!r} already"
        )
    for rule in app.url_map.iter_rules():
        if rule.rule == endpoint.path and "POST" in (rule.methods or ()):
            raise ConfigurationError(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.path: {rule.endpoint!r} answers POST"
                f" {endpoint.path} already, and would go on doing so; remove that view"
            )
    # An existing URL has no prefix; the name makes ``request.blueprint`` right all the same.
    name = f"{setup.name_prefix}.{setup.name}.{name}".lstrip(".")
    app.add_url_rule(endpoint.path, endpoint=name, view_func=view, **_EVERY_METHOD)


def _answer_unroutable(setup: BlueprintSetupState, app: Flask, state: AppState) -> None:
    """Have hookkit answer the requests to its URLs that no rule fits."""
    prefix = (setup.url_prefix or "").rstrip("/")
    exact, above_tokens = set(), []
    for name, endpoint in state.settings.endpoints.items():
        url = f"{prefix}/{name}" if endpoint.path is None else endpoint.path
        exact.add(url)
        if endpoint.asks_for("path_token"):
            above_tokens.append(f"{url}/")

    def is_endpoint(path: str) -> bool:
        return path in exact or path.startswith(tuple(above_tokens))

    def is_ours(path: str) -> bool:
        # Without a prefix, the rest of the URLs are the application's.
        return is_endpoint(path) or (
            bool(prefix) and (path == prefix or path.startswith(f"{prefix}/"))
        )

    app.before_request(answer_for_routing(is_ours, is_endpoint))


def _state_of(app: Flask) -> AppState:
    state: AppState | None = app.extensions.get("hookkit")
    if state is None:
        raise ConfigurationError(f"application {app.name!r} has not registered a HookKit")
    return state


def _name_of(function: HandlerFunction) -> str:
    if not callable(function):
        raise ConfigurationError(f"a handler must be a function, and {function!r} is none")
    named = inspect.unwrap(function)
    module, qualname = getattr(named, "__module__", None), getattr(named, "__qualname__", None)
    if module is None or qualname is None:
        raise ConfigurationError(f"handler {named!r} has no name of its own; pass name=")
    return f"{_real_name(module)}.{qualname}"


def _real_name(module: str) -> str:
    """Return the name of *module*; of the file that was run, the one it has when imported.

    Else ``python app.py`` and ``flask --app app`` would have two handlers of one function.
    """
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name.removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else module


def _check_triggers(triggers: tuple[object, ...]) -> None:
    if not triggers:
        raise ConfigurationError('on() needs a trigger; "*" stands for every event')
    for each in triggers:
        if callable(each):
            raise ConfigurationError('@hooks.on needs a trigger: write @hooks.on("*")')
        if not isinstance(each, str):
            raise ConfigurationError(
                f"on({each!r}): a trigger is a text; several are separate arguments,"
                ' @hooks.on("conversation:message", "conversation:postback")'
            )
