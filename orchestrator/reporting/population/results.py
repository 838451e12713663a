"""The files that a population study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

import yaml

from orchestrator.population.history import PopulationHistory
from orchestrator.population.trajectory import trajectory_of
from orchestrator.run.directory import RunDirectory
from orchestrator.run.results import replacing, write_table
from workloads.state import remove_state, share_state

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
    from orchestrator.population import frames
    from orchestrator.reporting.document import document
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import POPULATION
    from orchestrator.reporting.population.schedule import title
    from orchestrator.reporting.population.summary import findings

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in [("intervals", frames.intervals(history)), ("lineage", frames.lineage(history))]:
        write_table(folder / f"{name}.parquet", frame)
    trajectory = trajectory_of(history)
    if trajectory is not None:
        with replacing(folder / SCHEDULE) as path:
            path.write_text(yaml.safe_dump(trajectory.to_data(), sort_keys=False), encoding="utf-8")
    if run is not None and history.models:
        _write_models(folder, history, run)
    drawing = Drawing(POPULATION, history)
    drawing.write(folder)
    with replacing(folder / PAGE) as path:
        found = [line[0].upper() + line[1:] for line in findings(history)]
        path.write_text(document(title(history), drawing.sections(), found), encoding="utf-8")
    return folder


def _write_models(folder: Path, history: PopulationHistory, run: Path) -> None:
    """The models' files, on the disk once where the file system has hard links, and their table."""
    from orchestrator.population import frames

    models = folder / "models"
    models.mkdir(exist_ok=True)
    for number, model in enumerate(history.models):
        share_state(RunDirectory(run).inside(model["weights"]), models / f"{number}.pt")
    for file in models.glob("*.pt"):
        if file.stem.isdigit() and int(file.stem) >= len(history.models):
            remove_state(file)
    with replacing(folder / "models.csv") as path:
        frames.models(history).to_csv(path, index=False)
