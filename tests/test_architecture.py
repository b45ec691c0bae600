"""Who may import whom: the table of the design, held by looking at every import."""

import ast
import sys
from pathlib import Path

import pytest

import hookkit

ROOT = Path(hookkit.__file__).parent
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 45

#: Everything that a request or a command passes through on its way in.
INWARDS = {
    "hookkit.handling.run",
    "hookkit.operating.checkup",
    "hookkit.core",
    "hookkit.receiving.endpoint",
    "hookkit.settings.endpoint",
    "hookkit.inbox",
    "hookkit.keys.ring",
    "hookkit.receiving.protection",
    "hookkit.switching.switch",
    "hookkit.operating.operations",
    "hookkit.providers",
    "hookkit.receiving.receiver",
    "hookkit.operating.secret_use",
    "hookkit.runners",
    "hookkit.schemas",
    "hookkit.settings.load",
    "hookkit.signals",
    "hookkit.signatures",
    "hookkit.operating.housekeeping",
    "hookkit.receiving.verification",
    "hookkit.handling.worker",
}

#: package or module -> what it may import, with what lies below, beside the standard library.
#: The longest name that fits a module is its row; ``hookkit`` is the row of the public names only.
MAY_IMPORT = {
    "hookkit": {
        "hookkit.handling.run",
        "hookkit.core",
        "hookkit.operating.operations",
        "hookkit.operating.secret_use",
        "hookkit.standalone",
        "hookkit.web",
    },
    "hookkit.handling.run": {"hookkit.core"},
    "hookkit.crash_points": set(),
    "hookkit.core": {"hookkit.core"},
    "hookkit.signatures": {"hookkit.core", "hookkit.signatures", "cryptography"},
    "hookkit.schemas": {"hookkit.core", "hookkit.schemas", "marshmallow"},
    # One folder per vendor; its own folder is added for each.
    "hookkit.providers": {
        "hookkit.core",
        "hookkit.schemas",
        "hookkit.senders",
        "hookkit.signatures",
        "marshmallow",
        "cryptography",
    },
    # Senders are providers made of data.
    "hookkit.senders": {"hookkit.core", "hookkit.senders", "hookkit.signatures"},
    "hookkit.settings.scheme": {
        "hookkit.core",
        "hookkit.receiving.protection",
        "hookkit.senders",
        "hookkit.signatures",
        "marshmallow",
    },
    "hookkit.standalone": {"hookkit.core", "hookkit.providers", "hookkit.signatures"},
    "hookkit.settings.load": {
        "hookkit.core",
        "hookkit.schemas",
        "hookkit.signatures",
        "hookkit.providers",
        "hookkit.receiving.endpoint",
        "hookkit.settings.endpoint",
        "hookkit.core.fingerprints",
        "marshmallow",
    },
    "hookkit.settings.endpoint": {
        "hookkit.core",
        "hookkit.schemas",
        "hookkit.receiving.endpoint",
        "hookkit.settings.keys",
        "hookkit.receiving.protection",
        "hookkit.settings.protection",
        "hookkit.settings.scheme",
        "marshmallow",
    },
    "hookkit.settings.protection": {
        "hookkit.core",
        "hookkit.schemas",
        "hookkit.settings.keys",
        "hookkit.receiving.protection",
        "hookkit.settings.scheme",
        "marshmallow",
    },
    "hookkit.settings.keys": {
        "hookkit.core",
        "hookkit.keys.ring",
        "hookkit.signatures",
        "marshmallow",
    },
    "hookkit.signals": {"hookkit.core", "blinker"},
    "hookkit.keys.ring": {
        "hookkit.core",
        "hookkit.keys.https_get",
        "hookkit.keys.memory",
        "hookkit.signatures",
    },
    "hookkit.keys.memory": {"hookkit.core", "hookkit.signatures"},
    "hookkit.keys.https_get": {"hookkit.core"},
    "hookkit.handling.unhandled": {"hookkit.core"},
    "hookkit.inbox": {
        "hookkit.core",
        "hookkit.crash_points",
        "hookkit.core.fingerprints",
        "hookkit.inbox",
        "sqlalchemy",
        "cryptography",
    },
    "hookkit.inbox.base": {"hookkit.core", "hookkit.inbox.records", "hookkit.inbox.version_book"},
    "hookkit.inbox.version_book": {"hookkit.core", "hookkit.inbox.records"},
    "hookkit.inbox.records": {"hookkit.core"},
    "hookkit.inbox.memory_versions": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.inbox.memory_due",
        "hookkit.inbox.memory_entries",
        "hookkit.inbox.records",
    },
    "hookkit.inbox.memory": {
        "hookkit.core",
        "hookkit.inbox.memory_versions",
        "hookkit.inbox.base",
        "hookkit.inbox.memory_claim",
        "hookkit.inbox.memory_due",
        "hookkit.inbox.memory_entries",
        "hookkit.inbox.memory_upkeep",
        "hookkit.inbox.records",
    },
    "hookkit.inbox.memory_claim": {
        "hookkit.core",
        "hookkit.inbox.memory_due",
        "hookkit.inbox.memory_entries",
    },
    "hookkit.inbox.memory_upkeep": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.inbox.memory_entries",
        "hookkit.inbox.records",
    },
    "hookkit.inbox.memory_due": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.inbox.memory_entries",
    },
    "hookkit.inbox.memory_entries": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.inbox.records",
    },
    # The settings of an endpoint say how its deliveries are verified.
    "hookkit.receiving.verification": {
        "hookkit.core",
        "hookkit.receiving.endpoint",
        "hookkit.receiving.protection",
        "hookkit.signatures",
    },
    "hookkit.receiving.receiver": {
        "hookkit.core",
        "hookkit.crash_points",
        "hookkit.schemas",
        "hookkit.inbox.base",
        "hookkit.receiving.endpoint",
        "hookkit.receiving.silent_live",
        "hookkit.signals",
        "hookkit.receiving.verification",
    },
    "hookkit.receiving.silent_live": {"hookkit.core"},
    "hookkit.handling.dispatch": {
        "hookkit.handling.run",
        "hookkit.core",
        "hookkit.crash_points",
        "hookkit.inbox.base",
        "hookkit.handling.journal",
    },
    "hookkit.operating.operations": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.operating.secret_use",
    },
    "hookkit.operating.secret_use": {
        "hookkit.core",
        "hookkit.receiving.endpoint",
        "hookkit.inbox.base",
        "hookkit.inbox.records",
    },
    "hookkit.core.fingerprints": set(),
    "hookkit.switching.switch": {
        "hookkit.core",
        "hookkit.receiving.endpoint",
        "hookkit.inbox.base",
        "hookkit.switching.rehearsal",
        "hookkit.switching.report",
    },
    # The inbox of a rehearsal is always one in memory.
    "hookkit.switching.rehearsal": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.inbox.memory",
        "hookkit.inbox.records",
    },
    "hookkit.switching.report": {
        "hookkit.core",
        "hookkit.receiving.endpoint",
        "hookkit.inbox.base",
        "hookkit.inbox.records",
        "hookkit.handling.reading",
    },
    "hookkit.operating.housekeeping": {"hookkit.inbox.base"},
    "hookkit.operating.checkup": {
        "hookkit.core",
        "hookkit.receiving.endpoint",
        "hookkit.inbox",
        "hookkit.settings.load",
    },
    "hookkit.handling.worker": {
        "hookkit.core",
        "hookkit.handling.run",
        "hookkit.crash_points",
        "hookkit.handling.dispatch",
        "hookkit.schemas",
        "hookkit.inbox.base",
        "hookkit.handling.journal",
        "hookkit.handling.leases",
        "hookkit.handling.reading",
    },
    "hookkit.receiving.endpoint": {
        "hookkit.core",
        "hookkit.core.fingerprints",
        "hookkit.receiving.protection",
    },
    "hookkit.receiving.protection": {"hookkit.core"},
    "hookkit.handling.reading": {"hookkit.core"},
    "hookkit.handling.journal": {"hookkit.core", "hookkit.signals", "hookkit.handling.unhandled"},
    "hookkit.handling.leases": {"hookkit.core", "hookkit.inbox.base"},
    "hookkit.runners": {
        "hookkit.core",
        "hookkit.inbox.base",
        "hookkit.runners",
        "hookkit.handling.worker",
    },
    "hookkit.runners.celery.runner": {
        "hookkit.core",
        "hookkit.runners",
        "hookkit.handling.worker",
        "celery",
    },
    # Flask is made of werkzeug; the command line's group hangs on the blueprint.
    "hookkit.web": {*INWARDS, "hookkit.web", "hookkit.cli", "flask", "werkzeug"},
    "hookkit.cli": {
        "hookkit.core",
        "hookkit.providers",
        "hookkit.testing",
        "hookkit.cli",
        "click",
    },
    # Run by ``flask``, inside an application.
    "hookkit.cli.flask_commands.inbox": {"hookkit.core", "click", "flask"},
    "hookkit.cli.flask_commands.handlers": {
        "hookkit.core",
        "hookkit.cli.flask_commands.inbox",
        "hookkit.cli.flask_commands.columns",
        "click",
        "flask",
    },
    "hookkit.cli.flask_commands.versions": {
        "hookkit.cli.flask_commands.inbox",
        "hookkit.cli.flask_commands.versions_text",
        "click",
        "flask",
    },
    "hookkit.cli.flask_commands.check": {"hookkit.cli.flask_commands.inbox", "click", "flask"},
    "hookkit.cli.flask_commands.worker": {"hookkit.cli.flask_commands.inbox", "click", "flask"},
    "hookkit.testing": {*INWARDS, "hookkit.testing", "hookkit.web", "flask", "pytest"},
}

