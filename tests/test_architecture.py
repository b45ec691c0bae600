"""Who may import whom: the table of the design, held by looking at every import."""

import ast
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import hookkit
from tests.folding import in_one

ROOT = Path(hookkit.__file__).parent
MAX_MODULE_LINES = 450
MAX_FUNCTION_LINES = 45

#: folder -> what it may import beside the standard library; a module alone is a folder too.
#: The longest name that fits a module is its row; ``hookkit`` is the row of the public names only.
MAY_IMPORT = {
    "hookkit": {"core", "handling", "operating", "standalone", "web"},
    "core": set(),
    "signatures": {"core", "cryptography"},
    "schemas": {"core", "marshmallow"},
    "senders": {"core", "signatures"},
    # One folder per vendor; its own folder is added for each.
    "providers": {"core", "schemas", "senders", "signatures", "marshmallow"},
    "crash_points": set(),
    "log": {"core"},
    "signals": {"log", "blinker"},
    "standalone": {"core", "providers", "signatures"},
    "keys": {"core", "log", "signatures"},
    "settings": {
        "core",
        "inbox",
        "keys",
        "receiving",
        "schemas",
        "senders",
        "signatures",
        "marshmallow",
        "cryptography",
    },
    "receiving": {"core", "crash_points", "inbox", "log", "senders", "signals", "signatures"},
    "inbox": {"core", "crash_points", "sqlalchemy"},
    # What both databases have in common knows neither of them.
    "inbox.sql": {
        "core",
        "crash_points",
        "hookkit.inbox.records",
        "hookkit.inbox.replay_records",
        "hookkit.inbox.sights",
        "sqlalchemy",
        "cryptography",
    },
    "inbox.sqlite": {"core", "crash_points", "hookkit.inbox.sql", "sqlalchemy"},
    "inbox.postgres": {"core", "crash_points", "hookkit.inbox.sql", "sqlalchemy"},
    "handling": {"core", "crash_points", "inbox", "log", "signals"},
    "switching": {"core", "handling", "inbox", "receiving"},
    "operating": {
        "core",
        "crash_points",
        "inbox",
        "log",
        "receiving",
        "settings",
        "signals",
        "sqlalchemy",
    },
    # Extras: an application imports the module of what it has installed.
    "observing": {
        "application",
        "core",
        "inbox",
        "operating",
        "signals",
        "flask",
        "opentelemetry",
        "prometheus_client",
    },
    "runners": {"core", "handling", "operating"},
    "runners.celery": {"core", "handling", "operating", "runners", "celery", "kombu"},
    "application": {
        "core",
        "handling",
        "inbox",
        "log",
        "operating",
        "receiving",
        "runners",
        "settings",
        "switching",
        "flask",
        "gunicorn",
    },
    # Flask is made of werkzeug; the command line's group hangs on the blueprint.
    "web": {
        "application",
        "cli",
        "core",
        "handling",
        "inbox",
        "operating",
        "providers",
        "receiving",
        "flask",
        "werkzeug",
    },
    # What an application names when it mounts the console.
    "console": {"hookkit.web.console.access"},
    # What it shows and does, the commands show and do.
    "web.console": {
        "application",
        "cli",
        "core",
        # An event is read anew, and sent again, as the commands do it.
        "handling",
        "inbox",
        "log",
        "operating",
        "receiving",
        "switching",
        "click",
        "flask",
        "itsdangerous",
        "jinja2",
        "werkzeug",
    },
    # The settings of an endpoint say how its sender signs.
    "cli": {
        "core",
        "providers",
        # ``hookkit verify`` verifies as an endpoint does.
        "receiving",
        "schemas",
        "senders",
        "settings",
        "standalone",
        "testing",
        "click",
        "marshmallow",
    },
    # Run by ``flask``, inside an application.
    "cli.flask_commands": {
        "application",
        "core",
        # An event is shown as handlers get it.
        "handling",
        "hookkit.cli.terminal",
        "hookkit.cli.times",
        # What people are shown of the inbox.
        "hookkit.inbox.records",
        "hookkit.inbox.replay_records",
        "hookkit.inbox.sights",
        "operating",
        # How late the counts are.
        "hookkit.receiving.minutes",
        "schemas",
        "switching",
        "testing",
        "click",
        "flask",
    },
    # It has an application in hand as its tests do: settings, inbox, runner.
    "testing": {
        "application",
        "core",
        "crash_points",
        "handling",
        "inbox",
        "providers",
        "receiving",
        "runners",
        "settings",
        "signals",
        "signatures",
        "standalone",
        "flask",
    },
    "testing.plugin": {"testing", "flask", "pytest"},
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

#: The one module that runs source, and those that write it, from classes and shapes.
RUNS_SOURCE = "hookkit.core.codegen"
WRITE_SOURCE = {"hookkit.core.constructors", "hookkit.schemas.compiled"}

#: What prints for a command: what is visible, or the bytes that are to be sent.
PRINTING = {"hookkit.cli.terminal", "hookkit.cli.sign"}

#: Exists for type checkers only.
FOR_TYPES_ONLY = {"_typeshed"}
#: What every module may import.
NOT_LIMITED = sys.stdlib_module_names | FOR_TYPES_ONLY


def name_of(path):
    parts = ("hookkit", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
#: The top-level folders and modules of hookkit.
HOUSE = {name.split(".")[1] for name in MODULES if "." in name}
#: The modules of ``hookkit``, the command without an application.
COMMAND_MODULES = {
    name.split(".")[2]
    for name in MODULES
    if name.startswith("hookkit.cli.") and not name.startswith("hookkit.cli.flask_commands")
}
every_module = in_one("module", MODULES)
pure_module = in_one("module", [name for name in MODULES if name.startswith(PURE)])


@cache
def nodes_of(module):
    """Return the nodes of *module* by their class, walked through once for all tests."""
    found = defaultdict(list)
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        found[type(node)].append(node)
    return found


@cache
def imports_of(module):
    """Return the name of every module that *module* imports."""
    found = [alias.name for node in nodes_of(module)[ast.Import] for alias in node.names]
    for node in nodes_of(module)[ast.ImportFrom]:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            found.append(inner if inner in MODULES else node.module)
    return found


def lies_in(name, package):
    return name == package or name.startswith(f"{package}.")


def row_of(module):
    """Return the row of the table that *module* belongs to, None when there is none."""
    inner = module.removeprefix("hookkit.")
    rows = [row for row in MAY_IMPORT if row != "hookkit" and lies_in(inner, row)]
    return "hookkit" if module == "hookkit" else max(rows, key=len, default=None)


def allowed_to(module):
    """Return the packages that *module* may import: its own folder, and those of its row."""
    row = row_of(module)
    own_folders = {
        "hookkit": set(),
        "providers": {".".join(module.split(".")[:3])} if module.count(".") > 1 else set(),
        "cli": {module} | {f"hookkit.cli.{name}" for name in COMMAND_MODULES},
    }
    own = own_folders.get(row, {f"hookkit.{row}"})
    folders = MAY_IMPORT[row]
    return own | {f"hookkit.{name}" if name in HOUSE else name for name in folders}


@every_module
def test_every_module_has_its_row(module):
    assert row_of(module) is not None


@every_module
def test_imports_point_inwards(module):
    allowed = allowed_to(module)
    wrong = [
        name
        for name in imports_of(module)
        if name.split(".")[0] not in NOT_LIMITED
        and not any(lies_in(name, package) for package in allowed)
    ]

    assert wrong == []


@every_module
def test_imports_are_absolute(module):
    relative = [ast.unparse(node) for node in nodes_of(module)[ast.ImportFrom] if node.level]

    assert relative == []


@every_module
def test_only_the_command_line_imports_what_is_for_testing(module):
    if not module.startswith(("hookkit.cli", "hookkit.testing")):
        assert [name for name in imports_of(module) if lies_in(name, "hookkit.testing")] == []


@every_module
def test_nothing_is_imported_by_a_name_made_at_run_time(module):
    # The folder of the providers is walked, which is what makes a vendor one folder.
    if module != "hookkit.providers":
        names = {node.id for node in nodes_of(module)[ast.Name]}
        names |= {node.attr for node in nodes_of(module)[ast.Attribute]}

        running = {"exec"} if module == RUNS_SOURCE else set()
        assert names & {"import_module", "__import__", "exec", "eval"} == running


def test_source_is_written_of_declarations_alone():
    writers = {module for module in MODULES if RUNS_SOURCE in imports_of(module)}

    assert writers == WRITE_SOURCE


@every_module
def test_commands_print_what_is_visible_and_nothing_else(module):
    if lies_in(module, "hookkit.cli") and module not in PRINTING:
        attributes = nodes_of(module)[ast.Attribute]

        assert [ast.unparse(each) for each in attributes if each.attr in {"echo", "secho"}] == []


@pure_module
def test_pure_module_imports_nothing_that_acts(module):
    acting = [name for name in imports_of(module) if name.split(".")[0] in IMPURE_MODULES]

    # The rest of urllib reaches out; this module takes texts apart.
    assert [name for name in acting if name != "urllib.parse"] == []


@pure_module
def test_pure_module_asks_no_clock(module):
    asked = [ast.unparse(node) for node in nodes_of(module)[ast.Attribute] if node.attr in CLOCKS]

    assert asked == []


@pure_module
def test_pure_module_opens_and_prints_nothing(module):
    used = [node.id for node in nodes_of(module)[ast.Name] if node.id in IMPURE_BUILTINS]

    assert used == (["exec"] if module == RUNS_SOURCE else [])


@every_module
def test_module_can_be_read_in_one_go(module):
    lines = MODULES[module].read_text(encoding="utf-8").splitlines()

    assert len(lines) <= MAX_MODULE_LINES


@every_module
def test_function_can_be_read_at_a_glance(module):
    nodes = nodes_of(module)
    functions = [*nodes[ast.FunctionDef], *nodes[ast.AsyncFunctionDef]]
    lengths = {node.name: length_of(node) for node in functions}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def length_of(function):
    """Return the lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


# The table and its readers themselves


@pytest.mark.parametrize(
    ("module", "row"),
    [
        ("hookkit", "hookkit"),
        ("hookkit.core.event", "core"),
        ("hookkit.runners.thread", "runners"),
        ("hookkit.runners.celery.runner", "runners.celery"),
        ("hookkit.providers.sunshine.v1", "providers"),
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


def test_no_modules_import_each_other_in_a_circle():
    imported = {
        module: {name for name in imports_of(module) if name in MODULES} for module in MODULES
    }
    # Take away what imports nothing that is left, until only circles and their users are left.
    while free := [module for module, names in imported.items() if not names & imported.keys()]:
        for module in free:
            del imported[module]

    assert sorted(imported) == []


def test_root_holds_the_public_names_and_at_most_four_modules():
    assert len([path for path in ROOT.glob("*.py") if path.name != "__init__.py"]) <= 4


def test_module_that_is_imported_from_its_package_is_told_by_its_own_name():
    assert "hookkit.signals" in set(imports_of("hookkit.receiving.receiver"))
