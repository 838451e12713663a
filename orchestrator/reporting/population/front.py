"""The trained models that a population of several objectives keeps, and how their front grew."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from orchestrator import pareto
from orchestrator.objective import losses, sign
from orchestrator.population.history.fronts import fronts
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.population.configurations import key
from orchestrator.reporting.population.schedule import title
from orchestrator.reporting.scales import Floats, objective_label
from orchestrator.text import number

MOST_PAIRED = 4
"""With more objectives than this, no pairs are drawn."""
EARLIER = (0.25, 0.5)
"""The front of two objectives is also shown as it was after these shares of the generations."""


@dataclass(frozen=True)
class Boundary:
    """What a front of two objectives attains.

    Args:
        label: the front.
        corners: polyline ``(n, 2)`` in the objectives' own units.
    """

    label: str
    corners: Floats


@dataclass(frozen=True)
class ModelFront:
    """Everything in the objectives' own units and directions.

    Args:
        title: the study in one line.
        labels: of the objectives.
        pairs: of objectives that are drawn against each other.
        published: what all members reached after all generations, shape ``(n, m)``.
        models: what the models that are kept reached, shape ``(k, m)``; of a study that has not ended, its
            Pareto set so far.
        names: of the models.
        boundaries: with two objectives, that of the last front first.
        volumes: the hypervolume after each generation, shape ``(generations,)``.
        reference: its corner, in words.
    """

    title: str
    labels: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    published: Floats
    models: Floats
    names: tuple[str, ...]
    boundaries: tuple[Boundary, ...]
    volumes: Floats
    reference: str


def model_front(history: PopulationHistory) -> ModelFront | None:
    """The front of a study; None for a single objective, or where nobody has kept all bounds yet."""
    objectives = history.start.objectives
    sets = list(fronts(history)) if len(objectives) > 1 else []
    if not sets or not len(sets[-1]):
        return None
    signs = np.array([sign(objective) for objective in objectives])
    corner = pareto.reference_point(objectives, sets[-1])
    found = np.array([one.losses for one in history.records() if not one.failed])
    kept = [dict(one["metrics"]) for one in history.models]
    models = np.array([losses(metrics, objectives) for metrics in kept]) if kept else sets[-1]
    names = [key(one["member"], one["generation"]) for one in history.models]
    pairs = combinations(range(len(objectives)), 2) if len(objectives) <= MOST_PAIRED else ()
    values = zip(objectives, signs * corner, strict=True)
    return ModelFront(
        title=title(history),
        labels=tuple(map(objective_label, objectives)),
        pairs=tuple(pairs),
        published=signs * found,
        models=signs * models,
        names=tuple(names or ["of the Pareto set so far"] * len(models)),
        boundaries=_boundaries(sets, corner, signs) if len(objectives) == 2 else (),
        volumes=np.array([pareto.hypervolume(front, corner) for front in sets]),
        reference=", ".join(f"{objective.name} {number(value)}" for objective, value in values),
    )


def _boundaries(sets: list[Floats], corner: Floats, signs: Floats) -> tuple[Boundary, ...]:
    shown = [(len(sets), f"front after {len(sets)} generations")]
    for share in EARLIER[::-1]:
        generation = round(share * len(sets))
        if 0 < generation < len(sets):
            shown.append((generation, f"after {generation}"))
    return tuple(
        Boundary(label, signs * pareto.staircase(sets[generation - 1], corner))
        for generation, label in shown
        if len(sets[generation - 1])
    )
