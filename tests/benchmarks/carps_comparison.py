"""Numbers of carps' report against ours: equal, different by a known reason, or unexplained.

Where numbers differ as they stand, the reason is one step of carps' that is applied to our numbers; then they
have to be equal. ``carps_report`` says what the reasons are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from orchestrator.analysis import statistics
from orchestrator.analysis.analysis import Analysis, analyse
from orchestrator.analysis.courses import Run, courses, measured
from orchestrator.analysis.references import reference_points
from orchestrator.benchmark.records import Results
from tests.benchmarks.carps_cases import Case

TOLERANCE = 1e-9
EPSILON = 1e-8
"""In the denominator of carps' normalised numbers."""
TYPES = {"blackbox": "BB", "multi-objective": "MO"}
"""Our types of tasks by carps'."""

SCALE = "1e-8 in carps' scale"
POINT = "the task's own reference point"
VOLUME = f"{POINT}; carps scales objectives"
QUANTILE = "carps' quantile is approximate"
LINES = "carps draws straight lines from the first evaluation on"

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Comparison:
    """Numbers of one kind.

    Args:
        quantity: what they are.
        values: how many.
        apart: the largest difference as they stand, divided by the size of carps' number if that exceeds 1.
        reason: why they differ, as far as is known.
        rest: the largest difference with the reason taken into account.
    """

    quantity: str
    values: int
    apart: float
    reason: str = ""
    rest: float = 0.0

    @property
    def outcome(self) -> str:
        """``equal``, ``differs`` (by the reason) or ``unexplained``."""
        if self.apart <= TOLERANCE:
            return "equal"
        return "differs" if self.reason and self.rest <= TOLERANCE else "unexplained"


def compared(
    quantity: str, theirs: pd.Series, ours: pd.Series, reason: str = "", explained: pd.Series | None = None
) -> Comparison:
    """A comparison of numbers with the same index; ``explained`` are ours with the reason applied."""
    apart = difference(theirs, ours)
    if explained is None or apart <= TOLERANCE:
        return Comparison(quantity, len(theirs), apart)
    return Comparison(quantity, len(theirs), apart, reason, difference(theirs, explained))


def difference(theirs: pd.Series, ours: pd.Series) -> float:
    """The largest difference; infinite where one side lacks a number that the other has."""
    if not theirs.index.sort_values().equals(ours.index.sort_values()):
        return np.inf
    first, second = theirs.to_numpy(dtype=float), ours.reindex(theirs.index).to_numpy(dtype=float)
    if (np.isnan(first) != np.isnan(second)).any():
        return np.inf
    return float(np.nanmax(np.abs(first - second) / np.maximum(1.0, np.abs(first)), initial=0.0))


@dataclass(frozen=True)
class Side:
    """Our analysis of one set of results, with the runs behind it.

    Args:
        analysis: of the results.
        runs: the cells that count.
        kinds: type of each task.
        extents: by task, what turns volumes into those of objectives scaled to [0, 1]; 1 for one objective.
    """

    analysis: Analysis
    runs: Sequence[Run]
    kinds: Mapping[str, str]
    extents: Mapping[str, float]

    @classmethod
    def of(cls, results: Results) -> Side:
        found = courses(results)
        runs = measured(found, reference_points(results.tasks.values(), found, {}))
        extents = {}
        for name, task in results.tasks.items():
            losses = np.concatenate([one.losses for one in found if one.task.name == name])
            extents[name] = float(np.ptp(losses, axis=0).prod()) if len(task.objectives) > 1 else 1.0
        kinds = {name: task.type for name, task in results.tasks.items()}
        return cls(analyse(results, {}), runs, kinds, extents)

    def incumbents(self) -> pd.Series:
        """What each cell had after every evaluation, volumes negated; by task, method, seed and number."""
        parts = [
            pd.DataFrame({"task": task, "method": method, "seed": seed, "value": run.incumbents}).assign(
                number=np.arange(1, run.course.n + 1)
            )
            for run in self.runs
            for task, method, seed in (run.key,)
        ]
        return pd.concat(parts).set_index(["task", "method", "seed", "number"])["value"]

    def unscaled(self, values: pd.Series) -> pd.Series:
        """``values`` by task and more, volumes divided by those that all losses span."""
        return values / values.index.get_level_values("task").map(self.extents).to_numpy()

    def shrunk(self, scores: pd.Series) -> pd.Series:
        """Normalised ``scores`` by task and more, with carps' addition to the range."""
        ranges = {
            run.course.task.name: (run.scale.worst - run.scale.best) / self.extents[run.course.task.name]
            for run in self.runs
        }
        own = scores.index.get_level_values("task").map(ranges).to_numpy(dtype=float)
        return scores * own / (own + EPSILON)

    def interpolated(self, shares: NDArray[np.float64]) -> pd.DataFrame:
        """What runs had at ``shares`` of the budget, as carps draws them.

        Returns:
            type, task, method, share, value (incumbent), score (normalised).
        """
        longest = {task: max(run.course.n for run in self.runs if run.key[0] == task) for task in self.kinds}
        parts = []
        for run in self.runs:
            task, method, _ = run.key
            at = np.arange(run.course.n) / (longest[task] - 1 + EPSILON)
            low, extent = run.scale.best, run.scale.worst - run.scale.best
            value = np.interp(shares, at, run.incumbents)
            score = (value - low) / (extent + EPSILON * self.extents[task])
            keys = {"type": self.kinds[task], "task": task, "method": method, "share": shares}
            parts.append(pd.DataFrame({**keys, "value": value, "score": score}))
        return pd.concat(parts)


