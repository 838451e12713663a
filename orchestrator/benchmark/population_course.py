"""A population's cell of a benchmark study: the whole population in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.benchmark.cell import Course, Setup
from orchestrator.benchmark.records import Evaluation
from orchestrator.benchmark.task import Task
from orchestrator.objective import MissingMetricError
from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import course
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import MemberState, judge
from orchestrator.population.methods.contract import Method
from orchestrator.population.records import MemberInterval
from orchestrator.population.schedule import Followed
from orchestrator.run.faults import of_the_machine
from orchestrator.trial import Suggestion, Trial, evaluated, failed
from workloads.capabilities import blocks_of
from workloads.contract import Device, Metrics
from workloads.devices import breaks_device
from workloads.packing import EngineChoice, PackableWorkload

PACKED = EngineChoice("packed", "the study says so")


@dataclass(frozen=True)
class Life:
    """How members train.

    Args:
        interval: units of fidelity between two decisions.
        generations: intervals in each member's life.
        synchronous: whether all members are decided on together.
        packed: whether they train as one program, where the workload can.
    """

    interval: int
    generations: int
    synchronous: bool
    packed: bool = False


def population_course(
    task: Task, method: Method, life: Life, seed: int, setup: Setup, followed: Followed | None = None
) -> Course:
    """Train as many members as the task has evaluations, each for a full training at most.

    So a population trains no more than an optimizer with the same budget. Every member's interval is an
    evaluation, at the fidelity that its weights have, which costs the interval's share of a full training.
    Virtual time is that of training; with several simulated workers they share a generation's members. On a
    noisy task with one objective the last evaluation has the held-out metrics of the best model.

    Args:
        task: with the budget.
        method: decides how members go on.
        life: how they train.
        seed: the cell's.
        setup: workers and device.
        followed: what every member trains with, whatever the method decides.
    """
    size = task.evaluations
    objectives = task.objectives
    evolution = Evolution(
        task.space,
        objectives,
        method,
        size=size,
        generations=life.generations,
        seed=seed,
        followed=followed,
        blocks=blocks_of(task.workload),
    )
    change = None if followed is None else followed.schedule.change_at(0)
    island = Island(task.workload, life.interval, seed, setup.device, at_birth=change)
    if life.packed and isinstance(task.workload, PackableWorkload):
        island.use(PACKED)
    share = life.interval / task.full
    rounds = -(-size // setup.workers)
    best = _BestModel(task, island, seed, setup.device)
    last: Evaluation | None = None
    for intervals in course(evolution, island, synchronous=life.synchronous, published=best.see):
        for interval in intervals:
            turn, worker = divmod(interval.member, setup.workers)
            begin = ((interval.generation - 1) * rounds + turn) * share
            if last is not None:
                yield last
            last = Evaluation(_trial(interval, task), share, begin, begin + share, worker, interval.seconds)
    if last is not None:
        yield replace(last, test=best.test())
    return "every member has failed" if evolution.extinct() and not evolution.finished else ""


class _BestModel:
    """The best model so far of those that count, kept to be tested on held-out data in the end."""

    def __init__(self, task: Task, island: Island, seed: int, device: Device) -> None:
        self._task, self._island, self._start = task, island, (seed, device)
        self._serves = len(task.objectives) == 1 and not task.facts.deterministic
        self._best: MemberInterval | None = None
        self._state: MemberState | None = None

    def see(self, intervals: Sequence[MemberInterval]) -> None:
        """Members have been published and not trained on since."""
        for interval in intervals if self._serves else ():
            counts = not interval.failed and (self._task.anytime or interval.age == self._task.full)
            if counts and (self._best is None or interval.losses[0] < self._best.losses[0]):
                self._best, self._state = interval, self._island.snapshot(interval.member)

    def test(self) -> Metrics:
        """Held-out metrics; none where no model is tested, or testing fails."""
        if self._best is None or self._state is None:
            return {}
        seed, device = self._start
        try:
            return judge(self._task.workload, self._best.config, seed, self._state["session"], device)
        except Exception as error:
            if breaks_device(error) or of_the_machine(error):
                raise
            return {}


def _trial(interval: MemberInterval, task: Task) -> Trial:
    """A member's interval as a trial, asked for by generation and then by member."""
    number = (interval.generation - 1) * task.evaluations + interval.member
    suggestion = Suggestion(interval.config, interval.age, number)
    goal = (task.objectives, task.constraints)
    if interval.failure is None:
        try:
            return evaluated(suggestion, interval.metrics, *goal, fidelity=interval.age)
        except (MissingMetricError, ValueError) as error:
            return failed(suggestion, str(error), *goal, fidelity=interval.age)
    return failed(suggestion, interval.failure, *goal, fidelity=interval.age)
