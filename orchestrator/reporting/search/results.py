"""The files that a search study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

from orchestrator.run.results import replacing, write_table
from orchestrator.search.history import SearchHistory
from search_spaces import SearchSpace


def write_results(
    run_dir: Path, history: SearchHistory, space: SearchSpace, export_optuna: bool = False
) -> Path:
    """Write ``results/`` below ``run_dir``, replacing what an earlier call wrote; returns the folder.

    - ``trials.parquet``, ``reports.parquet``, ``pareto.parquet``: see :mod:`orchestrator.search.frames`.
    - ``front.png`` (several objectives), ``slices.png`` (one), ``parallel.png``, ``progress.png``,
      ``learning_curves.png`` (trials that report more than once) and ``importance.png`` (enough trials).
    - ``study.html``: all of these as one interactive page that stands alone.
    - ``optuna.journal``, where that is asked for: the study as an Optuna storage, which
      ``optuna-dashboard optuna.journal`` opens.
    """
    from orchestrator.reporting.search.overview import overview
    from orchestrator.reporting.search.page import page
    from orchestrator.reporting.search.pictures import pictures
    from orchestrator.reporting.style import save
    from orchestrator.search import frames

    folder = run_dir / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("trials", frames.trials(history)),
        ("reports", frames.reports(history)),
        ("pareto", frames.pareto(history)),
    ):
        write_table(folder / f"{name}.parquet", frame)
    view = overview(history, space)
    for name, figure in pictures(view):
        with replacing(folder / f"{name}.png") as path:
            save(figure, path)
    with replacing(folder / "study.html") as path:
        path.write_text(page(view), encoding="utf-8")
    if export_optuna:
        from orchestrator.search.optuna_export import export

        with replacing(folder / "optuna.journal") as path:
            export(history, space, path)
    return folder
