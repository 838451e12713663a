"""Whole search studies on real Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.search.history.history import SearchHistory, TrialRecord
from search_spaces import Config
from tests.conftest import composed
from tests.orchestrator.studies.in_process import search_in_process
from workloads.contract import Device, Session
from workloads.library.digits import Digits

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]
CONF = str(Path(__file__).parents[1] / "search" / "conf")


def run_here(path: Path, *overrides: str, resume: bool = False, study: str = "troubled") -> int:
    from orchestrator.studies.search import run

    path.mkdir(parents=True, exist_ok=True)
    return run(composed("--config-dir", CONF, f"+study={study}", *overrides), path, resume)


def history(path: Path) -> SearchHistory:
    return SearchHistory.from_events(read_journal(RunDirectory(path).journal))


def finished(path: Path) -> dict[int, tuple[object, ...]]:
    """All that must not depend on when and where trials ran."""
    return {
        record.number: (record.config, record.trial.status, record.trial.losses, record.trial.fidelity)
        for record in history(path).ended
        if record.trial is not None
    }


class Chatty(Digits):
    """Says where it trains."""

    def start_worker(self, config: Config, seed: int, device: Device, rank: int, workers: int) -> Session:
        print(f"process {rank} in {Path.cwd()}")  # noqa: T201 - what Ray Train replaces
        return super().start_worker(config, seed, device, rank, workers)


def reason(record: TrialRecord) -> str:
    assert record.trial is not None
    return record.trial.reason


def test_every_accident_fails_its_trial_and_no_other(tmp_path: Path, ray_cluster: None) -> None:
    accidents = "[none, raises, diverges, mute, dies, hangs]"
    overrides = (
        f"+search_space.parameters.accident={{type: categorical, choices: {accidents}}}",
        "optimizer=sobol",
        "seed=4",  # among whose first trials is each accident
        "search.trials=7",
        "search.concurrency=2",
        "search.time_limit=1.5",
        "cluster.cpus_per_trial=0.5",
        "cluster.max_failures=1",
    )
    assert run_here(tmp_path, *overrides) == 0
    study = history(tmp_path)
    assert len(study.ended) == 7
    reasons: dict[str, set[str]] = {}
    for record in study.ended:
        reasons.setdefault(str(record.config["accident"]), set()).add(reason(record))
    overdue = reasons.pop("hangs")
    assert reasons == {
        "none": {""},
        "raises": {"RuntimeError: out of luck"},
        "diverges": {"not a finite number: loss = nan"},
        "mute": {"the workload did not report 'loss'; it reported ['accuracy']"},
        "dies": {"its process died (killed, or out of memory)"},
    }
    lost = {record.number for record in study.ended if record.config["accident"] == "dies"}
    assert study.lost.keys() == lost and not lost & study.failures.keys(), "the others failed"
    assert {study.records[number].losses for number in lost} == {2}
    printed = "".join(log.read_text() for log in (tmp_path / "logs").iterdir())
    for number in lost:
        assert printed.count(f"--- trial {number} (") == 2
    for text in overdue:
        told, _, mark = text.partition("; where it was: ")
        assert told == "longer than search.time_limit (1.5 s)"
        assert "troubled.py" in Path(mark).read_text()
    statuses = {record.trial.status for record in study.ended if record.trial and not record.trial.reason}
    assert statuses == {"finished"}


def test_what_a_worker_cannot_set_up_is_told(tmp_path: Path, ray_cluster: None) -> None:
    target = "workload._target_=tests.orchestrator.search.troubled.Homesick"
    assert run_here(tmp_path, target, f"+workload.home={os.getpid()}", "search.concurrency=1") == 1
    assert history(tmp_path).stopped == "no worker is left; the last one: RuntimeError: only at home"
    assert not history(tmp_path).ended, "no trial is to blame"


@pytest.mark.long
def test_a_trial_that_fills_the_memory_is_killed_alone(tmp_path: Path) -> None:
    import psutil

    memory = psutil.virtual_memory()
    threshold = 1 - (memory.available - 4e9) / memory.total
    if threshold > 0.9:
        pytest.skip(f"needs about 6 GB of free memory, {memory.available / 1e9:.1f} GB are available")
    accidents = "{type: categorical, choices: [none, hoards]}"
    arguments = ["--config-dir", CONF, "+study=troubled", f"run.dir={tmp_path / 'run'}", "search.trials=4"]
    arguments += [f"+search_space.parameters.accident={accidents}", "optimizer=sobol", "search.concurrency=1"]
    arguments += ["cluster.max_failures=0"]
    limits = {"RAY_memory_usage_threshold": f"{threshold:.3f}", "RAY_memory_monitor_refresh_ms": "50"}
    assert program(arguments, **limits).wait(300) == 0
    reasons = {(record.config["accident"], reason(record)) for record in history(tmp_path / "run").ended}
    assert reasons == {
        ("none", ""),
        ("hoards", "its process was killed, since the machine was running out of memory"),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "slots", "kills"),
    [("optuna_tpe", 1, 1), pytest.param("sobol", 2, 2, marks=pytest.mark.long)],
    ids=str,
)
def test_a_driver_killed_at_random_moments_loses_and_repeats_nothing(
    tmp_path: Path, ray_address: str, optimizer: str, slots: int, kills: int
) -> None:
    overrides = (
        f"optimizer={optimizer}",
        f"search.concurrency={slots}",
        "search.trials=40",
        "workload.pause=0.01",
        "cluster.cpus_per_trial=0.5",
    )
    assert search_in_process(tmp_path / "undisturbed", *overrides, "workload.pause=0") == 0
    path = tmp_path / "killed"
    arguments = ["--config-dir", CONF, "+study=troubled", f"run.dir={path}", *overrides]
    arguments += ["cluster.address=auto"]
    rng = np.random.default_rng(time.time_ns())
    journal = RunDirectory(path).journal
    # The coordinator outlives its driver for a moment, in which a few more trials end.
    for resumed, ended in enumerate(sorted(rng.integers(1, 30, size=kills))):
        kill_after(program(arguments, RAY_ADDRESS=ray_address), journal, int(ended), resumed)
        arguments = [f"resume={path}"]
    assert program(arguments, RAY_ADDRESS=ray_address).wait(300) == 0
    assert finished(path) == finished(tmp_path / "undisturbed")
    events = read_journal(journal)
    numbers = [event["trial"] for event in events if event["event"] == "ended"]
    assert sorted(numbers) == list(range(40))
    assert sum(event["event"] == "resume" for event in events) == kills
    study = history(path)
    assert len({trial.metrics["pid"] for trial in study.trials}) <= (kills + 1) * slots, "few processes"
    assert all([report.fidelity for report in record.reports] == [1, 3, 9] for record in study.ended)
    # A finished study is not run again.
    before = journal.read_bytes()
    assert run_here(path, *overrides, resume=True) == 0
    assert journal.read_bytes() == before


def program(arguments: list[str], **variables: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    environment |= variables
    command = [sys.executable, "-m", "orchestrator", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def kill_after(process: subprocess.Popen[bytes], journal: Path, ended: int, resumed: int) -> None:
    """Kill the program once at least ``ended`` trials have ended and it has gone on with the journal."""
    deadline = time.monotonic() + 120
    while not _has_come_to(journal, ended, resumed):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.003)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _has_come_to(journal: Path, ended: int, resumed: int) -> bool:
    counts = Counter(event["event"] for event in read_journal(journal))
    return counts["ended"] >= ended and counts["resume"] >= resumed


@pytest.mark.long  # gangs of members train on Ray too; what befalls a trial's: ``engine/test_ray_gang.py``
def test_two_workers_train_a_trial_as_one_process_would_and_go_on_to_the_next(
    tmp_path: Path, ray_cluster: None
) -> None:
    assert search_in_process(tmp_path / "alone", study="small_digits") == 0
    target = "workload._target_=tests.orchestrator.studies.test_ray_search.Chatty"
    several = ("search.workers=2", "search.trials=3", "search.concurrency=1", "search/stopping=asha")
    several = (*several, "search.checkpoint_seconds=1e-6")
    assert run_here(tmp_path / "two", *several, target, study="small_digits") == 0
    events = read_journal(RunDirectory(tmp_path / "two").journal)
    assert {(event["trial"], event["fidelity"]) for event in events if event["event"] == "saved"} >= {(0, 10)}
    for rank in (0, 1):
        lines = (tmp_path / "two" / "logs" / f"worker-0.{rank}.log").read_text().splitlines()
        assert [line.partition(" (")[0] for line in lines[::2]] == [f"--- trial {i}" for i in range(3)]
        assert lines[1::2] == [f"process {rank} in {Path.cwd()}"] * 3, "not twice, nor in Ray Train's folder"
    study = history(tmp_path / "two")
    assert [trial.status for trial in study.trials].count("stopped") >= 1
    assert len(study.trials) == 3 and all(trial.usable for trial in study.trials)
    (record,), other = history(tmp_path / "alone").ended, study.records[0]
    assert [report.fidelity for report in other.reports] == [10, 30]
    assert record.trial is not None and other.trial is not None
    for name in ("validation_loss", "train_loss"):
        assert other.trial.metrics[name] == pytest.approx(record.trial.metrics[name], rel=1e-3)
    assert other.test["test_loss"] == pytest.approx(record.test["test_loss"], rel=1e-3)
