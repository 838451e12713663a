"""All trials of a study, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.objective import in_own_direction
from orchestrator.trial import Trial, with_bounds
from workloads.contract import Objective

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

TRIAL_COLUMNS = ("fidelity", "status", "reason", "seconds", "feasible", "rank", "pareto")
"""What tables of trials say of every trial besides its configuration, its objectives and its metrics."""


class Archive:
    """Trials in the order in which they ended; they are added and never changed.

    Only fully trained trials have losses here: those that failed or were trained less count as NaN. Adding a
    trial takes time proportional to the Pareto set, not to the archive.

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
        self.objectives, self._full, self._own = tuple(objectives), full, tuple(constraints)
        self.constraints = with_bounds(objectives, constraints)
        self._trials: list[Trial] = []
        self._losses = _Rows(len(self.objectives))
        self._violations = _Rows(len(self.constraints))
        self._front = _Front(len(self.objectives))
        self._volume: tuple[bytes, float] | None = None

    def empty(self) -> Archive:
        """Another one of the same study, without trials."""
        return Archive(self.objectives, self._own, self._full)

    def add(self, trials: Iterable[Trial]) -> list[Trial]:
        """Append trials that have ended; returns those that leave the Pareto set."""
        return [left for trial in trials for left in self._add(trial)]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All of them, oldest first."""
        return tuple(self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def losses(self) -> Floats:
        """To be minimised, shape ``(n, m)``; NaN where a trial was not trained fully; read-only."""
        return self._losses.filled

    @property
    def violations(self) -> Floats:
        """Shape ``(n, c)``; positive where a constraint is violated; read-only."""
        return self._violations.filled

    @property
    def front(self) -> Floats:
        """Losses of the Pareto set, shape ``(k, m)``, oldest first; read-only."""
        return self._front.losses.filled

    @property
    def front_rows(self) -> Sequence[int]:
        """Which trials are in the Pareto set, by their places here; ascending."""
        return self._front.rows

    @property
    def pareto_set(self) -> tuple[Trial, ...]:
        """The feasible trials that no feasible one dominates, oldest first; of one objective, the best."""
        return tuple(self._trials[row] for row in self._front.rows)

    @property
    def knee(self) -> Trial | None:
        """The best trade-off of the Pareto set (see :func:`orchestrator.pareto.knee`)."""
        place = pareto.knee(self.front)
        return None if place is None else self._trials[self._front.rows[place]]

    @property
    def reference(self) -> Floats:
        """The configured or inferred reference point, to be minimised, shape ``(m,)``."""
        return pareto.reference_point(self.objectives, self.front)

    def hypervolume(self, reference: Floats | None = None) -> float:
        """What the Pareto set dominates within the reference point; 0 while there is none.

        Args:
            reference: as of :meth:`hypervolume_over_time`.
        """
        if not len(self.front):
            return 0.0
        corner = self.reference if reference is None else reference
        if self._volume is None or self._volume[0] != corner.tobytes():
            self._volume = corner.tobytes(), pareto.hypervolume(self.front, corner)
        return self._volume[1]

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

    def _add(self, trial: Trial) -> list[Trial]:
        self._trials.append(trial)
        self._violations.append(trial.violations)
        if not self._fully_trained(trial):
            self._losses.append([np.nan] * len(self.objectives))
            return []
        self._losses.append(trial.losses)
        feasible = np.isfinite(trial.losses).all() and all(value <= 0 for value in trial.violations)
        left = self._front.add(len(self._trials) - 1, np.asarray(trial.losses)) if feasible else None
        if left is not None:
            self._volume = None
        return [self._trials[row] for row in left or ()]

    def _fully_trained(self, trial: Trial) -> bool:
        enough = self._full is None or trial.fidelity is None or trial.fidelity >= self._full
        return trial.status == "finished" and enough


class _Rows:
    """An array that grows by rows, of which it has more than are filled."""

    def __init__(self, columns: int) -> None:
        self._rows = np.empty((16, columns))
        self._count = 0

    @property
    def filled(self) -> Floats:
        """Shape ``(n, columns)``, read-only."""
        filled = self._rows[: self._count]
        filled.setflags(write=False)
        return filled

    def append(self, row: Sequence[float] | Floats) -> None:
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = row
        self._count += 1

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Drop the rows that are not chosen."""
        kept = self._rows[: self._count][chosen]
        self._count = len(kept)
        self._rows[: self._count] = kept


class _Front:
    """The non-dominated points so far; equal ones stay together.

    Attributes:
        rows: whose they are, ascending.
        losses: theirs.
    """

    def __init__(self, objectives: int) -> None:
        self.rows: list[int] = []
        self.losses = _Rows(objectives)

    def add(self, row: int, point: Floats) -> list[int] | None:
        """Take in a later point; returns whose it displaces, or None where it is dominated."""
        front = self.losses.filled
        if ((front <= point).all(axis=1) & (front < point).any(axis=1)).any():
            return None
        worse = np.asarray((point <= front).all(axis=1) & (point < front).any(axis=1))
        left = list(compress(self.rows, worse))
        if left:
            self.rows = list(compress(self.rows, ~worse))
            self.losses.keep(~worse)
        self.rows.append(row)
        self.losses.append(point)
        return left
