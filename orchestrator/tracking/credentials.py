"""The tracking URI's password and secret variables: in one file of the run directory that its owner can read.

A study's configuration carries them masked wherever it goes: to ``config.yaml``, to workers, to the record.
Only the recorder asks for the real URI, and only who starts workers for the real variables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.config.environment import KEY, value_text
from orchestrator.config.passwords import (
    MASK,
    has_password,
    is_masked,
    is_secret,
    masked,
    without_credentials,
)
from orchestrator.run.directory import RunDirectory


def put_away(config: Mapping[str, Any], run: RunDirectory) -> dict[str, Any]:
    """``config`` with its secrets masked: the password of ``tracking.uri``, variables in ``cluster.env``.

    What they really are is kept in the run directory.
    """
    config = _without_secret_variables(config, run)
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


def revealed(env: Mapping[str, Any], run: RunDirectory) -> dict[str, Any]:
    """``cluster.env`` with the secrets that were kept; one that was not stays masked."""
    if MASK not in env.values():
        return dict(env)
    kept = _kept(run)
    return {name: kept.get(f"{KEY}.{name}", value) if value == MASK else value for name, value in env.items()}


def _without_secret_variables(config: Mapping[str, Any], run: RunDirectory) -> Mapping[str, Any]:
    env = config.get("cluster", {}).get("env", {})
    secret = {
        name: value_text(value)
        for name, value in env.items()
        if is_secret(name) and value is not None and value != MASK
    }
    if not secret:
        return config
    keys = {f"{KEY}.{name}": value for name, value in secret.items()}
    write_private(run.credentials, json.dumps({**_kept(run), **keys}, indent=2))
    return {**config, "cluster": {**config["cluster"], "env": {**env, **dict.fromkeys(secret, MASK)}}}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _kept(run: RunDirectory) -> dict[str, str]:
    """The real URIs by what they have without credentials, and secret variables by their keys."""
    if not run.credentials.is_file():
        return {}
    try:
        kept = json.loads(run.credentials.read_text(encoding="utf-8"))
    except ValueError:  # as if none had been kept, for which connecting has a hint
        return {}
    return kept if isinstance(kept, dict) else {}
