"""Where the islands of a synchronous study wait for one another after each interval."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.population.coordination.decisions import END, REJOIN, Decisions
from orchestrator.population.coordination.exchange import Exchange
from orchestrator.population.coordination.membership import Membership
from orchestrator.population.coordination.messages import Orders
from orchestrator.population.records import Report


class Barrier:
    """Collects what all islands publish of one generation, and answers them together.

    Args:
        membership: the islands that are expected, and where they wait.
        exchange: whose states are then of the past.
        decisions: how members go on.
    """

    def __init__(self, membership: Membership, exchange: Exchange, decisions: Decisions) -> None:
        self._membership, self._exchange, self._decisions = membership, exchange, decisions
        self.start_over()

    def start_over(self) -> None:
        """Forget what has been published; the population goes back."""
        self._reports: dict[int, Sequence[Report]] = {}
        self._answers: dict[int, Orders] = {}

    async def publish(self, island: int, epoch: int, reports: Sequence[Report]) -> Orders:
        """Publish all members of an island, and learn how they go on once every island has published."""
        if self._membership.failure is not None:
            return END
        self._reports[island] = reports
        if self._reports.keys() >= self._membership.expected:
            await self._close_generation()
        if await self._membership.until(epoch, lambda: island in self._answers):
            return self._answers.pop(island)
        return END if self._membership.failure is not None else REJOIN

    async def _close_generation(self) -> None:
        reports = [report for island in sorted(self._reports) for report in self._reports[island]]
        self._reports = {}
        self._exchange.clear()
        epoch = self._membership.epoch
        answers = await self._decisions.together(reports)
        if epoch == self._membership.epoch:
            self._answers = answers
            self._membership.wake()
