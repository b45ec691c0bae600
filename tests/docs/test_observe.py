"""How to observe: the metrics and the rules are those of the code."""

import re

import pytest
import yaml
from prometheus_client import CollectorRegistry

from hookkit import HookKit
from hookkit.observing import opentelemetry, prometheus
from tests.applications import make_app
from tests.docs.pages import ROOT, blocks, read, tables, words

OBSERVE = ROOT / "docs" / "how-to" / "observe.md"


@pytest.fixture(scope="module")
def families():
    registry = CollectorRegistry()
    prometheus.enable(make_app(HookKit()), registry=registry)
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in registry.collect()
    }


def test_metrics_are_those_of_the_code(families):
    rows = tables(OBSERVE, "## Prometheus")[1:]

    assert {words(row[0])[0] for row in rows} == set(families)


def test_labels_are_those_of_the_code():
    counters = vars(prometheus._Families(CollectorRegistry())).values()
    made = {
        f"{each._name}_total" if each._type == "counter" else each._name: list(each._labelnames)
        for each in counters
        if each is not None
    }
    documented = {words(row[0])[0]: words(row[1]) for row in tables(OBSERVE, "## Prometheus")[1:]}

    assert {name: documented[name] for name in made} == made


def test_rules_ask_for_metrics_that_there_are(families):
    (block,) = blocks(OBSERVE, language="yaml")
    (group,) = yaml.safe_load(block.text)["groups"]

    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "annotations"}
        assert rule["annotations"]["summary"].endswith((".", "?"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
        named = re.findall(r"hookkit_\w+", rule["expr"])
        assert named
        assert {name.removesuffix("_bucket") for name in named} <= set(families)


def test_attributes_of_spans_are_those_of_the_code():
    source = read(ROOT / "hookkit" / "observing" / "opentelemetry.py")
    made = set(re.findall(r'"(hookkit\.[a-z_]+)"', source))

    assert opentelemetry.enable.__doc__
    assert made == set(re.findall(r"`(hookkit\.(?!observing)[a-z_]+)`", read(OBSERVE)))
