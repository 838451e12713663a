"""A run of a population study."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Cluster, Share, place, place_first
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.population_training import evolve
from orchestrator.population.assemble import assemble_population
from orchestrator.population.coordination.messages import Outcome
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.soundness import PopulationJudge
from orchestrator.population.preflight import preflight
from orchestrator.population.setup import DRAWS
from orchestrator.population.snapshots.resuming import refuse_left_behind, settle
from orchestrator.reporting.population.results import write_results
from orchestrator.reporting.population.summary import closing, opening
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.run.soundness import require_sound
from orchestrator.studies.kind import Study
from orchestrator.studies.lifecycle import carry_out
from search_spaces import ConfigurationError
from workloads.contract import Workload
from workloads.packing import PackableWorkload


def run(study: Study, path: Path, resume: bool) -> int:
    """Run or resume a population study, see :func:`.lifecycle.carry_out`."""
    return carry_out(PopulationRun, study, path, resume)


class PopulationRun:
    """One run of a population study, see :class:`.lifecycle.StudyRun`."""

    complete = False
    """A complete study may still lack its held-out test, which runs where an island could."""

    def __init__(self, study: Study, run: RunDirectory, console: Console) -> None:
        self._study, self._run, self._console = study, run, console
        self._parts = assemble_population(study)
        self._first = 0
        self._outcome: Outcome
        self._history: PopulationHistory

    @property
    def workloads(self) -> tuple[Workload, ...]:
        return (self._parts.workload,)

    def check(self, resume: bool) -> Iterable[str]:
        if not resume:
            refuse_left_behind(self._run)
            return [*self._remarks(), *preflight(self._study, self._parts).lines]
        prepare_workload(self._parts.workload)
        # Refuses a run that another process still works on, before anything is started.
        with Journal(self._run.journal):
            past = read_journal(self._run.journal)
            lines = self._settled(past)
            self._check_interval(past[:1])
        self.check_generations(past)
        if any(event.get("draws") != DRAWS for event in past[:1]):
            lines.append("an earlier version began this run; from here on it draws other numbers")
        return lines

    def _settled(self, past: Sequence[Event]) -> list[str]:
        """Make sure that the run has a snapshot to go on from, where it has any; what people should know."""
        if not past:
            refuse_left_behind(self._run)
            return []
        require_sound(self._run.journal, past, PopulationJudge())
        return settle(self._run, past, PopulationHistory.from_events(past), thorough=True)

    def _remarks(self) -> Iterable[str]:
        """What people may not expect of the configuration."""
        population = self._study["population"]
        workers = population["workers"]
        if (
            workers > 1
            and population["engine"] == "auto"
            and isinstance(self._parts.workload, PackableWorkload)
        ):
            yield f"members are not packed, since {workers} processes train each (population.workers)"

    def _check_interval(self, begun: Sequence[Event]) -> None:
        """Refuse another interval than the run began with, which ``auto`` gives for other generations."""
        for event in begun:
            if event["interval"] != self._parts.interval:
                expected = f"{event['interval']}, with which the run began"
                raise ConfigurationError("population.interval", expected, self._parts.interval)

    def check_generations(self, past: Sequence[Event]) -> None:
        """Refuse a shorter life than the run has by now; a longer one goes on where the members are."""
        if past and self._study["population"]["generations"] < (
            total := PopulationHistory.from_events(past).start.generations
        ):
            expected = f"at least {total}, which the run has already"
            raise ConfigurationError(
                "population.generations", expected, self._study["population"]["generations"]
            )

    def place(self, cluster: Cluster) -> int:
        settings, population = self._study["cluster"], self._study["population"]
        share = Share.of(settings, "island", population["workers"])
        size, islands = population["size"], settings["islands"]
        count = place(settings, share, "cluster.islands", islands, size, cluster)
        self._first = place_first(settings, share, count, cluster)
        return count

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        return opening(self._study, self._run.path, cluster, workers, resume)

    def begin(self, workers: int) -> Iterable[str]:
        """Nothing: the coordinator writes what the study is."""
        del workers
        return ()

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        """Train the population, test its best member and complete the journal."""
        self._outcome = evolve(self._study, self._run, workers, self._first, self._console, stopping)
        failure, finished = self._outcome.failure or "", self._outcome.finished
        return Standing(finished, halted=not (finished or failure), failure=failure)

    def conclude(self, standing: Standing) -> int:
        self._history = PopulationHistory.from_events(read_journal(self._run.journal))
        if standing.failure:
            return 1
        return 0 if standing.over else INTERRUPTED

    def results(self) -> Path:
        return write_results(self._run.results, self._history, self._run.path)

    def closing(self, view: str | None) -> Iterable[str]:
        return closing(self._history, self._outcome, self._run.path, view, self._study)
