"""Makes the tables of an inbox at once, where a test is about what is in them.

Statement by statement that takes longer than most tests. How hookkit itself makes them, and in
what it finds, is up to ``test_opening``, ``test_sql`` and ``test_table_upgrade``.
"""

import shutil
from functools import cache

from sqlalchemy import create_mock_engine, make_url

from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata, schema


def copy_file(empty, url):
    """Put a copy of the file of an *empty* inbox where *url* says."""
    shutil.copy(empty, make_url(url).database)


def make_empty_file(folder):
    """Return the file of an inbox that nothing was admitted to."""
    path = folder / "inbox.db"
    open_inbox(f"sqlite:///{path}").close()
    return path


def make_in_postgres(owner, url):
    """Make the tables in the schema that *url* names, by one statement of *owner*."""
    name = make_url(url).query["options"].removeprefix("-csearch_path=")
    owner.execute(f"BEGIN; SET LOCAL search_path = {name}; {_all_tables()}; COMMIT", prepare=False)


@cache
def _all_tables():
    statements = []
    engine = create_mock_engine(
        "postgresql+psycopg://",
        lambda statement, *_: statements.append(str(statement.compile(dialect=engine.dialect))),
    )
    metadata.create_all(engine, checkfirst=False)
    version = (
        schema.insert()
        .values(version=SCHEMA_VERSION)
        .compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    )
    return ";".join([*statements, str(version)])
