"""A search's part of the coordinator: which trial comes next, and how far each is trained."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from orchestrator.run.directory import keep_traceback
from orchestrator.run.journal import Event
from orchestrator.search.ahead import AskAhead
from orchestrator.search.course import Assignment, Course
from orchestrator.search.earlier.inbox import Inbox
from orchestrator.search.finals.finals import Finals
from orchestrator.search.told_optimizer import Thought
from orchestrator.search.trials.checkpoints import News
from orchestrator.search.trials.trial_run import Report
from orchestrator.stopping.rules import Judge
from orchestrator.trial import Suggestion, evaluated
from workloads.contract import Objective


class Verdicts:
    """What a stopping rule says of each report, once.

    A trial that is retried or resumed reports again where it has been judged before. Its first verdict holds,
    so that no report counts twice and a resumed study decides as if it had never been killed.

    Args:
        judge: the rule; fresh.
        objectives: what is optimised.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        past: the journal's events so far.
    """

    def __init__(
        self,
        judge: Judge,
        objectives: Sequence[Objective],
        constraints: Sequence[Objective],
        past: Iterable[Event] = (),
    ) -> None:
        self._judge, self._objectives, self._constraints = judge, objectives, constraints
        self._known: dict[tuple[int, int], bool] = {}
        finals = Finals()
        for event in past:
            if not finals.take(event) and event["event"] == "report":
                self.goes_on(event["trial"], event["fidelity"], event["metrics"])

    def goes_on(self, trial: int, fidelity: int, metrics: dict[str, float]) -> bool:
        """Whether a trial that reported ``metrics`` at a rung goes on."""
        place = (trial, fidelity)
        if place not in self._known:
            seen = evaluated(Suggestion({}), metrics, self._objectives, self._constraints)
            self._known[place] = self._judge.goes_on(trial, fidelity, seen.losses, seen.violations)
        return self._known[place]


class GroupSync:
    """Makes a journal durable for many at once: one ``sync`` serves everybody who came before it began.

    Args:
        sync: returns once all that was written before is on the disk; called in a thread.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync, self._syncing = sync, asyncio.Lock()
        self._asked = self._served = 0

    async def __call__(self) -> None:
        """Return once all that was written before this call is on the disk."""
        self._asked += 1
        mine = self._asked
        async with self._syncing:
            if self._served < mine:
                everybody = self._asked
                await asyncio.to_thread(self._sync)
                self._served = everybody


