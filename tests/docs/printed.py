"""Compares what a command has printed with what a page says that it prints."""

import re


def plain(text):
    """Return *text* without what is another one each time: numbers, ids, hosts, how long ago."""
    text = re.sub(r"\b[0-9a-f]{8,}\b", "#", text)
    text = re.sub(r"\d+(\.\d+)?", "#", text)
    text = re.sub(r" on \S+, process #", " on #, process #", text)
    return re.sub(r" +", " ", re.sub(r"# (s|min) ago", "# ago", text)).strip()


def is_like(printed, expected):
    """Tell whether what was *printed* is what the page says; ``…`` stands for any lines."""
    parts = [r"(?:.*\n)*?" if line == "…" else f"{re.escape(plain(line))}\n" for line in expected]
    lines = "".join(f"{plain(line)}\n" for line in printed.strip().splitlines())
    return re.fullmatch("".join(parts), lines) is not None


def steps_of(block):
    """Yield each command of *block*, which may go on in further lines, with what it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *printed = part.rstrip().splitlines()
        while command.endswith("\\"):
            command = f"{command}\n{printed.pop(0)}"
        yield command, printed
