"""The files that a search study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

from orchestrator.run.results import replacing, write_table
from orchestrator.search.history import SearchHistory
from search_spaces import SearchSpace

PAGE = "study.html"


def write_results(
    folder: Path, history: SearchHistory, space: SearchSpace, export_optuna: bool = False
) -> Path:
    """Write everything into ``folder``, replacing what an earlier call wrote; returns the folder.

    - ``trials.parquet``, ``reports.parquet``, ``pareto.parquet``: see :mod:`orchestrator.search.frames`.
    - A PNG of each figure that :data:`orchestrator.reporting.figures.SEARCH` lists, where there is
      something to show.
    - ``study.html``: the same figures as one interactive page that stands alone.
    - ``optuna.journal``, where that is asked for: the study as an Optuna storage, which
      ``optuna-dashboard optuna.journal`` opens.
    """
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import SEARCH
    from orchestrator.reporting.search.overview import overview
    from orchestrator.reporting.search.page import page
    from orchestrator.search import frames

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("trials", frames.trials(history)),
        ("reports", frames.reports(history)),
        ("pareto", frames.pareto(history)),
    ):
        write_table(folder / f"{name}.parquet", frame)
    view = overview(history, space)
    drawing = Drawing(SEARCH, view)
    drawing.write(folder)
    with replacing(folder / PAGE) as path:
        path.write_text(page(view, drawing.sections()), encoding="utf-8")
    if export_optuna:
        from orchestrator.search.optuna_export import export

        with replacing(folder / "optuna.journal") as path:
            export(history, space, path)
    return folder
