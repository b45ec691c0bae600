"""Many rows as one parameter of a statement: each statement is a message to the server.

They go as JSON, which Python writes and PostgreSQL reads faster than an array for each column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    column,
    func,
)
from sqlalchemy.dialects.postgresql import JSON

from hookkit.inbox.sql.rows import Values

#: The types of columns, by their names.
Types: TypeAlias = Mapping[str, type[BigInteger | Boolean | Text]]

# Wide types: to cast a text to a shorter one would cut it without a word.
_WIDE: Mapping[type, type[BigInteger | Boolean | Text]] = {
    int: BigInteger,
    bool: Boolean,
    str: Text,
}


def types_of(table: Table, *, without: Sequence[str]) -> Types:
    """Return the types of the columns of *table*, but for those *without*."""
    return {
        each.name: _WIDE[each.type.python_type]
        for each in table.columns
        if each.name not in without
    }


def table_of_rows(name: str, types: Types) -> TableValuedAlias:
    """Return the table of the rows in the parameter *name*, and of ``place``, which counts them."""
    columns = [column(each, kind) for each, kind in {**types, "place": BigInteger}.items()]
    rows = func.json_to_recordset(cast(bindparam(name, type_=Text), JSON)).table_valued(*columns)
    return rows.render_derived(name, with_types=True)


def json_of(rows: Sequence[Values]) -> str:
    """Return the parameter for ``table_of_rows``."""
    placed: list[dict[str, Any]] = [row | {"place": place} for place, row in enumerate(rows)]
    return json.dumps(placed, ensure_ascii=False)
