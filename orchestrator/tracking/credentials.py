"""The tracking URI's password: kept in one file of the run directory that only its owner can read.

A study's configuration carries the masked URI wherever it goes: to ``config.yaml``, to workers, to the
record. Only the recorder asks for the real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.config.passwords import MASK, has_password, is_masked, masked, without_credentials
from orchestrator.run.directory import RunDirectory


def put_away(config: Mapping[str, Any], run: RunDirectory) -> dict[str, Any]:
    """``config`` with the password of ``tracking.uri`` masked; the real URI is kept in the run directory."""
    uri = config["tracking"]["uri"]
    if uri is None or not has_password(uri):
        return dict(config)
    write_private(run.credentials, json.dumps({**_kept(run), without_credentials(uri): uri}, indent=2))
    return {**config, "tracking": {**config["tracking"], "uri": masked(uri)}}


def usable(uri: str, run: RunDirectory) -> str:
    """The URI to connect to: with the password that was kept.

    Where none was kept, the URI has no password, and the client library looks for one where it always does
    (``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD`` for a server, ``PGPASSWORD`` and the like
    for a database).
    """
    if not is_masked(uri):
        return uri
    place = without_credentials(uri)
    if kept := _kept(run).get(place):
        return kept
    return place if uri.startswith("http") or f":{MASK}@" not in uri else uri.replace(f":{MASK}@", "@")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _kept(run: RunDirectory) -> dict[str, str]:
    """The real URIs by what they have without credentials."""
    if not run.credentials.is_file():
        return {}
    try:
        kept = json.loads(run.credentials.read_text(encoding="utf-8"))
    except ValueError:  # as if none had been kept, for which connecting has a hint
        return {}
    return kept if isinstance(kept, dict) else {}
