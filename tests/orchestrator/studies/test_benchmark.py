"""What a study does where nothing is left to compute, so that no cluster is needed."""

from __future__ import annotations

import asyncio
import errno
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.digest import definition_of
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.index import CellIndex
from orchestrator.benchmark.records import CellResult
from orchestrator.benchmark.results import load_results
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.engine import cell_worker
from orchestrator.engine.cluster import Cluster
from orchestrator.engine.coordinator import LEAVE, Standing
from orchestrator.engine.crew import Crew
from orchestrator.optimizers.random import RandomSearch
from orchestrator.reporting.benchmark import report
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import read_journal
from orchestrator.run.worker_output import Workplace
from orchestrator.studies import benchmark as study
from orchestrator.studies import working
from orchestrator.studies.benchmark import run
from search_spaces import Config, ConfigurationError
from tests.conftest import composed

pytestmark = pytest.mark.usefixtures("undrawn")

CONF = str(Path(__file__).parents[1] / "benchmark" / "conf")
TINY = ("--config-dir", CONF, "+study=tiny")
ACCIDENT = "+benchmark.suites.steps.search_space.parameters.accident"
ONE_TASK = (
    "~benchmark.suites.zdt",
    "~benchmark.methods.tpe",
    "~benchmark.methods.hyperband",
)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A study, all of whose cells are stored in ``tmp_path``."""
    only = ("~benchmark.methods.tpe", "~benchmark.methods.hyperband", "benchmark.seeds=1")
    config = composed("--config-dir", CONF, "+study=tiny", *only)
    runner = CellRunner(config)
    with Store(RunDirectory(tmp_path).cells) as store:
        for key in assemble_benchmark(config).cells:
            store.append(runner.compute(key))
    return config


def history(path: Path) -> BenchmarkHistory:
    return BenchmarkHistory.from_events(read_journal(RunDirectory(path).journal))


def test_the_analysis_is_told_how_tasks_are_defined(tmp_path: Path, config: dict[str, Any]) -> None:
    assert run(config, tmp_path, resume=False) == 0
    suites = config["benchmark"]["suites"]
    expected = {name: definition_of(suite) for name, suite in suites.items()}
    tasks = load_results(tmp_path).tasks.values()
    assert {task.suite: task.definition for task in tasks} == expected
    assert len(set(expected.values())) == 2


def test_damaged_references_are_refused_before_anything_is_computed(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    (tmp_path / "references.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"references\.json: expected objectives and a point"):
        run(config, tmp_path, resume=False)
    assert not RunDirectory(tmp_path).journal.exists()


def test_lost_evaluations_are_refused_before_anything_is_computed(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    assert run(config, tmp_path, resume=False) == 0
    before = RunDirectory(tmp_path).journal.read_bytes()
    (tmp_path / "cells" / "evaluations.parquet").unlink()
    with pytest.raises(ConfigurationError, match=r"both cells\.parquet and evaluations\.parquet"):
        run(config, tmp_path, resume=True)
    assert RunDirectory(tmp_path).journal.read_bytes() == before


def test_a_report_that_cannot_be_written_fails_the_study_without_taking_it_back(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refusing(run_dirs: list[Path], output: Path) -> Path:
        raise ConfigurationError("output", "a directory", str(output))

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_report", refusing)
        # An error would tell the caller to take back what has been added to the study.
        assert run(config, tmp_path, resume=False) == 1
    out = capsys.readouterr().out
    assert "error: output: expected a directory" in out
    assert f"go on with: python -m orchestrator resume={tmp_path}" in out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, "no report")

    assert run(config, tmp_path, resume=True) == 0
    assert history(tmp_path).final is not None
    assert (tmp_path / "results" / "report.html").exists()


def test_a_study_that_was_halted_by_a_full_disk_says_so_and_goes_on(
    tmp_path: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    more = longer(config)
    directory = RunDirectory(tmp_path)
    full = "cells cannot be stored: No space left on device"
    this = study.BenchmarkRun(more, directory, Console())
    this.check(resume=False)
    this.begin(workers=1)
    assert this.conclude(Standing(over=True, halted=False, failure=full)) == 1
    assert f"error: {full}" in capsys.readouterr().out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, full)

    runner = CellRunner(more)
    index = CellIndex(directory.cells, more["benchmark"], assemble_benchmark(more))
    with Store(directory.cells) as store:
        for key in index.missing:
            store.append(runner.compute(key))
    assert run(more, tmp_path, resume=True) == 0
    assert history(tmp_path).final is not None and history(tmp_path).ended == len(index.cells)


def test_a_report_for_which_there_is_no_room_fails_the_study_with_one_line(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(run_dirs: list[Path], output: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(output / "ranks.png"))

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_report", full)
        assert run(config, tmp_path, resume=False) == 1
    assert "error: No space left on device: " in capsys.readouterr().out
    assert history(tmp_path).stopped == "no report"
    assert run(config, tmp_path, resume=True) == 0


def in_process(monkeypatch: pytest.MonkeyPatch, interrupted_after: int | None = None) -> None:
    """Let one worker compute without Ray, one cell a report; Ctrl-C comes after some of them."""

    def pull(config: Any, run: RunDirectory, crew: Crew, console: Console, stopping: object) -> Standing:
        async def work() -> Standing:
            coordinator = crew.coordinator(config, run, 1, *crew.arguments)
            worker: Any = crew.worker.__new__(crew.worker)
            worker._output = SimpleNamespace()
            worker._number, worker._scratch, worker._logs = 0, run.scratch, run.logs
            worker._workplace = Workplace.of(run)
            worker.prepare(config, run)
            order, reports = await coordinator.exchange(0, "process"), 0
            while order != LEAVE:
                if order.verb == "begin":
                    worker.begin(order.work)
                if reports == interrupted_after:
                    await coordinator.halt()
                order = await coordinator.exchange(0, "process", worker.advance())
                reports += 1
            return await coordinator.close()

        return asyncio.run(work())

    monkeypatch.setattr(working, "connect", lambda *_: nullcontext(Cluster(((1.0, 0.0),), None)))
    monkeypatch.setattr(study, "pull", pull)
    monkeypatch.setattr(cell_worker, "STEP_SECONDS", 0.0)


def longer(config: dict[str, Any]) -> dict[str, Any]:
    """Five seeds, where the first has been computed: three tasks, one method."""
    return {**config, "benchmark": {**config["benchmark"], "seeds": 5}}


def test_only_what_is_missing_is_computed_and_told_in_the_journal(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    assert run(longer(config), tmp_path, resume=False) == 0
    events = read_journal(RunDirectory(tmp_path).journal)
    assert [event["event"] for event in events] == ["start", *["cells"] * 12, "final"]
    assert len(load_results(tmp_path).cells) == 15


def test_an_interrupted_study_says_how_to_go_on_and_does(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        in_process(patch, interrupted_after=4)
        assert run(longer(config), tmp_path, resume=False) == INTERRUPTED
    assert f"go on with: python -m orchestrator resume={tmp_path}" in capsys.readouterr().out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, "interrupted")
    in_process(monkeypatch)
    assert run(longer(config), tmp_path, resume=True) == 0
    events = read_journal(RunDirectory(tmp_path).journal)
    assert [event["event"] for event in events].count("cells") == 4 + (12 - 5), "the fifth was stored"
    assert history(tmp_path).ended == 15


def test_a_full_disk_ends_the_study_in_one_line_and_room_lets_it_go_on(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    append, appended = Store.append, []

    def full(self: Store, result: CellResult) -> None:
        appended.append(result.key)
        if len(appended) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, result)

    with monkeypatch.context() as patch:
        in_process(patch)
        patch.setattr(Store, "append", full)
        assert run(longer(config), tmp_path, resume=False) == 1
    reason = "cells cannot be stored: No space left on device"
    assert f"error: {reason}\n" in capsys.readouterr().out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, reason)
    in_process(monkeypatch)
    assert run(longer(config), tmp_path, resume=True) == 0
    assert history(tmp_path).ended == 15


class Broken(RandomSearch):
    """Gives up after three suggestions."""

    def _suggest(self, token: int) -> tuple[Config, None]:
        if token == 3:
            raise RuntimeError("cannot go on")
        return super()._suggest(token)


def run_here(path: Path, *overrides: str, resume: bool = False) -> int:
    path.mkdir(parents=True, exist_ok=True)
    return run(composed(*TINY, *overrides), path, resume)


def test_changes_for_which_nothing_is_computed_take_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    fixed = (*ONE_TASK, "benchmark.suites.steps.multi_fidelity=false")
    assert run_here(tmp_path, *fixed) == 0
    journal = RunDirectory(tmp_path).journal
    before = len(read_journal(journal))
    # It chooses fidelities, and the task has one: it is left out everywhere.
    fewer = ("+optimizer@benchmark.methods.late=smac_hyperband", "benchmark.seeds=1")
    for overrides, methods, cells in [(fewer, ("random", "late"), 1), ((), ("random",), 2)]:
        assert run_here(tmp_path, *fixed, *overrides, resume=True) == 0
        study, results = history(tmp_path), load_results(tmp_path)
        assert (study.start.cells, study.ended, len(results.cells)) == (cells, cells, cells)
        assert tuple(study.start.methods) == results.methods == methods
        assert study.final is not None and study.final["cells"] == cells
    assert [event["event"] for event in read_journal(journal)[before:]] == ["resume", "final"] * 2


def test_what_fails_is_told_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_process(monkeypatch)
    broken = "{_target_: tests.orchestrator.studies.test_benchmark.Broken}"
    overrides = (
        f"+benchmark.methods.broken={broken}",
        f"{ACCIDENT}={{type: categorical, choices: [none, raises]}}",
    )
    assert run_here(tmp_path, *overrides) == 0
    study = history(tmp_path)
    assert {(one.method, one.reason) for one in study.failures} == {("broken", "RuntimeError: cannot go on")}
    assert len(study.failures) == 6
    failed = load_results(tmp_path).evaluations.query("status == 'failed' and task == 'steps'")
    assert set(failed["reason"]) == {"RuntimeError: out of luck"}


def test_a_study_in_which_everything_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_process(monkeypatch)
    only = "{_target_: tests.orchestrator.studies.test_benchmark.Broken}"
    assert run_here(tmp_path, *ONE_TASK, "~benchmark.methods.random", f"+benchmark.methods.b={only}") == 1
    assert history(tmp_path).final is not None
