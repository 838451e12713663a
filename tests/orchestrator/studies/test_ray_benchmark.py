"""Whole benchmark studies on real Ray."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.results import load_results
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from tests.conftest import composed

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]
CONF = str(Path(__file__).parents[1] / "benchmark" / "conf")
TINY = ("--config-dir", CONF, "+study=tiny")
ACCIDENT = "+benchmark.suites.steps.search_space.parameters.accident"
ONE_TASK = (
    "~benchmark.suites.zdt",
    "~benchmark.methods.tpe",
    "~benchmark.methods.hyperband",
)


def run_here(path: Path, *overrides: str, resume: bool = False) -> int:
    from orchestrator.studies.benchmark import run

    path.mkdir(parents=True, exist_ok=True)
    return run(composed(*TINY, *overrides), path, resume)


def history(path: Path) -> BenchmarkHistory:
    return BenchmarkHistory.from_events(read_journal(RunDirectory(path).journal))


def tables(path: Path) -> dict[str, bytes]:
    """All tables of the report, and the evaluations."""
    found = {file.name: file.read_bytes() for file in (path / "results").glob("*.csv")}
    found["evaluations"] = load_results(path).evaluations.to_csv().encode()
    return found


def test_a_study_comes_to_its_report_and_is_extended(tmp_path: Path, ray_cluster: None) -> None:
    assert run_here(tmp_path) == 0
    study = history(tmp_path)
    assert (study.ended, study.failures, study.start.cells) == (14, [], 14)
    assert study.final is not None and study.final["methods"]["random"]["rank.all"] > 0
    assert (tmp_path / "results" / "report.html").stat().st_size > 100_000
    stored, journal = Store(tmp_path / "cells").finished(), RunDirectory(tmp_path).journal
    before = journal.read_bytes()
    first = load_results(tmp_path)

    assert run_here(tmp_path, resume=True) == 0
    assert journal.read_bytes() == before, "a complete study is not run again"

    more = ("benchmark.seeds=3", "+optimizer@benchmark.methods.sobol=sobol")
    assert run_here(tmp_path, *more, resume=True) == 0
    extended = history(tmp_path)
    events = read_journal(journal)[len(before.splitlines()) :]
    computed = sum(sum(event["finished"].values()) for event in events if event["event"] == "cells")
    assert (extended.ended, computed) == (30, 30 - 14)
    kept = Store(tmp_path / "cells").finished()
    assert {key: kept[key] for key in stored} == stored
    again = load_results(tmp_path).evaluations
    of_before = again[again["method"].isin(first.methods) & again["seed"].isin(first.seeds)]
    assert of_before.to_csv(index=False) == first.evaluations.to_csv(index=False)


def test_a_cell_that_kills_its_process_is_lost_alone(tmp_path: Path, ray_cluster: None) -> None:
    overrides = (*ONE_TASK, f"{ACCIDENT}={{type: categorical, choices: [none, dies], weights: [24, 1]}}")
    assert run_here(tmp_path, *overrides, "benchmark.seeds=8") == 0
    study = history(tmp_path)
    assert study.ended == 8
    assert study.failures == []
    assert 0 < len(study.lost) < 8
    assert {one.reason for one in study.lost} == {"its process died (killed, or out of memory)"}
    assert study.final is not None and study.final["lost"] == len(study.lost)
    assert set(load_results(tmp_path).cells["status"]) == {"finished", "lost"}
    printed = "".join(log.read_text() for log in (tmp_path / "logs").iterdir())
    assert "--- cell random on steps seed" in printed and "dies at" in printed


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_gives_the_same_tables(tmp_path: Path, ray_address: str) -> None:
    overrides = ("benchmark.seeds=6", "+benchmark.suites.steps.workload.pause=0.01")
    assert run_here(tmp_path / "undisturbed", *overrides) == 0
    path = tmp_path / "killed"
    arguments = [*TINY, *overrides, f"run.dir={path}", "cluster.address=auto"]
    seed = time.time_ns()
    rng = np.random.default_rng(seed)
    for number, stored in enumerate(sorted(rng.integers(1, 40, size=3).tolist())):
        with started(arguments, RAY_ADDRESS=ray_address) as process:
            wait_for_cells(process, path, stored)
            if number == 0:
                kill_a_worker()
                wait_for_cells(process, path, stored + 2)
            process.send_signal(signal.SIGKILL)
        arguments = [f"resume={path}"]
    with started(arguments, RAY_ADDRESS=ray_address) as process:
        assert process.wait(300) == 0
    assert tables(path) == tables(tmp_path / "undisturbed"), f"killed at the moments of seed {seed}"


@pytest.mark.slow
def test_an_interrupted_study_says_how_to_go_on_and_is_extended_from_the_command_line(
    tmp_path: Path, ray_address: str
) -> None:
    path, shared = tmp_path / "run", {"RAY_ADDRESS": ray_address}
    slow = ("benchmark.seeds=20", "+benchmark.suites.steps.workload.pause=0.02", "cluster.address=auto")
    with started([*TINY, *slow, f"run.dir={path}"], stdout=subprocess.PIPE, **shared) as process:
        wait_for_cells(process, path, 5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
    assert f"go on with: python -m orchestrator --config-dir {CONF} resume={path}" in out
    stored = len(Store(path / "cells").finished())
    extension = ["+optimizer@benchmark.methods.sobol=sobol", "benchmark.seeds=3"]
    with started([f"resume={path}", *extension], **shared) as process:
        assert process.wait(120) == 0
    config = yaml.safe_load((path / "config.yaml").read_text())
    assert list(config["benchmark"]["methods"]) == ["random", "tpe", "hyperband", "sobol"]
    assert config["benchmark"]["seeds"] == 3
    assert history(path).start.cells == 30
    assert len(Store(path / "cells").finished()) >= max(stored, 30)


def wait_for_cells(process: subprocess.Popen[Any], path: Path, cells: int) -> None:
    deadline = time.monotonic() + 180
    while len(Store(path / "cells").finished()) < cells:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def kill_a_worker() -> None:
    """Kill a process that computes cells: a child of the raylet that this process has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            # While it computes, its name is that of the class in which Tune wraps it.
            computes = command.startswith((b"ray::CellWorker", b"ray::_Inner.train"))
            if computes and parent(parent(int(folder.name))) == os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
                return
    raise AssertionError("there is no such process")


def parent(process: int) -> int:
    """The id of a process's parent."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def started(
    arguments: list[str], stdout: int = subprocess.DEVNULL, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """The program, in a session of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    environment |= variables
    command = [sys.executable, "-m", "orchestrator", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=stdout, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
