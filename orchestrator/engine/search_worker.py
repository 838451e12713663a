"""The workers of a search: each trains one trial after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.config.workload import assemble_workload, prepare_workload
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.engine.node import once_on_node
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.search.course import Assignment
from orchestrator.search.goals import goal_of, models_of
from orchestrator.search.trials.checkpoints import Checkpoint, News, Unsaved
from orchestrator.search.trials.memory_limit import TrialMemory
from orchestrator.search.trials.saving import TrialSaving
from orchestrator.search.trials.scheduled import begun, schedule_of
from orchestrator.search.trials.sessions import together
from orchestrator.search.trials.time_limit import overdue_mark, within
from orchestrator.search.trials.trial_run import Report, TrialRun, trial_seeds
from search_spaces import Config, trusted_space
from workloads.contract import Session


class SearchWorker(PullingWorker):
    """Trains one configuration after another in this process; builds the workload once."""

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        self._study, self._run = study, run
        self._device = self.own(prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"]))
        self._workload = assemble_workload(study, trusted_space(study["search_space"]))
        once_on_node(study, self._workplace, lambda: prepare_workload(self._workload))
        self._schedule = schedule_of(study, self._workload)
        self._training: TrialRun | None = None
        self._models = models_of(study, run, self._workload)
        seconds = study["search"]["checkpoint_seconds"]
        self._saving = TrialSaving(run.checkpoints, seconds, hurry=lambda: self.noticed)
        self._memory = TrialMemory(run, study["search"]["memory_limit"])

    def begin(self, work: Assignment) -> None:
        self._output.unit = ("trial", work.number)
        self._models.settle()
        self._memory.begin(work.number)
        self._work, config = work, work.suggestion.config
        seeds = trial_seeds(self._study["seed"], config, work.repeat, self._study["search"]["repeats"])
        goal = goal_of(self._study, self._workload, work)
        self._mark = overdue_mark(self._run, work.number)
        device = replace(self._device, unit=f"trial-{work.number}")

        def start(seed: int) -> Session:
            def whole(config: Config) -> Session:
                return self._workload.start(self._workload.space.meant(config), seed, device)

            return begun(self._schedule, config, seed, whole)

        meant, origin = self._workload.space.meant(config), work.origin
        self._saving.begin(work.number, origin)
        self._training = TrialRun(
            lambda: together(start, seeds),
            goal,
            saving=self._saving,
            origin=None if origin is None else (origin, meant),
        )

    def advance(self) -> Report | News:
        assert self._training is not None
        with within(self._study["search"]["time_limit"], self._training.seconds, self._mark):
            report = self._training.advance()
        if isinstance(report, Report) and report.done and (session := self._training.release()) is not None:
            self._models.offer(self._work, report, session)
        return report

    def holds(self, report: Report | News) -> bool:
        """A trial that is done has closed its session itself."""
        return not (isinstance(report, Report) and report.done)

    def saved(self, report: Report | News | None) -> bool:
        """A trial that trains is saved next, where it can be."""
        return not self._working or not self._saving.able or isinstance(report, Checkpoint | Unsaved)

    def drop(self) -> None:
        self._memory.drop()
        self._training = None
