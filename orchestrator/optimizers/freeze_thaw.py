"""Freeze-thaw Bayesian optimization: each step trains one configuration a little further."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.curve_model import CurveModel, Points, fitted
from orchestrator.optimizers.unfinished import Worst, finished
from orchestrator.optimizers.untried import untried
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective

_GROWTH = 1.2
"""The model's hyperparameters are fitted again when there are so many times as many results."""
_FEWEST = 3
"""Before there are so many results, configurations are drawn from the priors."""
_THINNING = 1.41
"""The model has ever fewer of the results of a long curve, which are alike: so its time stays in bounds."""
_WORST = 3.0
"""Losses beyond so many times the span from the best to the median count as if they were there."""


class FreezeThaw(Optimizer):
    """Freeze-thaw with ifBO's acquisition (Rakotoarison et al. 2024) and Swersky's model of curves (2014).

    A suggestion is a configuration that is to be trained for one step more: a new one, or one that was
    trained before and goes on ("thaws") from its checkpoint. It is the one most likely to come below a
    threshold in some steps from now. As in ifBO, both are drawn anew for each suggestion: the number of steps
    from 1 to all, and the threshold below the best loss so far by 1e-4 to 1e-1 of a span, on a logarithmic
    scale.

    Differences from ifBO: its model is a network that was trained on artificial curves, which has to be
    downloaded; ours is a Gaussian process (:class:`.curve_model.CurveModel`). There, losses lie between 0 and
    1, and the span is what the best is away from perfection; here it is what the best is away from the median
    configuration. New configurations are drawn from the priors, so many for each suggestion.

    A configuration that failed or was stopped is never trained further.

    Args:
        steps: in how many steps a configuration is trained fully; fewer where the fidelities are fewer.
        candidates: new configurations that are looked at for each suggestion.
        fit_steps: the most steps of L-BFGS-B in a fit of the model's hyperparameters.
    """

    capabilities = Capabilities(fidelity=True)
    recalls_exactly = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        steps: int = 50,
        candidates: int = 256,
        fit_steps: int = 30,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(1, steps=steps, candidates=candidates, fit_steps=fit_steps)
        assert fidelity is not None
        self.levels = levels(fidelity, steps)
        self._candidates, self._fit_steps = candidates, fit_steps
        self._categorical = np.array([column.kind == "categorical" for column in space.codec.columns])
        self._curves: dict[str, _Curve] = {}
        self._numbered = 0
        self._running: dict[int, _Curve] = {}
        self._results: list[_Result] = []
        self._fits: tuple[int, Floats] = (0, np.empty(0))

    def remark(self, trials: int) -> str:
        assert self.fidelity is not None
        steps = len(self.levels)
        return (
            f"each trial trains one of the {steps} steps to {self.fidelity.largest} {self.fidelity.unit}s: "
            f"{trials} trials are {trials / steps:.3g} full trainings (search.fidelity_units limits those)"
        )

    def _suggest(self, token: int) -> tuple[Config, int] | None:
        curve = self._chosen(stream(self.seed, "freeze-thaw", token))
        if curve is None:
            return None
        self._running[token] = curve
        return curve.config, self._next(curve)

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        del fidelity  # It follows from the configuration.
        self._running[token] = self._curve(config)
        return True

    def _learn(self, trial: Trial) -> None:
        self._take(self._running.pop(trial.suggestion.token), trial)

    def _withdraw(self, trial: Trial) -> None:
        curve = self._running.pop(trial.suggestion.token)
        if not curve.reached and not curve.closed:
            self._curves.pop(config_key(curve.config), None)

    def _observe(self, trial: Trial) -> None:
        self._take(self._curve(trial.config), trial)

    def _learn_late(self, trial: Trial) -> None:
        self._observe(trial)

    def _take(self, curve: _Curve, trial: Trial) -> None:
        fidelity = trial.suggestion.fidelity or self.levels[-1]
        if finished(trial):
            curve.reached = max(curve.reached, fidelity)
        else:
            curve.closed = True
        self._results.append(_Result(curve, fidelity, trial))

    def _curve(self, config: Config) -> _Curve:
        key = config_key(config)
        if key not in self._curves:
            units = self.space.codec.encode([config])[0]
            self._curves[key] = _Curve(self._numbered, config, units)
            self._numbered += 1
        return self._curves[key]

    def _next(self, curve: _Curve) -> int:
        """How far a configuration is trained in its next step."""
        return self.levels[bisect_right(self.levels, curve.reached)]

    def _chosen(self, rng: np.random.Generator) -> _Curve | None:
        """The configuration to train; None where all are trained or in training."""
        known = self._known(len(self._results))
        frozen = self._frozen
        new = self.space.sample_units(self._candidates if known else 1, rng)
        places = range(len(frozen) + len(new))
        # Without a model the new one comes first.
        order = reversed(places) if known is None else np.argsort(-self._promise(frozen, new, known, rng))
        for place in order:
            if place < len(frozen):
                return frozen[place]
            (config,) = self.space.codec.decode(new[[place - len(frozen)]])
            if config_key(config) not in self._curves:
                return self._curve(config)
        other = untried(self.space, [curve.config for curve in self._curves.values()], rng)
        return None if other is None else self._curve(other)

    @property
    def _frozen(self) -> list[_Curve]:
        """The configurations that may be trained further and are not in training."""
        running = {curve.number for curve in self._running.values()}
        return [
            curve
            for curve in self._curves.values()
            if not curve.closed and curve.reached < self.levels[-1] and curve.number not in running
        ]

    def _promise(
        self, frozen: Sequence[_Curve], new: Floats, known: _Known, rng: np.random.Generator
    ) -> Floats:
        """How likely each is to come below the threshold, on any increasing scale.

        Args:
            frozen: configurations that may be trained further.
            new: others, in the codec's cube.
        """
        horizon = int(rng.integers(1, len(self.levels) + 1))
        threshold = known.best - known.span * 10 ** rng.uniform(-4, -1)
        reached = [bisect_right(self.levels, curve.reached) for curve in frozen] + [0] * len(new)
        ends = [self.levels[min(count + horizon, len(self.levels)) - 1] for count in reached]
        units = np.concatenate([*(curve.units[None] for curve in frozen), new])
        numbers = np.array([*(curve.number for curve in frozen), *(-1 - row for row in range(len(new)))])
        model = CurveModel(self._logs(), self._categorical, known.points, known.losses)
        mean, deviation = model.predict(Points(units, self._in_steps(ends), numbers))
        return np.asarray((threshold - mean) / deviation)

    def _logs(self) -> Floats:
        """The model's hyperparameters, fitted to the results that there were when they last grew enough."""
        count = _FEWEST
        while (larger := int(np.ceil(_GROWTH * count))) <= len(self._results):
            count = larger
        count = max(count, 1 + next(i for i, one in enumerate(self._results) if finished(one.trial)))
        if self._fits[0] != count:
            known = self._known(count)
            assert known is not None
            self._fits = count, fitted(known.points, known.losses, self._categorical, self._fit_steps)
        return self._fits[1]

    def _in_steps(self, fidelities: Sequence[int]) -> Floats:
        return np.array(fidelities) * len(self.levels) / self.levels[-1]

    def _known(self, count: int) -> _Known | None:
        """What the first ``count`` results say; None where that is too little for a model."""
        results = self._results[:count]
        worst = Worst.of(one.trial for one in results)
        if worst is None or count < _FEWEST:
            return None
        kept = [results[row] for row in _thinned(results)]
        losses = np.array([worst.imputed(one.trial).losses[0] for one in kept])
        best, median = losses.min(), np.median([losses[own[-1]] for own in _by_curve(kept)])
        span = median - best if median > best else max(np.ptp(losses), 1e-12)
        scaled = np.minimum((losses - best) / span, _WORST)
        points = Points(
            np.array([one.curve.units for one in kept]),
            self._in_steps([one.fidelity for one in kept]),
            np.array([one.curve.number for one in kept]),
        )
        centre, scale = scaled.mean(), max(scaled.std(), 1e-9)
        return _Known(points, (scaled - centre) / scale, -centre / scale, 1 / scale)


