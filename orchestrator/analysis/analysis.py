"""All numbers of a benchmark study's report, from its stored results alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from orchestrator.analysis import (
    breakdown,
    curves,
    effects,
    fronts,
    held_out,
    places,
    profiles,
    statistics,
    targets,
)
from orchestrator.analysis.counting import Counting
from orchestrator.analysis.courses import Run, courses, measured
from orchestrator.analysis.groups import Group, Omission, groups, unfinished
from orchestrator.analysis.references import reference_points
from orchestrator.analysis.stacks import Stacks, stacks
from orchestrator.benchmark.records import Results
from orchestrator.randomness import stream

_SCORES = ("task", "type", "method", "seed", "status", "spent", "found", "value", "normalised")
_MEANS = ("task", "type", "method", "normalised")
_RANKS = ("group", "method", "rank", "tasks", "seeds", "normalised")
_TESTS = ("group", "test", "statistic", "p", "tasks", "methods", "critical_difference")
_PAIRS = ("group", "first", "second", "difference", "nemenyi_p", "wilcoxon_p", "holm_p", "wilcoxon_sign")
_EFFECTS = ("wins", "ties", "losses", "a12", "bayes_first", "bayes_equal", "bayes_second", "tasks")
_OMITTED = ("group", "what", "reason")

Values = Mapping[places.Pairing, statistics.Array]


@dataclass(frozen=True)
class Analysis:
    """What the results say, as data frames; a table without rows still has its columns.

    Tasks, methods and groups come in the study's order, groups as BB, MF, MO, MOMF, "all" (those there are).

    Args:
        scores: one row per cell that counts (:mod:`.counting`): task, type, method, seed, status (finished or
            failed), spent (share of the budget), found (whether any evaluation counts), value (final best
            loss at full fidelity, or negated hypervolume: to be minimised; where nothing feasible was found
            NaN, or no volume), normalised (in [0, 1], 0 the best that any cell has seen on the task; 1 where
            nothing was found).
        means: task, type, method, normalised: mean over seeds.
        ranks: group, method, rank (mean over the group's tasks, 1 is best; on each of them as
            :mod:`.places` orders the methods), tasks (how many; variants of one problem are one), seeds (how
            many count on the task with the fewest), normalised (mean over the same tasks).
        tests: group, test ("friedman"), statistic, p, tasks, methods, critical_difference (Nemenyi, .05).
        pairs: group, first, second, difference (mean rank of first minus that of second), nemenyi_p,
            wilcoxon_p, holm_p; NaN where a test was left out; wilcoxon_sign (to that test, 1 where first is
            the worse one, -1 where second is, 0 where neither is); wins, ties, losses (tasks on which first
            is better, equal, worse), a12 (the chance that a run of first beats one of second, mean over
            tasks), bayes_first, bayes_equal, bayes_second (:func:`.effects.signed_rank_posterior`: that
            first is better, that both are practically equal, that second is), tasks (how many).
        omitted: group, what, reason: every test, task, method or cell that was left out, and why; and cells
            that count in part.
        curves: task, method, axis ("evaluations" or "seconds"), x, mean, median, low, high, seeds:
            incumbents over seeds, with quartiles; raw losses, or hypervolume for several objectives.
        overall: group, method, axis, x (share of the budget, or of the longest simulated time), mean, low,
            high, iqm: normalised incumbents over tasks and seeds; rank, rank_low, rank_high: mean rank; with
            95 % bootstrap intervals over tasks and seeds (:func:`.curves.overall_curves`); tasks (how many:
            only those with recorded times have simulated time), seeds.
        targets, profiles: :mod:`.targets`.
        breakdown, stability: :mod:`.breakdown`.
        fronts: :mod:`.fronts`.
        ecdf: method, x (full evaluations divided by the dimension), share: step points of the share of
            (target, task, seed) reached, over tasks with a known optimum.
        held_out: task, method, metric, direction, seeds, mean, low, high, rank: scores on held-out data of
            the models that cells on noisy tasks end with (:mod:`.held_out`).
        attainment: task, method, share (.25, .5, .75 of the seeds), x, y: losses of the two objectives, the
            corners of the attainment surface.
    """

    scores: pd.DataFrame = field(repr=False)
    means: pd.DataFrame = field(repr=False)
    ranks: pd.DataFrame = field(repr=False)
    tests: pd.DataFrame = field(repr=False)
    pairs: pd.DataFrame = field(repr=False)
    omitted: pd.DataFrame = field(repr=False)
    curves: pd.DataFrame = field(repr=False)
    overall: pd.DataFrame = field(repr=False)
    targets: pd.DataFrame = field(repr=False)
    profiles: pd.DataFrame = field(repr=False)
    breakdown: pd.DataFrame = field(repr=False)
    stability: pd.DataFrame = field(repr=False)
    fronts: pd.DataFrame = field(repr=False)
    ecdf: pd.DataFrame = field(repr=False)
    held_out: pd.DataFrame = field(repr=False)
    attainment: pd.DataFrame = field(repr=False)


def analyse(results: Results, references: Mapping[str, tuple[float, ...]]) -> Analysis:
    """All tables of a study.

    Args:
        results: of one study, or of several put together.
        references: reference points that were frozen, by task; those that are missing are found as
            :func:`orchestrator.analysis.references.references` does.
    """
    counting = Counting.of(results)
    runs = _runs(results, references, counting)
    stacked = stacks(runs)
    scores = _scores(stacked)
    means, counts = _means(scores), _seeds(scores)
    compared, omissions = groups(results, stacked, counting)
    keys = places.keys_of(scores)
    values = _values(scores)
    # Of tasks of one type, the group of all tasks is the same once more.
    different = compared[1:] if len(compared) == 2 else compared
    tables = [_compare(group, keys, means, counts, values) for group in different]
    steps, unmatched = profiles.ecdf(list(results.tasks.values()), results.methods, stacked)
    tested = held_out.held_out(results, compared[-1], counting.keys)
    overall = [part for group in different for part in curves.overall_curves(group, stacked)]
    profiled = [row for group in different for row in targets.profiles(group, stacked)]
    if len(compared) == 2:
        name = compared[0].name
        tables = [tables[0].renamed(name), *tables]
        overall = [*(part.assign(group=name) for part in overall), *overall]
        profiled = [*((name, *row[1:]) for row in profiled), *profiled]
    omissions += [one for table in tables for one in table.omissions] + unmatched + unfinished(results, runs)
    whole = (compared[-1], results.tasks, keys)
    return Analysis(
        scores=scores,
        means=means,
        ranks=_frame([row for table in tables for row in table.ranks], _RANKS),
        tests=_frame([row for table in tables for row in table.tests], _TESTS),
        pairs=_frame([row for table in tables for row in table.pairs], (*_PAIRS, *_EFFECTS)),
        omitted=_frame([(one.group, one.what, one.reason) for one in omissions], _OMITTED),
        curves=curves.task_curves(stacked),
        overall=pd.concat(overall, ignore_index=True) if overall else _frame([], curves.OVERALL_COLUMNS),
        targets=_frame(targets.target_rows(stacked, results.methods), targets.TARGET_COLUMNS),
        profiles=_frame(profiled, targets.PROFILE_COLUMNS),
        breakdown=_frame(breakdown.breakdown(*whole), breakdown.BREAKDOWN_COLUMNS),
        stability=_frame(breakdown.stability(*whole), breakdown.STABILITY_COLUMNS),
        fronts=_frame(fronts.front_rows(runs), fronts.FRONT_COLUMNS),
        ecdf=_frame(steps, profiles.ECDF_COLUMNS),
        held_out=_frame(tested, held_out.HELD_OUT_COLUMNS),
        attainment=_frame(profiles.attainment(runs), profiles.ATTAINMENT_COLUMNS),
    )


def mean_scores(results: Results, references: Mapping[str, tuple[float, ...]]) -> pd.DataFrame:
    """The table ``means`` of :class:`Analysis` alone."""
    return _means(_scores(stacks(_runs(results, references, Counting.of(results)))))


def _runs(results: Results, frozen: Mapping[str, tuple[float, ...]], counting: Counting) -> list[Run]:
    found = courses(results, counting)
    return measured(found, reference_points(results.tasks.values(), found, frozen))


@dataclass(frozen=True)
class _Comparison:
    ranks: Sequence[tuple[object, ...]] = ()
    tests: Sequence[tuple[object, ...]] = ()
    pairs: Sequence[tuple[object, ...]] = ()
    omissions: Sequence[Omission] = ()

    def renamed(self, group: str) -> _Comparison:
        """The same of a group with another name."""

        def of(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
            return [(group, *row[1:]) for row in rows]

        omissions = [replace(one, group=group) for one in self.omissions]
        return _Comparison(of(self.ranks), of(self.tests), of(self.pairs), omissions)


def _compare(
    group: Group,
    keys: Mapping[places.Pairing, places.Key],
    means: pd.DataFrame,
    counts: Mapping[str, int],
    values: Values,
) -> _Comparison:
    """Ranks and tests of a group, as far as it has enough tasks and methods for them."""
    name, tasks, methods = group.name, len(group.blocks), len(group.methods)
    found = f"there {'is' if methods == 1 else 'are'} {methods or 'none'} that every task of the group has"
    if methods < 2:
        return _Comparison(omissions=[Omission(name, "ranks and tests", f"they need 2 methods, {found}")])
    if not tasks:
        reason = "there is no task on which all methods have a cell that counts"
        return _Comparison(omissions=[Omission(name, "ranks and tests", reason)])
    table = means.pivot(index="task", columns="method", values="normalised")
    every = table.loc[list(group.tasks), list(group.methods)].to_numpy()
    places_of = {task: place for place, task in enumerate(group.tasks)}
    scores = np.array([_block_mean(every[[places_of[task] for task in block]]) for block in group.blocks])
    order = places.block_ranks(keys, group.blocks, group.methods)
    mean_ranks = statistics.mean_ranks(order)
    seeds = min(counts[task] for task in group.tasks)
    rows = zip(group.methods, mean_ranks, scores.T, strict=True)
    ranks = [(name, method, rank, tasks, seeds, _mean(own)) for method, rank, own in rows]
    if tasks < 2:
        return _Comparison(ranks, omissions=[Omission(name, "all tests", "they need 2 tasks, there is 1")])
    if methods < 3:
        reason = "they need 3 methods, there are 2: Wilcoxon's test compares these"
        omissions = [Omission(name, "Friedman's and Nemenyi's tests", reason)]
        return _Comparison(
            ranks, (), _pairs(group, scores, order, values, np.full((2, 2), np.nan)), omissions
        )
    statistic, p = statistics.friedman(order)
    difference = statistics.critical_difference(tasks, methods)
    tests = [(name, "friedman", statistic, p, tasks, methods, difference)]
    return _Comparison(ranks, tests, _pairs(group, scores, order, values, statistics.nemenyi(order)))


def _pairs(
    group: Group,
    scores: statistics.Array,
    order: statistics.Array,
    values: Values,
    nemenyi: statistics.Array,
) -> list[tuple[object, ...]]:
    ranks = statistics.mean_ranks(order)
    indices = list(itertools.combinations(range(len(group.methods)), 2))
    wilcoxon = [statistics.wilcoxon(scores[:, i], scores[:, j]) for i, j in indices]
    corrected = statistics.holm([p for p, _ in wilcoxon])
    return [
        (
            *(group.name, group.methods[i], group.methods[j]),
            *(ranks[i] - ranks[j], nemenyi[i, j], p, holm, sign),
            *_effects(group, scores, order, values, (i, j)),
        )
        for (i, j), (p, sign), holm in zip(indices, wilcoxon, corrected, strict=True)
    ]


def _effects(
    group: Group, scores: statistics.Array, order: statistics.Array, values: Values, pair: tuple[int, int]
) -> tuple[object, ...]:
    """How large the difference of two methods is; see :data:`_EFFECTS`."""
    first, second = (group.methods[place] for place in pair)
    chances = [effects.a12(values[task, first], values[task, second]) for task in group.tasks]
    rng = stream(0, "signed rank", group.name, first, second)
    posterior = effects.signed_rank_posterior(scores[:, pair[0]], scores[:, pair[1]], rng)
    return *effects.balance(order, *pair), _mean(np.array(chances)), *posterior, len(group.blocks)


def _values(scores: pd.DataFrame) -> Values:
    """Final values of the seeds by task and method; infinite where nothing was found."""
    values = np.where(scores["found"], scores["value"], np.inf)
    groups = scores.groupby(["task", "method"], sort=False).indices
    return {(str(task), str(method)): values[rows] for (task, method), rows in groups.items()}


def _scores(stacked: Stacks) -> pd.DataFrame:
    """The table ``scores``; the cells of a task are scaled at once."""
    runs = [run for stack in stacked.values() for run in stack.runs]
    if not runs:
        return _frame([], _SCORES)
    every = list(stacked.values())
    finals = np.concatenate([stack.finals for stack in every])
    columns = {
        "task": [run.course.task.name for run in runs],
        "type": [run.course.task.type for run in runs],
        "method": [run.course.method for run in runs],
        "seed": [run.course.seed for run in runs],
        "status": ["finished" if run.course.finished else "failed" for run in runs],
        "spent": [run.course.share for run in runs],
        "found": np.concatenate([stack.found for stack in every]),
        "value": np.where(np.isfinite(finals), finals, np.nan),
        "normalised": np.concatenate([stack.scale(stack.finals) for stack in every]),
    }
    return pd.DataFrame(columns, columns=list(_SCORES))


def _seeds(scores: pd.DataFrame) -> dict[str, int]:
    """How many seeds count on each task, of the method that has the fewest."""
    counts = scores.groupby(["task", "method"], sort=False).size()
    return {str(task): int(count) for task, count in counts.groupby(level="task").min().items()}


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    grouped = scores.groupby(["task", "type", "method"], sort=False, as_index=False)
    return grouped["normalised"].agg(_mean)[list(_MEANS)]


def _block_mean(rows: statistics.Array) -> statistics.Array:
    """Means over the tasks of a block, shape ``(methods,)``."""
    return rows[0] if len(rows) == 1 else np.array([_mean(column) for column in rows.T])


def _mean(values: pd.Series | statistics.Array) -> float:
    """The same to the last bit in any order, so that equal methods share their ranks."""
    return math.fsum(values) / len(values)


def _frame(rows: Iterable[tuple[object, ...]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))
