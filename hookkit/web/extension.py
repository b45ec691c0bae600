"""``HookKit``: registers handlers, and makes the blueprint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, Unpack, cast, overload
from weakref import WeakKeyDictionary

from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState

from hookkit.application.app_state import AppState, rule_name, state_of
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
    check_annotation,
    check_condition,
    check_options,
    takes_run,
)
from hookkit.core.triggers import explain
from hookkit.operating.operations import Stats
from hookkit.providers import load_providers
from hookkit.receiving.endpoint import Endpoint
from hookkit.web import typed_handlers as typed
from hookkit.web.console.access import Permission
from hookkit.web.console.console import Nonce, console_blueprint
from hookkit.web.front import Front
from hookkit.web.handler_names import name_of
from hookkit.web.health import MaySee, health_blueprint
from hookkit.web.typed_handlers import HandlerOptions
from hookkit.web.urls import Urls
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
        self._urls: WeakKeyDictionary[AppState, Urls] = WeakKeyDictionary()
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

    def wsgi(self, app: Flask) -> Front:
        """Return a WSGI application that takes the deliveries to *app* in front of Flask.

        Write ``app.wsgi_app = hooks.wsgi(app)`` after the blueprint is registered and before any
        other middleware is put around ``app.wsgi_app``. Answers are the same, at less cost.
        Requests to other URLs reach *app* as they are. A delivery has an application context
        and no request; *app*'s ``before_request`` and ``after_request`` do not run for it.

        Raises:
            ConfigurationError: *app* has not registered this HookKit.
        """
        state = state_of(app)
        if state not in self._urls:
            raise ConfigurationError(f"application {app.name!r} has registered another HookKit")
        return Front(state, self._urls[state])

    def health(self, *, details: MaySee | None = None) -> Blueprint:
        """Return a blueprint that tells how the application is, for whatever asks for that.

        ``app.register_blueprint(hooks.health(), url_prefix="/health")`` gives it ``/health/live``
        (this process answers) and ``/health/ready`` (its inbox can be reached, and has the right
        tables; else 503), which anybody may ask: they look into the inbox once a second at most.

        Args:
            details: Called with the request for ``/health/``, which shows what is overdue, dead
                and silent. Anything but True is answered 404, as is everybody without it.
        """
        return health_blueprint(details)

    def console(
        self,
        *,
        permission: Permission,
        nonce: Nonce | None = None,
        logout_url: str | None = None,
    ) -> Blueprint:
        """Return the blueprint of the operations console: pages that show and work the inbox.

        ``app.register_blueprint(hooks.console(permission=allow), url_prefix="/ops")`` puts it
        below ``/ops``. It is closed to everybody whom *permission* does not let in.

        Args:
            permission: Called with every request. It returns an ``Access`` (of
                ``hookkit.console``), which names the user and what they may do; None, and the
                request is answered 404; or a response, such as a redirection to a login page.
            nonce: Returns the nonce of a request for the tags of script and style. Only an
                application whose own Content-Security-Policy replaces the console's needs one.
            logout_url: Where a user logs out.

        Raises:
            TypeError: *permission* is missing, or no function.
        """
        return console_blueprint(permission, nonce=nonce, logout_url=logout_url)

    @overload
    def on(
        self, *triggers: typed.MessageWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.MessageHandler], typed.MessageHandler]: ...
    @overload
    def on(
        self, *triggers: typed.DeliveryWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.DeliveryHandler], typed.DeliveryHandler]: ...
    @overload
    def on(
        self, *triggers: typed.PostbackWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.PostbackHandler], typed.PostbackHandler]: ...
    @overload
    def on(
        self, *triggers: typed.ActivityWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.ActivityHandler], typed.ActivityHandler]: ...
    @overload
    def on(
        self, *triggers: typed.ReferralWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.ReferralHandler], typed.ReferralHandler]: ...
    @overload
    def on(
        self, *triggers: typed.ConversationWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.ConversationHandler], typed.ConversationHandler]: ...
    @overload
    def on(
        self, *triggers: typed.ClientWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.ClientHandler], typed.ClientHandler]: ...
    @overload
    def on(
        self, *triggers: typed.UserWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.UserHandler], typed.UserHandler]: ...
    @overload
    def on(
        self, *triggers: typed.MergeWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.MergeHandler], typed.MergeHandler]: ...
    @overload
    def on(
        self, *triggers: typed.AgentWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.AgentHandler], typed.AgentHandler]: ...
    @overload
    def on(
        self, *triggers: typed.ControlWord, **options: Unpack[HandlerOptions]
    ) -> Callable[[typed.ControlHandler], typed.ControlHandler]: ...
    @overload
    def on(self, *triggers: str, **options: Unpack[HandlerOptions]) -> Callable[[F], F]: ...
    def on(  # noqa: PLR0913  # a handler is described in one place
        self,
        *triggers: str,
        author: AuthorWord | None = None,
        channel: str | None = None,
        control: str | None = None,
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
            control: Only events of conversations that the integration of this name has control
                of: the words of ``Conversation.active_control.name``.
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
                received deliveries already, a transactional handler takes no run, or the function
                is annotated with a class of events that a trigger never hands over.
        """
        _check_triggers(triggers)
        check_options(
            when,
            retry,
            {"channel": channel, "control": control, "endpoint": endpoint, "name": name},
            {"transactional": transactional, "ordered": ordered},
        )
        providers = load_providers()
        vocabulary = {each.name: each.triggers for each in providers.values()}
        explained = tuple(explain(word, vocabulary) for word in triggers)
        check_condition(author, provider, version, providers)
        condition = Condition(
            author=author,
            channel=channel,
            control=control,
            provider=provider,
            endpoint=endpoint,
            version=version,
            when=when,
        )

        def register(function: F) -> F:
            check_annotation(function, explained)
            self._add(
                Handler(
                    name=name_of(function) if name is None else name,
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
                name=name_of(function),
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
        state_of(app).replaying.one(entry_id, handlers=handlers)

    def replay_all(
        self,
        app: Flask,
        wanted: Filter,
        *,
        handlers: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
        reason: str = "",
    ) -> int:
        """Replay every entry of *app*'s inbox that matches *wanted*; return how many.

        Entries that ``replay`` would refuse are left out, and so are entries that arrive
        meanwhile. If it is interrupted, ``flask hookkit replay --resume`` goes on with it.

        Args:
            handlers: As ``replay`` takes them.
            progress: Called now and then with the number of entries replayed so far.
            reason: Why, for the record.

        Raises:
            ConfigurationError: A handler is not known.
            Unavailable: The inbox cannot be reached; entries replayed until then stay replayed.
        """
        replaying = state_of(app).replaying
        started = replaying.start(wanted, handlers=handlers, reason=reason)
        return replaying.go_on(
            started.id,
            progress=None if progress is None else lambda so_far: progress(so_far.count),
        ).count

    def stats(self, app: Flask) -> Stats:
        """Return the statistics of *app*'s inbox, for health checks and metrics.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        return state_of(app).operations.stats()

    def _add(self, handler: Handler) -> None:
        serving = [state for state in self._urls if state.received_at_s is not None]
        late = [state for state in serving if not state.app.testing]
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
        urls = self._urls[state] = Urls(setup.url_prefix or "", state.settings.endpoints)
        for endpoint in state.settings.endpoints.values():
            name = rule_name(endpoint)
            urls.rules[_full_name(setup, name)] = endpoint
            _add_rule(setup, name, endpoint, state)
        if (setup.url_prefix or "").strip("/"):
            # Without a prefix, these rules would match every unknown path of the application.
            urls.rules[_full_name(setup, "unknown")] = None
            for rule in ("/", "/<path:path>"):
                setup.add_url_rule(
                    rule, endpoint="unknown", view_func=refuse_unknown, **_EVERY_METHOD
                )
        app.before_request(answer_for_routing(urls))
        app.extensions["hookkit"] = state
        serve(state)


def _full_name(setup: BlueprintSetupState, name: str) -> str:
    """Return what Flask calls the rule *name* of the blueprint."""
    return f"{setup.name_prefix}.{setup.name}.{name}".lstrip(".")


def _add_rule(setup: BlueprintSetupState, name: str, endpoint: Endpoint, state: AppState) -> None:
    view = view_of(endpoint, state)
    prefix = (setup.url_prefix or "").rstrip("/")
    _refuse_taken(state.app, endpoint, prefix, state.settings.endpoints)
    if endpoint.path is None:
        paths = [f"/{endpoint.name}"]
        if endpoint.asks_for("path_token"):
            # It matches any token, so that verification refuses a wrong one, not the routing.
            paths.append(f"/{endpoint.name}/<path:path_token>")
        for path in paths:
            setup.add_url_rule(path, endpoint=name, view_func=view, **_EVERY_METHOD)
        return
    # An existing URL has no prefix; the name makes ``request.blueprint`` right all the same.
    state.app.add_url_rule(
        endpoint.path, endpoint=_full_name(setup, name), view_func=view, **_EVERY_METHOD
    )


def _refuse_taken(
    app: Flask, endpoint: Endpoint, prefix: str, endpoints: Mapping[str, Endpoint]
) -> None:
    """Refuse an endpoint whose URL is another one's: one of the two would hear nothing.

    Raises:
        ConfigurationError: It is another endpoint's, or a view of the application answers it.
    """
    setting = f"HOOKKIT_ENDPOINTS.{endpoint.name}"
    if endpoint.path is not None:
        setting = f"{setting}.path"
        for other in endpoints.values():
            url = f"{prefix}/{other.name}"
            is_below = other.asks_for("path_token") and endpoint.path.startswith(f"{url}/")
            is_taken = is_below or endpoint.path.rstrip("/") == url
            if is_taken and other.path is None:
                raise ConfigurationError(
                    f"{setting}: {endpoint.path} is the URL of endpoint {other.name!r} already"
                )
    url = f"{prefix}/{endpoint.name}" if endpoint.path is None else endpoint.path
    for rule in app.url_map.iter_rules():
        if rule.rule == url and "POST" in (rule.methods or ()):
            raise ConfigurationError(
                f"{setting}: {rule.endpoint!r} answers POST {url} already, and would go on doing"
                " so; remove that view"
            )


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
