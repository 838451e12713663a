"""A search study around its training: what a complete journal needs, and what must not lose it."""

from __future__ import annotations

import asyncio
import pickle
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.cluster import Cluster
from orchestrator.engine.coordinator import LEAVE, Standing
from orchestrator.engine.crew import Crew
from orchestrator.engine.search_coordinator import deciding_of
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.assemble import assemble_search
from orchestrator.search.course import Course
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_run import Report
from orchestrator.studies import search as program
from orchestrator.studies import working
from search_spaces import ConfigurationError
from tests.conftest import composed

pytestmark = pytest.mark.usefixtures("undrawn")

CONF = str(Path(__file__).parents[1] / "search" / "conf")
TRIALS = 25


def configured(*overrides: str) -> dict[str, Any]:
    return composed("--config-dir", CONF, "+study=troubled", f"search.trials={TRIALS}", *overrides)


def assembled_start() -> SearchStart:
    parts = assemble_search(configured())
    return SearchStart(
        study="troubled", seed=0, optimizer="RandomSearch", stopping="", trials=TRIALS, concurrency=1,
        unit="step", rungs=parts.rungs.up_to(), objectives=parts.objectives, constraints=(),
        parameters=parts.space.names, log_parameters=(), time=0.0,
    )  # fmt: skip


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Of a study in which all trials have ended, which was killed then."""
    parts, start = assemble_search(configured()), assembled_start()
    with Journal(RunDirectory(tmp_path).journal) as journal:
        journal.append(start.event())
        course = Course(parts.optimizer, (), TRIALS, 9, journal, [], time.time)
        while (assignment := course.next()) is not None:
            course.end(assignment.number, Report(9, {"loss": float(assignment.number)}, 1.0, done=True))
    return tmp_path


def without_ray(*arguments: object) -> None:
    raise AssertionError("there is nothing to train")


def test_a_complete_study_needs_neither_its_optimizer_nor_ray(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(working, "connect", without_ray)
    other = configured("seed=1")  # in which the optimizer suggests other configurations
    assert program.run(other, run_dir, True) == 0
    assert "replaying" not in capsys.readouterr().out
    assert (run_dir / "results" / "study.html").exists()
    assert [event["event"] for event in read_journal(RunDirectory(run_dir).journal)].count("final") == 1


def test_a_long_replay_is_announced(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = RunDirectory(run_dir).journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    in_process(monkeypatch, Report(9, {"loss": 1.0}, 1.0, done=True))
    assert program.run(configured("seed=1"), run_dir, True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "replaying 25 suggestions" in lines
    assert any(line.startswith("the optimizer would now suggest trial 0 otherwise") for line in lines)


def test_a_failure_among_the_results_does_not_lose_the_study(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(program, "write_results", full)
    assert program.run(configured(), run_dir, True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "results are incomplete: OSError: No space left on device"
    assert "trials: 25 finished" in lines and "best trial: 0 (loss 0)" in lines


def test_the_journal_is_read_while_nobody_else_can_write_it(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> list[Event]:
        with pytest.raises(ConfigurationError, match="a run that no other process is working on"):
            Journal(path)
        return read_journal(path)

    monkeypatch.setattr(program, "read_journal", read)
    assert program.run(configured(), run_dir, True) == 0


def in_process(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Let all trials end with ``report``, without Ray."""

    def pull(study: Any, run: RunDirectory, crew: Crew, console: Any, stopping: object) -> Standing:
        async def work() -> Standing:
            coordinator = crew.coordinator(study, run, 1, *crew.arguments)
            console.print((await coordinator.standing()).remark)
            order = await coordinator.exchange(0, "process")
            while order != LEAVE:
                order = await coordinator.exchange(0, "process", report)
            return await coordinator.close()

        return asyncio.run(work())

    cluster = Cluster(((2.0, 0.0),), None)
    monkeypatch.setattr(working, "connect", lambda *_: nullcontext(cluster))
    monkeypatch.setattr(program, "pull", pull)


def test_the_lost_trials_of_a_complete_study_are_tried_again_on_resume(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = RunDirectory(run_dir).journal
    events = read_journal(journal)
    gone = {"status": "lost", "reason": "gone", "losses": [float("nan")], "metrics": {}}
    events = [e | gone if e["event"] == "ended" and e["trial"] == 0 else e for e in events]
    journal.unlink()
    with Journal(journal) as written:
        written.append(*events, {"event": "final", "trials": TRIALS, "time": time.time()})
    in_process(monkeypatch, Report(9, {"loss": -1.0}, 1.0, done=True))
    assert program.run(configured(), run_dir, True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "trials: 25 finished" in lines and "best trial: 0 (loss -1)" in lines
    monkeypatch.setattr(working, "connect", without_ray)
    assert program.run(configured(), run_dir, True) == 0, "now nothing is left to do"


def test_a_study_in_which_nothing_works_ends_early_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_process(monkeypatch, Report(0, {}, 1.0, "KeyError: 'data'", done=True))
    assert program.run(configured("preflight=false"), tmp_path, False) == 1
    lines = capsys.readouterr().out.splitlines()
    reason = "the first 10 trials failed alike: KeyError: 'data'"
    assert f"ended early: {reason}; mend the cause before you go on" in lines
    assert any(line.startswith("go on with: ") for line in lines)
    last = read_journal(RunDirectory(tmp_path).journal)[-1]
    assert (last["event"], last["reason"]) == ("stopped", reason)


def test_the_coordinator_is_sent_nothing_of_the_workload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []

    def pull(study: Any, run: RunDirectory, crew: Crew, console: object, stopping: object) -> Standing:
        sent.extend(crew.arguments)
        return Standing(over=False, halted=True, failure="")

    in_process(monkeypatch, Report(9, {"loss": 1.0}, 1.0, done=True))
    monkeypatch.setattr(program, "pull", pull)
    with Journal(RunDirectory(tmp_path).journal) as journal:
        journal.append(assembled_start().event())
    program.run(configured("preflight=false"), tmp_path, True)
    assert sent and b"Troubled" not in pickle.dumps(sent)


def test_an_optimizer_goes_on_after_a_transport_that_makes_arrays_read_only() -> None:
    """As Ray's does."""
    parts = assemble_search(configured("optimizer=sobol"))
    deciding = deciding_of(configured(), parts, 2)
    taken: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(deciding, protocol=5, buffer_callback=taken.append)
    received = pickle.loads(sent, buffers=[bytes(one.raw()) for one in taken])
    configs = [suggestion.config for suggestion in received.optimizer.ask(3)]
    assert configs == [suggestion.config for suggestion in deciding.optimizer.ask(3)]
