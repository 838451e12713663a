"""What the lifecycle asks of each kind of study."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from orchestrator.engine.cluster import Cluster
from orchestrator.engine.coordinator import Standing
from orchestrator.run.directory import RunDirectory
from workloads.contract import Workload

Study = Mapping[str, Any]


class StudyRun(Protocol):
    """One run of a study, as its kind goes about it. The lifecycle calls the methods in their order here."""

    def check(self, resume: bool) -> Iterable[str]:
        """Refuse what cannot run, before anything is started; returns lines that people should read.

        Raises:
            ConfigurationError: something that the study needs cannot be had.
        """
        ...

    @property
    def workloads(self) -> Iterable[Workload]:
        """What is trained."""
        ...

    @property
    def complete(self) -> bool:
        """Whether no work is left, so that no cluster is needed."""
        ...

    def place(self, cluster: Cluster) -> int:
        """How many workers the study has on this cluster.

        Raises:
            ConfigurationError: there is room for none.
        """
        ...

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        """What runs where, and where it is kept."""
        ...

    def begin(self, workers: int) -> Iterable[str]:
        """Write down what the study is from now on; returns lines that people should read.

        Args:
            workers: 0 where no work is left.
        """
        ...

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        """Do the work until there is none left, it is interrupted or it fails.

        Args:
            stopping: to be set where people ask for its end.
        """
        ...

    def conclude(self, standing: Standing) -> int:
        """Complete the journal; returns the exit status."""
        ...

    def results(self) -> Path | None:
        """Write tables and pictures; returns their folder, None where there is none."""
        ...

    def closing(self, view: str | None) -> Iterable[str]:
        """How the study ended, what came out and what to do next.

        Args:
            view: how to browse the record in MLflow; None: there is none.
        """
        ...


Kind = Callable[[Study, RunDirectory, Console], StudyRun]
"""Makes the run of a study from its resolved configuration; refuses a configuration that makes none."""
