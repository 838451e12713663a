"""How far a journal has been recorded, and where; kept in the run directory as ``tracking.json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.config.passwords import masked, without_credentials
from orchestrator.run.directory import RunDirectory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a journal has been recorded, and where.

    Args:
        configured: the tracking URI as it was configured, its password masked.
        uri: what that meant in the folder of the first process.
        events: events of the journal that are recorded.
        key: the tag that all runs of the record carry.
        run_id, children: MLflow's ids of the parent run and of the child runs by name.
    """

    configured: str
    uri: str
    experiment_id: str
    key: str
    events: int = 0
    run_id: str = ""
    children: Mapping[str, str] = field(default_factory=dict)


def load(run: RunDirectory, uri: str) -> Progress | None:
    """What an earlier process recorded under ``uri``, whatever its password was; None where it did not.

    A damaged file stops no study: the record begins anew.
    """
    if not run.tracking.exists():
        return None
    try:
        progress = Progress(**json.loads(run.tracking.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        _log.warning("%s is damaged; MLflow gets a new record of the study.", run.tracking)
        return None
    progress = replace(progress, configured=masked(progress.configured), uri=masked(progress.uri))
    return progress if without_credentials(progress.configured) == without_credentials(uri) else None


def save(run: RunDirectory, progress: Progress) -> None:
    """Keep ``progress``; the file is replaced whole."""
    temporary = run.tracking.with_suffix(".part")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(json.dumps(vars(progress)))
    temporary.replace(run.tracking)
