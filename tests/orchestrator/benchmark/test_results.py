"""From stored cells to what the analysis reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.benchmark.records import CellKey, CellResult, LeftOut, Results, TaskRecord
from orchestrator.benchmark.results import load_results, merge, save_study
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from search_spaces import ConfigurationError
from tests.orchestrator.benchmark.scripted import result

SPHERE = TaskRecord("bbob/1", "bbob", "BB", 2, ("f",), ("min",), 10, optimum=0.25, deterministic=True)
FRONT = TaskRecord(
    "zdt/1", "zdt", "MOMF", 3, ("f1", "f2"), ("min", "max"), 5, full=9, unit="epoch", reference=(1.0, -2.0)
)


def study(
    run_dir: Path,
    cells: dict[tuple[str, str, int], float],
    name: str = "comparison",
    *,
    tasks: tuple[TaskRecord, ...] = (SPHERE,),
    methods: tuple[str, ...] = ("tpe", "random"),
    left_out: tuple[LeftOut, ...] = (),
    workers: int = 1,
    seeds: Sequence[int] = range(3),
    digests: Mapping[tuple[str, str], str] | None = None,
) -> Results:
    """A study whose stored cells all have the digest "a"."""
    with Store(RunDirectory(run_dir).cells) as store:
        for key, loss in cells.items():
            store.append(result(CellKey(*key), [(loss,), (loss + 1,)]))
    save_study(run_dir, name, tasks, methods, workers, left_out, seeds, digests)
    return load_results(run_dir)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    left_out = (LeftOut("zdt/1", "tpe", "one objective"),)
    cells = {("bbob/1", "random", 1): 0.5, ("bbob/1", "random", 0): 2.0}
    found = study(tmp_path, cells, tasks=(SPHERE, FRONT), left_out=left_out, workers=4)
    assert (found.name, found.methods, found.seeds, found.workers) == (
        "comparison",
        ("tpe", "random"),
        (0, 1),
        4,
    )
    assert found.tasks == {"bbob/1": SPHERE, "zdt/1": FRONT}
    assert found.left_out == left_out
    assert list(found.cells.columns) == [
        *(
            "task",
            "method",
            "seed",
            "status",
            "reason",
            "seconds",
            "versions",
            "thinking",
            "test",
            "evaluations",
        ),
    ]
    assert found.cells["seed"].tolist() == [0, 1]
    assert found.cells["evaluations"].tolist() == [2, 2]
    assert found.evaluations["number"].tolist() == [0, 1, 0, 1]
    assert [list(losses) for losses in found.evaluations["losses"]] == [[2.0], [3.0], [0.5], [1.5]]
    assert found.evaluations["config"].iloc[0] == '{"n":0}'


def test_compaction_changes_nothing(tmp_path: Path) -> None:
    before = study(tmp_path, {("bbob/1", "tpe", 0): 0.5, ("bbob/1", "random", 0): 2.0})
    Store(RunDirectory(tmp_path).cells).compact()
    after = load_results(tmp_path)
    assert before.cells.equals(after.cells)
    assert before.evaluations.equals(after.evaluations)


def test_a_study_without_cells(tmp_path: Path) -> None:
    found = study(tmp_path, {})
    assert (found.seeds, len(found.cells), len(found.evaluations)) == ((), 0, 0)
    assert "losses" in found.evaluations


def test_cells_that_the_study_has_no_longer(tmp_path: Path) -> None:
    cells = {
        ("bbob/1", "gone", 2): 1.0,
        ("gone", "tpe", 1): 1.0,
        ("bbob/1", "tpe", 3): 1.0,
        ("bbob/1", "tpe", 0): 0.5,
    }
    found = study(tmp_path, cells)
    assert found.seeds == (0,)
    assert found.cells["method"].tolist() == ["tpe"]
    assert found.evaluations["task"].unique().tolist() == ["bbob/1"]


def test_cells_of_a_method_that_has_been_changed_are_no_longer_the_studys(tmp_path: Path) -> None:
    cells = {("bbob/1", "tpe", 0): 0.5, ("bbob/1", "tpe", 1): 0.5, ("bbob/1", "random", 0): 2.0}
    digests = {("bbob/1", "tpe"): "b", ("bbob/1", "random"): "a"}
    found = study(tmp_path, cells, digests=digests)
    assert found.cells["method"].tolist() == ["random"]
    assert found.evaluations["method"].tolist() == ["random"] * 2
    with Store(RunDirectory(tmp_path).cells) as store:
        store.append(result(CellKey("bbob/1", "tpe", 1), digest="b"))
    again = load_results(tmp_path).cells
    assert list(zip(again["method"], again["seed"], strict=True)) == [("random", 0), ("tpe", 1)]


def test_a_study_is_complete_once_it_has_all_planned_cells(tmp_path: Path) -> None:
    cells = {("bbob/1", method, seed): 0.5 for method in ("tpe", "random") for seed in (0, 1)}
    out = (LeftOut("zdt/1", "tpe", "one objective"), LeftOut("zdt/1", "random", "one objective"))
    for number, (seeds, complete) in enumerate([(1, True), (2, True), (3, False)]):
        found = study(tmp_path / str(number), cells, tasks=(SPHERE, FRONT), left_out=out, seeds=range(seeds))
        assert found.complete == complete
        assert {plan.seeds for plan in found.plans.values()} == {tuple(range(seeds))}


def test_a_lost_cell_has_not_failed_and_the_study_is_not_complete(tmp_path: Path) -> None:
    study(tmp_path, {})
    with Store(RunDirectory(tmp_path).cells) as store:
        store.append(CellResult(CellKey("bbob/1", "tpe", 0), "a", (), "lost", "its process died"))
    found = load_results(tmp_path)
    (cell,) = found.cells.itertuples()
    assert (cell.status, cell.reason) == ("lost", "its process died")
    assert not found.complete


def test_not_a_study(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run directory of a benchmark study.*benchmark\.json"):
        load_results(tmp_path)


def test_one_study_is_itself(tmp_path: Path) -> None:
    one = study(tmp_path, {("bbob/1", "tpe", 0): 0.5})
    assert merge([one]) is one


def test_studies_of_different_methods(tmp_path: Path) -> None:
    first = study(tmp_path / "1", {("bbob/1", "tpe", 0): 0.5, ("bbob/1", "random", 0): 2.0}, name="ours")
    second = study(
        tmp_path / "2",
        {("zdt/1", "asha", 1): 0.1, ("bbob/1", "asha", 0): 3.0},
        name="theirs",
        tasks=(FRONT, SPHERE),
        methods=("asha",),
        workers=2,
    )
    both = merge([first, second])
    assert (both.name, both.methods, both.workers) == ("ours + theirs", ("tpe", "random", "asha"), 2)
    assert (list(both.tasks), both.seeds) == (["bbob/1", "zdt/1"], (0, 1))
    assert both.cells["method"].tolist() == ["asha", "random", "tpe", "asha"]
    assert both.evaluations["number"].tolist() == [0, 1] * 4


def test_further_seeds_of_a_method_are_the_same_method(tmp_path: Path) -> None:
    first = study(tmp_path / "1", {("bbob/1", "tpe", 0): 0.5})
    second = study(tmp_path / "2", {("bbob/1", "tpe", 1): 0.7})
    both = merge([first, second])
    assert (both.methods, both.seeds) == (("tpe", "random"), (0, 1))
    assert both.name == "comparison"


def test_the_same_cell_twice_makes_two_methods(tmp_path: Path) -> None:
    cells = {("bbob/1", "tpe", 0): 0.5, ("bbob/1", "tpe", 1): 0.5}
    out = (LeftOut("zdt/1", "tpe", "one objective"),)
    studies = [
        study(tmp_path / "1", cells, "ours", methods=("tpe",), tasks=(SPHERE, FRONT), left_out=out),
        study(tmp_path / "2", {("bbob/1", "tpe", 1): 0.7}, "theirs", methods=("tpe",)),
        study(tmp_path / "3", {("bbob/1", "tpe", 2): 0.9}, "ours", methods=("tpe",)),
        study(tmp_path / "4", {("bbob/1", "tpe", 1): 0.9}, "ours", methods=("tpe",)),
    ]
    found = merge(studies)
    assert found.methods == ("tpe (ours)", "tpe (theirs)", "tpe", "tpe (ours 3)")
    counts = found.cells["method"].value_counts().to_dict()
    assert counts == {"tpe (ours)": 2, "tpe (theirs)": 1, "tpe": 1, "tpe (ours 3)": 1}
    assert set(found.evaluations["method"]) == set(counts)
    assert found.left_out == (LeftOut("zdt/1", "tpe (ours)", "one objective"),)


@pytest.mark.parametrize(
    ("digest", "workers", "methods"),
    [
        ("a", 1, ["tpe"]),
        (None, 1, ["tpe"]),
        ("b", 1, ["tpe (ours)", "tpe (theirs)"]),
        ("a", 2, ["tpe (ours)", "tpe (theirs)"]),
        (None, 2, ["tpe (ours)", "tpe (theirs)"]),
    ],
)
def test_methods_of_one_name_are_one_only_where_they_compute_the_same(
    tmp_path: Path, digest: str | None, workers: int, methods: list[str]
) -> None:
    pairing = ("bbob/1", "tpe")
    first = study(tmp_path / "1", {(*pairing, 0): 0.5}, "ours", methods=("tpe",), digests={pairing: "a"})
    with Store(RunDirectory(tmp_path / "2").cells) as store:
        store.append(result(CellKey(*pairing, 5), digest=digest or "its own"))
    digests = None if digest is None else {pairing: digest}
    second = study(
        tmp_path / "2", {}, "theirs", methods=("tpe",), workers=workers, seeds=[5], digests=digests
    )
    both = merge([first, second])
    assert list(both.methods) == methods
    assert sorted(both.cells["method"].unique()) == methods
    assert len(both.cells) == 2
    planned = [(method, seed) for (_, method), plan in both.plans.items() for seed in plan.seeds]
    expected = [(methods[0], seed) for seed in range(3)] + [(methods[-1], 5)]
    assert planned == expected


def test_what_one_study_left_out_may_be_in_another(tmp_path: Path) -> None:
    out = (LeftOut("bbob/1", "tpe", "no budget"),)
    first = study(tmp_path / "1", {("bbob/1", "random", 0): 0.5}, left_out=out)
    second = study(tmp_path / "2", {("bbob/1", "tpe", 0): 0.5})
    assert merge([first, second]).left_out == ()


def test_different_tasks_of_one_name(tmp_path: Path) -> None:
    first = study(tmp_path / "1", {}, name="ours")
    second = study(tmp_path / "2", {}, name="theirs", tasks=(replace(SPHERE, evaluations=11),))
    with pytest.raises(ConfigurationError) as caught:
        merge([first, second])
    assert all(text in str(caught.value) for text in ("bbob/1", "ours", "theirs", "evaluations=11"))


@pytest.mark.parametrize("unknown", ["ours", "theirs", "neither"])
def test_tasks_of_one_name_that_were_defined_differently(tmp_path: Path, unknown: str) -> None:
    """What the tasks of a suite share is neither in their names nor in their facts."""
    tasks = {
        name: (replace(SPHERE, definition=None if unknown == name else definition),)
        for name, definition in (("ours", "1"), ("theirs", "2"))
    }
    first, second = (study(tmp_path / name, {}, name, tasks=one) for name, one in tasks.items())
    if unknown == "neither":
        with pytest.raises(ConfigurationError, match=r"task bbob/1.*ours.*theirs.*suites\.bbob differs"):
            merge([first, second])
    else:
        known = "1" if unknown == "theirs" else "2"
        assert merge([first, second]).tasks == {"bbob/1": replace(SPHERE, definition=known)}
        third = study(tmp_path / "3", {}, "others", tasks=(replace(SPHERE, definition="3"),))
        with pytest.raises(ConfigurationError, match=r"others.*differs between"):
            merge([first, second, third])


def test_a_study_from_before_definitions_were_stored(tmp_path: Path) -> None:
    study(tmp_path, {("bbob/1", "tpe", 0): 0.5})
    path = tmp_path / "benchmark.json"
    stored = json.loads(path.read_text())
    for task in stored["tasks"]:
        del task["definition"]
    path.write_text(json.dumps(stored))
    assert load_results(tmp_path).tasks["bbob/1"].definition is None


def test_bounds_in_one_study_only(tmp_path: Path) -> None:
    first = study(tmp_path / "1", {("bbob/1", "tpe", 0): 0.5}, "ours")
    second = study(tmp_path / "2", {("bbob/1", "tpe", 1): 0.5}, "theirs")
    bounded = second.evaluations.assign(violations=[[0.0]] * len(second.evaluations))
    with pytest.raises(ConfigurationError, match=r"as many bounds on task bbob/1 as in ours: 0, got 1"):
        merge([first, replace(second, evaluations=bounded)])


def test_nothing_to_merge() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        merge([])
