"""When a population is saved, which of its weights are kept, and where it goes back to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.population.coordination.homes import saved_together
from orchestrator.population.coordination.messages import Plan
from orchestrator.population.coordination.writing import PopulationJournal
from orchestrator.population.decision import Decision
from orchestrator.population.evolution import Evolution
from orchestrator.population.records import MemberInterval, Rank
from orchestrator.population.snapshots.best_publications import BestPublications
from orchestrator.population.snapshots.manifests import STOPPED, Publication, Snapshot, best_file, member_file
from orchestrator.population.snapshots.model_archive import selection_of
from orchestrator.population.snapshots.saves import intact_saves, saved_event
from orchestrator.population.snapshots.snapshots import SnapshotStore
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event


class _Pace:
    """When the members of a synchronous study, which are saved together, are saved next.

    Args:
        seconds: after which they are saved besides; None: never.
        clock: in seconds.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._since = 0.0 if seconds is None else clock()
        self._asked, self._due = 0, False

    def due(self, generation: int, planned: bool) -> bool:
        """Whether they are saved after a generation: as planned, or because too much time has passed.

        The answer is the same each time, since every island's orders ask for it.
        """
        if self._seconds is None:
            return planned
        if generation != self._asked:
            now = self._clock()
            self._asked, self._due = generation, planned or now - self._since >= self._seconds
            self._since = now if self._due else self._since
        return self._due


