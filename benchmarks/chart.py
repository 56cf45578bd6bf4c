"""The look that all charts of the benchmarks share: a question above, units on the axes, the floor beside ours.

matplotlib is imported where something is drawn: the processes that are measured do not load it. Colours are those of
Okabe and Ito, which colour-blind people tell apart: https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLOOR = "#999999"
FLOOR_TOO = "#cccccc"
OURS = "#0072B2"
ALSO_OURS = "#56B4E9"
THIRD = "#E69F00"
FOURTH = "#009E73"
TARGET = "#D55E00"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark take --chart FILE."""
    parser.add_argument("--chart", type=Path, metavar="FILE", help="also draw a chart into this PNG or SVG")


def new(question: str, note: str, *, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Give a figure with the finding's question above, a note at the foot, and so many axes side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2 if panels == 1 else 5.0 * panels, 5.0), dpi=120, layout="constrained")
    figure.suptitle(question, fontsize=13, fontweight="bold")
    figure.supxlabel(note, fontsize=8, color="#555555")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.set_axisbelow(True)
        one.grid(axis="y", color="#dddddd")
    return figure, list(axes)


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the file's name, and say where it lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"chart: {path}")


def bars(
    axes: Axes,
    groups: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float | None]]],
    *,
    form: str = "{:,.2f}",
) -> None:
    """Draw groups of bars, each with its value above: `series` are label, colour, one value a group.

    None draws no bar: it was not measured.
    """
    width = 0.8 / len(series)
    for nth, (label, colour, values) in enumerate(series):
        there = [(place, value) for place, value in enumerate(values) if value is not None]
        offset = (nth - (len(series) - 1) / 2) * width
        drawn = axes.bar(
            [place + offset for place, _ in there],
            [value for _, value in there],
            width * 0.94,
            label=label,
            color=colour,
        )
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # a target may run through it
        texts = [form.format(value) for _, value in there]
        axes.bar_label(drawn, texts, padding=3, fontsize=8, bbox=box, zorder=4)
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.1)
    if len(groups) == 1:
        axes.set_xlim(-1, 1)


def target(axes: Axes, at: float, text: str, *, across: Literal["x", "y"] = "y") -> None:
    """Draw a target as a dashed line across the axes; the legend says what it is."""
    line = axes.axhline if across == "y" else axes.axvline
    line(at, color=TARGET, linestyle="--", linewidth=1.6, label=text, zorder=3)


def shares(axes: Axes, values: Iterable[float], **look: Any) -> None:
    """Draw which share of the values, in per cent, is no larger than each; every one is a point."""
    ordered = sorted(values)
    reached = [100 * (nth + 1) / len(ordered) for nth in range(len(ordered))]
    marker = "o" if len(ordered) <= 40 else None
    axes.step([ordered[0], *ordered], [0, *reached], where="post", marker=marker, markersize=4, **look)
    axes.set(ylim=(0, 104), yticks=range(0, 101, 20))


def legend(axes: Axes, *, columns: int = 1) -> None:
    """Put the legend above the axes, where it covers nothing."""
    axes.legend(
        fontsize=9, frameon=False, ncols=columns, loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderaxespad=0.2
    )
