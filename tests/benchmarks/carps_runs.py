"""carps 1.1.0 (Benjamins et al. 2025), run as its users run it, in a Python environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measuring import progress

VERSION = "1.1.0"
_PANDAS = "pandas<3"
"""Its analysis of several objectives groups by columns that pandas 3 takes out of the groups."""
_FILE_LOGGER = "loggers=[{_target_: carps.loggers.file_logger.FileLogger, _partial_: true, overwrite: true}]"
_SHOWN_LINES = 15


def carps_python(given: Path | None, *needs: str) -> Path:
    """The Python that carps is installed for: the given one, else one of an environment in the user's cache.

    Args:
        given: its path.
        needs: distributions that are installed with carps when the environment is made.
    """
    if given is not None:
        return given.absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "orchestrator" / "-".join([f"carps-{VERSION}-pandas-2", *needs])
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        progress(f"installing carps {VERSION} in {folder}: some minutes")
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", f"carps=={VERSION}", _PANDAS, *needs]
        subprocess.run(install, check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return python


def run_carps(
    python: Path, optimizer: str, tasks: str, seeds: Sequence[int], folder: Path, *more: str, workers: int = 1
) -> float:
    """Run cells and log them to files.

    Args:
        python: what carps is installed for.
        optimizer: a configuration of carps', such as ``optuna=SO_TPE``.
        tasks: configurations of one group, such as ``BBOB=cfg_2_1_1,cfg_2_8_1``.
        seeds: of each task's cells.
        folder: where the logs go.
        more: overrides.
        workers: of Hydra's joblib launcher; 1: all cells one after another in one process.

    Returns:
        Seconds, with starting and ending.

    Raises:
        RuntimeError: carps failed, or not every cell was logged; the message has the end of its output.
    """
    launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"] if workers > 1 else []
    overrides = [
        f"+optimizer/{optimizer}",
        f"+task/{tasks}",
        f"seed={','.join(map(str, seeds))}",
        f"baserundir={folder.absolute()}",
        _FILE_LOGGER,
        *launcher,
        *more,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    known = _logs(folder)
    began = time.perf_counter()
    done = subprocess.run(
        [str(python), "-m", "carps.run", "--multirun", *overrides],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    expected, found = len(seeds) * (tasks.count(",") + 1), len(_logs(folder) - known)
    if done.returncode or found != expected:
        output = "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])
        what = f"carps logged {found} of {expected} cells and ended with {done.returncode}"
        raise RuntimeError(f"{what}:\n{output}")
    return seconds


def _logs(folder: Path) -> set[tuple[Path, float]]:
    """All logs and when they were last written to: carps writes those of cells that it repeats anew."""
    return {(log, log.stat().st_mtime) for log in folder.rglob("trial_logs.jsonl")}