@dataclass
class _Curve:
    """A configuration and its training.

    Args:
        number: unlike that of all others; not below 0.
        units: in the codec's cube.
        reached: how far it is trained.
        closed: whether it will not be trained further.
    """

    number: int
    config: Config
    units: Floats = field(repr=False)
    reached: int = 0
    closed: bool = False


@dataclass(frozen=True)
class _Result:
    """What came of a step."""

    curve: _Curve
    fidelity: int
    trial: Trial


@dataclass(frozen=True)
class _Known:
    """Results on a scale of about 1.

    Args:
        points: of the results.
        losses: theirs.
        best: the lowest.
        span: from there to the median configuration.
    """

    points: Points
    losses: Floats
    best: float
    span: float


def levels(fidelity: Fidelity, steps: int) -> tuple[int, ...]:
    """The fidelities at which training halts, ascending: at most ``steps`` equal steps, the last one full."""
    step = -(-fidelity.largest // steps)
    halts = {max(one, fidelity.smallest) for one in range(step, fidelity.largest, step)}
    return tuple(sorted(halts | {fidelity.largest}))


def _by_curve(results: Sequence[_Result]) -> list[list[int]]:
    """The places of each curve's results, the least trained first."""
    rows: dict[int, list[int]] = {}
    for row, one in enumerate(results):
        rows.setdefault(one.curve.number, []).append(row)
    return [sorted(own, key=lambda row: results[row].fidelity) for own in rows.values()]


def _thinned(results: Sequence[_Result]) -> list[int]:
    """The places of each curve's last result, and of its first, second, third, fourth, sixth, eighth …"""
    kept = {round(_THINNING**power) for power in range(64)}
    return sorted(
        row
        for own in _by_curve(results)
        for place, row in enumerate(own, start=1)
        if place in kept or place == len(own)
    )
