"""The plugin costs nothing where nobody uses it, and says what it needs where somebody does."""

import subprocess
import sys

import pytest

import hookkit
import hookkit.testing

pytest_plugins = ["pytester"]


def imported_by(program):
    """Return the modules of hookkit, and of what it uses, after *program*."""
    told = (
        f"{program}; import sys;"
        " print(*[m for m in sys.modules if m.split('.')[0] in ('hookkit', 'flask', 'sqlalchemy',"
        " 'cryptography', 'marshmallow', 'blinker')])"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_plugin_imports_nothing_before_a_fixture_is_used():
    imported = imported_by("import pytest; import hookkit.testing.plugin")

    assert imported == {"hookkit", "hookkit.testing", "hookkit.testing.plugin"}


def test_samples_need_neither_flask_nor_an_inbox():
    imported = imported_by("from hookkit.testing import find_sample, sign, set_path")

    assert imported & {"flask", "sqlalchemy"} == set()


@pytest.mark.parametrize("package", [hookkit, hookkit.testing], ids=["hookkit", "hookkit.testing"])
def test_public_names_are_all_there_and_no_other_is(package):
    assert [name for name in package.__all__ if getattr(package, name, None) is None] == []
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = package.Nothing


APP = """
    import pytest
    from flask import Flask
    from hookkit import HookKit

    @pytest.fixture
    def app():
        app = Flask("app")
        app.config["HOOKKIT_ENDPOINTS"] = {
            "support": {"provider": "sunshine", "secrets": ["the-secret-of-every-test"]}
        }
        HookKit().init_app(app)
        return app
"""


@pytest.fixture
def run(pytester):
    def run(text):
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")

    return run


def test_plugin_is_found_by_its_entry_point(run):
    result = run(
        APP + "\n    def test(hookkit_client):\n        hookkit_client.deliver('support')\n"
    )

    result.assert_outcomes(passed=1)


def test_application_that_is_missing_is_told_without_a_traceback(run):
    result = run("def test(hookkit_client): pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*need your application: write a fixture named app*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_fixture_that_the_application_lacks_is_told_as_such(run):
    result = run(
        "import pytest\\n@pytest.fixture\\ndef app(nothing): pass\\n"
        "def test(hookkit_client): pass".replace("\\n", "\n")
    )

    result.stdout.fnmatch_lines(["*fixture 'nothing' not found*"])


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("None", "*the fixture app returned NoneType, and not the Flask application*"),
        ("Flask('app')", "*has not registered a HookKit: call hooks.init_app(app)*"),
    ],
)
def test_application_that_is_none_is_told(run, app, message):
    result = run(f"""
        import pytest
        from flask import Flask

        @pytest.fixture
        def app():
            return {app}

        def test(hookkit_inbox): pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
