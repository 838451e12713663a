"""A population's cell of a benchmark study: the whole population in this process."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.benchmark.cell import Course, Setup
from orchestrator.benchmark.records import Evaluation
from orchestrator.benchmark.task import Task
from orchestrator.objective import MissingMetricError
from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import course
from orchestrator.population.island import Island
from orchestrator.population.methods.contract import Method
from orchestrator.population.records import MemberInterval
from orchestrator.population.schedule import Followed
from orchestrator.trial import Suggestion, Trial, evaluated, failed
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
    Virtual time is that of training; with several simulated workers they share a generation's members.

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
    )
    island = Island(task.workload, life.interval, seed, setup.device)
    if life.packed and isinstance(task.workload, PackableWorkload):
        island.use(PACKED)
    share = life.interval / task.full
    rounds = -(-size // setup.workers)
    for intervals in course(evolution, island, synchronous=life.synchronous):
        for interval in intervals:
            turn, worker = divmod(interval.member, setup.workers)
            begin = ((interval.generation - 1) * rounds + turn) * share
            trial = _trial(interval, task)
            yield Evaluation(trial, share, begin, begin + share, worker)
    return "every member has failed" if evolution.extinct() and not evolution.finished else ""


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