#: What has no clock, no chance, no environment and no way out.
PURE = (
    "hookkit.core",
    "hookkit.signatures",
    "hookkit.schemas",
    "hookkit.providers",
    "hookkit.senders",
)
IMPURE_MODULES = {
    "asyncio",
    "ftplib",
    "getpass",
    "http",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "random",
    "secrets",
    "shutil",
    "smtplib",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "warnings",
}
CLOCKS = {"now", "utcnow", "today", "localtime", "monotonic", "perf_counter"}
IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval", "__import__"}

#: Exists for type checkers only.
FOR_TYPES_ONLY = {"_typeshed"}


def name_of(path):
    parts = ("hookkit", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
every_module = pytest.mark.parametrize("module", MODULES)
pure_module = pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(PURE)])


def tree_of(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module):
    """Yield the name of every module that *module* imports."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def lies_in(name, package):
    return name == package or name.startswith(f"{package}.")


def row_of(module):
    """Return the row of the table that *module* belongs to, None when there is none."""
    rows = [row for row in MAY_IMPORT if lies_in(module, row) and row != "hookkit"]
    if module == "hookkit":
        return "hookkit"
    return max(rows, key=len, default=None)


def allowed_to(module):
    allowed = MAY_IMPORT[row_of(module)]
    if row_of(module) == "hookkit.providers" and module != "hookkit.providers":
        return allowed | {".".join(module.split(".")[:3])}
    return allowed


@every_module
def test_every_module_has_its_row(module):
    assert row_of(module) is not None


@every_module
def test_imports_point_inwards(module):
    wrong = [
        name
        for name in imports_of(module)
        if name.split(".")[0] not in sys.stdlib_module_names | FOR_TYPES_ONLY
        and not any(lies_in(name, package) for package in allowed_to(module))
    ]

    assert wrong == []


@every_module
def test_imports_are_absolute(module):
    relative = [
        ast.unparse(node)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


@every_module
def test_only_the_command_line_imports_what_is_for_testing(module):
    if not module.startswith(("hookkit.cli", "hookkit.testing")):
        assert [name for name in imports_of(module) if lies_in(name, "hookkit.testing")] == []


@every_module
def test_nothing_is_imported_by_a_name_made_at_run_time(module):
    # The folder of the providers is walked, which is what makes a vendor one folder.
    if module != "hookkit.providers":
        names = {
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.Name | ast.Attribute)
        }

        assert names & {"import_module", "__import__", "exec", "eval"} == set()


@pure_module
def test_pure_module_imports_nothing_that_acts(module):
    assert [name for name in imports_of(module) if name.split(".")[0] in IMPURE_MODULES] == []


@pure_module
def test_pure_module_asks_no_clock(module):
    asked = [
        ast.unparse(node)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS
    ]

    assert asked == []


@pure_module
def test_pure_module_opens_and_prints_nothing(module):
    used = [
        node.id
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS
    ]

    assert used == []


@every_module
def test_module_can_be_read_in_one_go(module):
    lines = MODULES[module].read_text(encoding="utf-8").splitlines()

    assert len(lines) <= MAX_MODULE_LINES


@every_module
def test_function_can_be_read_at_a_glance(module):
    lengths = {
        node.name: length_of(node)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def length_of(function):
    """Return the lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


# The table and its readers themselves


@pytest.mark.parametrize(
    ("module", "row"),
    [
        ("hookkit", "hookkit"),
        ("hookkit.core.event", "hookkit.core"),
        ("hookkit.inbox.inbox", "hookkit.inbox"),
        ("hookkit.inbox.memory", "hookkit.inbox.memory"),
        ("hookkit.providers.sunshine.v1", "hookkit.providers"),
        ("hookkit.newcomer", None),
        ("hookkit.newcomer.part", None),
        ("hookkit.corelike", None),
    ],
)
def test_row_is_the_longest_name_that_fits(module, row):
    assert row_of(module) == row


def test_provider_may_import_its_own_folder_and_no_other():
    allowed = allowed_to("hookkit.providers.sunshine.v1")

    assert "hookkit.providers.sunshine" in allowed
    assert not any(lies_in("hookkit.providers.livechat", package) for package in allowed)
    assert not any(
        lies_in("hookkit.providers.sunshine", package)
        for package in allowed_to("hookkit.providers")
    )


def test_module_that_is_imported_from_its_package_is_told_by_its_own_name():
    assert "hookkit.signals" in set(imports_of("hookkit.receiving.receiver"))
