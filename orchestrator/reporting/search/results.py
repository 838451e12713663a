"""The files that a search study leaves for people and notebooks."""

from __future__ import annotations

from pathlib import Path

import yaml

from orchestrator.population.schedule import Followed
from orchestrator.run.results import replacing, write_table
from orchestrator.search.finals.models import StoredModels
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.trials.repeat import trajectory_of_trial
from search_spaces import SearchSpace

PAGE = "study.html"


def write_results(
    folder: Path,
    history: SearchHistory,
    space: SearchSpace,
    followed: Followed | None = None,
    models: StoredModels | None = None,
) -> Path:
    """Write everything into ``folder``, replacing what an earlier call wrote; returns the folder.

    - ``trials.parquet``, ``reports.parquet``, ``pareto.parquet``: see
      :mod:`orchestrator.search.history.frames`.
    - ``finalists.parquet``, where there are any.
    - A PNG of each figure that :data:`orchestrator.reporting.figures.SEARCH` lists, where there is
      something to show.
    - ``best.yaml``: the best trial, or the best trade-off, as a schedule that ``schedule=<file>`` takes; with
      several objectives the Pareto set's trials as ``pareto/<trial>.yaml``.
    - ``models.csv`` and ``models/<n>.pt``: the trained models that it keeps, the best one first.
    - ``study.html``: the same figures as one interactive page that stands alone.

    Args:
        folder: made where it is missing.
        history: of the study.
        space: what it tunes.
        followed: the schedule that its trials follow; None: there is none.
        models: the weights that it keeps; None: they are not written.
    """
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import SEARCH
    from orchestrator.reporting.search.overview import overview
    from orchestrator.reporting.search.page import page
    from orchestrator.search.history import frames

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("trials", frames.trials(history)),
        ("reports", frames.reports(history)),
        ("pareto", frames.pareto(history)),
    ):
        write_table(folder / f"{name}.parquet", frame)
    if history.finals.plan is not None:
        write_table(folder / "finalists.parquet", frames.finalists(history))
    _write_best(folder, history, followed)
    if models is not None:
        write_models(folder, history, models)
    view = overview(history, space)
    drawing = Drawing(SEARCH, view)
    drawing.write(folder)
    with replacing(folder / PAGE) as path:
        path.write_text(page(view, drawing.sections()), encoding="utf-8")
    return folder


def write_models(folder: Path, history: SearchHistory, stored: StoredModels) -> None:
    """The models' files and their table."""
    from orchestrator.reporting.models import keep_models
    from orchestrator.search.history import frames

    kept = stored.trials(history)
    keep_models(folder, [stored.file(record) for record in kept], frames.models(kept))


def _write_best(folder: Path, history: SearchHistory, followed: Followed | None) -> None:
    """The configurations worth training again, and none that an earlier call left and are not any more."""
    for file in (folder / "best.yaml", *(folder / "pareto").glob("*.yaml")):
        file.unlink(missing_ok=True)
    records = {"best.yaml": best} if (best := history.knee()) is not None else {}
    if len(history.start.objectives) > 1:
        records |= {f"pareto/{one.number:d}.yaml": one for one in history.pareto()}
    for name, record in records.items():
        (folder / name).parent.mkdir(exist_ok=True)
        data = trajectory_of_trial(history, record, followed).to_data()
        with replacing(folder / name) as path:
            path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
