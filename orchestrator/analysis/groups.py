"""Which tasks and methods are compared, and which cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from orchestrator.analysis.counting import Counting
from orchestrator.analysis.courses import Run
from orchestrator.analysis.stacks import Stacks
from orchestrator.benchmark.records import Results
from orchestrator.benchmark.task import TaskType

ALL = "all"
"""The group of all tasks."""
BEST = "the best method"
"""The entry in the omissions that says why no method is called the best."""
EQUAL = 1e-9
"""Mean ranks that differ by less count as equal."""


@dataclass(frozen=True)
class Omission:
    """Something that a group's comparison leaves out."""

    group: str
    what: str
    reason: str


@dataclass(frozen=True)
class Group:
    """Tasks and methods with a score for every pair; either may be empty.

    Args:
        name: a task type, or ``all``.
        blocks: the tasks again, variants of one problem together. A block counts once.
    """

    name: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    blocks: tuple[tuple[str, ...], ...]


def groups(results: Results, stacks: Stacks, counting: Counting) -> tuple[list[Group], list[Omission]]:
    """One group per task type and one of all tasks, with what was left out.

    A method is left out if it does not serve all of the group's tasks: the study leaves the pairing out, has
    no cell of it yet, or has no finished one on any task. A task is left out if no seed of a remaining method
    counts (:mod:`.counting`), or if no method has found anything. If some methods lack cells that others
    have, the :data:`BEST` method is left out.
    """
    names = [kind for kind in get_args(TaskType) if any(t.type == kind for t in results.tasks.values())]
    found, omissions = [], []
    scored = {(task, method) for task, stack in stacks.items() for method in stack.rows}
    solved = {task for task, stack in stacks.items() if stack.found.any()}
    served = _Served.of(results)
    for name in (*names, ALL):
        tasks = [task.name for task in results.tasks.values() if name in (task.type, ALL)]
        group, left_out = _group(name, tasks, results, served, scored, solved)
        left_out += _variants(group)
        if reason := counting.unbalanced(group.tasks, group.methods):
            left_out.append(Omission(name, BEST, reason))
        found.append(group)
        omissions += left_out
    return found, omissions


def unfinished(results: Results, runs: Sequence[Run]) -> list[Omission]:
    """Cells that do not count, or only in part: by task and method, missing ones by method."""
    omissions = [*_unspent(runs)]
    for status, text in _UNFINISHED.items():
        found = results.cells[results.cells["status"] == status].sort_values(["task", "method", "seed"])
        for (task, method), cells in found.groupby(["task", "method"], sort=False):
            reason = f"{text.format(len(cells))}: {_first_line(cells['reason'].iloc[0])}"
            omissions.append(Omission(ALL, f"{method} on {task}", reason))
    missing_of = Counter(dict.fromkeys(results.methods, 0))
    for (_, method), plan in results.plans.items():
        missing_of[method] += len(plan.seeds)
    missing_of.subtract(results.cells["method"].value_counts().to_dict())
    for method, missing in missing_of.items():
        if missing > 0:
            omissions.append(Omission(ALL, method, f"{missing} of its cells have not been computed"))
    return omissions


def _unspent(runs: Sequence[Run]) -> Iterator[Omission]:
    shares: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.course.unspent:
            shares.setdefault((run.course.task.name, run.course.method), []).append(run.course.share)
    for (task, method), spent in shares.items():
        reason = (
            f"{len(spent)} of its cells ended with budget unspent, the first after {min(spent):.0%} of it"
        )
        yield Omission(ALL, f"{method} on {task}", reason)


def _variants(group: Group) -> Iterator[Omission]:
    for tasks in group.blocks:
        if len(tasks) > 1:
            reason = f"{len(tasks)} tasks such as {tasks[-1]} are variants of one problem and count as one"
            yield Omission(group.name, tasks[0], reason)


def _blocks(tasks: Sequence[str], results: Results) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(results.tasks[task].problem or task, []).append(task)
    return tuple(map(tuple, found.values()))


_UNFINISHED = {
    "failed": "{} of its cells failed and count with what they had found",
    "lost": "{} of its cells were lost with their machine and are computed when the study is resumed",
}


@dataclass(frozen=True)
class _Served:
    """The pairings (task, method) that have a cell which was not lost, and those that have a finished one."""

    stored: Collection[tuple[str, str]]
    finished: Collection[tuple[str, str]]

    @classmethod
    def of(cls, results: Results) -> _Served:
        pairings = results.cells[["status", "task", "method"]].drop_duplicates()
        every = list(pairings.itertuples(index=False, name=None))
        return cls(
            {(task, method) for status, task, method in every if status != "lost"},
            {(task, method) for status, task, method in every if status == "finished"},
        )


def _group(
    name: str,
    tasks: Sequence[str],
    results: Results,
    served: _Served,
    scored: Collection[tuple[str, str]],
    solved: Collection[str],
) -> tuple[Group, list[Omission]]:
    reasons = _unserved(tasks, results, served)
    methods = [method for method in results.methods if method not in reasons]
    omissions = [Omission(name, method, reason) for method, reason in reasons.items()]
    kept = []
    for task in tasks:
        absent = [method for method in methods if (task, method) not in scored]
        if absent:
            reason = f"no seed counts for all methods, such as {absent[0]}"
            omissions.append(Omission(name, task, reason))
        elif methods and task not in solved:
            reason = "no evaluation at full fidelity succeeded and was feasible"
            omissions.append(Omission(name, task, reason))
        else:
            kept.append(task)
    return Group(name, tuple(kept), tuple(methods), _blocks(kept, results)), omissions


def _unserved(tasks: Sequence[str], results: Results, served: _Served) -> Mapping[str, str]:
    """Why methods do not serve all of the tasks, by method."""
    left_out = {(one.task, one.method): one.reason for one in results.left_out}
    reasons = {}
    for method in results.methods:
        lacking = [task for task in tasks if (task, method) not in served.stored]
        if lacking:
            known = [left_out[task, method] for task in lacking if (task, method) in left_out]
            why = _first_line(known[0]) if known else "it has no cell there"
            reasons[method] = (
                f"does not serve {len(lacking)} of {len(tasks)} tasks, such as {lacking[0]}: {why}"
            )
        elif not any((task, method) in served.finished for task in tasks):
            reasons[method] = "it has no finished cell"
    return reasons


def _first_line(reason: str) -> str:
    return reason.strip().partition("\n")[0]
