"""Which optimizer ``auto`` takes: one table, read from the top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Self

from orchestrator.optimizers.rungs import steps_between
from search_spaces import SearchSpace
from workloads.contract import Fidelity, Objective


@dataclass(frozen=True)
class Situation:
    """What a study is like, as far as the choice depends on it.

    Args:
        parameters: how many vary.
        numeric: whether all of them are numbers, or ordered like numbers, and always active.
        objectives: how many there are.
        constrained: whether anything has a bound.
        fidelities: whether the optimizer may choose between several that are worth it.
        trials: how many the study plans.
        workers: how many trials run at a time.
    """

    parameters: int
    numeric: bool = True
    objectives: int = 1
    constrained: bool = False
    fidelities: bool = False
    trials: int = 100
    workers: int = 1

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        objectives: Sequence[Objective],
        bounded: Sequence[Objective],
        rungs: tuple[Fidelity | None, int],
        trials: int,
        workers: int,
    ) -> Self:
        """The situation of a study.

        Args:
            bounded: objectives and constraints that have a bound.
            rungs: the fidelities to choose from, None where there is no choice, and the ratio between two.
        """
        columns, (fidelity, eta) = space.codec.columns, rungs
        categories = any(column.kind == "categorical" for column in columns)
        return cls(
            parameters=len(columns),
            numeric=not categories and not space.configuration_space.conditions,
            objectives=len(objectives),
            constrained=bool(bounded),
            fidelities=fidelity is not None and steps_between(fidelity.smallest, fidelity.largest, eta) > 0,
            trials=trials,
            workers=workers,
        )


@dataclass(frozen=True)
class Phase:
    """One optimizer's part of a study.

    Args:
        optimizer: its name.
        until: how many trials are suggested or observed when the next phase begins; None: it is the last.
    """

    optimizer: str
    until: int | None = None


@dataclass(frozen=True)
class Rule:
    """A line of the table: what it takes, and in which studies.

    Args:
        phases: in order.
        fidelities, numeric, constrained: as of :class:`Situation`; None: either.
        objectives: the smallest and the largest number; None: any.
        parameters: the largest number; None: any.
        trials: the largest number; None: any.
        workers: the largest number; None: any.
    """

    phases: tuple[Phase, ...]
    fidelities: bool | None = None
    numeric: bool | None = None
    constrained: bool | None = None
    objectives: tuple[int, int] | None = None
    parameters: int | None = None
    trials: int | None = None
    workers: int | None = None

    def fits(self, study: Situation) -> bool:
        """Whether it holds in a study."""
        low, high = self.objectives or (1, study.objectives)
        return (
            all(
                getattr(self, name) in (None, getattr(study, name))
                for name in ("fidelities", "numeric", "constrained")
            )
            and all(
                (most := getattr(self, name)) is None or getattr(study, name) <= most
                for name in ("parameters", "trials", "workers")
            )
            and low <= study.objectives <= high
        )

    @property
    def where(self) -> str:
        """The condition in words."""
        return ", ".join(self._conditions()) or "anything else"

    def _conditions(self) -> Iterator[str]:
        if self.fidelities is not None:
            yield "a choice of fidelities" if self.fidelities else "no choice of fidelities"
        if self.objectives is not None:
            low, high = self.objectives
            yield "one objective" if high == 1 else f"{low} to {high} objectives"
        if self.numeric is not None:
            yield "numbers only" if self.numeric else "categories or conditions"
        if self.constrained is not None:
            yield "with bounds" if self.constrained else "no bounds"
        for name, unit in (("parameters", "parameters"), ("trials", "trials"), ("workers", "at a time")):
            if (most := getattr(self, name)) is not None:
                yield f"at most {most} {unit}"


@dataclass(frozen=True)
class Known:
    """How an optimizer is made.

    Args:
        definition: its class and arguments, as in conf/optimizer.
        planned: whether it takes the number of trials.
        chooses: whether it chooses fidelities.
        module: a package that it needs beyond the usual ones; empty: none.
        extra: what brings it.
        instead: what takes its place where that is not installed.
    """

    definition: Mapping[str, Any]
    planned: bool = False
    chooses: bool = False
    module: str = ""
    extra: str = ""
    instead: str = ""


_HERE = "orchestrator.optimizers"
_TPE = {"_target_": f"{_HERE}.optuna.OptunaTpe", "n_startup_trials": 10}
OPTIMIZERS: Mapping[str, Known] = {
    "optuna_tpe": Known(_TPE),
    "optuna_gp": Known({"_target_": f"{_HERE}.optuna.OptunaGp", "n_startup_trials": 10}),
    "optuna_nsga2": Known({"_target_": f"{_HERE}.optuna.OptunaNsga2", "population_size": 6}),
    "optuna_cmaes": Known(
        {"_target_": f"{_HERE}.optuna.OptunaCmaEs"}, module="cmaes", extra="cmaes", instead="optuna_tpe"
    ),
    "smac_hpo": Known({"_target_": f"{_HERE}.smac.SmacHpo"}, planned=True),
    "asha_tpe": Known(
        {"_target_": f"{_HERE}.asha.Asha", "sampler": {**_TPE, "_partial_": True}}, chooses=True
    ),
}
"""What the rules choose from, by the names in conf/optimizer."""

_ONE = (1, 1)
_THEN_TPE = (Phase("optuna_gp", until=150), Phase("optuna_tpe"))
RULES: tuple[Rule, ...] = (
    Rule((Phase("asha_tpe"),), fidelities=True, objectives=_ONE, constrained=False),
    # A Gaussian process thinks for a second or so: with many workers, they would wait.
    Rule(_THEN_TPE, numeric=True, objectives=_ONE, parameters=20, workers=8),
    Rule((Phase("optuna_tpe"),)),
)
"""The first rule that fits holds.

Training tasks of ``python -m tests.benchmarks.auto_strength`` chose them; docs/search.md has the figures.
"""


@dataclass(frozen=True)
class Choice:
    """What a rule comes to on this machine.

    Args:
        rule: the one that holds.
        phases: those of the rule, without optimizers that cannot be imported.
        missing: optimizers that were replaced, each with its extra and what takes its place.
    """

    rule: Rule
    phases: tuple[Phase, ...]
    missing: tuple[tuple[str, str, str], ...] = ()

    @property
    def text(self) -> str:
        """What was chosen and why, in one line."""
        lacking = "".join(
            f"; {wanted} needs the extra {extra!r}, so {instead} takes its place"
            for wanted, extra, instead in self.missing
        )
        return f"{in_words(self.phases)} ({self.rule.where}){lacking}"


def in_words(phases: Sequence[Phase]) -> str:
    """Phases in one line."""
    turns = [f"{after.optimizer} after {before.until} trials" for before, after in pairwise(phases)]
    return ", ".join([phases[0].optimizer, *turns])


def _installed(module: str) -> bool:
    return find_spec(module) is not None


def choose(study: Situation, installed: Callable[[str], bool] = _installed) -> Choice:
    """What the table says of a study.

    Args:
        installed: whether a package can be imported.
    """
    rule = next(rule for rule in RULES if rule.fits(study))
    phases, missing = list[Phase](), list[tuple[str, str, str]]()
    for phase in rule.phases:
        known, name = OPTIMIZERS[phase.optimizer], phase.optimizer
        if known.module and not installed(known.module):
            missing.append((name, known.extra, known.instead))
            name = known.instead
        phases.append(Phase(name, phase.until))
    return Choice(rule, tuple(phases), tuple(missing))
