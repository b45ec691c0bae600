"""Runs statements that were compiled before.

SQLAlchemy keeps what it compiles, but fills in lists and looks at every value anew with each
execution, and makes a description of the rows. For the few statements of a claim and a settlement
that takes longer than the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from hookkit.inbox.sql.rows import Values


class Compiled(NamedTuple):
    """A statement as the driver takes it.

    Attributes:
        names: The parameters by their order, or none for a driver that takes them by name.
        constants: The values that the statement brings itself.
        elements: Of each list whose elements are parameters, their names.
    """

    text: str
    names: tuple[str, ...]
    constants: Values
    elements: dict[str, list[str]]

    def parameters(self, values: Values, lists: Values) -> Any:
        """Return *values* as the driver takes them."""
        every = self.constants | values
        for name, elements in self.elements.items():
            every.update(zip(elements, lists[name], strict=True))
        return tuple([every[name] for name in self.names]) if self.names else every


def execute(connection: Connection, statement: Executable, values: Values) -> Sequence[Any]:
    """Execute *statement*, whose values the driver takes as they are; return its rows.

    Args:
        statement: It is built once.
        values: Those of all parameters; a list is never empty.
    """
    lists = {name: _padded(value) for name, value in values.items() if isinstance(value, list)}
    sizes = tuple([(name, len(value)) for name, value in lists.items()])
    compiled = _compiled(statement, connection.dialect, sizes)
    return _run(connection, compiled.text, compiled.parameters(values, lists))


def _run(connection: Connection, text: str, parameters: Any) -> Sequence[Any]:
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(text, parameters).fetchall()  # type: ignore[no-any-return]
    # Elsewhere a connection may be lost, which SQLAlchemy notices and tells its pool.
    result = connection.exec_driver_sql(text, parameters)
    return result.all() if result.returns_rows else ()


def _padded(values: list[Any]) -> list[Any]:
    """Return as many values as the next power of two: few statements, each compiled once."""
    count = 1 << (len(values) - 1).bit_length()
    return values + values[-1:] * (count - len(values))


@lru_cache(maxsize=1024)
def _compiled(
    statement: Executable,
    dialect: Dialect,
    sizes: tuple[tuple[str, int], ...],
    columns: tuple[str, ...] | None = None,
) -> Compiled:
    compiler: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]
    lists = {name: [None] * size for name, size in sizes}
    expanded = compiler.construct_expanded_state(compiler.construct_params(lists, _check=False))
    given = {bind.key for bind in compiler.binds.values() if bind.required}
    constants = {name: value for name, value in expanded.parameters.items() if name not in given}
    elements = {
        name: names for name, names in expanded.parameter_expansion.items() if name in lists
    }
    return Compiled(expanded.statement, tuple(expanded.positiontup or ()), constants, elements)
