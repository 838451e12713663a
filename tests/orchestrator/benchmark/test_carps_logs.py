"""carps' logs in our store. The logs in ``carps/`` were written by carps 1.1.0, with few evaluations; that of
SMAC was cut off, as by a run that is killed while it writes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.benchmark import carps_logs
from orchestrator.benchmark.carps_logs import import_carps, read_cell
from orchestrator.benchmark.carps_tasks import fidelity_of, known_task, named, share_of, space_of
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.results import load_results
from orchestrator.cli.program import main
from search_spaces import ConfigurationError

LOGS = Path(__file__).parent / "carps"
SUITES = Path(__file__).parents[3] / "conf" / "suite"
SPHERE = LOGS / "RandomSearch/BBOB/bbob/2/1/1/1"
KURSAWE = LOGS / "Optuna-MO-NSGAII/Pymoo/Pymoo/MO/unconstraint/kursawe/1"
MULTI_FIDELITY = LOGS / "SMAC3-MultiFidelityFacade/DUMMY_ObjectiveFunction/dummy-mf/1"
CONDITIONAL = LOGS / "RandomSearch/DUMMY_ObjectiveFunction/dummy/conditional/3"


def copy(source: Path, folder: Path) -> Path:
    shutil.copytree(source, folder)
    return folder


def edit(folder: Path, *lines: str) -> Path:
    """Replace the log's lines."""
    (folder / "trial_logs.jsonl").write_text("\n".join(lines))
    return folder


def lines_of(folder: Path) -> list[str]:
    return (folder / "trial_logs.jsonl").read_text().splitlines()


