"""Which cells count, and how: one rule for every table and picture, so that no method gains from a crash.

- A cell that *finished* counts, also where it ended before its budget was spent; the report marks it then.
- A cell that *failed* counts with what it had found by then, which stands to the end of the budget. Where it
  had found nothing, it has the worst normalised value, 1, reaches no target and attains nothing. On a task a
  method that found nothing with more of its seeds ranks behind one with fewer (:mod:`.places`).
- A cell that was *lost* with its machine, or has not been computed, says nothing about its method. Its seed
  counts for no method on that task, so that all are compared on the same seeds; and no method of a group in
  which some lack cells that others have is called the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.benchmark.records import Results

RULE = (
    "A cell that failed counts with what it had found by then, at worst with nothing: then it has the worst "
    "score, and on a task methods that found nothing with more of their seeds rank last. A seed for which "
    "some method's cell was lost with its machine, or has not been computed, counts for no method on that "
    "task, and where some methods lack cells that others have, none is called the best."
)
"""The rule, for readers of the report."""

Pairing = tuple[str, str]
"""Task and method."""


@dataclass(frozen=True)
class Counting:
    """The cells of a study that count.

    Args:
        keys: (task, method, seed) of these cells.
        lacking: by task and method, the planned seeds without a cell that has finished or failed; only of
            methods that have any cell on the task.
    """

    keys: frozenset[tuple[str, str, int]] = field(repr=False)
    lacking: Mapping[Pairing, frozenset[int]]

    @classmethod
    def of(cls, results: Results) -> Counting:
        """Apply the rule to what is stored."""
        cells = results.cells[results.cells["status"] != "lost"]
        columns = cells["task"].tolist(), cells["method"].tolist(), cells["seed"].astype(int).tolist()
        ended = set(zip(*columns, strict=True))
        there = {(task, method) for task, method, _ in ended}
        lacking = {
            pairing: frozenset(seed for seed in plan.seeds if (*pairing, seed) not in ended)
            for pairing, plan in results.plans.items()
            if pairing in there
        }
        uncounted: dict[str, set[int]] = {}
        for (task, _), seeds in lacking.items():
            uncounted.setdefault(task, set()).update(seeds)
        keys = frozenset(key for key in ended if key[2] not in uncounted.get(key[0], ()))
        return cls(keys, {pairing: seeds for pairing, seeds in lacking.items() if seeds})

    def unbalanced(self, tasks: Iterable[str], methods: Iterable[str]) -> str:
        """Why no method can be called the best on ``tasks``; empty if one can."""
        chosen = list(methods)
        uneven = [
            task
            for task in tasks
            if len({self.lacking.get((task, method), frozenset()) for method in chosen}) > 1
        ]
        counts = {
            method: sum(len(self.lacking.get((task, method), ())) for task in uneven) for method in chosen
        }
        if not uneven:
            return ""
        lacking = [f"{method} lacks {_cells(count)}" for method, count in counts.items() if count]
        return f"{', '.join(lacking)} that others have, such as on {uneven[0]}"


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"
