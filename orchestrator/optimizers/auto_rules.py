"""Which optimizer ``auto`` takes: one table, read from the top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
        categories: whether any of them is neither a number nor ordered like numbers.
        always: the share of them that is active whatever the others are; 1: there are no conditions.
        objectives: how many there are.
        constrained: whether anything has a bound.
        fidelities: whether the optimizer may choose between several that are worth it.
        trainings: how many trials its budget would train fully.
        workers: how many trials run at a time.
    """

    parameters: int
    categories: bool = False
    always: Fraction | float = 1
    objectives: int = 1
    constrained: bool = False
    fidelities: bool = False
    trainings: float = 100
    workers: int = 1

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        objectives: Sequence[Objective],
        bounded: Sequence[Objective],
        rungs: tuple[Fidelity | None, int],
        trainings: float,
        workers: int,
    ) -> Self:
        """The situation of a study.

        Args:
            bounded: objectives and constraints that have a bound.
            rungs: the fidelities to choose from, None where there is no choice, and the ratio between two.
        """
        columns, (fidelity, eta) = space.codec.columns, rungs
        unconditional = space.configuration_space.unconditional_hyperparameters
        return cls(
            parameters=len(columns),
            categories=any(column.kind == "categorical" for column in columns),
            always=Fraction(sum(c.name in unconditional for c in columns), len(columns)) if columns else 1,
            objectives=len(objectives),
            constrained=bool(bounded),
            fidelities=fidelity is not None and steps_between(fidelity.smallest, fidelity.largest, eta) > 0,
            trainings=trainings,
            workers=workers,
        )

    @property
    def conditions(self) -> bool:
        """Whether any parameter is active only where another has some value."""
        return self.always < 1


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
        fidelities, categories, conditions, constrained: as of :class:`Situation`; None: either.
        always: the smallest share of parameters that are always active; None: any.
        objectives, parameters, trainings: the smallest and the largest number; None: any.
        workers: the largest number; None: any.
    """

    phases: tuple[Phase, ...]
    fidelities: bool | None = None
    categories: bool | None = None
    conditions: bool | None = None
    constrained: bool | None = None
    always: Fraction | None = None
    objectives: tuple[int, int | None] = (1, None)
    parameters: tuple[int, int | None] = (1, None)
    trainings: tuple[int, int | None] = (1, None)
    workers: int | None = None

    def fits(self, study: Situation) -> bool:
        """Whether it holds in a study."""
        kinds = ("fidelities", "categories", "conditions", "constrained")
        spans = ("objectives", "parameters", "trainings")
        return (
            all(getattr(self, name) in (None, getattr(study, name)) for name in kinds)
            and all(_within(getattr(study, name), getattr(self, name)) for name in spans)
            and (self.always is None or study.always >= self.always)
            and (self.workers is None or study.workers <= self.workers)
        )

    @property
    def where(self) -> str:
        """The condition in words."""
        return ", ".join(self._conditions()) or "anything else"

    def _conditions(self) -> Iterator[str]:
        if self.fidelities is not None:
            yield "a choice of fidelities" if self.fidelities else "no choice of fidelities"
        if self.objectives == (1, 1):
            yield "one objective"
        elif self.objectives != (1, None):
            yield f"{_range(self.objectives)} objectives"
        if (self.categories, self.conditions) == (False, False):
            yield "numbers only"
        else:
            yield from (
                name if wanted else f"no {name}"
                for name, wanted in (("categories", self.categories), ("conditions", self.conditions))
                if wanted is not None
            )
        if self.always is not None:
            yield f"at least {self.always} of the parameters always active"
        if self.constrained is not None:
            yield "with bounds" if self.constrained else "no bounds"
        if self.parameters != (1, None):
            yield f"{_range(self.parameters)} parameters"
        if self.trainings != (1, None):
            yield f"{_range(self.trainings)} full trainings"
        if self.workers is not None:
            yield f"at most {self.workers} at a time"


def _within(value: float, span: tuple[int, int | None]) -> bool:
    low, high = span
    return (low == 1 or low <= value) and (high is None or value <= high)


def _range(span: tuple[int, int | None]) -> str:
    low, high = span
    return f"at least {low}" if high is None else f"at most {high}" if low == 1 else f"{low} to {high}"


@dataclass(frozen=True)
class Known:
    """How an optimizer is made.

    Args:
        definition: its class and arguments, as in conf/optimizer.
        chooses: whether it chooses fidelities.
        module: a package that it needs beyond the usual ones; empty: none.
        extra: what brings it.
        instead: what takes its place where that is not installed.
    """

    definition: Mapping[str, Any]
    chooses: bool = False
    module: str = ""
    extra: str = ""
    instead: str = ""


_HERE = "orchestrator.optimizers"
_TPE = {"_target_": f"{_HERE}.optuna.OptunaTpe", "n_startup_trials": 10}
OPTIMIZERS: Mapping[str, Known] = {
    "optuna_tpe": Known(_TPE),
    "optuna_gp": Known({"_target_": f"{_HERE}.optuna.OptunaGp", "n_startup_trials": 10}),
    "optuna_cmaes": Known(
        {"_target_": f"{_HERE}.optuna.OptunaCmaEs"}, module="cmaes", extra="cmaes", instead="optuna_tpe"
    ),
    "asha_random": Known(
        {
            "_target_": f"{_HERE}.asha.Asha",
            "sampler": {"_target_": f"{_HERE}.random.RandomSearch", "_partial_": True},
        },
        chooses=True,
    ),
}
"""What the rules choose from, by the names in conf/optimizer."""

_GP, _ONE = Phase("optuna_gp", until=150), (1, 1)
RULES: tuple[Rule, ...] = (
    Rule((Phase("asha_random"),), fidelities=True, objectives=_ONE, trainings=(8, 12)),
    # A Gaussian process thinks for a second or so: many workers would wait. CMA-ES needs two parameters.
    Rule(
        (_GP, Phase("optuna_cmaes")),
        categories=False,
        conditions=False,
        objectives=_ONE,
        constrained=False,
        parameters=(2, 20),
        workers=8,
    ),
    # With four objectives it thinks for several seconds.
    Rule((_GP, Phase("optuna_tpe")), conditions=False, objectives=(1, 3), parameters=(1, 20), workers=8),
    # What is active on conditions it draws at random. With one objective it gains nothing then.
    Rule(
        (_GP, Phase("optuna_tpe")),
        always=Fraction(1, 3),
        objectives=(2, 3),
        parameters=(1, 20),
        workers=8,
    ),
    Rule(
        (Phase("optuna_cmaes"),),
        categories=False,
        conditions=False,
        objectives=_ONE,
        constrained=False,
        parameters=(2, None),
        trainings=(100, None),
    ),
    Rule((Phase("optuna_tpe"),)),
)
"""The first rule that fits holds.

Training tasks of ``python -m tests.benchmarks.auto_strength`` chose them, and of fidelity_strength the first;
docs/search.md has the figures.
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
