"""The files that a population study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

import yaml

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.trajectory import trajectory_of
from orchestrator.run.directory import RunDirectory
from orchestrator.run.results import replacing, write_table

PAGE = "schedule.html"
SCHEDULE = "schedule.yaml"


def write_results(folder: Path, history: PopulationHistory, run: Path | None = None) -> Path:
    """Write everything into ``folder``, replacing what an earlier call wrote; returns the folder.

    - ``models.csv`` and ``models/<n>.pt``, once the study is complete: the trained models that it keeps.
    - ``intervals.parquet``, ``lineage.parquet``: the data frames of :mod:`.frames`.
    - ``schedule.yaml``: what the best weights were trained with, from their initialisation on.
    - A PNG of each figure that :data:`orchestrator.reporting.figures.POPULATION` lists.
    - ``schedule.html``: the same figures as one interactive page that stands alone.

    Args:
        folder: made where it is missing.
        history: of the study.
        run: the run directory, which has the models' weights; None: they are not written.
    """
    from orchestrator.population.history import frames
    from orchestrator.reporting.document import document
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import POPULATION
    from orchestrator.reporting.population.configurations import configurations
    from orchestrator.reporting.population.schedule import title
    from orchestrator.reporting.population.summary import findings, headline

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in [("intervals", frames.intervals(history)), ("lineage", frames.lineage(history))]:
        write_table(folder / f"{name}.parquet", frame)
    trajectory = trajectory_of(history)
    if trajectory is not None:
        with replacing(folder / SCHEDULE) as path:
            path.write_text(yaml.safe_dump(trajectory.to_data(), sort_keys=False), encoding="utf-8")
    if run is not None and history.models:
        _write_models(folder, history, RunDirectory(run))
    drawing = Drawing(POPULATION, history)
    drawing.write(folder)
    with replacing(folder / PAGE) as path:
        found = [*headline(history), *(line[0].upper() + line[1:] for line in findings(history))]
        page = document(title(history), drawing.sections(), found, configurations(history))
        path.write_text(page, encoding="utf-8")
    return folder


def _write_models(folder: Path, history: PopulationHistory, run: RunDirectory) -> None:
    """The models' files and their table."""
    from orchestrator.population.history import frames
    from orchestrator.reporting.models import keep_models

    files = [run.inside(model["weights"]) for model in history.models]
    keep_models(folder, files, frames.models(history))