def configured(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((folder / ".hydra/config.yaml").read_text())
    return config


def reconfigure(folder: Path, config: dict[str, Any]) -> Path:
    (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_a_bbob_cell_is_that_of_our_task() -> None:
    task, cell = read_cell(SPHERE)
    assert cell.key == CellKey("bbob/function=1,dimension=2,instance=1", "RandomSearch", 1)
    assert (cell.status, cell.reason, len(cell.evaluations)) == ("finished", "", 6)
    assert (task.type, task.dimension, task.evaluations, task.full, task.timed) == ("BB", 2, 6, 1, False)
    assert task.deterministic
    first = cell.evaluations[0]
    assert first.trial.config == {"x0": -0.8297799529743, "x1": -4.076614052312}
    assert first.trial.losses == (json.loads(lines_of(SPHERE)[0])["trial_value"]["cost"],)
    assert [(one.cost, one.start, one.end) for one in cell.evaluations[:2]] == [(1, 0, 1), (1, 1, 2)]
    assert 0 < cell.seconds < 10


def test_bbob_has_our_facts_and_the_logged_values_are_ours() -> None:
    pytest.importorskip("ioh")
    from workloads.contract import Device
    from workloads.library.functions.bbob import Bbob

    task, cell = read_cell(SPHERE)
    workload = Bbob(function=1, dimension=2, instance=1)
    assert task.optimum == workload.facts.optimum
    assert task.objectives == tuple(one.name for one in workload.objectives)
    for evaluation in cell.evaluations:
        ours = dict(zip(workload.space.names, evaluation.trial.config.values(), strict=True))
        (value,) = workload.start(ours, 0, Device()).advance(1).values()
        assert evaluation.trial.losses == pytest.approx((value,), rel=1e-12)


def test_several_objectives() -> None:
    task, cell = read_cell(KURSAWE)
    assert (task.type, len(task.objectives), task.directions) == ("MO", 2, ("min", "min"))
    assert cell.key.method == "Optuna-MO-NSGAII"
    assert all(len(one.trial.losses) == 2 and one.trial.usable for one in cell.evaluations)
    assert list(cell.evaluations[0].trial.config) == ["x0", "x1", "x2"]


def test_fidelities_times_and_a_log_that_was_cut_off() -> None:
    task, cell = read_cell(MULTI_FIDELITY)
    assert (task.name, task.type, task.full, task.unit, task.timed) == (
        "dummy-mf",
        "MF",
        10,
        "n_bongos",
        True,
    )
    assert len(cell.evaluations) == len(lines_of(MULTI_FIDELITY)) - 1
    assert (cell.status, cell.reason) == ("failed", "the log ends after 2.55556 of 4 evaluations")
    assert [one.trial.fidelity for one in cell.evaluations] == [1] * 8 + [3, 3, 10]
    assert [one.cost for one in cell.evaluations[-2:]] == pytest.approx([1 / 3, 1])
    assert [(one.start, one.end) for one in cell.evaluations[-2:]] == [(9, 10), (10, 11)]


def test_conditional_parameters_get_their_own_names_and_types_come_from_the_configuration() -> None:
    task, cell = read_cell(CONDITIONAL)
    assert (task.name, task.type, task.objectives, task.dimension) == (
        "dummy/conditional",
        "MOMF",
        ("error", "size"),
        configured(CONDITIONAL)["task"]["metadata"]["dimensions"],
    )
    assert cell.evaluations[0].trial.config == {"cost": 1.5303977856895, "folds": 3, "kernel": "linear"}
    assert list(cell.evaluations[3].trial.config) == ["cost", "folds", "kernel", "gamma"]
    space = space_of(configured(CONDITIONAL)["task"])
    assert named([0.1, 3, "poly", 4, 0.5], space) == {
        "cost": 0.1,
        "folds": 3,
        "kernel": "poly",
        "degree": 4,
        "gamma": 0.5,
    }


@pytest.mark.parametrize("values", [[0.1, 3], [0.1, 3, "linear", 0.5], ["poly", 3, "poly", 4, 0.5]])
def test_values_that_do_not_fit_the_space_are_called_by_position(values: list[object]) -> None:
    by_position = {str(position): value for position, value in enumerate(values)}
    assert named(values, space_of(configured(CONDITIONAL)["task"])) == by_position
    assert named(values, None) == by_position


def test_failed_evaluations(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in lines_of(SPHERE)]
    for entry, (status, cost) in zip(
        entries, [(2, 1e9), (3, None), (4, 1.0), (1, math.inf), (1, [1.0, 2.0])], strict=False
    ):
        entry["trial_value"] |= {"status": status, "cost": cost}
    folder = edit(copy(SPHERE, tmp_path / "cell"), *map(json.dumps, entries))
    _, cell = read_cell(folder)
    assert [one.trial.status for one in cell.evaluations] == ["failed"] * 5 + ["finished"]
    assert [one.trial.reason for one in cell.evaluations[:3]] == [
        "it crashed",
        "it timed out",
        "it ran out of memory",
    ]
    assert all(math.isnan(one.trial.losses[0]) for one in cell.evaluations[:5])
    assert cell.status == "finished"


def test_a_line_that_cannot_be_read_ends_the_cell(tmp_path: Path) -> None:
    lines = lines_of(SPHERE)
    _, cell = read_cell(edit(copy(SPHERE, tmp_path / "cell"), *lines[:2], lines[2][:40], *lines[3:]))
    assert len(cell.evaluations) == 2
    assert (cell.status, cell.reason) == ("failed", "line 3 of the log cannot be read")


def test_a_cell_that_has_logged_nothing_has_failed(tmp_path: Path) -> None:
    folder = copy(SPHERE, tmp_path / "cell")
    (folder / "trial_logs.jsonl").unlink()
    _, cell = read_cell(folder)
    assert (cell.status, cell.reason) == ("failed", "the log ends after 0 of 6 evaluations")


def test_a_time_limit_ends_a_cell_as_well(tmp_path: Path) -> None:
    config = configured(SPHERE)
    config["task"]["optimization_resources"] |= {"n_trials": None, "time_budget": 1}
    task, cell = read_cell(reconfigure(copy(SPHERE, tmp_path / "cell"), config))
    assert (cell.status, task.evaluations) == ("finished", 6)


@pytest.mark.parametrize(("instance", "optimum"), [(0, -92.65), (-1, None)])
def test_instances_that_we_do_not_have_keep_our_name(
    tmp_path: Path, instance: int, optimum: float | None
) -> None:
    config = configured(SPHERE)
    config["task"]["objective_function"]["instance"] = instance
    task, _ = read_cell(reconfigure(copy(SPHERE, tmp_path / "cell"), config))
    assert task.name == f"bbob/function=1,dimension=2,instance={instance}"
    assert task.optimum == (None if optimum is None else pytest.approx(optimum))


@pytest.mark.parametrize(
    ("target", "function", "dimension", "count", "name"),
    [
        ("pymoo.PymooObjectiveFunction", {"problem_name": "kursawe"}, 3, 2, "kursawe"),
        ("pymoo.PymooObjectiveFunction", {"problem_name": "zdt1"}, 30, 2, "zdt/instance=1,dimension=30"),
        ("pymoo.PymooObjectiveFunction", {"problem_name": "zdt6"}, 10, 2, "pymoo/problem=zdt6"),
        (
            "pymoo.PymooObjectiveFunction",
            {"problem_name": "wfg1"},
            10,
            5,
            "wfg/problem=wfg1,dimension=10,count=5",
        ),
        (
            "pymoo.PymooObjectiveFunction",
            {"problem_name": "dtlz1"},
            7,
            3,
            "dtlz/problem=dtlz1,dimension=7,count=3",
        ),
        ("pymoo.PymooObjectiveFunction", {"problem_name": "convex_dtlz2"}, 12, 3, None),
        ("pymoo.PymooObjectiveFunction", {"problem_name": "sphere"}, 10, 1, None),
        (
            "mfpbench.MFPBenchObjectiveFunction",
            {"benchmark": "mfh6_good", "benchmark_kwargs": {"bias": None, "noise": None}},
            6,
            1,
            "mf_hartmann/dimension=6,quality=good",
        ),
        (
            "mfpbench.MFPBenchObjectiveFunction",
            {"benchmark": "mfh6_good", "benchmark_kwargs": {"bias": 2.0, "noise": None}},
            6,
            1,
            None,
        ),
        (
            "yahpo.YahpoObjectiveFunction",
            {"bench": "lcbench", "instance": 189873, "budget_type": "epoch", "metric": ["val_accuracy"]},
            7,
            1,
            "lcbench/instance=189873",
        ),
        (
            "yahpo.YahpoObjectiveFunction",
            {"bench": "rbv2_svm", "instance": 12, "budget_type": None, "metric": ["acc"]},
            6,
            1,
            None,
        ),
        ("hpo_b.HPOBObjectiveFunction", {}, 2, 1, None),
    ],
)
def test_tasks_that_we_have_too_get_the_names_of_our_suites(
    target: str, function: dict[str, Any], dimension: int, count: int, name: str | None
) -> None:
    known = known_task(
        {
            "objective_function": {"_target_": f"carps.objective_functions.{target}", **function},
            "metadata": {"dimensions": dimension},
            "output_space": {"n_objectives": count},
        }
    )
    assert (known and known.name) == name
    if known is not None:
        definition = yaml.safe_load((SUITES / f"{known.suite}.yaml").read_text())
        assert definition["workload"]["_target_"] == known.target
        assert list(definition.get("instances", {})) == list(known.instance)


@pytest.mark.parametrize(
    ("share", "full", "expected"), [(1, 52, 52), (0.999, 52, 51), (0.001, 52, 1), (0.5, 52, 26)]
)
def test_only_full_evaluations_have_full_fidelity(share: float, full: int, expected: int) -> None:
    assert fidelity_of(share, full) == expected


def test_shares_that_were_not_logged_come_from_the_budget() -> None:
    task = configured(MULTI_FIDELITY)["task"]
    assert share_of({"normalized_budget": None, "budget": 2.5}, task) == 0.25
    assert share_of({"budget": None}, task) == 1


def test_the_whole_tree_becomes_a_study(tmp_path: Path) -> None:
    imported = import_carps(LOGS, tmp_path / "run")
    assert (imported.cells, imported.failed, imported.evaluations) == (4, 1, 6 + 5 + 11 + 4)
    assert imported.skipped == ()
    results = load_results(tmp_path / "run")
    assert set(results.tasks) == set(imported.tasks)
    assert set(results.methods) == {"RandomSearch", "Optuna-MO-NSGAII", "SMAC3-MultiFidelityFacade"}
    assert len(results.evaluations) == imported.evaluations
    assert results.seeds == (1, 3)
    found = set(zip(results.cells["task"], results.cells["method"], strict=True))
    every = {(task, method) for task in results.tasks for method in results.methods}
    assert {(one.task, one.method) for one in results.left_out} == every - found
    assert {one.reason for one in results.left_out} == {"not in the logs"}
    assert set(results.plans) == found
    sphere = results.evaluations[results.evaluations["task"].str.startswith("bbob/")]
    logged = [json.loads(line)["trial_value"]["cost"] for line in lines_of(SPHERE)]
    assert [list(losses) for losses in sphere["losses"]] == [[cost] for cost in logged]
    assert sphere["config"].map(json.loads).iloc[0] == {"x0": -0.8297799529743, "x1": -4.076614052312}


def test_of_several_logs_of_a_cell_the_complete_one_counts(tmp_path: Path) -> None:
    cut = edit(copy(SPHERE, tmp_path / "logs" / "a"), *lines_of(SPHERE)[:2])
    copy(SPHERE, tmp_path / "logs" / "b")
    copy(cut, tmp_path / "logs" / "c")
    imported = import_carps(tmp_path / "logs", tmp_path / "run")
    assert (imported.cells, imported.failed, imported.evaluations) == (1, 0, 6)
    assert [folder.name for folder, _ in imported.skipped] == ["c"]
    assert len(load_results(tmp_path / "run").evaluations) == 6


def test_what_is_not_carps_is_skipped_and_the_rest_goes_on(tmp_path: Path) -> None:
    copy(SPHERE, tmp_path / "logs" / "good")
    reconfigure(copy(SPHERE, tmp_path / "logs" / "other"), {"seed": 1})
    (copy(SPHERE, tmp_path / "logs" / "bare") / ".hydra/config.yaml").unlink()
    imported = import_carps(tmp_path / "logs", tmp_path / "run")
    assert imported.cells == 1
    assert {folder.name for folder, _ in imported.skipped} == {"other", "bare"}


@pytest.mark.parametrize(
    ("logged", "resources"),
    [
        ({"trial_value": {"starttime": None}}, {}),
        ({"trial_value": {"starttime": "yesterday"}}, {}),
        ({}, {"n_trials": "many"}),
        ({"trial_info": {"normalized_budget": math.inf}}, {"n_trials": None}),
    ],
)
def test_one_odd_log_is_skipped_and_the_rest_goes_on(
    tmp_path: Path, logged: dict[str, dict[str, object]], resources: dict[str, object]
) -> None:
    copy(SPHERE, tmp_path / "logs" / "good")
    odd = copy(SPHERE, tmp_path / "logs" / "odd")
    config = configured(odd)
    config["task"]["optimization_resources"] |= resources
    first, *rest = lines_of(odd)
    line = json.loads(first)
    for part, changed in logged.items():
        line[part] |= changed
    edit(reconfigure(odd, config), json.dumps(line), *rest)
    imported = import_carps(tmp_path / "logs", tmp_path / "run")
    assert imported.cells == 1
    ((folder, reason),) = imported.skipped
    assert folder == odd
    assert "expected a log of carps 1.1, got" in reason
    assert len(load_results(tmp_path / "run").evaluations) == 6


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="log directory: expected a directory with logs of carps"):
        import_carps(tmp_path / "nowhere", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="log directory: expected logs of carps"):
        import_carps(tmp_path / "empty", tmp_path / "run")
    with pytest.raises(ConfigurationError, match="run directory: expected a new or an empty folder"):
        import_carps(LOGS, LOGS)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carps", str(LOGS), str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == (
        "4 cells (1 failed or not complete) with 26 evaluations, of 3 methods on 4 tasks\n"
    )


def test_the_command_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(carps_logs, "read_cell", interrupted)
    assert main(["carps", str(LOGS), str(tmp_path / "run")]) == 130


def test_the_command_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carps", str(tmp_path / "nowhere"), str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        "error: log directory: expected a directory with logs of carps (trial_logs.jsonl), "
        f"got '{tmp_path / 'nowhere'}'\n"
    )
    with pytest.raises(SystemExit) as exit_info:
        main(["carps", str(LOGS)])
    assert exit_info.value.code == 2
    assert capsys.readouterr().err == (
        "error: command line: the following arguments are required: run (see --help)\n"
    )
