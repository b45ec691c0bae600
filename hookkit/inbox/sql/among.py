"""The condition that a number is in a list, as each database takes it fastest.

SQLite has no lists: each number is a parameter. On PostgreSQL the list is one parameter: the
driver and the server would take longer to read a statement with a parameter for each number than
to run it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class IsAmong(FunctionElement[bool]):
    """That *number* is in the list that is the parameter *name*; for ``compiled.execute``.

    It has no type: SQLite would compare a boolean with 1, and not use the index.
    """

    def __init__(self, number: ColumnElement[int], name: str) -> None:
        super().__init__(number, bindparam(name, expanding=True))


@compiles(IsAmong)
def _each_a_parameter(element: IsAmong, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = element.clauses
    return compiler.process(number.in_(numbers), **options)


@compiles(IsAmong, "postgresql")
def _one_parameter(element: IsAmong, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = element.clauses
    array = bindparam(numbers.key, type_=ARRAY(BigInteger))
    return compiler.process(number == any_(array), **options)
