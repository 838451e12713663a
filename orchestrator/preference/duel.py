"""Which two configurations are compared next: a function of the seed and of what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.optimizers.sobol import SobolPoints
from orchestrator.optimizers.untried import all_units
from orchestrator.preference.pairs import best_pair, expected_best
from orchestrator.preference.questions import Comparison
from orchestrator.randomness import derived_seed, stream
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from search_spaces.values import config_key
from workloads.capabilities import EmbeddingWorkload
from workloads.contract import Workload

if TYPE_CHECKING:
    from orchestrator.preference.model import Belief, Utilities

LISTED = 400
"""A space of at most so many configurations is looked at as a whole; of a larger one there is a sample."""
DRAWN, NEAR = 192, 64
"""How many points of a larger space are drawn for each question: everywhere, and near the best so far."""
FIRST = 8
"""Of how many points the random questions take two."""
_SPREAD = 0.1
"""The standard deviation of the latter in each coordinate."""


@dataclass(frozen=True)
class Compared:
    """What a duel knows.

    Args:
        configs: of all options so far, by their numbers.
        comparisons: what was answered.
        failed: options without a result.
    """

    configs: Sequence[Config]
    comparisons: Sequence[Comparison] = ()
    failed: frozenset[int] = frozenset()
    _numbers: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._numbers.update({config_key(config): place for place, config in enumerate(self.configs)})

    def number(self, config: Config) -> int | None:
        """The number of the option with this configuration; None: there is none."""
        return self._numbers.get(config_key(config))

    @property
    def usable(self) -> list[int]:
        """Options that took part in a comparison."""
        return sorted({option for one in self.comparisons for option in (one.first, one.second)})


class Duel:
    """Dueling Bayesian optimisation: the pair whose better one is expected to be best (qEUBO).

    The first ``initial`` questions compare configurations at random. Then the utilities' posterior
    (:class:`orchestrator.preference.model.Utilities`) says which pair has the largest
    :func:`orchestrator.preference.pairs.expected_best`. Source: Astudillo et al. 2023 (arXiv 2303.15746).
    They climb its gradient over pairs of points; here it is computed exactly for all pairs of a finite pool,
    which serves conditions, categories and lists of candidates alike: the whole space, or Sobol points,
    points near the best so far, and all options that have a result.

    Args:
        workload: says what configurations are like, if it can (:class:`workloads.EmbeddingWorkload`).
        space: what may vary.
        seed: the study's.
        initial: random questions.
    """

    def __init__(self, workload: Workload, space: SearchSpace, seed: int, initial: int) -> None:
        self._workload, self._space, self._seed, self._initial = workload, space, seed, initial
        listed = all_units(space, LISTED)
        self._whole = None if listed is None else self._configs(listed, stream(seed, "duel whole"))

    def features(self, configs: Sequence[Config]) -> Floats:
        """What the model knows of configurations, ``(n, d)``, about 0 to 1."""
        if isinstance(self._workload, EmbeddingWorkload):
            return np.asarray(self._workload.embed(configs), dtype=float)
        return encoded(self._space, configs)

    def next(self, past: Compared) -> tuple[Config, Config] | None:
        """The configurations that are compared next, in the order in which they are shown; None: no more."""
        asked = len(past.comparisons)
        rng = stream(self._seed, "duel", asked, len(past.failed))
        model = self.utilities(past) if asked >= self._initial else None
        failed = {config_key(past.configs[option]) for option in past.failed}
        pool = [one for one in self._pool(past, model, rng) if config_key(one) not in failed]
        pair = best_pair(self._values(pool, model, rng), _done(past, pool)) if len(pool) > 1 else None
        if pair is None:
            return None
        # Where people favour what stands first, neither side may gain by it.
        first, second = pair if rng.random() < 0.5 else pair[::-1]
        return pool[first], pool[second]

    def utilities(self, past: Compared) -> Utilities:
        """The model of what was answered."""
        from orchestrator.preference.model import Utilities

        seed = derived_seed(self._seed, "duel model", len(past.comparisons))
        return Utilities(self.features(past.configs), past.comparisons, seed)

    def believed(self, past: Compared, model: Utilities) -> Belief:
        """What the model says of the options that were compared, in the order of ``past.usable``."""
        return model.at(self.features([past.configs[option] for option in past.usable]))

    def _values(self, pool: Sequence[Config], model: Utilities | None, rng: np.random.Generator) -> Floats:
        if model is None:
            drawn = rng.random((len(pool), len(pool)))
            return drawn + drawn.T
        found = model.at(self.features(pool))
        return expected_best(found.mean, found.covariance)

    def _pool(self, past: Compared, model: Utilities | None, rng: np.random.Generator) -> list[Config]:
        if self._whole is not None:
            return self._whole
        codec, asked = self._space.codec, len(past.comparisons)
        points = SobolPoints(self._space, derived_seed(self._seed, "duel pool", asked, len(past.failed)))
        if model is None:
            return self._configs(np.concatenate([points.draw() for _ in range(FIRST)]), rng)
        best = past.usable[int(self.believed(past, model).mean.argmax())]
        middle = np.nan_to_num(codec.repair(codec.encode([past.configs[best]]), rng), nan=0.5)
        near = np.clip(middle + _SPREAD * rng.normal(size=(NEAR, codec.dim)), 0.0, 1.0)
        fresh = self._configs(np.concatenate([*(points.draw() for _ in range(DRAWN)), near]), rng)
        known = [past.configs[option] for option in past.usable]
        return list({config_key(one): one for one in [*known, *fresh]}.values())

    def _configs(self, units: Floats, rng: np.random.Generator) -> list[Config]:
        codec = self._space.codec
        rows = codec.repair(units, rng)
        found = codec.decode(rows[codec.legal(rows)])
        return list({config_key(config): config for config in found}.values())


def encoded(space: SearchSpace, configs: Sequence[Config]) -> Floats:
    """Coordinates of configurations, ``(n, d)``: a category has one for each value, 0 stands for inactive."""
    units = space.codec.encode(configs)
    columns = []
    for j, column in enumerate(space.codec.columns):
        if column.kind == "categorical":
            values = column.to_units(np.arange(column.low, column.low + column.size, dtype=float))
            columns += [(np.abs(units[:, j] - value) < 1e-9).astype(float) for value in values]
        else:
            columns.append(np.nan_to_num(units[:, j], nan=0.0))
    return np.stack(columns, axis=1)


def _done(past: Compared, pool: Sequence[Config]) -> list[tuple[int, int]]:
    """The pairs of the pool that were compared, by their places there."""
    place = {config_key(config): row for row, config in enumerate(pool)}
    row = {option: place.get(config_key(past.configs[option])) for option in past.usable}
    pairs = ((row[one.first], row[one.second]) for one in past.comparisons)
    return [(first, second) for first, second in pairs if first is not None and second is not None]
