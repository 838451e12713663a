"""Stored cells are kept as long as they are what the study would compute."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark
from orchestrator.benchmark.index import CellIndex
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.config.kinds import BenchmarkConfig
from orchestrator.reporting.benchmark.summary import mixed
from tests.conftest import composed

CONF = str(Path(__file__).parent / "conf")
FAST = ("~benchmark.methods.hyperband",)


def study(*overrides: str) -> tuple[dict[str, Any], BenchmarkParts]:
    config = composed("--config-dir", CONF, "+study=tiny", *FAST, *overrides)
    return config, assemble_benchmark(config)


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """A store with all cells of the study."""
    config, parts = study()
    runner = CellRunner(config)
    with Store(tmp_path) as store:
        for key in parts.cells:
            store.append(runner.compute(key))
    return tmp_path


def missing(folder: Path, *overrides: str) -> set[CellKey]:
    config, parts = study(*overrides)
    return set(CellIndex(folder, config["benchmark"], parts).missing)


def test_what_a_worker_computes_is_what_the_study_lacks(complete: Path) -> None:
    assert missing(complete / "empty") == set(study()[1].cells)
    assert missing(complete) == set()


def test_only_what_is_new_or_has_changed_is_missing(complete: Path) -> None:
    assert {key.seed for key in missing(complete, "benchmark.seeds=4")} == {2, 3}
    added = missing(complete, "+optimizer@benchmark.methods.sobol=sobol")
    assert {key.method for key in added} == {"sobol"} and len(added) == 6
    changed = missing(complete, "benchmark.methods.tpe.n_startup_trials=3")
    assert {key.method for key in changed} == {"tpe"} and len(changed) == 6
    assert {key.task for key in missing(complete, "benchmark.suites.steps.evaluations=7")} == {"steps"}


def test_a_cell_that_no_process_survives_is_lost(tmp_path: Path) -> None:
    config, parts = study()
    index = CellIndex(tmp_path, config["benchmark"], parts)
    first, second, *_ = index.cells
    with Store(tmp_path) as store:
        store.append(CellRunner(config).compute(first))
    index.give_up(second, "died")
    found = index.ended(index.cells[:5])
    assert [(one.key, one.failure, one.lost) for one in found] == [
        (first, "", False),
        (second, "died", True),
    ]
    index.compact()
    assert index.missing == index.cells[2:]
    assert index.failures == []
    assert [failure.reason for failure in index.lost] == ["died"]
    assert index.finished.total() == 1


def test_a_lost_cell_is_missing_again_when_the_study_is_resumed(tmp_path: Path) -> None:
    config, parts = study()
    first, second, *_ = parts.cells
    CellIndex(tmp_path, config["benchmark"], parts).give_up(first, "died")
    with Store(tmp_path) as store:
        store.append(replace(CellRunner(config).compute(second), status="failed", reason="ValueError: no"))
    resumed = CellIndex(tmp_path, config["benchmark"], parts)
    assert first in resumed.missing and second not in resumed.missing
    assert [failure.reason for failure in resumed.failures] == ["ValueError: no"]
    with Store(tmp_path) as store:
        store.append(CellRunner(config).compute(first))
    resumed.compact()
    assert first not in resumed.missing
    assert [one.failure for one in resumed.ended([first])] == [""]


def test_a_cell_that_ended_early_has_finished(tmp_path: Path) -> None:
    config, parts = study()
    first, *_ = parts.cells
    with Store(tmp_path) as store:
        store.append(
            replace(CellRunner(config).compute(first), reason="the optimizer had nothing left to suggest")
        )
    index = CellIndex(tmp_path, config["benchmark"], parts)
    assert first not in index.missing
    assert (index.failures, index.finished.total()) == ([], 1)


def test_cells_that_a_worker_lost_are_given_up_until_the_study_is_resumed(tmp_path: Path) -> None:
    config, parts = study()
    index = CellIndex(tmp_path, config["benchmark"], parts)
    first, *_ = index.cells
    with Store(tmp_path) as store:
        store.append(
            replace(CellRunner(config).compute(first), status="lost", reason="MemoryError", evaluations=())
        )
    assert index.ended([first]) == [] and first in index.missing
    index.compact(lost={first})
    assert first not in index.missing
    assert [one.reason for one in index.lost] == ["MemoryError"]
    assert first in CellIndex(tmp_path, config["benchmark"], parts).missing


def test_cells_of_other_versions_are_kept_unless_they_may_not_be_mixed(tmp_path: Path) -> None:
    config, parts = study()
    old, new = '{"numpy":"2.1.0"}', '{"numpy":"2.2.0"}'
    first, second, third, *_ = parts.cells
    with Store(tmp_path) as store:
        for key, versions in ((first, old), (second, new), (third, "")):
            store.append(replace(CellRunner(config).compute(key), versions=versions))
    kept = CellIndex(tmp_path, config["benchmark"], parts, new)
    assert kept.missing == kept.cells[3:]
    assert kept.other_versions == {old: 1, "": 1}
    assert list(mixed(kept, new)) == [
        "stored with numpy 2.1.0 instead of 2.2.0: 1 cell, kept"
        " (benchmark.mixed_versions=false computes them anew)",
        "stored with versions that were not recorded: 1 cell, kept"
        " (benchmark.mixed_versions=false computes them anew)",
    ]
    benchmark = {**config["benchmark"], "mixed_versions": False}
    anew = CellIndex(tmp_path, benchmark, parts, new)
    assert set(anew.missing) == {first, third, *kept.cells[3:]}
    with Store(tmp_path) as store:
        store.append(replace(CellRunner(config).compute(first), versions=new))
    anew.compact()
    assert set(anew.missing) == {third, *kept.cells[3:]}
    assert set(CellIndex(tmp_path, benchmark, parts, new).missing) == set(anew.missing)


def test_the_coordinators_copy_knows_what_is_stored_and_nothing_of_workloads(tmp_path: Path) -> None:
    config, parts = study()
    sent = pickle.dumps(CellIndex(tmp_path, config["benchmark"], parts, "{}"))
    assert b"orchestrator.benchmark.index" in sent and b"Troubled" not in sent
    index: CellIndex = pickle.loads(sent)
    assert (index.missing, index.versions) == (index.cells, "{}")
    first, second, *_ = index.cells
    runner, stored = CellRunner(config), []
    with Store(tmp_path) as store:
        for key in (first, second):
            store.append(runner.compute(key))
            stored.append(key)
            assert [one.key for one in index.ended(index.cells[:3])] == stored


def test_cells_draw_from_streams_of_their_own_on_each_task_in_new_runs_alone() -> None:
    """In runs from before the key, which the schema reads as false, a cell has its seed on every task."""
    config = composed("+study=carps_small")
    assert config["benchmark"]["task_seeds"] is True

    def configs(task_seeds: bool, task: str) -> list[str]:
        changed = {**config, "benchmark": {**config["benchmark"], "task_seeds": task_seeds}}
        result = CellRunner(changed).compute(CellKey(task, "random", 1))
        return [repr(sorted(one.trial.config.items())) for one in result.evaluations]

    names = [f"bbob/function={function},dimension=2,instance=1" for function in (1, 8)]
    assert configs(False, names[0]) == configs(False, names[1])
    assert configs(True, names[0]) != configs(True, names[1])
    assert configs(True, names[0]) == configs(True, names[0])
    assert BenchmarkConfig().task_seeds is False


def test_the_digest_is_another_one_for_whatever_is_added_or_taken_away(tmp_path: Path) -> None:
    config, _ = study()

    def digest(**changes: object) -> str:
        changed = {**config, "benchmark": {**config["benchmark"], **changes}}
        return CellIndex(tmp_path, changed["benchmark"], assemble_benchmark(changed)).digest

    methods = config["benchmark"]["methods"]
    only_random = {"random": methods["random"]}
    # It chooses fidelities: it is left out where the tasks have one.
    hyperband = composed("--config-dir", CONF, "+study=tiny")["benchmark"]["methods"]["hyperband"]
    digests = [
        digest(),
        digest(seeds=1),
        digest(tasks=["steps"]),
        digest(methods=only_random),
        digest(methods={**methods, "tpe": {**methods["tpe"], "n_startup_trials": 3}}),
        digest(methods=only_random, tasks=["zdt/instance=1,dimension=2"]),
        digest(methods={**only_random, "late": hyperband}, tasks=["zdt/instance=1,dimension=2"]),
    ]
    assert len(set(digests)) == len(digests)
    assert digest(block_seconds=1.0) == digests[0]
