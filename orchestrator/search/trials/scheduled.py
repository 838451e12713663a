"""Trials whose mutable hyperparameters follow a schedule, while the search tunes the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.config.schedules import KEY
from orchestrator.population.schedule import Followed, Schedule, check_length, followed
from orchestrator.randomness import user_seed
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.capabilities import PerturbableSession, TestableSession
from workloads.contract import Metrics, Session, Workload
from workloads.function import FunctionWorkload

_SPACE = "search_space"


def schedule_of(study: Mapping[str, Any], workload: Workload) -> Followed | None:
    """The schedule that the trials of a study follow; None: there is none.

    Args:
        study: the resolved configuration.

    Raises:
        ConfigurationError: it does not fit the study.
    """
    data = study.get(KEY)
    if data is None:
        return None
    fidelity = workload.fidelity
    found = followed(Schedule.from_data(data, KEY), workload.space, fidelity, KEY, fixed=False)
    if isinstance(workload, FunctionWorkload):
        expected = "no schedule, since a plain function begins anew at every call"
        raise ConfigurationError(KEY, expected, list(found.schedule.names))
    hint = "let the workload train as long, or cut the schedule"
    check_length(found.schedule, fidelity.largest, KEY, "the workload's full training", hint)
    return found


def tuned_space(study: Mapping[str, Any]) -> SearchSpace:
    """What a search tunes: its search space without what the study's schedule sets.

    Args:
        study: the resolved configuration, its schedule checked.

    Raises:
        ConfigurationError: the space is wrong, or nothing is left of it.
    """
    definition, data = study[_SPACE], study.get(KEY)
    space = build_space(definition, _SPACE)
    if data is None:
        return space
    names = _with_children(space, space.mutable.intersection(Schedule.from_data(data, KEY).names))
    left = {name: one for name, one in definition["parameters"].items() if name not in names}
    if not left:
        expected = "a schedule that leaves parameters for the search"
        raise ConfigurationError(KEY, expected, sorted(names), "a population trains with it alone")
    return build_space(
        {
            "parameters": left,
            "conditions": _without(definition.get("conditions"), lambda one: one["child"] in names),
            "forbidden": _without(definition.get("forbidden"), lambda one: bool(names.intersection(one))),
        },
        _SPACE,
    )


def _with_children(space: SearchSpace, names: frozenset[str]) -> frozenset[str]:
    """The parameters, and all that depend on them: what a schedule leaves out of these is never active."""
    children = {child.name for name in names for child in space.configuration_space.children_of[name]}
    return names if children <= names else _with_children(space, names | children)


def _without(entries: Sequence[Any] | None, gone: Callable[[Any], bool]) -> list[Any] | None:
    return [one for one in entries if not gone(one)] if entries else None


def begun(
    schedule: Followed | None, config: Config, seed: int, start: Callable[[Config], Session]
) -> Session:
    """The session of a trial, which follows the schedule where there is one.

    Args:
        config: what the search chose.
        seed: the trial's.
        start: makes the session of a whole configuration.
    """
    if schedule is None:
        return start(config)
    session = ScheduledSession(start(schedule.config(config, 0)), schedule, config, seed)
    session.change(0)
    return session


class ScheduledSession:
    """A session of a trial that takes over the schedule's values where they change."""

    def __init__(self, session: Session, schedule: Followed, config: Config, seed: int) -> None:
        self._session, self._followed, self._config, self._seed = session, schedule, config, seed
        self._age = 0

    def advance(self, amount: int) -> Metrics:
        """Train, and evaluate, also where the hyperparameters change on the way."""
        metrics: Metrics = {}
        for begin, end in self._followed.schedule.spans(self._age, self._age + amount):
            if begin in self._followed.schedule.ends:
                self._turn(begin)
            metrics = self._session.advance(end - begin)
            self._age = end
        return metrics

    def _turn(self, age: int) -> None:
        self.configure(self._followed.config(self._config, age))
        self.change(age)

    def change(self, age: int) -> None:
        """Change the weights as the schedule says for this age."""
        change = self._followed.schedule.change_at(age)
        if change is not None and isinstance(self._session, PerturbableSession):
            self._session.perturb(change.keep, change.noise, user_seed(self._seed, "perturb", age))

    def configure(self, config: Config) -> None:
        self._session.configure(self._followed.space.meant(config))

    def state(self) -> Any:
        return {"session": self._session.state(), "age": self._age}

    def load(self, state: Any) -> None:
        self._session.load(state["session"])
        self._age = state["age"]
        self.configure(self._followed.config(self._config, self._age))

    def test(self) -> Metrics:
        return self._session.test() if isinstance(self._session, TestableSession) else {}
