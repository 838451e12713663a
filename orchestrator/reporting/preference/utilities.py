"""The posterior utilities of the options that were compared."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure as Picture

from orchestrator.preference.history import Option, PreferenceHistory
from orchestrator.preference.questions import harmless
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats
from orchestrator.reporting.style import plain
from orchestrator.text import setting

MOST = 25
"""Options that are drawn; the table has all."""
_LABEL = 48
_LINE = "#0072b2"
_AXIS = "posterior utility ± 2 standard deviations"


@dataclass(frozen=True)
class Utilities:
    """What is believed of the best options, the best first.

    Args:
        labels: their names.
        means: ``(n,)``.
        deviations: ``(n,)``.
    """

    labels: tuple[str, ...]
    means: Floats
    deviations: Floats


def described(option: Option) -> str:
    """An option in one line: its text, or its configuration."""
    told = option.text or ", ".join(f"{name}={setting(value)}" for name, value in option.config.items())
    return " ".join(harmless(told).split())


def describe(history: PreferenceHistory) -> Utilities | None:
    """The utilities; None where nothing was answered."""
    if history.standing is None:
        return None
    shown = history.standing.options[:MOST]
    labels = tuple(
        f"{n}: {textwrap.shorten(described(history.options[n]), _LABEL, placeholder=' …')}" for n in shown
    )
    means, deviations = history.standing.utilities, history.standing.deviations
    return Utilities(labels, np.array(means[:MOST]), np.array(deviations[:MOST]))


def picture(history: PreferenceHistory, shown: Utilities) -> Picture:
    """A row for each option, with its utility."""
    rows = np.arange(len(shown.labels))
    figure = Picture(figsize=(9.0, 1.4 + 0.27 * len(rows)), layout="constrained")
    figure.suptitle(history.start.study, fontsize=11)
    axis = figure.subplots()
    axis.errorbar(shown.means, rows, xerr=2 * shown.deviations, fmt="o", color=_LINE, elinewidth=1.2)
    # A dollar sign is no formula here.
    axis.set_yticks(rows, [label.replace("$", r"\$") for label in shown.labels], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(_AXIS, fontsize=9)
    plain(axis)
    return figure


def chart(history: PreferenceHistory, shown: Utilities) -> go.Figure:
    """The same, to look at closely."""
    del history
    figure = laid_out(120 + 26 * len(shown.labels))
    figure.add_scatter(
        x=shown.means,
        y=[label.replace("<", "&lt;") for label in shown.labels],
        error_x={"type": "data", "array": 2 * shown.deviations},
        mode="markers",
        marker={"color": _LINE, "size": 9},
        hovertemplate="%{y}<br>%{x:.3g}<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"size": 11})
    figure.update_xaxes(title=_AXIS)
    return figure


UTILITIES: Figure[PreferenceHistory, Utilities] = Figure(
    name="utilities",
    heading="Utilities",
    serves="studies in which something was compared",
    describe=describe,
    draw=lambda history, shown: [("", picture(history, shown))],
    section=lambda history, shown: captioned(
        f"The options that were compared, the best first; at most {MOST}. Utilities have no unit and no "
        "zero: they are drawn without what all have in common.",
        chart(history, shown),
    ),
)