def without_references(results: Results) -> Results:
    """The same, but no task has a reference point of its own."""
    return replace(
        results, tasks={name: replace(task, reference=None) for name, task in results.tasks.items()}
    )


def comparisons(theirs: Frames, results: Results) -> Iterator[Comparison]:
    """All of them, type of task by type of task.

    Args:
        theirs: carps' tables (``carps_numbers.py``), with our names of columns, tasks and types.
        results: the same logs, as we import them.
    """
    ours = Side.of(results)
    referenced = any(task.reference is not None for task in results.tasks.values())
    alike = Side.of(without_references(results)) if referenced else ours
    for kind in dict.fromkeys(ours.kinds.values()):
        yield from _cells(kind, theirs, ours, alike)
        yield from _tasks(kind, theirs, ours, alike)
        yield from _group(kind, theirs, ours, alike)
        yield from _over_time(kind, theirs, ours, alike)


def _cells(kind: str, theirs: Frames, ours: Side, alike: Side) -> Iterator[Comparison]:
    """What each cell had, at every evaluation and in the end."""
    key = ["task", "method", "seed"]

    def own(values: pd.Series) -> pd.Series:
        return values[values.index.get_level_values("task").map(ours.kinds) == kind]

    trials = theirs["trials"][theirs["trials"]["type"] == kind].astype({"number": int})
    raw = trials.set_index([*key, "number"])["trial_value__cost_inc"]
    explained = own(alike.unscaled(alike.incumbents()))
    yield compared(f"{kind}: incumbents", raw, own(ours.incumbents()), VOLUME, explained)
    last = trials.sort_values("number").groupby(key)["trial_value__cost_inc_norm"].last()
    scores = [own(side.analysis.scores.set_index(key)["normalised"]) for side in (ours, alike)]
    reason = SCALE if kind == "BB" else f"{POINT}; {SCALE}"
    yield compared(f"{kind}: normalised scores", last, scores[0], reason, alike.shrunk(scores[1]))
    spent = own(theirs["budget"].set_index(key)["percent_budget_used"])
    yield compared(f"{kind}: budget spent", spent, own(ours.analysis.scores.set_index(key)["spent"]))


def _tasks(kind: str, theirs: Frames, ours: Side, alike: Side) -> Iterator[Comparison]:
    """Means over seeds: final ones, and those after each evaluation."""
    key = ["task", "method"]
    final = theirs["final"][theirs["final"]["task"].map(ours.kinds) == kind].dropna().set_index(key)

    def of(side: Side, column: str) -> pd.Series:
        table = side.analysis.scores
        return table[table["type"] == kind].groupby(key)[column].mean()

    values = of(ours, "value"), alike.unscaled(of(alike, "value"))
    yield compared(f"{kind}: final values", final["raw"], values[0], VOLUME, values[1])
    reason = SCALE if kind == "BB" else f"{POINT}; {SCALE}"
    shrunk = alike.shrunk(of(alike, "normalised"))
    yield compared(f"{kind}: final scores", final["normalised"], of(ours, "normalised"), reason, shrunk)
    trials = theirs["trials"][theirs["trials"]["type"] == kind]
    means = trials.groupby([*key, "number"])["trial_value__cost_inc"].mean()
    curves = [_curves(side, kind) for side in (ours, alike)]
    yield compared(f"{kind}: curves of tasks", means, curves[0], VOLUME, alike.unscaled(curves[1]))


def _curves(side: Side, kind: str) -> pd.Series:
    table = side.analysis.curves
    own = table[(table["axis"] == "evaluations") & (table["task"].map(side.kinds) == kind)]
    means = own.rename(columns={"x": "number"}).set_index(["task", "method", "number"])["mean"]
    return means if kind == "BB" else 0.0 - means


