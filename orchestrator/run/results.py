"""How the files below ``results/`` are written: each appears whole or not at all.

Optuna's journal file alone grows (:mod:`orchestrator.search.history.optuna_file`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame to ``path`` as Parquet."""
    with replacing(path) as temporary:
        _storable(frame).to_parquet(temporary, index=False)


def _storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed types (a choice among ``0.1`` and ``auto``) as text: Parquet wants one type."""
    mixed = [
        name
        for name in frame.columns
        if frame[name].dtype == object and len({type(value) for value in frame[name].dropna()}) > 1
    ]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore") for name in mixed})
