"""Random search in the engine of populations, to compare others with at equal training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.trials import next_trials, require_intervals, trained
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class RandomSearch:
    """Each member trains one configuration after another, from new weights, all drawn from the space.

    Nothing is copied and nothing changes in training. Unlike other methods, a member that fails does not take
    another's weights but starts its next trial.

    Args:
        length: intervals of a trial; None: as long as the member lives, which gives one trial per member.
    """

    length: int | None = None

    def __post_init__(self) -> None:
        if self.length is not None:
            require_intervals("length", self.length, 1)

    def serves(self, setting: Setting) -> None:
        """Any study whose members live as long as a trial."""
        if self.length is not None and self.length > setting.generations:
            expected = f"null or at most {setting.generations}, population.generations"
            raise ConfigurationError("length", expected, self.length)

    def decide(self, arrived: Rows, past: Past, _rng: np.random.Generator) -> Choices:
        """Start the next trial where one has failed or trained its length."""
        latest = past.latest[arrived]
        length = self.length or past.setting.generations
        left = length - trained(past)[latest]
        ended = past.failed[latest] | (left <= 0)
        return next_trials(arrived, past, ended, np.where(ended, length, left))
