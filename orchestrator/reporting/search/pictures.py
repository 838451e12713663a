"""Draws a search study as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from orchestrator.reporting.scales import Floats, bulk
from orchestrator.reporting.search.front import MOST_PAIRED, front
from orchestrator.reporting.search.overview import Axis, Curves, Overview
from orchestrator.reporting.search.parallel import parallel
from orchestrator.reporting.search.style import ALL, KNEE, PARETO, front_name, new_figure, rings
from orchestrator.reporting.style import logarithmic_axis, plain, time_scale

MOST_SLICES = 12


def pictures(view: Overview) -> Iterator[tuple[str, Figure]]:
    """The pictures that the study has something to show on, by name."""
    if len(view.trials) or len(view.less.trials):
        if 2 <= len(view.objectives) <= MOST_PAIRED:
            yield "front", front(view)
        if len(view.objectives) == 1:
            yield "slices", slices(view)
        yield "parallel", parallel(view)
    if view.progress.known:
        yield "progress", progress(view)
    if view.curves:
        yield "learning_curves", learning_curves(view)
    if view.importance:
        yield "importance", importances(view)


def progress(view: Overview) -> Figure:
    """Hypervolume, or the best value, over trials and over time."""
    shown = view.progress
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
    elif shown.single is not None and (limits := bulk(_both(shown.single, shown.early), shown.values)):
        by_count.set_ylim(limits)
    if shown.single is not None:
        handles, labels = by_time.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _both(values: Floats, early: Floats | None) -> Floats:
    return values if early is None else np.append(values, early)


def slices(view: Overview) -> Figure:
    """The one objective over each parameter, the important ones first."""
    shown = _by_importance(view)[:MOST_SLICES]
    rows = math.ceil(len(shown) / 4)
    columns = math.ceil(len(shown) / rows)
    figure = new_figure(view, max(6.0, 3.2 * columns), 1.3 + 2.8 * rows)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, parameter in zip(axes, shown, strict=False):
        _slice(axis, view, parameter)
    objective = view.objectives[0]
    if objective.log:
        logarithmic_axis(axes[0], "y")
    elif limits := bulk(_both(objective.values, objective.early), objective.values[view.pareto]):
        axes[0].set_ylim(limits)
    for axis in axes[::columns]:
        axis.set_ylabel(objective.label)
    for axis in axes[len(shown) :]:
        axis.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    if len(view.trials):
        figure.colorbar(axes[0].collections[-1], ax=axes[: len(shown)], label="trial", shrink=0.8, pad=0.01)
    return figure


def _by_importance(view: Overview) -> list[Axis]:
    ranked = list(view.importance[0].shares) if view.importance else []
    places = {name: place for place, name in enumerate(ranked)}
    return sorted(view.parameters, key=lambda axis: places.get(axis.name, len(places)))


def _slice(axis: Axes, view: Overview, parameter: Axis) -> None:
    y = view.objectives[0].values
    if len(view.less.trials):
        rings(axis, view, parameter.early, view.objectives[0].early)
    if view.knee is not None:
        axis.scatter(
            parameter.values[view.knee],
            y[view.knee],
            s=110,
            facecolors="none",
            edgecolors=KNEE,
            linewidths=2,
            label=f"best trial ({view.trials[view.knee]})",
            zorder=3,
        )
    if len(view.trials):
        axis.scatter(parameter.values, y, c=view.trials, cmap="viridis", s=16, linewidths=0, alpha=0.8)
    if parameter.categories:
        axis.set_xticks(range(len(parameter.categories)), parameter.categories)
        axis.set_xlim(-0.5, len(parameter.categories) - 0.5)
    elif parameter.limits:
        axis.set_xlim(*parameter.limits)
    if parameter.log:
        logarithmic_axis(axis, "x")
    axis.set_xlabel(parameter.name)
    plain(axis)


def learning_curves(view: Overview) -> Figure:
    """Every trial's objectives at the rungs that it reported at."""
    columns = min(3, len(view.curves))
    rows = math.ceil(len(view.curves) / columns)
    figure = new_figure(view, 7.5 if columns == 1 else 5.3 * columns, 1.0 + 3.6 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, view.curves, strict=False):
        _learning(axis, panel)
        axis.set_xlabel(f"training ({view.unit}s)")
    for axis in axes[len(view.curves) :]:
        axis.remove()
    legend = [
        Line2D([], [], color=ALL, linewidth=0.8, marker="o", markersize=2.5, label="trials"),
        Line2D([], [], color=PARETO, linewidth=2, marker="o", markersize=2.5, label=front_name(view)),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _learning(axis: Axes, panel: Curves) -> None:
    faint = min(0.7, max(0.2, 4 / math.sqrt(1 + len(panel.curves))))
    for curve in panel.curves:
        color, width, alpha = (PARETO, 2.0, 0.9) if curve.best else (ALL, 0.8, faint)
        x, y = curve.points.T
        axis.plot(x, y, "o-", color=color, lw=width, ms=2.5, alpha=alpha, zorder=3 if curve.best else 2)
    rungs = panel.rungs
    if rungs[-1] > 4 * rungs[0]:
        axis.set_xscale("log")
    if len(rungs) <= 8:
        axis.set_xticks(rungs, [f"{rung:,g}" for rung in rungs])
        axis.minorticks_off()
    values = np.concatenate([curve.points[:, 1] for curve in panel.curves])
    best = np.concatenate([np.empty(0), *(curve.points[:, 1] for curve in panel.curves if curve.best)])
    if panel.log:
        logarithmic_axis(axis, "y")
    elif limits := bulk(values, best):
        axis.set_ylim(limits)
    axis.set_ylabel(panel.label)
    plain(axis)


def importances(view: Overview) -> Figure:
    """The shares of the parameters in each goal."""
    names = list(view.importance[0].shares)
    columns = min(4, len(view.importance))
    rows = math.ceil(len(view.importance) / columns)
    figure = new_figure(view, max(7.0, 2.0 + 3.2 * columns), 1.3 + (0.5 + 0.32 * len(names)) * rows)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, one in zip(axes, view.importance, strict=False):
        shares = [one.shares[name] for name in names]
        bars = axis.barh(names, shares, color=PARETO, height=0.65)
        axis.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=8)
        axis.set_title(f"for {one.goal}", loc="left", fontsize=10)
        axis.set_xlim(0, 1.12)
        axis.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(view.importance) :]:
        axis.remove()
    axes[0].invert_yaxis()
    figure.supxlabel("importance by PED-ANOVA: what sets the best trials apart from all", fontsize=9)
    return figure
