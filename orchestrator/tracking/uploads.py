"""The files and tables that MLflow keeps with a study's parent run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from orchestrator.config.passwords import masked
from orchestrator.run.directory import RunDirectory
from orchestrator.tracking import address
from orchestrator.tracking.records import Record
from orchestrator.tracking.runs import Runs


def upload(runs: Runs, run: RunDirectory, record: Record | None, artifacts: Path | None) -> str | None:
    """Keep all of them, each by itself; returns why the first that failed did, None where none failed.

    Args:
        runs: of the study in MLflow.
        run: the study's directory, whose configuration is kept without passwords.
        record: says which tables and files there are besides; None: nothing has been recorded.
        artifacts: the folder of results, if there are any.
    """
    attempts: list[Callable[[], None]] = []
    if artifacts is not None:
        attempts.append(partial(runs.upload, artifacts, artifacts.name))
    if run.config.is_file():
        config = masked(run.config.read_text(encoding="utf-8"))
        attempts.append(partial(runs.text, run.config.name, config))
    if run.provenance.is_file():
        attempts.append(partial(runs.upload, run.provenance))
    if record is not None:
        attempts += [partial(runs.table, name, table) for name, table in record.tables().items()]
        attempts += [partial(_upload_own, runs, run, *file) for file in record.files().items()]
    failures = [failure for attempt in attempts if (failure := _failure(attempt))]
    return failures[0] if failures else None


def _upload_own(runs: Runs, run: RunDirectory, folder: str, name: str) -> None:
    """Keep a file that the journal names, if the run has it."""
    if (path := run.inside(name)).is_file():
        runs.upload(path, folder)


def _failure(attempt: Callable[[], None]) -> str | None:
    """Why an attempt failed; None where it did not."""
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - whatever an artifact store raises, the others are kept
        return address.in_one_line(error)
    return None
