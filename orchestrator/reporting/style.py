"""Axes, scales and files of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from orchestrator.reporting.scales import Floats


def time_scale(seconds: Floats) -> tuple[float, str]:
    """Seconds in the unit that suits them, and its name."""
    longest = float(np.nanmax(seconds))
    if longest > 7200:
        return 3600.0, "hours"
    return (60.0, "minutes") if longest > 120 else (1.0, "seconds")


def plain(axis: Axes) -> None:
    """Axes with a faint grid and no box."""
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def logarithmic_axis(axis: Axes, which: Literal["x", "y"]) -> None:
    """A logarithmic axis with few and plain labels."""
    part = axis.xaxis if which == "x" else axis.yaxis
    (axis.set_xscale if which == "x" else axis.set_yscale)("log")
    low, high = sorted(part.get_view_interval())
    part.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    part.set_major_formatter(lambda value, _: f"{value:,.6g}" if value < 1e6 else f"{value:.0e}")
    part.set_minor_formatter(NullFormatter())


def save_vector(figure: Figure, path: Path) -> None:
    """Write a picture as ``<path>.pdf`` and ``<path>.svg``, without dates, so that both are repeatable."""
    with rc_context({"svg.hashsalt": path.name, "pdf.fonttype": 42}):
        figure.savefig(f"{path}.pdf", format="pdf", metadata={"CreationDate": None})
        figure.savefig(f"{path}.svg", format="svg", metadata={"Date": None})


def save(figure: Figure, path: Path) -> None:
    """Write a picture to ``path`` as PNG."""
    figure.savefig(path, format="png", dpi=130)
