"""The one folder that a run lives in; the truth that every view of the run is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.passwords import masked


@dataclass(frozen=True)
class RunDirectory:
    """Names of what a run keeps; ``path`` lies on storage that every node sees."""

    path: Path

    def inside(self, name: str) -> Path:
        """A file of the run that its journal names.

        Raises:
            ValueError: ``name`` leads elsewhere, as it may in a journal that somebody else wrote.
        """
        path = self.path / name
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise ValueError(f"expected a file of the run {self.path}, got {name!r}")
        return path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def provenance(self) -> Path:
        """What each start of the run was computed with (:mod:`orchestrator.run.provenance`)."""
        return self.path / "provenance.json"

    @property
    def journal(self) -> Path:
        """Append-only results (:mod:`orchestrator.run.journal`)."""
        return self.path / "journal.jsonl"

    @property
    def added(self) -> Path:
        """Configurations that people hand to a running search (:mod:`orchestrator.search.earlier.inbox`)."""
        return self.path / "added"

    @property
    def snapshots(self) -> Path:
        """One folder per snapshot of a population."""
        return self.path / "snapshots"

    @property
    def models(self) -> Path:
        """Weights of a search's best trials (:mod:`orchestrator.search.finals.models`)."""
        return self.path / "models"

    @property
    def checkpoints(self) -> Path:
        """What a search's trials go on from (:mod:`orchestrator.search.trials.checkpoints`)."""
        return self.path / "checkpoints"

    @property
    def cells(self) -> Path:
        """Evaluations of a benchmark study's cells (:mod:`orchestrator.benchmark.store`)."""
        return self.path / "cells"

    @property
    def failures(self) -> Path:
        """Tracebacks of what a workload raised, as text."""
        return self.path / "failures.log"

    @property
    def logs(self) -> Path:
        """What workloads print, one file a worker (:mod:`orchestrator.run.worker_output`)."""
        return self.path / "logs"

    @property
    def scratch(self) -> Path:
        """Files that sessions keep while they live, a folder a worker; gone when the study has ended."""
        return self.path / "scratch"

    @property
    def results(self) -> Path:
        """Tables and plots, made from the journal when the study has ended."""
        return self.path / "results"

    @property
    def optuna(self) -> Path:
        """A search as an Optuna storage, where that is wanted; grows with the journal
        (:mod:`orchestrator.search.history.optuna_file`)."""
        return self.results / "optuna.journal"

    @property
    def tracking(self) -> Path:
        """How far the journal has been recorded in MLflow, and in which runs."""
        return self.path / "tracking.json"

    @property
    def tensorboard(self) -> Path:
        """Event files for TensorBoard (:mod:`orchestrator.tracking.event_files`)."""
        return self.path / "tensorboard"

    @property
    def prometheus(self) -> Path:
        """While a local Ray with a dashboard runs: where Prometheus finds what it exports."""
        return self.path / "prometheus.json"

    @property
    def credentials(self) -> Path:
        """Tracking URIs with their passwords; only the owner can read it, and it is never uploaded."""
        return self.path / "credentials.json"

    @property
    def tune(self) -> Path:
        """What Ray Tune keeps."""
        return self.path / "tune"


def keep_traceback(failures: Path, whose: str, traceback: str) -> None:
    """Append where a workload raised to a run's :attr:`RunDirectory.failures`, whatever characters it has;
    passwords are masked."""
    with failures.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(masked(f"{whose}\n{traceback}\n"))