class SearchDesk:
    """Hands out a course's trials.

    Args:
        course: the study's course.
        verdicts: of the rule that stops trials early; None: there is no such rule.
        rule: its name.
        failures: the file that tracebacks are appended to.
        overdue: says of a trial whose process is gone that its time was over, by number; None: it was not.
        clock: seconds.
        greedy: as ``overdue``, of a trial that took too much memory.
        cuts: whether a trial whose time is over is stopped with its last report, rather than failed.
        inbox: where people hand over configurations; None: nowhere.
    """

    def __init__(  # noqa: PLR0913 - what makes a desk, by name
        self,
        course: Course,
        verdicts: Verdicts | None,
        rule: str,
        failures: Path,
        overdue: Callable[[int], str | None],
        clock: Callable[[], float] = time.monotonic,
        *,
        greedy: Callable[[int], str | None] = lambda _: None,
        cuts: bool = False,
        inbox: Inbox | None = None,
    ) -> None:
        self._course, self._verdicts, self._rule = course, verdicts, rule
        self._failures, self._overdue, self._greedy, self._clock = failures, overdue, greedy, clock
        self._cuts, self._inbox = cuts, inbox
        self._began: dict[int, float] = {}
        self._ahead = AskAhead(1)
        self._thinking: asyncio.Task[list[Thought]] | None = None
        self._sync = GroupSync(course.sync)

    def plan(self, workers: int) -> None:
        """Say how many trials will run at a time; until then it is one. Call this before :meth:`next`."""
        self._ahead = AskAhead(workers)

    @property
    def over(self) -> bool:
        """Whether no trial runs and none will be handed out."""
        return self._course.progress.over

    @property
    def failure(self) -> str:
        """Why the study should end: nothing works."""
        return self._course.progress.hopeless

    @property
    def remark(self) -> str:
        """Whether the optimizer goes on otherwise than it would have without an interruption."""
        return self._course.optimizer.remark

    async def next(self) -> Assignment | None:
        """The next trial, journalled but perhaps not on the disk.

        The optimizer thinks in a thread; where it is slow, ahead of time.
        """
        self._course.check_budget()
        self._take_in()
        assignment = self._course.again() or self._course.given() or await self._suggested()
        assignment = assignment or self._course.final()
        if assignment is not None:
            self._began[assignment.number] = self._clock()
            self._take_thoughts()
            self._think_ahead()
        return assignment

    async def _suggested(self) -> Assignment | None:
        """The optimizer's next trial; where none lies ready, it thinks in a thread."""
        while (assignment := self._course.suggested()) is None and self._course.progress.may_ask:
            thinking = self._thinking or self._think(max(1, self._wanted))
            await asyncio.wait([thinking])  # which goes on if this is cancelled
            self._take_thoughts()
        return assignment

    @property
    def _wanted(self) -> int:
        return self._ahead.count(len(self._began), self._course.optimizer.ready)

    def _think_ahead(self) -> None:
        if self._thinking is None and self._wanted and self._course.progress.may_ask:
            self._think(self._wanted)

    def _think(self, count: int) -> asyncio.Task[list[Thought]]:
        self._thinking = asyncio.create_task(self._thoughts(min(count, self._course.progress.room)))
        return self._thinking

    async def _thoughts(self, count: int) -> list[Thought]:
        began = self._clock()
        thoughts = await asyncio.to_thread(self._course.optimizer.think, count)
        self._ahead.thought(self._clock() - began)
        return thoughts

    def _take_thoughts(self) -> None:
        if self._thinking is not None and self._thinking.done():
            thinking, self._thinking = self._thinking, None
            self._course.optimizer.keep(thinking.result())

    async def commit(self) -> None:
        """Return once all that was journalled before this call is on the disk."""
        await self._sync()

    def give_back(self, work: Assignment) -> None:
        """Take back a trial that no process has begun; it costs the trial no attempt."""
        del self._began[work.number]
        self._course.give_back(work.number)

    def report(self, work: Assignment, report: Report | News) -> bool:
        """Take in a trial's report, or news of its checkpoints; True: it trains on, up to its next rung."""
        if self._goes_on(work, report):
            return True
        self._ahead.trained(self._clock() - self._began.pop(work.number))
        return False

    def _goes_on(self, work: Assignment, report: Report | News) -> bool:
        if not isinstance(report, Report):
            self._course.note(work.number, report)
            return not self._course.progress.halted
        self._note_traceback(work, report)
        self._course.report(work.number, report)
        if report.overdue and self._cuts:
            self._course.cut(work.number, report.failure, report.seconds)
            return False
        if report.failure or self._course.progress.halted:
            self._course.end(work.number, report)
            return False
        reason = self._stops(work, report)
        if report.done or reason:
            self._course.end(work.number, report, reason)
        return not (report.done or reason)

    def _stops(self, work: Assignment, report: Report) -> str:
        """What stops a trial; empty: nothing. Nothing stops the evaluation of a finalist."""
        if work.finalist is not None:
            return ""
        # The rule sees every report that the journal holds, a trial's last one too: so will a resume.
        verdicts = self._verdicts
        if verdicts and not verdicts.goes_on(work.number, report.fidelity, dict(report.metrics)):
            return self._rule
        return "the study's budget was spent" if self._course.progress.spent else ""

    def _take_in(self) -> None:
        """Configurations that people have handed over; each file is removed once it is journalled."""
        if self._inbox is None:
            return
        for name, configs in self._inbox.read():
            if name not in self._course.added:
                self._course.add(name, configs)
                self._course.sync()
            self._inbox.remove(name)

    def _note_traceback(self, work: Assignment, report: Report) -> None:
        if report.traceback:
            keep_traceback(self._failures, f"trial {work.number}", report.traceback)

    def lose(self, work: Assignment, reason: str, process: str) -> None:
        """A trial's process is gone: by the trial's fault (time, memory), or it is tried again."""
        seconds = self._clock() - self._began.pop(work.number)
        overdue = self._overdue(work.number)
        if (greedy := self._greedy(work.number)) is not None:
            self._course.fail(work.number, greedy, seconds)
        elif overdue is not None and self._cuts:
            self._course.cut(work.number, overdue, seconds)
        elif overdue is not None:
            self._course.fail(work.number, overdue, seconds)
        else:
            self._course.lose(work.number, reason, seconds, process)

    def halt(self) -> None:
        """Hand out no more trials."""
        self._course.halt()

    def close(self) -> None:
        """Close the journal."""
        self._course.close()
