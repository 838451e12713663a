"""Draws the family tree of a population's weights, and how its families grow and die out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator, PercentFormatter
from plotly.subplots import make_subplots

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.genealogy import Branch, Tree, tree
from orchestrator.reporting.population.plots import BEST
from orchestrator.reporting.scales import Floats
from orchestrator.reporting.style import plain

LIVING, ENDED = "#5c6873", "#a3adb8"
FAMILIES = (BEST, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#d9d9d9")
"""The winner's family, five more, and the rest (after Okabe and Ito)."""
CROSSED, CROSSED_LABEL = "#009e73", "blocks that came from a second parent"
LIVING_LABEL, ENDED_LABEL = "weights that live on in the last population", "weights that died out"
MOST_LABELLED = 80
"""With more branches, only those of the winner's line have their member beside them."""
TREE_SHARE = 0.7
"""Of the figure's height."""


def _height(shown: Tree) -> float:
    """Inches of the tree: enough to tell rows apart, up to a page."""
    row = 0.1 if _labelled(shown) else 0.055
    return float(np.clip(row * len(shown.branches), 2.2, 8.0))


def _labelled(shown: Tree) -> bool:
    """Whether there is room for every branch's member."""
    return len(shown.branches) <= MOST_LABELLED


def picture(shown: Tree) -> Picture:
    """The tree above the families' shares."""
    height = _height(shown)
    figure = Picture(figsize=(9, height / TREE_SHARE + 1.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[TREE_SHARE, 1 - TREE_SHARE])
    _draw(upper, shown)
    generations = np.arange(1, shown.shares.shape[1] + 1)
    colours = _colours(shown)
    lower.stackplot(generations, shown.shares, colors=colours, linewidth=0, labels=shown.families)
    lower.yaxis.set_major_formatter(PercentFormatter(1.0))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.set_title("members that descend from", loc="left", fontsize=10)
    lower.set_xlabel("generation")
    lower.margins(0)
    plain(lower)
    lower.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    figure.legend(handles=upper.get_lines(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle("\n".join(filter(None, (shown.title, shown.thinned))), fontsize=10)
    return figure


def _draw(axis: Axes, shown: Tree) -> None:
    for width, colour, label, belongs in _layers(shown):
        lines, _ = _lines(shown, belongs)
        axis.plot(*lines.T, color=colour, linewidth=width, label=label, solid_capstyle="butt")
    if len(crossings := _crossings(shown)):
        axis.plot(*crossings.T, color=CROSSED, linewidth=0.8, linestyle=":", label=CROSSED_LABEL)
    line, marks = _winner(shown)
    axis.plot(*line.T, color=BEST, linewidth=2.2, label=shown.winner, solid_capstyle="round")
    for x, y, member in marks:
        axis.annotate(f"{member}", (x, y), (2, 1), textcoords="offset points", fontsize=7, color=BEST)
    for x, y, member in _others(shown):
        axis.annotate(f"{member}", (x, y), (2, 0.5), textcoords="offset points", fontsize=5.5, color=LIVING)
    axis.set_ylim(len(shown.branches), -1)
    axis.set_yticks([])
    axis.set_title("who copied whom; numbers are members", loc="left", fontsize=10)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(labelbottom=False)


def _layers(shown: Tree) -> Iterator[tuple[float, str, str, Callable[[Branch], bool]]]:
    """What is drawn below the winner's line, from the back."""
    thin = 1.0 if len(shown.branches) <= 100 else 0.6
    if any(not one.survivors for one in shown.branches):
        yield thin, ENDED, ENDED_LABEL, lambda one: not one.survivors
    yield thin, LIVING, LIVING_LABEL, lambda one: one.survivors > 0


def _lines(shown: Tree, belongs: Callable[[Branch], bool]) -> tuple[Floats, list[str]]:
    """Branches as polylines ``(n, 2)`` of (generation, row), NaN between them, and a text for each point."""
    points: list[tuple[float, float]] = []
    texts: list[str] = []
    for row, one in enumerate(shown.branches):
        if belongs(one):
            stem = [] if one.parent is None else [(float(one.split), float(one.parent))]
            own = [*stem, (one.first - 1.0, float(row)), (float(one.last), float(row))]
            points += [*own, (np.nan, np.nan)]
            texts += [_text(shown, one)] * (len(own) + 1)
    return np.array(points, dtype=float).reshape(-1, 2), texts


def _crossings(shown: Tree) -> Floats:
    """Lines ``(n, 2)`` from where blocks were published to where they went on, NaN between them."""
    points: list[tuple[float, float]] = []
    for row, one in enumerate(shown.branches):
        if one.second is not None:
            points += [(one.second_split, one.second), (one.first - 1.0, row), (np.nan, np.nan)]
    return np.array(points, dtype=float).reshape(-1, 2)


def _text(shown: Tree, one: Branch) -> str:
    origin = "new weights"
    if one.parent is not None:
        origin = f"copied member {shown.branches[one.parent].member} after generation {one.split}"
    if one.second is not None:
        origin += f", with blocks of member {shown.branches[one.second].member}"
    lived = f"generations {one.first} to {one.last}" if one.last > one.first else f"generation {one.first}"
    descend = f"{one.survivors} of the last population" if one.survivors else "nobody in the last population"
    return f"member {one.member}, {lived}<br>{origin}<br>ancestor of {descend}"


def _winner(shown: Tree) -> tuple[Floats, list[tuple[float, float, int]]]:
    """The winner's line ``(n, 2)``, and where on it which member begins."""
    rows = [(row, one) for row, one in enumerate(shown.branches) if one.winner]
    rows.sort(key=lambda pair: (pair[1].first, pair[1].split))
    points: list[tuple[float, float]] = []
    marks = []
    for place, (row, one) in enumerate(rows):
        last = one.winner
        points += [(one.first - 1.0, float(row)), (float(last), float(row))]
        marks.append((one.first - 1.0, float(row), one.member))
        if place + 1 < len(rows):
            points.append((float(rows[place + 1][1].split), float(row)))
    return np.array(points, dtype=float).reshape(-1, 2), marks


def _others(shown: Tree) -> list[tuple[float, float, int]]:
    """Where the branches outside the winner's line begin, and whose they are, if there is room."""
    if not _labelled(shown):
        return []
    return [
        (one.first - 1.0, float(row), one.member) for row, one in enumerate(shown.branches) if not one.winner
    ]


def _colours(shown: Tree) -> list[str]:
    """One for each family; the rest together has the last."""
    own = list(FAMILIES[: len(shown.families)])
    if "further" in shown.families[-1]:
        own[-1] = FAMILIES[-1]
    return own


def chart(shown: Tree) -> go.Figure:
    """The same, interactive."""
    height = 95 * _height(shown) / TREE_SHARE + 140
    grid = make_subplots(
        2, 1, shared_xaxes=True, row_heights=[TREE_SHARE, 1 - TREE_SHARE], vertical_spacing=0.04
    )
    figure = laid_out(round(height), grid)
    for width, colour, label, belongs in _layers(shown):
        lines, texts = _lines(shown, belongs)
        figure.add_scatter(
            x=lines[:, 0],
            y=lines[:, 1],
            text=texts,
            mode="lines",
            line={"color": colour, "width": width + 0.4},
            name=label,
            hovertemplate="%{text}<extra></extra>",
            row=1,
            col=1,
        )
    if len(crossings := _crossings(shown)):
        dotted = {"color": CROSSED, "width": 1, "dash": "dot"}
        hidden = {"name": CROSSED_LABEL, "hoverinfo": "skip"}
        x, y = crossings.T
        figure.add_scatter(x=x, y=y, mode="lines", line=dotted, **hidden, row=1, col=1)
    line, marks = _winner(shown)
    winner = {"mode": "lines", "line": {"color": BEST, "width": 3}, "name": shown.winner, "hoverinfo": "skip"}
    figure.add_scatter(x=line[:, 0], y=line[:, 1], **winner, row=1, col=1)
    _add_members(figure, marks, BEST, 10)
    _add_members(figure, _others(shown), LIVING, 9)
    _add_families(figure, shown)
    figure.update_yaxes(
        range=[len(shown.branches), -1.5], showticklabels=False, showgrid=False, zeroline=False, row=1, col=1
    )
    figure.update_yaxes(title="members that descend from", tickformat=".0%", range=[0, 1], row=2, col=1)
    figure.update_xaxes(title="generation", range=[0, shown.shares.shape[1]], row=2, col=1)
    return figure


def _add_members(
    figure: go.Figure, marks: Sequence[tuple[float, float, int]], colour: str, size: int
) -> None:
    """Members' numbers beside their branches."""
    figure.add_scatter(
        x=[x for x, _, _ in marks],
        y=[y for _, y, _ in marks],
        text=[str(member) for _, _, member in marks],
        mode="text",
        textposition="top right",
        textfont={"color": colour, "size": size},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=1,
    )


def _add_families(figure: go.Figure, shown: Tree) -> None:
    generations = np.arange(1, shown.shares.shape[1] + 1)
    for name, colour, share in zip(shown.families, _colours(shown), shown.shares, strict=True):
        figure.add_scatter(
            x=generations,
            y=share,
            stackgroup="families",
            mode="lines",
            line={"width": 0, "color": colour},
            fillcolor=colour,
            name=f"family of {name}" if "further" not in name else name,
            hovertemplate="%{y:.0%}",
            row=2,
            col=1,
        )


def _caption(shown: Tree) -> str:
    text = "A line is a member that trains its weights on; a copy branches off its parent. "
    thinned = f" Shown are {shown.thinned}." if shown.thinned else ""
    return f"{text}Hover over a line to see whose it is.{thinned}"


GENEALOGY: Figure[PopulationHistory, Tree] = Figure(
    name="genealogy",
    heading="Genealogy",
    serves="population studies in which somebody copied",
    describe=tree,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: captioned(_caption(shown), chart(shown)),
)
