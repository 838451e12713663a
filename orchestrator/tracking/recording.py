"""A study's record, in MLflow and as files for other programs, from the study's point of view: configured or
not, it is used alike."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.config.schema import flat
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.resume_command import resume_command
from orchestrator.tracking.optuna_dashboard import OptunaRecorder
from orchestrator.tracking.tensorboard import TensorboardRecorder

if TYPE_CHECKING:
    from orchestrator.tracking.file_recorder import FileRecorder
    from orchestrator.tracking.recorder import MlflowRecorder

_STATUS = {0: "FINISHED", 1: "FAILED", INTERRUPTED: "KILLED"}


class Recording:
    """Records a study in MLflow if ``tracking.uri`` says where, and for TensorBoard and optuna-dashboard
    if that is wanted.

    As a context it connects in the background, since making a database takes MLflow as long as starting takes
    Ray; and no run stays "running" in MLflow when the study dies inside.

    Args:
        study: the resolved configuration.
        run: the run directory.
    """

    def __init__(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        tracking = study["tracking"]
        command = resume_command(run.path, study)
        self._recorder: MlflowRecorder | None = None
        self._event_files = TensorboardRecorder(run, command) if tracking["tensorboard"] else None
        self._files: list[FileRecorder] = [self._event_files] if self._event_files else []
        if study["study"]["kind"] == "search" and study["search"]["export_optuna"]:
            self._files.append(OptunaRecorder(study, run, command))
        if tracking["uri"] is not None:
            # MLflow takes seconds to import, and is not needed where nothing is recorded.
            from orchestrator.tracking.recorder import MlflowRecorder

            experiment = tracking["experiment"] or study["study"]["name"]
            self._recorder = MlflowRecorder(
                run.path, tracking["uri"], experiment, flat(study), command, tracking["required"]
            )
        self._pool = ThreadPoolExecutor(1)
        self._started = False

    @property
    def view(self) -> str | None:
        """What a user types, or opens, to look at the record in MLflow; None where there is none."""
        return self._recorder.view if self._recorder else None

    @property
    def event_files(self) -> str | None:
        """What a user types to look at the event files; None where there are none."""
        return self._event_files.view if self._event_files else None

    def start(self) -> None:
        """Wait for the connection, make the record's runs and follow the journal from now on.

        Raises:
            ConfigurationError: MLflow cannot be reached.
        """
        if self._recorder is not None:
            self._connecting.result()
            self._recorder.begin()
            self._started = True
            self._recorder.start()
        for files in self._files:
            files.start()

    def finish(self, exit_status: int, results: Path | None) -> None:
        """Record what is left, with the folder of results if there is one, and how the study ended."""
        for files in self._files:
            files.finish()
        if self._recorder is not None:
            self._recorder.finish(_STATUS[exit_status], results)

    def __enter__(self) -> Self:
        if self._recorder is not None:
            self._connecting = self._pool.submit(self._recorder.connect)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        for files in self._files:
            files.finish()
        if self._recorder is not None and self._started and kind is not None:
            self._recorder.finish("KILLED" if kind is KeyboardInterrupt else "FAILED")
