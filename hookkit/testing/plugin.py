"""The fixtures of hookkit, which pytest finds by itself where hookkit is installed.

pytest imports this module in every project, so it imports nothing until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from hookkit.testing.client import DeliveryClient
    from hookkit.testing.payloads import PayloadMaker
    from hookkit.testing.stage import Stage
    from hookkit.testing.views import InboxView, MovableClock


@pytest.fixture
def hookkit_app(request: pytest.FixtureRequest) -> Flask:
    """Return the application under test: your fixture ``app``, unless you override this one."""
    try:
        app: Flask = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise
        pytest.fail(
            "hookkit's fixtures need your application: write a fixture named app that returns it,"
            " or override hookkit_app",
            pytrace=False,
        )
    return app


@pytest.fixture
def hookkit_database() -> Any:
    """Return where the inbox of each test is; override it if handlers are transactional."""
    return "memory://"


@pytest.fixture
def hookkit_secrets() -> Mapping[str, str]:
    """Return the secrets or private keys to sign with, by endpoint; the settings' are known."""
    return {}


@pytest.fixture
def hookkit_stage(hookkit_app: Flask, hookkit_database: Any) -> Iterator[Stage]:
    """Return the application with its clock, inbox and runner in the hands of the test."""
    from hookkit.testing.stage import Stage  # noqa: PLC0415

    with Stage(hookkit_app).taking(hookkit_database) as stage:
        yield stage


@pytest.fixture
def hookkit_clock(hookkit_stage: Stage) -> MovableClock:
    """Return the clock of the application; it stands still until it is moved."""
    from hookkit.testing.views import MovableClock  # noqa: PLC0415

    return MovableClock(hookkit_stage)


@pytest.fixture
def hookkit_inbox(hookkit_stage: Stage) -> InboxView:
    """Return the inbox of the application, which is empty when a test begins."""
    from hookkit.testing.views import InboxView  # noqa: PLC0415

    return InboxView(hookkit_stage)


@pytest.fixture
def hookkit_sample(hookkit_stage: Stage) -> PayloadMaker:
    """Return a function that makes the payload of a new event from a sample or a file."""
    from hookkit.testing.payloads import PayloadMaker  # noqa: PLC0415

    return PayloadMaker(lambda: hookkit_stage.moment)


@pytest.fixture
def hookkit_client(
    hookkit_stage: Stage, hookkit_sample: PayloadMaker, hookkit_secrets: Mapping[str, str]
) -> DeliveryClient:
    """Return a client that delivers as the vendors do; handlers have run when it returns."""
    from hookkit.testing.client import DeliveryClient  # noqa: PLC0415

    return DeliveryClient(hookkit_stage, hookkit_sample, hookkit_secrets)
