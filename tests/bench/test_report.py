"""The page and the chart, from figures that were made up."""

import re

import pytest

from bench import accept, chart, report, verify
from bench.disk import Slowed
from bench.durable import LOG, NAIVE, NAIVE_POSTGRES, POSTGRES, SQLITE
from bench.durable import Figures as Admitted
from bench.engine_kinds import CELERY, KINDS
from bench.engines import Figures
from bench.handlers import BEFORE, HERE
from bench.receivers import RECEIVERS
from bench.report import Measured, page, panels


def measured(**changed):
    engines = {
        name: [Figures(1000.0 + number, 3000.0, 1.5, 0.2)] * 3 for number, name in enumerate(KINDS)
    }
    engines[CELERY] = [Figures(500.0, 1000.0, 4.0, 1.0)] * 3
    receivers = [accept.BARE, accept.BLUEPRINT, *RECEIVERS]
    given = {
        "about": {"CPU": "of the test", "Python": "3.11.7"},
        "command": "python -m bench report",
        "engines": engines,
        "accepted": {name: [100.0, 100.0] for name in receivers}
        | {accept.LOADS: [10.0, 10.0], accept.NORMALIZE: [25.0, 25.0]},
        "verified": {"HMAC-SHA256, 2 KiB": {verify.BARE: [2.0], "svix": [8.0]}},
        "admitted": {
            name: [Admitted(per_second=4000.0, waits_ms=[1.0, 2.0, 3.0])]
            for name in (LOG, NAIVE, SQLITE, NAIVE_POSTGRES, POSTGRES)
        },
        "disks": {
            added_ms: [
                Slowed(
                    sync_ms=added_ms + 0.25,
                    figures={
                        name: Admitted(per_second=per_second, waits_ms=[1.0])
                        for name, per_second in ((NAIVE, 500.0), (LOG, 8000.0), (SQLITE, 4000.0))
                    },
                )
            ]
            for added_ms in (0, 1)
        },
        "handled": {20: {HERE: [180.0], BEFORE: [178.0]}},
    }
    return Measured(**(given | changed))


def rows(text, heading):
    """Return the cells of each row of the tables below a heading."""
    section = text.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_table_of_the_page_is_whole():
    tables = re.findall(r"(?:^\|.*\|\n)+", page(measured()), flags=re.MULTILINE)

    assert len(tables) == 9
    for text in tables:
        assert len({line.count("|") for line in text.splitlines()}) == 1


def test_every_engine_has_its_figures_its_set_up_and_its_promises():
    lines = rows(page(measured()), "Engines")

    assert {line[0] for line in lines} == {"engine", "---", *KINDS}
    assert [CELERY, "500", "1.00", "1,000", "1.00", "4.00"] in lines
    assert [CELERY, KINDS[CELERY].setup, "never", "lost"] in lines


def test_every_receiver_says_what_it_does():
    lines = {line[0]: line[1:] for line in rows(page(measured()), "Receivers")}

    assert {*RECEIVERS, accept.BARE, accept.BLUEPRINT} <= set(lines)
    assert lines["stripe"] == ["100", "1.00", RECEIVERS["stripe"].does]


def test_goals_are_judged_on_the_page():
    lines = {line[0]: line[1:] for line in rows(page(measured()), "What hookkit aims at")}

    assert lines["drain / bare Celery: SQLite"][0] == "3.00"
    assert lines["drain / bare Celery: SQLite"][-1] == "BELOW"
    assert lines["normalize / json.loads"][0] == "2.50"


def test_each_disk_has_its_figures():
    lines = rows(page(measured()), "Storing, with 64 senders")

    assert ["0.25", "500", "8,000", "4,000", "0.50", "8.00"] in lines
    assert ["1.25", "500", "8,000", "4,000", "0.50", "8.00"] in lines


def test_the_page_shows_the_machine_and_the_command():
    text = page(measured())

    assert ["CPU", "of the test"] in rows(text, "The machine")
    assert "python -m bench report" in text


def test_without_a_release_before_there_is_no_section_about_it():
    assert "## Slow handlers" in page(measured())
    assert "## Slow handlers" not in page(measured(handled={}))


@pytest.fixture
def drawn(tmp_path):
    chart.draw(panels(measured()), tmp_path / "chart.svg")
    return (tmp_path / "chart.svg").read_text(encoding="utf-8")


def test_the_chart_names_every_engine_and_receiver(drawn):
    for name in (*KINDS, *RECEIVERS):
        assert f">{name}<" in drawn


def test_equal_figures_make_an_equal_chart(drawn, tmp_path):
    chart.draw(panels(measured()), tmp_path / "again.svg")

    assert (tmp_path / "again.svg").read_text(encoding="utf-8") == drawn


def test_the_page_in_the_documentation_is_one_that_the_program_writes():
    kept = (report.DOCS / report.PAGE).read_text(encoding="utf-8")
    given = {} if "## Slow handlers" in kept else {"handled": {}}

    assert prose(kept) == prose(page(measured(**given)))


def prose(text):
    """Return the lines outside of tables, without figures and the command."""
    lines = [line for line in text.splitlines() if not line.startswith(("|", "python -m"))]
    return [re.sub(r"\d+(\.\d+)?", "0", line) for line in lines]
