"""Checks of whole studies on one GPU, with real Ray and processes that share it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from orchestrator.population.history.frames import intervals
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.snapshots.snapshots import valid_snapshots
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from tests.benchmarks.measuring import progress

SHARED = ("tracking=none", "deterministic=true", "cluster.cpus=4", "cluster.gpus=1")
POPULATION = ("+study=pbt_digits", "population.size=8", "population.generations=8", "cluster.islands=2")
HALF_A_GPU = "cluster.gpus_per_island=0.5"
FRAGILE = "workload._target_=tests.orchestrator.population.fragile.FragileDigits"
ASSERTING = "workload._target_=tests.benchmarks.gpu.asserting.AssertingDigits"


def population(device: str) -> dict[str, Any]:
    """Two islands share the GPU, synchronous and asynchronous; whether one island gives the same bits."""
    with _folder() as folder:
        kinds = {"two": (), "one": ("cluster.islands=1",), "free": ("population.synchronous=false",)}
        seconds = _together(
            *(lambda n=n, o=o: _study(folder / n, *_on(device, *POPULATION, *o)) for n, o in kinds.items())
        )
        assert len(_lives(folder / "two")) == len(_lives(folder / "free")) == 8 * 8
        same = _lives(folder / "two").equals(_lives(folder / "one"))
        return {"seconds": seconds, "same_with_one_island": same, **_engine(folder / "two")}


def killed(device: str) -> dict[str, Any]:
    """An island that dies, and a study whose every process is killed and resumed, end as undisturbed."""
    with _folder() as folder:
        marker = folder / "died"
        dying = (FRAGILE, f"+workload.marker={marker}")
        _together(
            lambda: _study(folder / "calm", *_on(device, *POPULATION)),
            lambda: _study(folder / "island", *_on(device, *POPULATION, *dying)),
            lambda: _kill_in_the_middle(folder / "driver", *_on(device, *POPULATION)),
        )
        assert marker.exists(), "no island died"
        _study(folder / "driver", f"resume={folder / 'driver'}", new=False)
        _assert_same(folder / "island", folder / "calm")
        _assert_same(folder / "driver", folder / "calm")
    return {}


def broken_device(device: str) -> dict[str, Any]:
    """A device-side assertion in one member's training costs that member, and nobody else."""
    with _folder() as folder:
        sizes = ("population.size=4", "population.generations=4", "cluster.islands=1")
        overrides = (*sizes, "population.engine=loop", ASSERTING)
        _study(folder / "run", *_on(device, "+study=pbt_digits", *overrides, deterministic=False))
        events = read_journal(RunDirectory(folder / "run").journal)
        remarks = [event["text"] for event in events if event["event"] == "remark" and event.get("faults")]
        lives = _lives(folder / "run")
        failed = set(lives.loc[lives["failure"].notna(), "member"])
        assert len(remarks) == 2 and "device-side assert" in remarks[0], f"the journal says {remarks}"
        assert failed == {1}, f"members {failed} failed"
        return {"remarks": remarks}


def search(device: str) -> dict[str, Any]:
    """Four trials at a time share the GPU, each with its own part of the memory."""
    with _folder() as folder:
        gpus = "0.25" if device == "cuda" else "0"
        seconds = _study(
            folder / "run",
            *("+study=search_digits", "search.trials=8", "search.concurrency=4", *SHARED),
            f"cluster.gpus_per_trial={gpus}",
        )
        trials = pd.read_parquet(folder / "run" / "results" / "trials.parquet")
        assert len(trials) == 8 and set(trials["status"]) <= {"finished", "stopped"}, trials[
            "reason"
        ].tolist()
        return {"seconds": seconds}


def gang(device: str) -> dict[str, Any]:
    """A trial of two processes that have half a GPU each: refused before it starts, or trained."""
    with _folder() as folder:
        gpus = "0.5" if device == "cuda" else "0"
        overrides = ("+study=search_digits", "search.trials=1", "search.workers=2", "workload.steps=50")
        done = _start(folder / "run", *overrides, *SHARED, f"cluster.gpus_per_trial={gpus}")
        said = (done.stderr or done.stdout).strip().splitlines()
        assert done.returncode in (0, 2), f"exit code {done.returncode}: {said[-1:]}"
        return {"exit_code": done.returncode, "said": said[-1] if done.returncode else ""}


def replay(device: str) -> dict[str, Any]:
    """The winner's schedule is trained again where the study trained."""
    with _folder() as folder:
        _study(folder / "run", *_on(device, *POPULATION))
        command = [sys.executable, "-m", "orchestrator", "replay", str(folder / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr.strip().splitlines()[-1:]
        return {"said": done.stdout.strip().splitlines()[-1]}


def _together(*works: Callable[[], Any]) -> list[Any]:
    """What these return that run at the same time."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda work: work(), works))


def _on(device: str, *overrides: str, deterministic: bool = True) -> tuple[str, ...]:
    shared = SHARED if deterministic else (*SHARED, "deterministic=false")
    if device != "cuda":
        return (*overrides, *shared, "cluster.gpus=0")
    return (*overrides, *shared, HALF_A_GPU)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _start(run: Path, *overrides: str, new: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator", *overrides, *([f"run.dir={run}"] if new else [])]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _study(run: Path, *overrides: str, new: bool = True) -> float:
    """Run a study to its end; how many seconds that took."""
    began = time.perf_counter()
    done = _start(run, *overrides, new=new)
    seconds = time.perf_counter() - began
    progress(f"{run.name}: {seconds:.0f} s, of which the journal tells {_phases(run)}")
    assert done.returncode == 0, f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}"
    return seconds


def _phases(run: Path) -> dict[str, float]:
    """When each kind of event was last written, in seconds after the first."""
    journal = RunDirectory(run).journal
    events = [event for event in read_journal(journal) if "time" in event] if journal.exists() else []
    return {event["event"]: round(event["time"] - events[0]["time"], 1) for event in events}


def _kill_in_the_middle(run: Path, *overrides: str) -> None:
    """Kill every process of a study as soon as its third generation is on record."""
    command = [sys.executable, "-m", "orchestrator", *overrides, f"run.dir={run}"]
    driver = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while driver.poll() is None and not valid_snapshots(RunDirectory(run).snapshots):
            time.sleep(0.02)
        assert driver.poll() is None, "the study ended before it could be killed"
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def _assert_same(run: Path, other: Path) -> None:
    """Two studies went the same way."""
    pd.testing.assert_frame_equal(_lives(run), _lives(other), check_exact=True)


def _lives(run: Path) -> pd.DataFrame:
    """What each member did, without what depends on the clock."""
    history = PopulationHistory.from_events(read_journal(RunDirectory(run).journal))
    return intervals(history).drop(columns=["seconds", "time"])


def _engine(run: Path) -> dict[str, Any]:
    """What the journal says of the engine that was chosen."""
    events = [one for one in read_journal(RunDirectory(run).journal) if one["event"] == "engine"]
    return {"engine": events[-1]["engine"], "reason": events[-1]["reason"]} if events else {}
