"""Which publications are the best so far."""

from __future__ import annotations

import random

from orchestrator.population.decision import Decision
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.snapshots.best_publications import BestPublications

SPAN = 3


def published(member: int, generation: int, loss: float) -> MemberInterval:
    report = Report(member, generation, generation, {}, 0.0)
    return MemberInterval.of(report, {}, [loss], Decision(member, generation, member, {}))


def test_a_champion_is_better_than_all_of_its_span_and_of_earlier_ones() -> None:
    draw = random.Random(0)
    champions, past = BestPublications(SPAN, {0: 0, 1: 0, 2: 1}), []
    trained = [0, 0, 0]
    for _ in range(400):
        member = draw.randrange(3)
        trained[member] += 1
        interval = published(member, trained[member], draw.choice([1.0, 2.0, 3.0]) / trained[member])
        rivals = [
            other.rank
            for other in past
            if (other.member < 2) == (member < 2)
            and champions.span(other.generation) <= champions.span(trained[member])
        ]
        best = all(interval.rank < rank for rank in rivals)
        assert champions.improved([interval]) == ({interval.place} if best else set())
        past.append(interval)


def test_a_champion_costs_the_same_after_many_snapshots() -> None:
    looked_at = 0

    class Rank(tuple):
        def __le__(self, other: object) -> bool:
            nonlocal looked_at
            looked_at += 1
            return tuple.__le__(self, other)

    class Published(MemberInterval):
        @property
        def rank(self) -> tuple[float, int, int]:
            return Rank(super().rank)

    champions = BestPublications(1, {0: 0})
    for generation in range(1, 301):
        report = Report(0, generation, generation, {}, 0.0)
        interval = Published.of(report, {}, [1 / generation], Decision(0, generation, 0, {}))
        assert champions.improved([interval])
    assert looked_at < 5 * 300
