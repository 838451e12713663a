"""Reads what benchmark studies leave on disk, for the analysis."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from orchestrator.benchmark.records import LeftOut, Plan, Results, TaskRecord
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from orchestrator.run.results import replacing
from search_spaces import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

_STUDY = "benchmark.json"
_KEY = ["task", "method", "seed"]


def save_study(
    run_dir: Path,
    name: str,
    tasks: Sequence[TaskRecord],
    methods: Sequence[str],
    workers: int,
    left_out: Sequence[LeftOut],
    seeds: Sequence[int],
    digests: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Write everything that the analysis must know about a study besides its cells, as ``benchmark.json``.

    Args:
        seeds: of each pairing, whether or not its cells are stored.
        digests: by task and method, of the cells that belong to the study; None: whatever they have.
    """
    by_task: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (task, method), digest in (digests or {}).items():
        by_task[task][method] = digest
    study = {
        "name": name,
        "tasks": [asdict(task) for task in tasks],
        "methods": list(methods),
        "workers": workers,
        "left_out": [asdict(pairing) for pairing in left_out],
        "seeds": list(seeds),
        "digests": by_task if digests is not None else None,
    }
    run_dir.mkdir(parents=True, exist_ok=True)
    with replacing(run_dir / _STUDY) as temporary:
        temporary.write_text(json.dumps(study, indent=2) + "\n", encoding="utf-8")


def has_results(run_dir: Path) -> bool:
    """Whether :func:`load_results` finds a study there."""
    return (run_dir / _STUDY).is_file()


def load_results(run_dir: Path) -> Results:
    """All that is stored of a study, while it runs or afterwards.

    Cells that the study no longer has are left out: those of other tasks, methods or seeds, and those of
    methods or tasks that have changed since.

    Raises:
        ConfigurationError: it is no benchmark study's run directory.
    """
    path = run_dir / _STUDY
    if not has_results(run_dir):
        expected = f"the run directory of a benchmark study, with {_STUDY}"
        raise ConfigurationError("run directory", expected, str(run_dir))
    study = json.loads(path.read_text(encoding="utf-8"))
    tasks = {task["name"]: _task(task) for task in study["tasks"]}
    left_out = tuple(LeftOut(**pairing) for pairing in study["left_out"])
    plans = _plans(study, tasks, left_out)
    stored = Store(RunDirectory(run_dir).cells).tables()
    cells, evaluations = _planned(plans, *map(_frame, stored))
    return Results(
        name=study["name"],
        tasks=tasks,
        methods=tuple(study["methods"]),
        seeds=_seeds(cells),
        workers=study["workers"],
        left_out=left_out,
        plans=plans,
        cells=cells.drop(columns="digest"),
        evaluations=evaluations,
    )


def merge(several: Sequence[Results]) -> Results:
    """Several studies as one, in their order.

    Two methods of one name are different, and get their study's name appended, if both have cells of the same
    task and seed, if their cells have different digests on a task, or if the studies have different
    ``workers``. ``workers`` is the largest of all.

    Raises:
        ConfigurationError: there is none, or two studies have different tasks of one name: what their suites
            share is compared where both studies have stored it, and how many bounds there are always.
    """
    if not several:
        raise ConfigurationError("run directories", "at least one", [])
    if len(several) == 1:
        return several[0]
    import pandas as pd

    tasks = _all_tasks(several)
    named = [_renamed(results, names) for results, names in zip(several, _names(several), strict=True)]
    cells, evaluations = (
        pd.concat(frames, ignore_index=True).sort_values(order, kind="stable", ignore_index=True)
        for frames, order in (
            ([results.cells for results in named], _KEY),
            ([results.evaluations for results in named], [*_KEY, "number"]),
        )
    )
    plans = _all_plans(named)
    left_out = dict.fromkeys(pairing for results in named for pairing in results.left_out)
    return Results(
        name=" + ".join(dict.fromkeys(results.name for results in several)),
        tasks=tasks,
        methods=tuple(dict.fromkeys(method for results in named for method in results.methods)),
        seeds=_seeds(cells),
        workers=max(results.workers for results in several),
        left_out=tuple(one for one in left_out if (one.task, one.method) not in plans),
        plans=plans,
        cells=cells,
        evaluations=evaluations,
    )


def _frame(table: pa.Table) -> pd.DataFrame:
    """The table; lists stay Arrow's, as an object for each of millions would take long to make."""
    import pandas as pd

    return table.to_pandas(types_mapper=lambda kind: pd.ArrowDtype(kind) if pa.types.is_list(kind) else None)


def _task(stored: Mapping[str, Any]) -> TaskRecord:
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    return TaskRecord(**{**stored, **lists})


def _plans(
    study: Mapping[str, Any], tasks: Iterable[str], left_out: Iterable[LeftOut]
) -> dict[tuple[str, str], Plan]:
    absent = {(one.task, one.method) for one in left_out}
    seeds, digests = tuple(study["seeds"]), study["digests"]
    return {
        (task, method): Plan(seeds, None if digests is None else digests[task][method])
        for task, method in product(tasks, study["methods"])
        if (task, method) not in absent
    }