def _group(kind: str, theirs: Frames, ours: Side, alike: Side) -> Iterator[Comparison]:
    """Ranks and tests."""
    table = theirs["ranks"][theirs["ranks"]["type"] == kind].set_index("method")

    def of(side: Side, name: str, column: str, index: Sequence[str]) -> pd.Series:
        frame: pd.DataFrame = getattr(side.analysis, name)
        return frame[frame["group"] == kind].set_index(list(index))[column]

    ranks = [of(side, "ranks", "rank", ["method"]) for side in (ours, alike)]
    yield compared(f"{kind}: mean ranks", table["meanrank"], ranks[0], POINT, ranks[1])
    first = table.iloc[:1].set_index(pd.Index([kind], name="group"))
    p = [of(side, "tests", "p", ["group"]) for side in (ours, alike)]
    yield compared(f"{kind}: Friedman's p", first["p"], p[0], POINT, p[1])
    exact = of(ours, "tests", "critical_difference", ["group"])
    quantile = stats.studentized_range.ppf(1 - statistics.ALPHA, len(table), np.inf)
    explained = exact * float(first["quantile"].iloc[0]) / quantile
    yield compared(f"{kind}: critical difference", first["cd"], exact, QUANTILE, explained)
    pairs = [of(side, "pairs", "nemenyi_p", ["first", "second"]) for side in (ours, alike)]
    distances = [abs(table["meanrank"][one] - table["meanrank"][other]) for one, other in pairs[0].index]
    differ = pd.Series(np.array(distances) > float(first["cd"].iloc[0]), pairs[0].index)
    significant = [one < statistics.ALPHA for one in pairs]
    yield compared(f"{kind}: pairs that differ", differ, significant[0], POINT, significant[1])


def _over_time(kind: str, theirs: Frames, ours: Side, alike: Side) -> Iterator[Comparison]:
    """Means and ranks over all tasks, on the way."""
    table = theirs["curves"][theirs["curves"]["type"] == kind].round({"share": 2})
    shares = np.unique(table["share"])
    drawn = alike.interpolated(shares)
    drawn = drawn[drawn["type"] == kind]
    means = drawn.groupby(["task", "method", "share"])["value"].mean().unstack("method")
    ranks = means.rank(axis="columns").groupby("share").mean().stack().swaplevel()
    explained = drawn.groupby(["method", "share"])["score"].mean()
    frame = ours.analysis.overall
    own = frame[(frame["group"] == kind) & (frame["axis"] == "evaluations")]
    index = own.rename(columns={"x": "share"}).set_index(["method", "share"])
    # carps has a point at the first evaluation, which is no share of the budget with us.
    some = table[table["share"] > 0].set_index(["method", "share"])
    for name, column, others, applied in (
        ("overall curves", "mean", index["mean"], explained),
        ("ranks over time", "meanrank", index["rank"], ranks),
    ):
        reason = LINES if kind == "BB" else f"{LINES}; {POINT}"
        found = some[column]
        yield compared(
            f"{kind}: {name}", found, others.reindex(found.index), reason, applied.reindex(found.index)
        )


def hand_written(name: str, case: Case, theirs: Frames, analysis: Analysis) -> Comparison:
    """Both sides of a case against what was calculated by hand."""
    key = ["task_id", "optimizer_id"]
    ranks, final = theirs["ranks"].set_index("optimizer_id"), theirs["final"].set_index(key)
    found = dict([*ranks["meanrank"].items(), *final["normalised"].items()])
    own = ours_in(analysis)
    off = [
        max(_off(found.get(one, np.nan), both.theirs), _off(own.get(one, np.nan), both.ours))
        for one, both in case.numbers.items()
    ]
    apart = max(_off(both.theirs, both.ours) for both in case.numbers.values())
    # carps adds 1e-8 to ranges, which the hand leaves out.
    rest = 0.0 if max(off) <= EPSILON else max(off)
    return Comparison(f"by hand: {name}", len(case.numbers), max(apart, rest), case.about, rest)


def ours_in(analysis: Analysis) -> dict[object, float]:
    """Our mean ranks by method and mean scores by task and method, of logs with one type of task."""
    ranks = analysis.ranks[analysis.ranks["group"] != "all"].set_index("method")["rank"]
    means = analysis.means.set_index(["task", "method"])["normalised"]
    return dict([*ranks.items(), *means.items()])


def _off(first: float, second: float) -> float:
    """A difference; a number that is left out is as far as can be from one that is not."""
    if np.isnan(first) or np.isnan(second):
        return 0.0 if np.isnan(first) and np.isnan(second) else np.inf
    return abs(first - second)
