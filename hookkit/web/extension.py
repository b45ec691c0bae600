"""``HookKit``: what a user writes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from weakref import WeakSet

from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState

from hookkit.core.errors import ConfigurationError
from hookkit.core.handlers import Condition, Handler, HandlerFunction, HandlerRegistry, takes_run
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.core.retry import RetryPolicy
from hookkit.core.states import State
from hookkit.core.triggers import explain
from hookkit.endpoint import Endpoint
from hookkit.providers import load_providers
from hookkit.web.blueprint import refuse_unknown, view_of
from hookkit.web.process import serve
from hookkit.web.state import AppState, utc_now

F = TypeVar("F", bound=HandlerFunction)

DEFAULT_PREFIX = "/hooks"

#: All methods reach the view, so that every answer is hookkit's own.
_EVERY_METHOD: dict[str, Any] = {
    "methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
    "provide_automatic_options": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How an inbox stands.

    Attributes:
        entries: How many are in each state; every state is there.
        overdue_s: For how long what is due first has been waiting for a worker, in seconds;
            this grows when nothing is handled any more, whatever the reason.
    """

    entries: Mapping[State, int]
    overdue_s: float


class HookKit:
    """Handlers, and the blueprint through which their events arrive.

    One instance may serve several applications. Register it with
    ``app.register_blueprint(hooks.blueprint, url_prefix="/hooks")`` or ``hooks.init_app(app)``.
    """

    def __init__(self) -> None:
        self._registry = HandlerRegistry()
        self._states: WeakSet[AppState] = WeakSet()
        self._blueprint: Blueprint | None = None

    @property
    def blueprint(self) -> Blueprint:
        """The blueprint; its ``url_prefix``, by default ``/hooks``, is where the endpoints are."""
        if self._blueprint is None:
            self._blueprint = Blueprint("hookkit", "hookkit", url_prefix=DEFAULT_PREFIX)
            self._blueprint.record(self._register)
        return self._blueprint

    def init_app(self, app: Flask) -> None:
        """Register the blueprint under ``HOOKKIT_URL_PREFIX`` (``/hooks``).

        Raises:
            ConfigurationError: A setting is wrong; every mistake is listed.
        """
        prefix = app.config.get("HOOKKIT_URL_PREFIX", DEFAULT_PREFIX)
        # What is no path at all is told of with the other mistakes in the settings.
        is_path = isinstance(prefix, str) and prefix.startswith("/")
        app.register_blueprint(self.blueprint, url_prefix=prefix if is_path else DEFAULT_PREFIX)

    def on(
        self,
        *triggers: str,
        author: str | None = None,
        provider: str | None = None,
        endpoint: str | None = None,
        version: str | None = None,
        when: Callable[[Any], bool] | None = None,
        name: str | None = None,
        retry: RetryPolicy | None = None,
    ) -> Callable[[F], F]:
        """Register the decorated function for events that any of *triggers* stands for.

        The function takes the event, and may take the ``Run`` as a second argument. It may
        be a coroutine function. It runs in an application context of its own.

        Args:
            triggers: An event type (``"conversation:message"``), a wildcard
                (``"conversation:*"``, ``"*"``), a vendor's word of any version
                (``"message:appUser"``) or exactly one as sent (``"sunshine/message:appUser"``).
            author: ``user``, ``business``, ``bot`` or ``system``: who did it.
            provider: Only events of this provider.
            endpoint: Only events received by this endpoint.
            version: Only events read from this payload version.
            when: Called with the event; only events for which it returns true. What it
                raises counts as a failed attempt.
            name: The handler's lasting name in the inbox; default module and qualname.
            retry: When and how often it is tried again; default ``HOOKKIT_RETRY``.

        Raises:
            ConfigurationError: A word that nothing explains, a name that is taken, or an
                application that has received deliveries already.
        """
        if not triggers:
            raise ConfigurationError('on() needs a trigger; "*" stands for every event')
        providers = load_providers()
        vocabulary = {each.name: each.triggers for each in providers.values()}
        explained = tuple(explain(word, vocabulary) for word in triggers)
        _check_condition(author, provider, version, providers)
        condition = Condition(
            author=author, provider=provider, endpoint=endpoint, version=version, when=when
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
                )
            )
            return function

        return register

    def fallback(self, function: F) -> F:
        """Register *function* for events that no handler wants, unknown ones included.

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

    def replay(self, app: Flask, entry_id: int) -> None:
        """Run an entry of *app*'s inbox again.

        A DONE entry runs every handler again; a WAITING or DEAD one those that have not
        succeeded.

        Raises:
            ReplayRefused: There is no such entry, or it is due or running already.
            Unavailable: The inbox cannot be reached.
        """
        state: AppState = app.extensions["hookkit"]
        state.open_inbox().replay(entry_id, now=utc_now())
        state.run_soon(entry_id)

    def stats(self, app: Flask) -> Stats:
        """Return how *app*'s inbox stands, for health checks and metrics.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        state: AppState = app.extensions["hookkit"]
        inbox = state.open_inbox()
        due_at = inbox.next_due_at(state.settings.endpoints)
        overdue_s = 0.0 if due_at is None else (utc_now() - due_at).total_seconds()
        return Stats(entries=inbox.counts(), overdue_s=max(0.0, overdue_s))

    def _add(self, handler: Handler) -> None:
        late = [state for state in self._states if state.has_received and not state.app.testing]
        if late:
            raise ConfigurationError(
                f"handler {handler.name!r} is registered after {late[0].app.name!r} received its"
                " first delivery, which it has missed; import its module before the start"
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
            # Without a prefix, every unknown path of the application would be ours.
            for rule in ("/", "/<path:path>"):
                setup.add_url_rule(
                    rule, endpoint="unknown", view_func=refuse_unknown, **_EVERY_METHOD
                )
        app.extensions["hookkit"] = state
        serve(state)


def _add_rule(setup: BlueprintSetupState, app: Flask, endpoint: Endpoint, state: AppState) -> None:
    # Dots would make Flask see a blueprint within the blueprint.
    name = f"at_{endpoint.name.replace('.', '%2E')}"
    view = view_of(endpoint, state)
    if endpoint.path is None:
        setup.add_url_rule(f"/{endpoint.name}", endpoint=name, view_func=view, **_EVERY_METHOD)
        return
    for rule in app.url_map.iter_rules():
        if rule.rule == endpoint.path and "POST" in (rule.methods or ()):
            raise ConfigurationError(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.path: {rule.endpoint!r} answers POST"
                f" {endpoint.path} already, and would go on doing so; remove that view"
            )
    # An existing URL, which knows no prefix; request.blueprint tells it all the same.
    name = f"{setup.name_prefix}.{setup.name}.{name}".lstrip(".")
    app.add_url_rule(endpoint.path, endpoint=name, view_func=view, **_EVERY_METHOD)


def _name_of(function: HandlerFunction) -> str:
    named = inspect.unwrap(function)
    module, qualname = getattr(named, "__module__", None), getattr(named, "__qualname__", None)
    if module is None or qualname is None:
        raise ConfigurationError(f"handler {named!r} has no name of its own; pass name=")
    return f"{module}.{qualname}"


def _check_condition(
    author: str | None,
    provider: str | None,
    version: str | None,
    providers: Mapping[str, Provider],
) -> None:
    """Raise ``ConfigurationError`` for a condition that no event can ever fulfil."""
    known = {
        "author": (author, [each.value for each in AuthorType]),
        "provider": (provider, sorted(providers)),
        "version": (
            version,
            sorted(
                {
                    name
                    for each in providers.values()
                    if provider in (None, each.name)
                    for name in each.versions
                }
            ),
        ),
    }
    mistakes = [
        f"on({word}={given!r}): not known; known are {', '.join(values)}"
        for word, (given, values) in known.items()
        if given is not None and given not in values
    ]
    if mistakes:
        raise ConfigurationError(*mistakes)
