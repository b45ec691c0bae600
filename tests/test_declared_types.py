"""Pyright knows the type of every public name of hookkit, without guessing it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hookkit"
#: What marshmallow and click are given there has no annotation: what is called says the type.
WITHOUT_ANNOTATIONS = (
    "hookkit.cli.",
    "hookkit.providers.",
    "hookkit.schemas.",
    "hookkit.settings.fields.",
)


def test_every_type_of_the_package_is_declared(tmp_path):
    pytest.importorskip("basedpyright", reason="it comes with hookkit[package]")
    # Pyright looks for it where packages are installed, and follows no link to a checkout.
    shutil.copytree(PACKAGE, tmp_path / "site" / "hookkit")
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    command = ["basedpyright", "--verifytypes", "hookkit", "--ignoreexternal", "--outputjson"]
    read = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,  # it is content with nothing below 100 %
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path / "site"),
            "PATH": os.pathsep.join(folders),
        },
    )

    report = json.loads(read.stdout)["typeCompleteness"]
    counts = report["exportedSymbolCounts"]
    assert counts["withKnownType"] > 5000
    assert counts["withUnknownType"] == 0
    assert [
        (each["name"], each["diagnostics"])
        for each in report["symbols"]
        if not each["isTypeKnown"] and not each["name"].startswith(WITHOUT_ANNOTATIONS)
    ] == []
