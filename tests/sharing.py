"""What takes longer to make than to use is made once, for all tests of a process.

An application makes it when it starts, and serves with it for days. Nearly every test starts one
of its own, for a few requests.
"""

from functools import cache
from typing import Any

from sqlalchemy import Dialect, Engine, util
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from werkzeug.routing import Rule

import hookkit.cli.flask_commands.showing
import hookkit.cli.normalize
import hookkit.settings.endpoint
import hookkit.settings.load

#: More than all tests together compile: nothing is given up for want of room.
ROOM = 10_000

#: What a compiled statement depends on beside the class of its dialect.
DIFFERENCES = ("server_version_info", "paramstyle", "insertmanyvalues_page_size")


def share() -> None:
    """Have what is the same for every application be made once."""
    share_compiled_statements()
    share_schemas()
    share_builders_of_urls()


def share_compiled_statements() -> None:
    """Have all engines of this process use what SQLAlchemy has compiled for one of them."""
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        _make_equal(dialect)
    compiled: Any = util.LRUCache(ROOM)
    # An engine that is made sets one of its own, in vain.
    shared: Any = property(lambda engine: compiled, lambda engine, own: None)
    Engine._compiled_cache = shared


def _make_equal(kind: type[Dialect]) -> None:
    """Have two dialects of *kind* be equal if they compile a statement alike.

    What is compiled is kept by its dialect, of which every engine has its own.
    """

    def is_equal(one: Any, two: object) -> bool:
        return type(one) is type(two) and all(
            getattr(one, name, None) == getattr(two, name, None) for name in DIFFERENCES
        )

    kind.__eq__ = is_equal
    kind.__hash__ = lambda dialect: hash(type(dialect))


def share_schemas() -> None:
    """Have everything be read and shown by the same schemas, which keep nothing of it."""
    for module, names in (
        (hookkit.settings.endpoint, ("EndpointSchema", "VersionSchema")),
        (hookkit.settings.load, ("_SettingsSchema",)),
        (hookkit.cli.normalize, ("EventSchema",)),
        (hookkit.cli.flask_commands.showing, ("EventSchema",)),
    ):
        for name in names:
            setattr(module, name, cache(getattr(module, name)))


def share_builders_of_urls() -> None:
    """Have the function that builds the URL of a rule be compiled once, not by each application.

    It is given the rule with each call, and knows no more of it than what it is kept by here.
    """
    compile_builder = Rule._compile_builder
    builders: dict[Any, Any] = {}

    def compile_once(rule: Rule, *how: Any) -> Any:
        if rule.defaults:  # they become a part of it
            return compile_builder(rule, *how)
        key = (rule.rule, tuple(rule._trace), how)
        if key not in builders:
            builders[key] = compile_builder(rule, *how)
        return builders[key]

    Rule._compile_builder = compile_once
