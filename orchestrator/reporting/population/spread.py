"""How different the members' hyperparameters still are: a population that has collapsed explores no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.schedule import title
from orchestrator.reporting.scales import Floats, categories_of

COLLAPSED = 0.1
"""Less than this share of the spread at birth is a collapse."""
MOST = 1.5
"""Larger spreads have the same colour."""
COLOURS, PLOTLY_COLOURS = "cividis", "Cividis"


@dataclass(frozen=True)
class Spread:
    """The spread of each hyperparameter over the generations, as a multiple of its spread at birth.

    Of numbers it is the distance between the 10 % and the 90 % quantiles of the members' values, on the scale
    that they are searched on; of anything else the entropy of its distribution.

    Args:
        title: the study in one line.
        names: the mutable hyperparameters, the most collapsed at the end last.
        shares: shape ``(len(names), generations)``; NaN where fewer than two members have a value.
        collapsed: by name the generation from which on less than :data:`COLLAPSED` was left to the end.
    """

    title: str
    names: tuple[str, ...]
    shares: Floats
    collapsed: tuple[tuple[str, int], ...]


def describe(history: PopulationHistory) -> Spread | None:
    """What there is to show; None where nothing varied at birth, or before the second generation."""
    generations = history.generation
    if generations < 2 or not history.start.mutable:
        return None
    rows = []
    for name in history.start.mutable:
        shares = _shares(history, name, generations)
        if shares is not None:
            rows.append((name, shares))
    if not rows:
        return None
    rows.sort(key=lambda row: -np.nan_to_num(row[1][-1]))
    found = [(name, _collapse(shares)) for name, shares in rows]
    return Spread(
        title(history),
        tuple(name for name, _ in rows),
        np.array([shares for _, shares in rows]),
        tuple((name, since) for name, since in found if since is not None),
    )


def _shares(history: PopulationHistory, name: str, generations: int) -> Floats | None:
    """The spread after each generation, as a multiple of the first; None where the first is zero."""
    values = [
        [life[place].config.get(name) for life in history.lives if place < len(life)]
        for place in range(generations)
    ]
    every = [value for some in values for value in some if value is not None]
    log = name in history.start.log_parameters
    spread = _entropy if categories_of(every) is not None else _logarithmic if log else _distance
    spreads = np.array([spread([one for one in some if one is not None]) for some in values])
    if not np.isfinite(spreads[0]) or spreads[0] <= 0:
        return None
    return np.asarray(spreads / spreads[0])


def _distance(values: Sequence[Any]) -> float:
    if len(values) < 2:
        return float("nan")
    low, high = np.quantile(np.array(values, dtype=float), (0.1, 0.9))
    return float(high - low)


def _logarithmic(values: Sequence[Any]) -> float:
    return _distance([np.log(value) for value in values])


def _entropy(values: Sequence[Any]) -> float:
    if len(values) < 2:
        return float("nan")
    shares = np.array(list(Counter(map(str, values)).values())) / len(values)
    return float(-(shares * np.log(shares)).sum())


def _collapse(shares: Floats) -> int | None:
    """The first generation from which on the spread stayed below the threshold."""
    above = np.flatnonzero(~(shares < COLLAPSED))
    since = int(above[-1]) + 2 if len(above) else 1
    return since if since <= len(shares) else None


def picture(shown: Spread) -> Picture:
    """A row for each hyperparameter."""
    figure = Picture(figsize=(9, 1.6 + 0.36 * len(shown.names)), layout="constrained")
    axis = figure.subplots()
    generations = shown.shares.shape[1]
    ends = (0.5, generations + 0.5, len(shown.names) - 0.5, -0.5)
    image = axis.imshow(shown.shares, cmap=COLOURS, vmin=0, vmax=MOST, aspect="auto", extent=ends)
    axis.set_yticks(range(len(shown.names)), shown.names)
    axis.set_xlabel("generation")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for row, shares in enumerate(shown.shares):
        axis.annotate(
            f"{shares[-1]:.0%}",
            (1.005, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    figure.colorbar(image, ax=axis, label="spread (1: as at birth)", pad=0.1)
    figure.suptitle(shown.title, fontsize=11)
    return figure


def chart(shown: Spread) -> go.Figure:
    """The same, interactive."""
    figure = laid_out(110 + 30 * len(shown.names))
    figure.add_heatmap(
        x=np.arange(1, shown.shares.shape[1] + 1),
        y=list(shown.names),
        z=shown.shares,
        zmin=0,
        zmax=MOST,
        colorscale=PLOTLY_COLOURS,
        colorbar={"title": {"text": "spread", "side": "right"}, "thickness": 12, "tickformat": ".0%"},
        hoverongaps=False,
        hovertemplate="%{y}, generation %{x}: %{z:.0%} of the spread at birth<extra></extra>",
    )
    figure.update_xaxes(title="generation", tickformat=",d")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def _caption(shown: Spread) -> str:
    text = (
        "How far the members' values lie apart, as a share of what it was in the first generation: between "
        "the 10 % and the 90 % quantiles of numbers, the entropy of choices."
    )
    if not shown.collapsed:
        return f"{text} None has collapsed below {COLLAPSED:.0%}."
    named = ", ".join(f"{name} (from generation {since} on)" for name, since in shown.collapsed)
    return f"{text} Collapsed below {COLLAPSED:.0%}: {named}."


SPREAD: Figure[PopulationHistory, Spread] = Figure(
    name="spread",
    heading="Spread of the hyperparameters",
    serves="population studies of two or more generations in which something varied at birth",
    describe=describe,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: captioned(_caption(shown), chart(shown)),
)
