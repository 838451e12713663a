"""All trials of a study, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.objective import in_own_direction
from orchestrator.trial import Trial, with_bounds
from workloads.base import Objective

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

TRIAL_COLUMNS = ("fidelity", "status", "reason", "seconds", "feasible", "rank", "pareto")
"""What tables of trials say of every trial besides its configuration, its objectives and its metrics."""


class Archive:
    """Trials in the order in which they ended; they are added and never changed.

    Only fully trained trials have losses here: those that failed or were trained less count as NaN.

    Args:
        objectives: what the study optimises.
        constraints: metrics with a bound that are not optimised.
        full: the fidelity of full training, where an optimizer may choose less; None: a trial that has
            finished is fully trained.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        constraints: Sequence[Objective] = (),
        full: int | None = None,
    ) -> None:
        self.objectives, self._full = tuple(objectives), full
        self.constraints = with_bounds(objectives, constraints)
        self._trials: list[Trial] = []
        self._filled = 0  # rows of the arrays, which have room for more
        self._losses = np.empty((16, len(self.objectives)))
        self._violations = np.empty((16, len(self.constraints)))

    def add(self, trials: Iterable[Trial]) -> None:
        """Append trials that have ended."""
        self._trials.extend(trials)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All of them, oldest first."""
        return tuple(self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def losses(self) -> Floats:
        """To be minimised, shape ``(n, m)``; NaN where a trial was not trained fully; read-only."""
        return self._results()[0]

    @property
    def violations(self) -> Floats:
        """Shape ``(n, c)``; positive where a constraint is violated; read-only."""
        return self._results()[1]

    @property
    def pareto_set(self) -> tuple[Trial, ...]:
        """The feasible trials that no feasible one dominates, oldest first; of one objective, the best."""
        members = pareto.nondominated(self.losses, self.violations)
        return tuple(trial for trial, member in zip(self._trials, members, strict=True) if member)

    @property
    def knee(self) -> Trial | None:
        """The best trade-off of the Pareto set (see :func:`orchestrator.pareto.knee`)."""
        row = pareto.knee(self.losses, self.violations)
        return None if row is None else self._trials[row]

    @property
    def reference(self) -> Floats:
        """The configured or inferred reference point, to be minimised, shape ``(m,)``."""
        return pareto.reference_point(self.objectives, self.losses, self.violations)

    def hypervolume_over_time(self, reference: Floats | None = None) -> Floats:
        """Hypervolume after each trial, shape ``(n,)``; zeros while there is no reference point.

        Args:
            reference: to be minimised, shape ``(m,)``; None: :attr:`reference`.
        """
        corner = np.nan_to_num(self.reference if reference is None else reference, nan=-np.inf)
        return pareto.hypervolume_over_time(self.losses, corner, self.violations)

    def to_frame(self) -> pd.DataFrame:
        """One row per trial: config.*, fidelity, objectives in their own directions, metrics.*, its end."""
        import pandas as pd

        pareto_rank = pareto.ranks(self.losses, self.violations)
        members = pareto.nondominated(self.losses, self.violations)
        rows = [
            {
                **{f"config.{name}": value for name, value in trial.config.items()},
                **{
                    objective.name: in_own_direction(loss, objective)
                    for objective, loss in zip(self.objectives, trial.losses, strict=True)
                },
                **{f"metrics.{name}": value for name, value in trial.metrics.items()},
                "fidelity": trial.fidelity,
                "status": trial.status,
                "reason": trial.reason,
                "seconds": trial.seconds,
                "feasible": trial.feasible,
                "rank": int(rank),
                "pareto": bool(member),
            }
            for trial, rank, member in zip(self._trials, pareto_rank, members, strict=True)
        ]
        return pd.DataFrame(rows)

    def _results(self) -> tuple[Floats, Floats]:
        """Losses and violations; trials that were added since the last call are appended."""
        count = len(self._trials)
        while len(self._losses) < count:
            self._losses, self._violations = _doubled(self._losses), _doubled(self._violations)
        for row in range(self._filled, count):
            trial = self._trials[row]
            self._losses[row] = trial.losses if self._fully_trained(trial) else np.nan
            self._violations[row] = trial.violations
        self._filled = count
        losses, violations = self._losses[:count], self._violations[:count]
        for array in (losses, violations):
            array.setflags(write=False)
        return losses, violations

    def _fully_trained(self, trial: Trial) -> bool:
        enough = self._full is None or trial.fidelity is None or trial.fidelity >= self._full
        return trial.status == "finished" and enough


def _doubled(rows: Floats) -> Floats:
    return np.concatenate([rows, np.empty_like(rows)])
