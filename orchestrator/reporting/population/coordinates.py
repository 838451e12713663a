"""The models that a population of several objectives keeps as parallel coordinates, and three in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from orchestrator.objective import losses, sign
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import embedded, laid_out, paragraph, parallel
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.configurations import key
from orchestrator.reporting.population.plots import BEST, POPULATION
from orchestrator.reporting.scales import Floats, categories_of, numbering, objective_label
from orchestrator.text import number

MOST_HYPERPARAMETERS = 12
"""Only those that differ most among the models are drawn of more."""
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
SPACE = 3
"""So many objectives are also drawn in space."""


@dataclass(frozen=True)
class Coordinate:
    """One hyperparameter or objective.

    Args:
        heights: where each model crosses it, shape ``(k,)``; decimal logarithms where ``log``.
        categories: names of the heights 0, 1, …; None where values are numbers.
    """

    label: str
    heights: Floats
    log: bool
    categories: tuple[str, ...] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """From the smallest to the largest height."""
        if self.categories:
            return 0.0, max(1.0, len(self.categories) - 1.0)
        low, high = float(np.nanmin(self.heights)), float(np.nanmax(self.heights))
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    @property
    def ticks(self) -> tuple[list[float], list[str]]:
        """Heights that are labelled, and their labels."""
        if self.categories:
            return [*map(float, range(len(self.categories)))], list(self.categories)
        low, high = self.range
        places = [low + share * (high - low) for share in TICKS]
        return places, [number(10.0**place if self.log else place) for place in places]


@dataclass(frozen=True)
class Models:
    """The models that are kept, best in the first objective first.

    Args:
        coordinates: hyperparameters, then objectives.
        points: of three objectives what each model reached, shape ``(k, 3)``; None of other numbers.
        published: the same of all members after all generations.
        labels: of the objectives.
        names: of the models.
    """

    coordinates: tuple[Coordinate, ...]
    points: Floats | None
    published: Floats | None
    labels: tuple[str, ...]
    names: tuple[str, ...]


def describe(history: PopulationHistory) -> Models | None:
    """The models; None where there are fewer than two, or one objective."""
    objectives, kept = history.start.objectives, history.models
    if len(objectives) < 2 or len(kept) < 2:
        return None
    signs = np.array([sign(objective) for objective in objectives])
    reached = signs * np.array([losses(dict(one["metrics"]), objectives) for one in kept])
    configs = [dict(one["config"]) for one in kept]
    coordinates = [
        made
        for name in dict.fromkeys(name for config in configs for name in config)
        if (made := _coordinate(history, name, [config.get(name) for config in configs])) is not None
    ]
    labels = tuple(map(objective_label, objectives))
    goals = [Coordinate(label, reached[:, place], log=False) for place, label in enumerate(labels)]
    solid = len(objectives) == SPACE
    found = np.array([one.losses for one in history.records() if not one.failed]) if solid else None
    return Models(
        (*coordinates[:MOST_HYPERPARAMETERS], *goals),
        reached if solid else None,
        signs * found if found is not None else None,
        labels,
        tuple(key(one["member"], one["generation"]) for one in kept),
    )


def _coordinate(history: PopulationHistory, name: str, values: Sequence[Any]) -> Coordinate | None:
    """A hyperparameter; None where all models have the same value."""
    if len(set(map(str, values))) < 2:
        return None
    categories = categories_of([value for value in values if value is not None])
    place = numbering(categories)
    heights = np.array([place(value) for value in values], dtype=float)
    log = name in history.start.log_parameters and categories is None
    return Coordinate(name, np.log10(heights) if log else heights, log, categories)


def chart(shown: Models) -> go.Figure:
    """A line for each model; the colour is its first objective."""
    dimensions = []
    for one in shown.coordinates:
        places, texts = one.ticks
        bottom = one.range[0]
        # A model without the hyperparameter runs along the bottom.
        heights = np.where(np.isnan(one.heights), bottom, one.heights)
        dimensions.append(
            {
                "label": escape(one.label.replace(" is better", "")),
                "values": heights,
                "range": list(one.range),
                "tickvals": places,
                "ticktext": texts,
            }
        )
    first = shown.coordinates[-len(shown.labels)].heights
    bar = {"title": {"text": shown.labels[0].split(" (")[0], "side": "right"}, "thickness": 12}
    return parallel(
        460, dimensions, {"color": first, "colorscale": "Cividis", "showscale": True, "colorbar": bar}
    )


def solid(shown: Models, points: Floats, published: Floats) -> go.Figure:
    """Three objectives in space."""
    figure = laid_out(620)
    for values, name, marker in (
        (published, "all members after all generations", {"color": POPULATION, "size": 2, "opacity": 0.35}),
        (points, "models that are kept", {"color": BEST, "size": 6}),
    ):
        ours = values is points
        x, y, z = values.T
        figure.add_scatter3d(
            x=x,
            y=y,
            z=z,
            mode="markers",
            name=name,
            marker={**marker, "line": {"width": 0}},
            customdata=shown.names if ours else None,
            hovertemplate="%{customdata}<br>%{x:.5g}, %{y:.5g}, %{z:.5g}<extra></extra>" if ours else None,
            hoverinfo=None if ours else "skip",
        )
    axes = zip(("xaxis", "yaxis", "zaxis"), shown.labels, strict=True)
    scene = {name: {"title": {"text": label}} for name, label in axes}
    figure.update_layout(scene={**scene, "camera": {"eye": {"x": 1.7, "y": -1.5, "z": 0.9}}})
    return figure


def _section(shown: Models) -> str:
    text = (
        "Hyperparameters in which the models differ, as they were in the end, and what they reached. Drag "
        "along an axis to keep only the models that pass there, a heading to move its axis."
    )
    parts = [paragraph(text), embedded(chart(shown))]
    if shown.points is not None and shown.published is not None:
        parts.append(embedded(solid(shown, shown.points, shown.published)))
    return "\n".join(parts)


COORDINATES: Figure[PopulationHistory, Models] = Figure(
    name="models",
    heading="Models and their hyperparameters",
    serves="population studies of several objectives that keep two models or more",
    describe=describe,
    draw=lambda _history, _shown: (),
    section=lambda _, shown: _section(shown),
)
