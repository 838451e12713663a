"""The methods that a benchmark study compares: optimizers, and methods of populations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from orchestrator.benchmark.cell import Course, Setup, optimizer_course
from orchestrator.benchmark.population_course import Life, population_course
from orchestrator.benchmark.task import Task
from orchestrator.config.schedules import KEY as SCHEDULE
from orchestrator.config.targets import TARGET, instantiate, target_of
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.population.assemble import AUTO, assemble_method
from orchestrator.population.methods import contract
from orchestrator.population.past import Setting
from orchestrator.population.schedule import Followed, Schedule, fitted
from search_spaces import ConfigurationError
from search_spaces.reading import Nothing
from workloads.capabilities import blocks_of

METHODS = "benchmark.methods"
_PLANNED = "n_trials"
"""The argument by which an optimizer learns how many trials it will have."""
_CANNOT = ("optimizer", "search_space", "constraints")
"""Keys that optimizers name where they cannot serve a task, whatever their own arguments."""
_POPULATION = {
    "method": {},
    "exploit": {},
    "explore": {},
    "inherit_hyperparameters": True,
    "generations": 20,
    "interval": None,
    "synchronous": True,
    "engine": "loop",
    SCHEDULE: None,
}
"""What a population's definition may say, and what holds where it does not."""

ENGINES = ("loop", "packed")
"""How the members of a population train; not by trying, since a cell is a function of its seed."""


class Method(Protocol):
    """A method that is compared, by the name that the study gives it."""

    @property
    def name(self) -> str: ...

    @property
    def definition(self) -> Mapping[str, Any]:
        """As the configuration has it, plain data."""
        ...

    @property
    def by_task(self) -> bool:
        """Whether it may serve one task and not another of the same shape."""
        ...

    def refusal(self, task: Task, seed: int) -> str:
        """Why the method cannot serve the task; empty where it can.

        Raises:
            ConfigurationError: it could serve no task, since its definition is wrong; the key is absolute.
        """
        ...

    def course(self, task: Task, seed: int, setup: Setup) -> Course:
        """The evaluations of a cell."""
        ...


def methods_of(definitions: Mapping[str, Any]) -> dict[str, Method]:
    """The methods that the configuration defines, by name.

    Raises:
        ConfigurationError: there are none, or one is neither an optimizer nor a population method.
    """
    if not definitions:
        hint = f"add one with +optimizer@{METHODS}.<its name>=<name>"
        raise ConfigurationError(METHODS, "at least one method", Nothing(), hint)
    return {name: _method(name, definition) for name, definition in definitions.items()}


def _method(name: str, definition: object) -> Method:
    if isinstance(definition, Mapping) and TARGET not in definition and "method" in definition:
        return PopulationMethod.of(name, definition)
    return OptimizerMethod.of(name, definition)


@dataclass(frozen=True)
class OptimizerMethod:
    """An optimizer that is compared.

    Args:
        definition: ``_target_`` and its arguments, as plain data.
    """

    name: str
    definition: Mapping[str, Any]
    capabilities: Capabilities
    by_task: ClassVar[bool] = False

    @classmethod
    def of(cls, name: str, definition: object) -> OptimizerMethod:
        """The optimizer that the configuration defines.

        Raises:
            ConfigurationError: that is none.
        """
        key = f"{METHODS}.{name}"
        if not isinstance(definition, Mapping) or not definition:
            hint = f"add one with +optimizer@{key}=<name>"
            raise ConfigurationError(key, "an optimizer", definition or Nothing(), hint)
        try:
            capabilities = getattr(target_of(definition, key), "capabilities", None)
        except ConfigurationError as error:
            raise _placed(error, key) from error
        if not isinstance(capabilities, Capabilities):
            expected = "a class of optimizers (orchestrator.search.Optimizer)"
            raise ConfigurationError(f"{key}._target_", expected, definition["_target_"])
        return cls(name, definition, capabilities)

    def make(self, task: Task, seed: int) -> Optimizer:
        """A new optimizer for a cell.

        Where the definition plans a number of trials (``n_trials``), that is the task's evaluations.

        Raises:
            ConfigurationError: it cannot serve the task, or an argument is wrong; the key begins with
                ``optimizer``, ``search_space`` or ``constraints``.
        """
        planned = {_PLANNED: task.evaluations} if _PLANNED in self.definition else {}
        can = self.capabilities
        chooses = can.fidelity or (can.may_choose_fidelity and task.multi_fidelity)
        optimizer: Optimizer = instantiate(
            {**self.definition, **planned},
            "optimizer",
            space=task.space,
            objectives=task.objectives,
            seed=seed,
            fidelity=task.workload.fidelity if chooses else None,
            constraints=task.constraints,
        )
        return optimizer

    def refusal(self, task: Task, seed: int) -> str:
        if self.capabilities.fidelity and not task.multi_fidelity:
            return "it chooses fidelities, and the task has one"
        try:
            self.make(task, seed)
        except ConfigurationError as error:
            # A refusal with a cause is about the installation or the options, not about the task.
            if error.key in _CANNOT and error.__cause__ is None:
                return f"expected {error.expected}, got {error.found!r}"
            raise _placed(error, f"{METHODS}.{self.name}") from error
        return ""

    def course(self, task: Task, seed: int, setup: Setup) -> Course:
        return optimizer_course(task, lambda: self.make(task, seed), seed, setup)


