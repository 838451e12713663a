"""How far a study had come after each trial, and after each second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from orchestrator.objective import sign
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats, bulk, logarithmic, objective_label
from orchestrator.reporting.search.charts import early_marks
from orchestrator.reporting.search.configurations import keys
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.style import ALL, PARETO, new_figure, rings
from orchestrator.reporting.style import logarithmic_axis, plain, time_scale
from orchestrator.search.history.history import SearchHistory


@dataclass(frozen=True)
class Progress:
    """What the study had reached after each trial.

    Args:
        label: what is shown.
        values: after each ended trial, shape ``(n,)``; NaN while there was nothing.
        elapsed: seconds that the study had been running, shape ``(n,)``.
        single: with one objective, each trial's own result; NaN if it has none.
        early: with one objective, the results of trials that were trained less; NaN for the others.
        log: whether values are drawn on a logarithmic axis.
    """

    label: str
    values: Floats
    elapsed: Floats
    single: Floats | None
    early: Floats | None
    log: bool

    @property
    def single_and_early(self) -> Floats:
        """What all trials reached, in no order; only with one objective."""
        return np.concatenate([one for one in (self.single, self.early) if one is not None])

    @property
    def known(self) -> bool:
        """Whether there is anything to show."""
        shown = [one for one in (self.values, self.early) if one is not None]
        return bool(np.isfinite(np.concatenate(shown)).any())


def describe(view: Overview) -> Progress | None:
    """The hypervolume, or the best value; None where no trial has a result."""
    found = _progress(view.history)
    return found if found.known else None


def _progress(history: SearchHistory) -> Progress:
    elapsed = np.array([record.elapsed for record in history.ended], dtype=float)
    losses, objectives = history.archive.losses, history.start.objectives
    if len(objectives) > 1:
        volumes = history.hypervolume_over_time()
        return Progress("hypervolume (higher is better)", volumes, elapsed, None, None, log=False)
    objective = objectives[0]
    feasible = np.array([trial.feasible for trial in history.trials], dtype=bool)
    best = np.fmin.accumulate(np.where(feasible, losses[:, 0], np.nan))
    single = sign(objective) * losses[:, 0]
    usable = [trial.losses[0] if trial.usable else np.nan for trial in history.trials]
    early = sign(objective) * np.where(np.isnan(losses[:, 0]), usable, np.nan)
    log = logarithmic(np.append(single, early), objective)
    return Progress(objective_label(objective), sign(objective) * best, elapsed, single, early, log)


def picture(view: Overview, shown: Progress) -> Picture:
    """Hypervolume, or the best value, over trials and over time."""
    figure = new_figure(view, 10.0, 4.2)
    by_count, by_time = figure.subplots(1, 2, sharey=True)
    scale, unit = time_scale(shown.elapsed)
    counts = np.arange(1.0, len(shown.values) + 1)
    for axis, x, label in ((by_count, counts, "trials ended"), (by_time, shown.elapsed / scale, unit)):
        if shown.single is not None:
            axis.scatter(x, shown.single, s=14, color=ALL, alpha=0.6, linewidths=0, label="trials")
        if shown.early is not None and len(view.less.trials):
            known = np.isfinite(shown.early)
            rings(axis, view, x[known], shown.early[known])
        axis.step(x, shown.values, where="post", color=PARETO, linewidth=2, label="best so far")
        axis.set_xlabel(label)
        axis.set_xlim(left=0)
        plain(axis)
    by_count.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_count.set_ylabel(shown.label)
    if shown.log:
        logarithmic_axis(by_count, "y")
    elif shown.single is not None and (limits := bulk(shown.single_and_early, shown.values)):
        by_count.set_ylim(limits)
    if shown.single is not None:
        handles, labels = by_time.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def chart(view: Overview, progress: Progress) -> go.Figure:
    """Hypervolume, or the best value, over trials and over time."""
    scale, unit = time_scale(progress.elapsed)
    counts = np.arange(1, len(progress.values) + 1)
    figure = laid_out(400, make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04))
    for column, x in enumerate((counts, progress.elapsed / scale), start=1):
        _add(figure, view, progress, x, column)
    figure.update_xaxes(title="trials ended", row=1, col=1)
    figure.update_xaxes(title=unit, row=1, col=2)
    if progress.log:
        figure.update_yaxes(type="log")
    figure.update_yaxes(title=progress.label, row=1, col=1)
    return figure


def _add(figure: go.Figure, view: Overview, progress: Progress, x: NDArray[Any], column: int) -> None:
    """Draw one of the two axes; the legend is that of the first."""
    first = column == 1
    if progress.single is not None:
        marker = {"color": ALL, "size": 6, "opacity": 0.6}
        figure.add_scatter(
            x=x,
            y=progress.single,
            mode="markers",
            marker=marker,
            customdata=keys(record.number for record in view.history.ended),
            hovertemplate="%{customdata}: %{y:.5g}<extra></extra>",
            name="trials",
            showlegend=first,
            row=1,
            col=column,
        )
    if progress.early is not None and len(view.less.trials):
        known = np.isfinite(progress.early)
        shown = early_marks(view) | {"showlegend": first}
        figure.add_scatter(x=x[known], y=progress.early[known], **shown, row=1, col=column)
    line = {"color": PARETO, "width": 2.5, "shape": "hv"}
    figure.add_scatter(
        x=x,
        y=progress.values,
        mode="lines",
        line=line,
        name="best so far",
        showlegend=first,
        row=1,
        col=column,
    )


PROGRESS: Figure[Overview, Progress] = Figure(
    name="progress",
    heading="Progress",
    serves="studies in which a trial has a result",
    describe=describe,
    draw=lambda view, shown: [("", picture(view, shown))],
    section=lambda view, shown: captioned(
        "Trials that were not trained fully do not move the line.", chart(view, shown)
    ),
)
