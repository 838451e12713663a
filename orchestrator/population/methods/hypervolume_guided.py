"""Hypervolume-guided reward weighting: members that learn more from what extends their own front."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from orchestrator.pareto import hypervolume, reference_point
from orchestrator.population.methods.contract import Choices, refuse_constraints
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import Floats, is_number
from orchestrator.population.trials import allowed, next_trials, trained
from search_spaces import ConfigurationError
from search_spaces.reading import closest, listing


@dataclass(frozen=True)
class HypervolumeGuided:
    """After each interval a hyperparameter becomes ``base + scale * tanh(gained)`` (Lu et al. 2025, arXiv
    2509.11452), where ``gained`` is the hypervolume that a member's publication adds to its earlier ones.

    In the paper it is a factor of the rewards, so that a model that extends its front learns more from the
    next batches than one that stands still. Everything else that a member is born with stays; nobody copies,
    and a member that fails starts another configuration. A first interval has the factor ``base``.

    Differences: the hypervolume is bounded by the objectives' references, not by the model before training;
    a publication is one of an interval, not of a batch. Where an objective has no reference, the nadir of a
    member's own publications is the bound, and the factor depends on the objectives' units.

    Args:
        parameter: the hyperparameter that is set, a mutable float.
        base: its value where nothing was gained.
        scale: what is added at most.
    """

    parameter: str = "gain"
    base: float = 0.5
    scale: float = 1.5

    def __post_init__(self) -> None:
        for key, value in (("base", self.base), ("scale", self.scale)):
            if not (is_number(value) and 0 <= value < math.inf):
                raise ConfigurationError(key, "a number from 0 on", value)

    def serves(self, setting: Setting) -> None:
        """Several objectives without bounds, and a space whose float of that name can take all its values."""
        if len(setting.objectives) < 2:
            names = [objective.name for objective in setting.objectives]
            raise ConfigurationError("objectives", f"at least 2 for {type(self).__name__}", names)
        refuse_constraints(setting, type(self).__name__)
        most = self.base + self.scale
        able = [
            column.name
            for column in setting.space.codec.columns
            if column.kind == "float" and column.mutable and column.low <= self.base and most <= column.high
        ]
        if self.parameter not in able:
            span = f"from {self.base:g} to {most:g}"
            expected = f"a mutable float of the search space {span} ({listing(able) or 'none'})"
            raise ConfigurationError("parameter", expected, self.parameter, closest(self.parameter, able))

    def birth(self, setting: Setting, rng: np.random.Generator) -> Floats:
        """Draws from the space, with the factor ``base``; see :class:`.contract.BirthMethod`."""
        drawn = setting.space.sample_units(setting.size, rng)
        return self._with(drawn, np.zeros(setting.size), setting, rng)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Go on with another factor; start anew where training has failed."""
        latest = past.latest[arrived]
        so_far, failed = trained(past)[latest], past.failed[latest]
        choices = next_trials(arrived, past, failed, 1)
        gained = np.zeros(len(arrived))
        for row in np.flatnonzero(~failed):
            own = past.losses[past.life(arrived[row])[-so_far[row] :]]
            gained[row] = _gained(own, past.setting)
        choices.units[failed] = past.setting.space.sample_units(int(failed.sum()), rng)
        choices.units[:] = self._with(choices.units, gained, past.setting, rng)
        return choices

    def _with(self, units: Floats, gained: Floats, setting: Setting, rng: np.random.Generator) -> Floats:
        """Configurations ``(k, dim)`` with the factors of what was gained, ``(k,)``, where these apply."""
        columns = setting.space.codec.columns
        (place,) = (j for j, column in enumerate(columns) if column.name == self.parameter)
        active, wanted = ~np.isnan(units[:, place]), units.copy()
        values = self.base + self.scale * np.tanh(gained[active])
        wanted[active, place] = columns[place].to_units(values)
        return allowed(wanted, units, setting.space, rng)


def _gained(losses: Floats, setting: Setting) -> float:
    """The hypervolume that the last of ``(n, m)`` losses adds to the others; at most their difference."""
    corner = reference_point(setting.objectives, losses)
    return max(0.0, hypervolume(losses, corner) - hypervolume(losses[:-1], corner))
