"""The files that a population study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

from orchestrator.population.history import PopulationHistory
from orchestrator.run.results import replacing, write_table


def write_results(run_dir: Path, history: PopulationHistory) -> Path:
    """Write ``results/`` below ``run_dir``, replacing what an earlier call wrote; returns the folder.

    - ``intervals.parquet``, ``lineage.parquet``: the data frames of :mod:`.frames`.
    - ``schedule.png``, ``schedule.html``: objectives and hyperparameters over training; the page stands
      alone.
    """
    from orchestrator.population import frames
    from orchestrator.reporting.population import plots
    from orchestrator.reporting.population.schedule import schedule

    folder = run_dir / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in [("intervals", frames.intervals(history)), ("lineage", frames.lineage(history))]:
        write_table(folder / f"{name}.parquet", frame)
    panels = schedule(history)
    with replacing(folder / "schedule.png") as path:
        plots.schedule_png(panels, path)
    with replacing(folder / "schedule.html") as path:
        plots.schedule_html(panels, path)
    return folder
