"""What benchmark studies leave on disk, as the analysis reads it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.benchmark.records import LeftOut, Results, TaskRecord
from orchestrator.benchmark.store import Store
from orchestrator.results import replacing
from orchestrator.run_directory import RunDirectory
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
) -> None:
    """Write what the analysis must know of a study besides its cells, as ``benchmark.json``."""
    study = {
        "name": name,
        "tasks": [asdict(task) for task in tasks],
        "methods": list(methods),
        "workers": workers,
        "left_out": [asdict(pairing) for pairing in left_out],
    }
    run_dir.mkdir(parents=True, exist_ok=True)
    with replacing(run_dir / _STUDY) as temporary:
        temporary.write_text(json.dumps(study, indent=2) + "\n", encoding="utf-8")


def load_results(run_dir: Path) -> Results:
    """All that is stored of a study, while it runs or afterwards.

    Cells of tasks or methods that the study had once and has no longer are not among them.

    Raises:
        ConfigurationError: it is no benchmark study's run directory.
    """
    path = run_dir / _STUDY
    if not path.is_file():
        expected = f"the run directory of a benchmark study, with {_STUDY}"
        raise ConfigurationError("run directory", expected, str(run_dir))
    study = json.loads(path.read_text(encoding="utf-8"))
    tasks = {task["name"]: _task(task) for task in study["tasks"]}
    cells, evaluations = (table.to_pandas() for table in Store(RunDirectory(run_dir).cells).tables())
    cells, evaluations = (_of_study(frame, tasks, study["methods"]) for frame in (cells, evaluations))
    return Results(
        name=study["name"],
        tasks=tasks,
        methods=tuple(study["methods"]),
        seeds=_seeds(cells),
        workers=study["workers"],
        left_out=tuple(LeftOut(**pairing) for pairing in study["left_out"]),
        cells=cells.drop(columns="digest"),
        evaluations=evaluations,
    )


def merge(several: Sequence[Results]) -> Results:
    """Several studies as one, in their order.

    Where two have cells of the same task, method and seed, those methods are different ones, and each gets
    its study's name appended. ``workers`` is the largest of all.

    Raises:
        ConfigurationError: there is none, or two studies have different tasks of one name.
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
    present = set(zip(cells["task"], cells["method"], strict=True))
    left_out = dict.fromkeys(pairing for results in named for pairing in results.left_out)
    return Results(
        name=" + ".join(dict.fromkeys(results.name for results in several)),
        tasks=tasks,
        methods=tuple(dict.fromkeys(method for results in named for method in results.methods)),
        seeds=_seeds(cells),
        workers=max(results.workers for results in several),
        left_out=tuple(one for one in left_out if (one.task, one.method) not in present),
        cells=cells,
        evaluations=evaluations,
    )


def _task(stored: Mapping[str, Any]) -> TaskRecord:
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    return TaskRecord(**{**stored, **lists})


def _of_study(frame: pd.DataFrame, tasks: Iterable[str], methods: Iterable[str]) -> pd.DataFrame:
    belongs = frame["task"].isin(list(tasks)) & frame["method"].isin(list(methods))
    return frame if belongs.all() else frame[belongs].reset_index(drop=True)


def _seeds(cells: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted(int(seed) for seed in cells["seed"].unique()))


def _all_tasks(several: Sequence[Results]) -> dict[str, TaskRecord]:
    tasks: dict[str, TaskRecord] = {}
    origin: dict[str, str] = {}
    for results in several:
        for name, task in results.tasks.items():
            if tasks.setdefault(name, task) != task:
                expected = f"the same task {name} in all studies, as in {origin[name]}: {tasks[name]}"
                raise ConfigurationError("run directories", expected, task, f"in {results.name}")
            origin.setdefault(name, results.name)
    return tasks


def _names(several: Sequence[Results]) -> list[dict[str, str]]:
    """Per study, new names of the methods of which another has the same cells."""
    cells = [set(results.cells[_KEY].itertuples(index=False, name=None)) for results in several]
    common = Counter(key for keys in cells for key in keys)
    labels = _distinct([results.name for results in several])
    return [
        {method: f"{method} ({label})" for method in sorted({key[1] for key in keys if common[key] > 1})}
        for keys, label in zip(cells, labels, strict=True)
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those that occur again with a number."""
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
        cells=renamed(results.cells),
        evaluations=renamed(results.evaluations),
    )
