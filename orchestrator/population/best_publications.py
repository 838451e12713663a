"""Which publications are the best so far, so that their weights are kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.population.records import MemberInterval, Rank


class BestPublications:
    """Says which publications must not be lost, before they are in a snapshot.

    A snapshot holds the best publication up to its own generation, and members may be ahead of it. So there
    is a best one for each span between two snapshots. Members that go back to a snapshot take their
    best ones along, so there is also one for each set of members that go back together.

    Args:
        span: generations between two snapshots.
        together: by member, with whom it goes back.
    """

    def __init__(self, span: int, together: Mapping[int, int]) -> None:
        self._span, self._together = span, together
        # By those that go back together: spans, ascending, and their best ranks, each better than the last.
        self._best: dict[int, tuple[list[int], list[Rank]]] = {}
        self._saved: Rank | None = None

    def span(self, generation: int) -> int:
        """The span that a generation is in."""
        return -(-generation // self._span)

    def improved(self, intervals: Iterable[MemberInterval]) -> set[tuple[int, int]]:
        """Those members and generations whose weights are to be kept, of intervals just decided on."""
        groups: dict[tuple[int, int], MemberInterval] = {}
        for interval in intervals:
            if not interval.failed:
                key = self._key(interval)
                groups[key] = min(groups.get(key, interval), interval, key=lambda one: one.rank)
        return {interval.place for key, interval in groups.items() if self._improves(key, interval.rank)}

    def restart(self, lives: Iterable[Sequence[MemberInterval]], saved: MemberInterval | None) -> None:
        """Begin again with these lives, the best publication of which is safe in a snapshot."""
        self._best, self._saved = {}, None
        for life in lives:
            self.improved(life)
        self._saved = None if saved is None else saved.rank

    def _key(self, interval: MemberInterval) -> tuple[int, int]:
        return self._together[interval.member], self.span(interval.generation)

    def _improves(self, key: tuple[int, int], rank: Rank) -> bool:
        own, span = key
        spans, ranks = self._best.setdefault(own, ([], []))
        end = bisect_right(spans, span)
        best = [*ranks[max(0, end - 1) : end], *([] if self._saved is None else [self._saved])]
        if any(other <= rank for other in best):
            return False
        begin = bisect_left(spans, span)
        # Those of this span and later ones that it beats cannot be the best any more.
        while end < len(ranks) and rank <= ranks[end]:
            end += 1
        spans[begin:end], ranks[begin:end] = [span], [rank]
        return True
