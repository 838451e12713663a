"""What a benchmark study found, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.analysis.groups import EQUAL
from orchestrator.reporting.benchmark.critical import ALPHA
from orchestrator.reporting.benchmark.view import View, counted, group_name
from orchestrator.run.provenance import differences

MOST_NAMED = 6
FEW_TASKS = 10
"""Fewer tasks get a warning."""


def summary(view: View) -> list[str]:
    """One sentence per group of tasks: which method is best, and whether that is significant.

    Then about failed cells, which count in all of them, and about cells of different versions.
    """
    sentences = [_sentence(view, group) for group in (view.widest, *view.groups[:-1]) if group in view.groups]
    first = sentences or ["No method can be ranked: see what was left out."]
    return [*first, *_few(view), *_failures(view), *_versions(view)]


def _few(view: View) -> list[str]:
    """A warning where tests are rough."""
    ranks = view.analysis.ranks
    tasks = int(ranks.loc[ranks["group"] == view.widest, "tasks"].max()) if view.groups else FEW_TASKS
    if tasks >= FEW_TASKS:
        return []
    return [
        f"{counted(tasks, 'task')} {'is' if tasks == 1 else 'are'} few: below {FEW_TASKS}, p-values of "
        "Friedman's and Nemenyi's tests are rough, and the order of methods may differ on other tasks."
    ]


def _versions(view: View) -> list[str]:
    cells = view.results.cells
    if "versions" not in cells:
        return []
    counts = cells[cells["status"] != "lost"]["versions"].value_counts()
    if len(counts) < 2:
        return []
    most, *others = counts.index
    parts = [f"{counts[one]:,} with {_differing(one, most)}" for one in others]
    return [f"Not all cells were computed with the same versions: of {counts.sum():,}, {listed(parts)}."]


def _differing(versions: str, most: str) -> str:
    if not versions:
        return "versions that were not recorded"
    return differences(versions, most) if most else "versions that were recorded"


def _failures(view: View) -> list[str]:
    scores = view.analysis.scores
    broken = scores[scores["status"] == "failed"]["method"].value_counts()
    total = scores["method"].value_counts()
    parts = [
        f"{broken[method]:,} of {total[method]:,} cells of {method}"
        for method in view.results.methods
        if method in broken
    ]
    if not parts:
        return []
    return [f"{listed(parts)} failed: they count with what they had found by then, at worst with nothing."]


def _sentence(view: View, group: str) -> str:
    ranks = view.analysis.ranks
    rows = ranks[ranks["group"] == group].sort_values("rank", kind="stable")
    best = rows.iloc[0]
    first = rows["rank"] - best["rank"] < EQUAL
    names, others = listed(list(rows.loc[first, "method"])), rows[~first]
    several = first.sum() > 1
    has, is_ = ("share", "are") if several else ("has", "is")
    where = f"On {_tasks(group, int(best['tasks']))} with {counted(int(best['seeds']), 'seed')}"
    if unbalanced := view.no_best(group):
        return f"{where}, no method is called the best: {unbalanced}."
    if len(rows) == 1:
        return f"{where}, {names} is the only method."
    place = f"mean rank {best['rank']:.2f} among {len(rows)} methods"
    tests = view.analysis.tests
    tests = tests[tests["group"] == group]
    if tests.empty:
        return f"{where}, {names} {has} the best {place}, without a test{_why(view, group)}."
    test = tests.iloc[0]
    if not test["p"] < ALPHA:
        verdict = f"no method is significantly better than another (Friedman, p = {test['p']:.2g})"
        return f"{where}, {verdict}; {names} {has} the best {place}."
    near = list(others.loc[others["rank"] - best["rank"] < test["critical_difference"], "method"])
    return f"{where}, {names} {is_} best ({place}), {_better(list(others['method']), near)}."


def _better(others: Sequence[str], near: Sequence[str]) -> str:
    if not near:
        return "significantly better than every other method (Nemenyi, α = 0.05)"
    far = [method for method in others if method not in near]
    if not far:
        return "but not significantly better than any other (Nemenyi, α = 0.05)"
    return f"significantly better than {listed(far)}, but not than {listed(near)} (Nemenyi, α = 0.05)"


def listed(names: Sequence[Any]) -> str:
    """Names in a sentence, the first few of many."""
    if len(names) > MOST_NAMED:
        return f"{', '.join(map(str, names[: MOST_NAMED - 1]))} and {len(names) - MOST_NAMED + 1} more"
    return " and ".join(filter(None, [", ".join(map(str, names[:-1])), str(names[-1])]))


def _tasks(group: str, count: int) -> str:
    name = group_name(group)
    return (
        f"{count} {name if count != 1 else name.removesuffix('s')}"
        if group != "all"
        else f"all {count} tasks"
    )


def _why(view: View, group: str) -> str:
    omitted = view.analysis.omitted
    rows = omitted[(omitted["group"] == group) & omitted["what"].str.contains("friedman", case=False)]
    return f": {rows.iloc[0]['reason']}" if len(rows) else ""
