"""The files that a population study leaves for people and notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.population.history import PopulationHistory

if TYPE_CHECKING:
    import pandas as pd


def write_results(run_dir: Path, history: PopulationHistory) -> Path:
    """Write ``results/`` below ``run_dir``, replacing what an earlier call wrote; returns the folder.

    - ``intervals.parquet``, ``lineage.parquet``: the data frames of :class:`PopulationHistory`.
    - ``schedule.png``, ``schedule.html``: objectives and hyperparameters over training; the page stands
      alone.

    Each file appears whole or not at all.
    """
    from orchestrator.population import plots
    from orchestrator.population.schedule import schedule

    folder = run_dir / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in [("intervals", history.intervals()), ("lineage", history.lineage())]:
        with _replacing(folder / f"{name}.parquet") as path:
            _storable(frame).to_parquet(path, index=False)
    panels = schedule(history)
    with _replacing(folder / "schedule.png") as path:
        plots.schedule_png(panels, path)
    with _replacing(folder / "schedule.html") as path:
        plots.schedule_html(panels, path)
    return folder


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed types (a choice among ``0.1`` and ``auto``) as text: Parquet wants one type."""
    mixed = [
        name
        for name in frame.columns
        if frame[name].dtype == object and len({type(value) for value in frame[name].dropna()}) > 1
    ]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore") for name in mixed})
