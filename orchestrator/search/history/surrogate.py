"""What a model of a search's objectives says about its hyperparameters: a random forest over the trials.

Partial dependence (Friedman 2001): the model's mean prediction at a value of one or two hyperparameters, over
the other values that the trials had. The model is as good as its R² on trials that its trees did not see (out
of bag), which stands beside whatever is shown of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from orchestrator.search.history.history import SearchHistory
from search_spaces import SearchSpace

Floats = NDArray[np.float64]

FEWEST_TRIALS = 20
"""With fewer, a model says nothing that the trials do not."""
MOST_TRIALS = 2000
"""Of more, these many are drawn for the model, the best among them."""
TREES, LEAF = 64, 2
BACKGROUND = 64
"""Trials over which predictions are averaged."""
STEPS, FINE_STEPS = 21, 31
"""Values of a numeric hyperparameter in a contour, and in a slice."""


@dataclass(frozen=True)
class Slice:
    """The model's mean prediction over one hyperparameter.

    Args:
        name: of the hyperparameter.
        units: its values in [0, 1], shape ``(k,)``.
        mean: predictions, shape ``(k,)``.
        spread: standard deviation over the trees' means, shape ``(k,)``.
    """

    name: str
    units: Floats
    mean: Floats
    spread: Floats


@dataclass(frozen=True)
class Contour:
    """The model's mean prediction over two hyperparameters, shape ``(len(y), len(x))``; units in [0, 1]."""

    names: tuple[str, str]
    x: Floats
    y: Floats
    mean: Floats


@dataclass(frozen=True)
class Surrogate:
    """A model of one objective's loss, which is modelled by its logarithm where ``log``.

    Args:
        objective: its place among the objectives.
        fit: R² on trials that the trees did not see; below 0 the model is worse than the mean.
        trials: how many it was made of.
        slices: of the hyperparameters that move the prediction most, the first most.
        contours: of pairs of the first ones.
    """

    objective: int
    log: bool
    fit: float
    trials: int
    slices: tuple[Slice, ...]
    contours: tuple[Contour, ...]


def surrogate(
    history: SearchHistory, space: SearchSpace, objective: int, *, log: bool, slices: int, pairs: int
) -> Surrogate | None:
    """The model of an objective; None where fewer than :data:`FEWEST_TRIALS` trials were trained fully.

    Args:
        objective: its place.
        log: whether the logarithm of its values is modelled; they are positive then.
        slices, pairs: how many are wanted at most.
    """
    losses = history.archive.losses[:, objective]
    rows = np.flatnonzero(np.isfinite(losses))
    if len(rows) < FEWEST_TRIALS or not len(space.codec.columns) or np.ptp(losses[rows]) == 0:
        return None
    rows = _thinned(rows, losses)
    units = space.codec.encode([history.ended[row].config for row in rows])
    values = np.log10(np.abs(losses[rows])) if log else losses[rows]
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=LEAF, max_features=0.7, oob_score=True, random_state=0, n_jobs=1
    )
    with warnings.catch_warnings():
        # Of a trial that every tree has seen it warns that there is no estimate.
        warnings.simplefilter("ignore", UserWarning)
        forest.fit(units, values)
    found = _Model(forest, _background(units), space)
    every = sorted(
        (found.slice(column) for column in range(units.shape[1])), key=lambda one: -float(np.ptp(one.mean))
    )
    names = [column.name for column in space.codec.columns]
    shown = [names.index(one.name) for one in every[: _first(pairs)]]
    chosen = list(combinations(shown, 2))[:pairs]
    return Surrogate(
        objective,
        log,
        float(forest.oob_score_),
        len(rows),
        tuple(every[:slices]),
        tuple(found.contour(*pair) for pair in chosen),
    )


def _first(pairs: int) -> int:
    """How many hyperparameters have so many pairs."""
    return next(count for count in range(2, pairs + 3) if count * (count - 1) // 2 >= pairs)


def _thinned(rows: NDArray[np.int64], losses: Floats) -> NDArray[np.int64]:
    if len(rows) <= MOST_TRIALS:
        return rows
    best = rows[np.argsort(losses[rows], kind="stable")[: MOST_TRIALS // 4]]
    others = np.setdiff1d(rows, best)
    drawn = np.linspace(0, len(others) - 1, MOST_TRIALS - len(best)).round().astype(int)
    return np.sort(np.concatenate([best, others[drawn]]))


def _background(units: Floats) -> Floats:
    rows = np.unique(np.linspace(0, len(units) - 1, BACKGROUND).round().astype(int))
    return np.asarray(units[rows])


@dataclass(frozen=True)
class _Model:
    forest: RandomForestRegressor
    background: Floats
    space: SearchSpace

    def slice(self, column: int) -> Slice:
        grid = self._grid(column, FINE_STEPS)
        trees = self._predictions([column], grid[:, None])
        name = self.space.codec.columns[column].name
        return Slice(name, grid, trees.mean(axis=0), trees.std(axis=0))

    def contour(self, first: int, second: int) -> Contour:
        x, y = self._grid(first, STEPS), self._grid(second, STEPS)
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        mean = self._predictions([first, second], points).mean(axis=0)
        columns = self.space.codec.columns
        return Contour((columns[first].name, columns[second].name), x, y, mean.reshape(len(y), len(x)))

    def _grid(self, place: int, steps: int) -> Floats:
        """Coordinates along a column: of each choice, else from end to end; whole numbers where they are."""
        column = self.space.codec.columns[place]
        if column.size:
            return column.to_units(np.arange(float(column.size)))
        return column.to_units(np.unique(column.from_units(np.linspace(0, 1, steps))))

    def _predictions(self, columns: Sequence[int], points: Floats) -> Floats:
        """Mean predictions of each tree at each point, shape ``(trees, points)``.

        The background are trials that have the hyperparameters, where there are any.
        """
        active = ~np.isnan(self.background[:, columns]).any(axis=1)
        rows = self.background[active] if active.any() else self.background
        filled = np.repeat(rows[None], len(points), axis=0)
        filled[:, :, columns] = points[:, None, :]
        flat = filled.reshape(-1, rows.shape[1]).astype(np.float32)
        trees = [tree.predict(flat, check_input=False) for tree in self.forest.estimators_]
        return np.asarray(np.reshape(trees, (len(trees), len(points), len(rows))).mean(axis=2))
