"""The files that a population study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

from orchestrator.population.history import PopulationHistory
from orchestrator.run.results import replacing, write_table

PAGE = "schedule.html"


def write_results(folder: Path, history: PopulationHistory) -> Path:
    """Write everything into ``folder``, replacing what an earlier call wrote; returns the folder.

    - ``intervals.parquet``, ``lineage.parquet``: the data frames of :mod:`.frames`.
    - A PNG of each figure that :data:`orchestrator.reporting.figures.POPULATION` lists.
    - ``schedule.html``: the same figures as one interactive page that stands alone.
    """
    from orchestrator.population import frames
    from orchestrator.reporting.document import document, headed
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import POPULATION
    from orchestrator.reporting.population.schedule import title

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in [("intervals", frames.intervals(history)), ("lineage", frames.lineage(history))]:
        write_table(folder / f"{name}.parquet", frame)
    drawing = Drawing(POPULATION, history)
    drawing.write(folder)
    with replacing(folder / PAGE) as path:
        sections = "\n".join(map(headed, drawing.sections()))
        path.write_text(document(title(history), sections), encoding="utf-8")
    return folder