def _planned(
    plans: Mapping[tuple[str, str], Plan], cells: pd.DataFrame, evaluations: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells that are planned, and their evaluations."""
    import pandas as pd

    wanted = {pairing: (frozenset(plan.seeds), plan.digest) for pairing, plan in plans.items()}
    belongs = []
    columns = (cells[name].tolist() for name in (*_KEY, "digest"))
    for task, method, seed, digest in zip(*columns, strict=True):
        seeds, planned = wanted.get((task, method), (frozenset(), None))
        belongs.append(seed in seeds and planned in (None, digest))
    if all(belongs):
        return cells, evaluations
    cells = cells[belongs].reset_index(drop=True)
    kept, owners = (pd.MultiIndex.from_frame(frame[_KEY]) for frame in (cells, evaluations))
    return cells, evaluations[owners.isin(kept)].reset_index(drop=True)


def _seeds(cells: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted(int(seed) for seed in cells["seed"].unique()))


def _all_tasks(several: Sequence[Results]) -> dict[str, TaskRecord]:
    tasks: dict[str, TaskRecord] = {}
    origin: dict[str, Results] = {}
    for results in several:
        for name, task in results.tasks.items():
            known = tasks.setdefault(name, task)
            first = origin.setdefault(name, results)
            if not known.is_same(task):
                raise _different_tasks(first, results, known, task)
            if known.definition is None and task.definition is not None:
                tasks[name], origin[name] = task, results
    _check_bounds(several)
    return tasks


def _different_tasks(
    first: Results, second: Results, known: TaskRecord, task: TaskRecord
) -> ConfigurationError:
    expected = f"the same task {task.name} in all studies"
    if replace(known, definition=task.definition) == task:
        hint = f"benchmark.suites.{task.suite} differs between their config.yaml"
        return ConfigurationError("run directories", expected, [first.name, second.name], hint)
    expected = f"{expected}, as in {first.name}: {known}"
    return ConfigurationError("run directories", expected, task, f"in {second.name}")


def _check_bounds(several: Sequence[Results]) -> None:
    """Refuse tasks that have bounds in one study only: there, other evaluations are feasible."""
    found: dict[str, tuple[int, str]] = {}
    for results in several:
        rows = results.evaluations.drop_duplicates("task")
        for name, violations in zip(rows["task"], rows["violations"], strict=True):
            bounds, study = found.setdefault(name, (len(violations), results.name))
            if len(violations) != bounds:
                expected = f"as many bounds on task {name} as in {study}: {bounds}"
                raise ConfigurationError("run directories", expected, len(violations), f"in {results.name}")


def _all_plans(several: Sequence[Results]) -> dict[tuple[str, str], Plan]:
    plans: dict[tuple[str, str], Plan] = {}
    for results in several:
        for pairing, plan in results.plans.items():
            known = plans.get(pairing, plan)
            seeds = tuple(sorted({*known.seeds, *plan.seeds}))
            plans[pairing] = Plan(seeds, known.digest or plan.digest)
    return plans


def _names(several: Sequence[Results]) -> list[dict[str, str]]:
    """New names, per study, for methods whose name means something else in another study."""
    cells = [set(results.cells[_KEY].itertuples(index=False, name=None)) for results in several]
    different: list[set[str]] = [set() for _ in several]
    for first, second in combinations(range(len(several)), 2):
        methods = _different(several[first], several[second])
        methods |= {method for _, method, _ in cells[first] & cells[second]}
        different[first] |= methods
        different[second] |= methods
    labels = _distinct([results.name for results in several])
    return [
        {method: f"{method} ({label})" for method in sorted(methods)}
        for methods, label in zip(different, labels, strict=True)
    ]


def _different(first: Results, second: Results) -> set[str]:
    """Methods of one name that two studies use in different ways, as far as is known."""
    if first.workers != second.workers:
        return set(first.methods) & set(second.methods)
    common = first.plans.keys() & second.plans.keys()
    digests = {pairing: {first.plans[pairing].digest, second.plans[pairing].digest} for pairing in common}
    return {method for (_, method), both in digests.items() if len(both - {None}) > 1}


def _distinct(names: Sequence[str]) -> list[str]:
    """The names; repeated ones get a number."""
    seen: Counter[str] = Counter()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return labels


def _renamed(results: Results, names: Mapping[str, str]) -> Results:
    if not names:
        return results

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(method=frame["method"].replace(dict(names)))

    return replace(
        results,
        methods=tuple(names.get(method, method) for method in results.methods),
        left_out=tuple(
            replace(pairing, method=names.get(pairing.method, pairing.method)) for pairing in results.left_out
        ),
        plans={(task, names.get(method, method)): plan for (task, method), plan in results.plans.items()},
        cells=renamed(results.cells),
        evaluations=renamed(results.evaluations),
    )