class Saving:
    """The snapshots of one study, and the journal's lines about them.

    A snapshot is valid once all members are in it. The members of an asynchronous study, which need no common
    past, go back to what was last saved of each, be that snapshot valid or not.

    Args:
        evolution: the population.
        plan: the study's course.
        run: the run directory.
        journal: of the study.
        homes: by member, its island; may change whenever all members go back.
        clock: in seconds, for :attr:`..coordination.messages.Plan.snapshot_seconds`.

    Attributes:
        newest: the newest valid snapshot; None while there is none.
        over: whether the study's last snapshot is valid, which ends all training.
    """

    def __init__(
        self,
        evolution: Evolution,
        plan: Plan,
        run: RunDirectory,
        journal: PopulationJournal,
        homes: Mapping[int, int],
        clock: Callable[[], float],
    ) -> None:
        self._evolution, self._plan, self._run, self._journal = evolution, plan, run, journal
        self._select = selection_of(evolution.objectives, plan.archive)
        self._together: dict[int, tuple[int, ...]] = {}
        self._best = BestPublications(plan.snapshot_interval, self._together, self._select)
        self._improved: set[Publication] = set()
        self._homes = homes
        self._displaced: set[Publication] = set()
        self._store = SnapshotStore(run.snapshots, evolution.size, plan.generations, plan.keep_snapshots)
        self._pace = _Pace(plan.snapshot_seconds, clock)
        self._stop_folder: Path | None = None
        self.newest: Snapshot | None = None
        self.over = False
        self.regroup(homes)

    @property
    def stopping(self) -> bool:
        """Whether every member's training ends after its present interval."""
        return self._stop_folder is not None

    def stop(self) -> None:
        """End every member's training after its present interval, with a snapshot."""
        if self._stop_folder is None:
            self._stop_folder = self._store.stop_folder(sum(map(len, self._evolution.lives)))

    def folder(self, generation: int) -> Path | None:
        """The snapshot folder for members that have trained ``generation`` intervals; None if none is due."""
        if self._stop_folder is not None and generation < self._plan.generations:
            return self._stop_folder
        due = generation == self._plan.generations or generation % self._plan.snapshot_interval == 0
        if self._plan.synchronous:
            due = self._pace.due(generation, due)
        return self._store.folder(generation) if due else None

    def note(self, intervals: Iterable[MemberInterval]) -> None:
        """Members have published."""
        self._improved |= self._best.improved(intervals)
        # Islands are told to forget only what they have been told to keep.
        self._displaced |= self._best.displaced - self._improved
        self._improved -= self._best.displaced
        self._best.displaced.clear()

    def keep(self, decisions: Iterable[Decision]) -> frozenset[int]:
        """Members whose publication is among the best so far; told once about each publication."""
        publications = {(decision.member, decision.generation) for decision in decisions}
        kept = self._improved & publications
        self._improved -= kept
        return frozenset(member for member, _ in kept)

    def forget(self, island: int) -> frozenset[Publication]:
        """Publications of an island's members that are no longer among the best; told once about each."""
        theirs = {publication for publication in self._displaced if self._homes[publication[0]] == island}
        self._displaced -= theirs
        return frozenset(theirs)

    def add(self, folder: Path, generations: Mapping[int, int], empty: Collection[int]) -> None:
        """Members have been written to a snapshot's folder; the last one makes it valid."""
        self._store.add(folder, generations, empty)
        valid = self._store.complete()
        if not self._plan.synchronous and folder not in valid and not folder.name.startswith(STOPPED):
            self._journal.write(saved_event(self._run, folder, sorted(generations), empty))
        for complete in valid:
            # The manifest promises that the journal holds these generations, so the journal is synced first.
            self._journal.sync()
            self.newest = self._store.commit(complete, self._rank, self._choose, self._journal.position)
            path = str(complete.relative_to(self._run.path))
            line = {"event": "snapshot", "generation": max(self.newest.generations), "path": path}
            self._journal.write(line)
            self.over |= complete in (self._stop_folder, self._store.folder(self._plan.generations))

    def take_up(self) -> bool:
        """Take the last snapshot of a study that is complete; False: only one before is left."""
        newest = self._store.newest()
        if newest is not None and min(newest.generations) < self._plan.generations:
            return False
        self.newest = newest
        return True

    def take_up_saves(self, past: Iterable[Event]) -> list[str]:
        """Learn from the journal who has been saved to snapshots that are not valid yet.

        Returns:
            What people should know.
        """
        if self._plan.synchronous:
            return []
        saves, lines = intact_saves(self._run, past)
        for folder, saved in saves.items():
            self._store.add(folder, dict.fromkeys(saved, int(folder.name)), [m for m in saved if saved[m]])
        return lines

    def regroup(self, members: Iterable[int]) -> None:
        """These members, all of their islands, have other homes or have gone back: they are saved anew."""
        generations = list(map(len, self._evolution.lives))
        homes = {member: self._homes[member] for member in members}
        self._together.update(
            dict.fromkeys(homes, ())
            if self._plan.synchronous
            else saved_together(homes, generations, self._plan.generations)
        )
        safe = self.newest.generations if self.newest else (0,) * len(generations)
        lives = self._evolution.lives
        later = (interval for life, count in zip(lives, safe, strict=True) for interval in life[count:])
        saved = [self._interval(publication) for publication in self.newest.archive] if self.newest else []
        self._best.restart(sorted(later, key=lambda one: (one.generation, one.member)), saved)

    def go_back(self, members: Sequence[int]) -> None:
        """Take members back to the newest valid snapshot, or to their birth.

        In an asynchronous study each goes back to what was last saved of it.
        """
        self.newest = newest = self._store.newest()
        generations = [self._evolution.generation(member) for member in range(self._evolution.size)]
        for member in members:
            if self._plan.synchronous:
                generations[member] = newest.generations[member] if newest else 0
            else:
                generations[member] = self._store.latest(member, newest)
        self.over = newest is not None and min(newest.generations) >= self._plan.generations
        self._evolution.rewind(generations, restored=members)
        self._store.go_back({member: generations[member] for member in members}, newest)
        # Islands that stay have yet to be told of theirs.
        self._improved = {publication for publication in self._improved if publication[0] not in members}
        self._displaced = {publication for publication in self._displaced if publication[0] not in members}
        self.regroup(members)
        total = self._plan.generations
        self._journal.write({"event": "resume", "generations": generations, "total": total})

    def files(self, members: Iterable[int]) -> dict[int, Path]:
        """Where members go on from; without those that are born."""
        generation = self._evolution.generation
        files = ((m, self._store.file(m, generation(m), self.newest)) for m in members)
        return {member: file for member, file in files if file is not None}

    def best(self) -> tuple[MemberInterval | None, Path | None]:
        """The best publication so far and its weights; those of the newest snapshot, once there is one."""
        if self.newest is None:
            return self._evolution.best(), None
        models = self.models()
        return models[0] if models else (None, None)

    def models(self) -> list[tuple[MemberInterval, Path]]:
        """The best publications in the newest snapshot and their weights, the very best first."""
        if self.newest is None:
            return []
        path = self.newest.path
        if self.newest.archive:
            return [(self._interval(place), best_file(path, place)) for place in self.newest.archive]
        # Written by an earlier version, which kept each member's latest weights alone.
        latest = [life[-1] for life in self._evolution.lives if life and not life[-1].failed]
        best = min(latest, key=lambda interval: interval.rank, default=None)
        return [] if best is None else [(best, member_file(path, best.member))]

    def _interval(self, publication: Publication) -> MemberInterval:
        member, generation = publication
        return self._evolution.lives[member][generation - 1]

    def _choose(
        self, publications: Sequence[Publication], generations: Mapping[int, int]
    ) -> Sequence[Publication]:
        """Those that a snapshot keeps, of those at hand: the best, or the next best where all are lost."""
        best = self._best.among(publications, max(generations.values()))
        chosen = self._select([self._interval(one) for one in best or publications])
        return [interval.place for interval in chosen]

    def _rank(self, publication: Publication, went_on: bool) -> Rank | None:
        """Where a publication stands; None if it failed, or its member had to but did not go on so."""
        interval = self._interval(publication)
        return None if interval.failed or (went_on and interval.discards) else interval.rank
