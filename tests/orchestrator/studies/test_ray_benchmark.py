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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> Path:
    """The tiny study, that nothing has happened to."""
    path = tmp_path_factory.mktemp("undisturbed")
    assert run_here(path) == 0
    return path


def test_a_study_comes_to_its_report_and_is_not_run_again(undisturbed: Path) -> None:
    study = history(undisturbed)
    assert (study.ended, study.failures, study.start.cells) == (14, [], 14)
    assert study.final is not None and study.final["methods"]["random"]["rank.all"] > 0
    assert (undisturbed / "results" / "report.html").stat().st_size > 100_000
    before = RunDirectory(undisturbed).journal.read_bytes()
    assert run_here(undisturbed, resume=True) == 0
    assert RunDirectory(undisturbed).journal.read_bytes() == before


@pytest.mark.long  # the next one kills a process too
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
def test_killed_at_random_moments_and_resumed_gives_the_same_tables(
    tmp_path: Path, undisturbed: Path, ray_address: str
) -> None:
    path = tmp_path / "killed"
    slow = "+benchmark.suites.steps.workload.pause=0.03"
    arguments = [*TINY, slow, f"run.dir={path}", "cluster.address=auto"]
    seed = time.time_ns()
    rng = np.random.default_rng(seed)
    with started(arguments, RAY_ADDRESS=ray_address) as process:
        stored = int(rng.integers(1, 8))
        wait_for_cells(process, path, stored)
        kill_a_worker()
        wait_for_cells(process, path, stored + int(rng.integers(1, 5)))
        process.send_signal(signal.SIGKILL)
    arguments = [f"resume={path}"]
    with started(arguments, RAY_ADDRESS=ray_address) as process:
        assert process.wait(300) == 0
    assert tables(path) == tables(undisturbed), f"killed at the moments of seed {seed}"


@pytest.mark.long  # the one before goes on with a killed study, ``cli/test_extend.py`` extends one
def test_an_interrupted_study_says_how_to_go_on_and_is_extended_from_the_command_line(
    tmp_path: Path, undisturbed: Path, ray_address: str
) -> None:
    path, shared = tmp_path / "run", {"RAY_ADDRESS": ray_address}
    slow = ("benchmark.seeds=20", "+benchmark.suites.steps.workload.pause=0.02", "cluster.address=auto")
    with started([*TINY, *slow, f"run.dir={path}"], stdout=subprocess.PIPE, **shared) as process:
        wait_for_cells(process, path, 5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130, out
    assert f"go on with: python -m orchestrator --config-dir {CONF} resume={path}" in out
    stored, lines = Store(path / "cells").finished(), len(read_journal(RunDirectory(path).journal))
    extension = ["+optimizer@benchmark.methods.sobol=sobol", "benchmark.seeds=3"]
    with started([f"resume={path}", *extension], **shared) as process:
        assert process.wait(120) == 0
    config = yaml.safe_load((path / "config.yaml").read_text())
    assert list(config["benchmark"]["methods"]) == ["random", "tpe", "hyperband", "sobol"]
    assert config["benchmark"]["seeds"] == 3
    assert (history(path).ended, history(path).start.cells) == (30, 30)
    kept = Store(path / "cells").finished()
    assert {key: kept[key] for key in stored} == stored
    events = read_journal(RunDirectory(path).journal)[lines:]
    computed = sum(sum(event["finished"].values()) for event in events if event["event"] == "cells")
    assert computed == len(kept) - len(stored), "nothing is computed again"
    first, found = load_results(undisturbed), load_results(path).evaluations
    of_both = found[found["method"].isin(first.methods) & found["seed"].isin(first.seeds)]
    assert of_both.to_csv(index=False) == first.evaluations.to_csv(index=False)


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
