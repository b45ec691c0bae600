"""Draws the chart of ``docs/reference/speed.md``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: hookkit's bars, and those of others.
OWN, OTHERS = "#1b6ca8", "#b9c4cc"

#: A panel's title -> its bars.
Panels = Mapping[str, Mapping[str, float]]


def draw(panels: Panels, path: Path) -> None:
    """Write an SVG with a row of bars for each panel; equal figures make equal files."""
    heights = [len(bars) for bars in panels.values()]
    # Ids in the file would be made by chance otherwise, and texts drawn as outlines.
    with mpl.rc_context({"svg.hashsalt": "hookkit", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 1.1 * len(heights) + 0.26 * sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), squeeze=False, height_ratios=heights)
        for (title, bars), axis in zip(panels.items(), axes[:, 0], strict=True):
            _panel(axis, title, bars)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _panel(axis: Axes, title: str, bars: Mapping[str, float]) -> None:
    names = list(bars)[::-1]
    values = [bars[name] for name in names]
    colours = [OWN if name.startswith("hookkit") else OTHERS for name in names]
    drawn = axis.barh(names, values, color=colours)
    axis.bar_label(drawn, labels=[written(value) for value in values], padding=3)
    axis.set_title(title, loc="left", fontweight="bold")
    axis.set_xlim(0, 1.15 * max(values))
    axis.xaxis.set_visible(False)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(left=False)


def written(value: float) -> str:
    """Return a figure as a person reads it: 1,234 or 1.23."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