@dataclass(frozen=True)
class PopulationMethod:
    """A method of populations that is compared: it trains as many members as others have evaluations.

    Args:
        definition: ``method``, and the rules where it composes some; as plain data.
        method: decides how members go on.
        options: the definition, complete.
        schedule: what every member trains with; None: the method decides alone.
    """

    name: str
    definition: Mapping[str, Any]
    method: contract.Method
    options: Mapping[str, Any]
    schedule: Schedule | None = None

    @property
    def by_task(self) -> bool:
        """A schedule names parameters, which differ between tasks that are alike for others."""
        return self.schedule is not None

    @property
    def perturbs(self) -> bool:
        """Whether it, or its schedule, ever changes weights."""
        changes = self.schedule is not None and self.schedule.changes
        return changes or contract.perturbs(self.method)

    @classmethod
    def of(cls, name: str, definition: Mapping[str, Any]) -> PopulationMethod:
        """The method that the configuration defines.

        Raises:
            ConfigurationError: it cannot be made.
        """
        key = f"{METHODS}.{name}"
        for option in definition:
            if option not in _POPULATION:
                expected = f"one of {', '.join(_POPULATION)}"
                raise ConfigurationError(f"{key}.{option}", expected, option)
        options = {**_POPULATION, **definition}
        if options["interval"] == AUTO:
            options["interval"] = None
        for option in ("generations", "interval"):
            value = options[option]
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not whole and not (option == "interval" and value is None):
                raise ConfigurationError(f"{key}.{option}", "a whole number, at least 1", value)
        if options["engine"] not in ENGINES:
            raise ConfigurationError(f"{key}.engine", f"one of {', '.join(ENGINES)}", options["engine"])
        try:
            method = assemble_method(options)
        except ConfigurationError as error:
            rest = error.key.removeprefix("population.")
            raise ConfigurationError(f"{key}.{rest}", error.expected, error.found, error.hint) from error
        data = options[SCHEDULE]
        schedule = None if data is None else Schedule.from_data(data, f"{key}.{SCHEDULE}")
        return cls(name, definition, method, options, schedule)

    def refusal(self, task: Task, seed: int) -> str:
        del seed
        if task.full < 2:
            return "a population trains in intervals, and the task has one unit of training"
        if task.constraints:
            return "no population method honours constraints that are no objectives"
        if task.facts.seconds is not None:
            return "a population trains on, and the task has recorded run times of whole trainings"
        if task.evaluations < 2:
            return "a population has at least 2 members, and the task has one evaluation"
        life = self._life(task)
        try:
            blocks = blocks_of(task.workload)
            size = task.evaluations
            self.method.serves(Setting(task.space, task.objectives, size, life.generations, blocks))
            self._followed(task)
        except ConfigurationError as error:
            return f"expected {error.expected}, got {error.found!r}"
        return ""

    def course(self, task: Task, seed: int, setup: Setup) -> Course:
        return population_course(task, self.method, self._life(task), seed, setup, self._followed(task))

    def _followed(self, task: Task) -> Followed | None:
        """The schedule for a task.

        Raises:
            ConfigurationError: it does not fit the task.
        """
        if self.schedule is None:
            return None
        life, key = self._life(task), f"{METHODS}.{self.name}.{SCHEDULE}"
        return fitted(self.schedule, task.workload, life.interval, life.generations, key)

    def _life(self, task: Task) -> Life:
        usual = max(task.full // self.options["generations"], task.workload.fidelity.smallest)
        interval = min(self.options["interval"] or usual, task.full)
        return Life(
            interval, task.full // interval, self.options["synchronous"], self.options["engine"] == "packed"
        )


def _placed(error: ConfigurationError, key: str) -> ConfigurationError:
    """The error with the method's key where the optimizer says ``optimizer``."""
    if error.key.startswith(key):
        return error
    rest = error.key.removeprefix("optimizer").removeprefix(".")
    return ConfigurationError(f"{key}.{rest}" if rest else key, error.expected, error.found, error.hint)
