"""Which publications are the best so far, so that their weights are kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.population.records import MemberInterval
from orchestrator.population.snapshots.model_archive import Selection, best

Publication = tuple[int, int]


class BestPublications:
    """Says which publications must not be lost, before they are in a snapshot.

    A snapshot holds the best publications up to its own generation, and members may be ahead of it. So there
    are best ones for each span between two snapshots, chosen among its own and those of earlier spans.
    Members that go back take their best ones along, so there are also some for each set of members that go
    back together.

    Args:
        span: generations between two snapshots.
        together: by member, a mark that it shares with those with whom it goes back; read again by
            :meth:`restart`.
        select: which of several publications are the best.

    Attributes:
        displaced: publications that were among the best of their span and no longer are; the reader clears
            it.
    """

    def __init__(self, span: int, together: Mapping[int, tuple[int, ...]], select: Selection = best) -> None:
        self._span, self._together, self._select = span, together, select
        self._fronts: dict[tuple[int, ...], _Fronts] = {}
        self._saved: tuple[MemberInterval, ...] = ()
        self.displaced: set[Publication] = set()

    def span(self, generation: int) -> int:
        """The span that a generation is in."""
        return -(-generation // self._span)

    def improved(self, intervals: Iterable[MemberInterval]) -> set[Publication]:
        """Those members and generations whose weights are to be kept, of intervals just decided on."""
        groups: dict[tuple[tuple[int, ...], int], list[MemberInterval]] = {}
        for interval in intervals:
            if not interval.failed:
                key = self._together[interval.member], self.span(interval.generation)
                groups.setdefault(key, []).append(interval)
        improved: set[Publication] = set()
        for (own, span), new in sorted(groups.items(), key=lambda group: group[0]):
            improved |= self._add(self._fronts.setdefault(own, _Fronts(self._saved)), span, new)
        return improved

    def among(self, publications: Iterable[Publication], generation: int) -> list[Publication]:
        """Those that are among the best up to a generation, in their order."""
        span = self.span(generation)
        known = {one.place for fronts in self._fronts.values() for one in fronts.until(span)}
        known |= set() if self._fronts else {one.place for one in self._saved}
        return [publication for publication in publications if publication in known]

    def restart(self, intervals: Iterable[MemberInterval], saved: Sequence[MemberInterval]) -> None:
        """Begin again with what is safe in a snapshot, and publications after it, oldest first."""
        self._fronts, self._saved = {}, tuple(saved)
        for interval in intervals:
            self.improved([interval])
        self.displaced.clear()

    def _add(self, fronts: _Fronts, span: int, new: Sequence[MemberInterval]) -> set[Publication]:
        improved: set[Publication] = set()
        for place in range(fronts.open(span), len(fronts.spans)):
            before, after = fronts.fronts[place], self._select([*fronts.fronts[place], *new])
            fronts.fronts[place] = after
            kept = {one.place for one in after}
            improved |= kept & {one.place for one in new} if fronts.spans[place] == span else set()
            self.displaced |= {
                one.place
                for one in before
                if one.place not in kept and self.span(one.generation) == fronts.spans[place]
            }
        return improved


class _Fronts:
    """The best publications up to each span, of members that go back together.

    Args:
        saved: those that are safe in a snapshot.

    Attributes:
        spans: ascending.
        fronts: of each.
    """

    def __init__(self, saved: Sequence[MemberInterval]) -> None:
        self._saved = list(saved)
        self.spans: list[int] = []
        self.fronts: list[list[MemberInterval]] = []

    def until(self, span: int) -> list[MemberInterval]:
        """The best up to a span."""
        end = bisect_right(self.spans, span)
        return self.fronts[end - 1] if end else self._saved

    def open(self, span: int) -> int:
        """The place of a span, which begins with the best of those before it."""
        place = bisect_left(self.spans, span)
        if place == len(self.spans) or self.spans[place] != span:
            self.fronts.insert(place, self.until(span))
            self.spans.insert(place, span)
        return place
