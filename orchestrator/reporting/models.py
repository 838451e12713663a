"""The trained models among a study's results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from orchestrator.run.results import replacing
from workloads.state_files import remove_state, share_state


def keep_models(folder: Path, files: Sequence[Path], table: pd.DataFrame) -> None:
    """Write ``models/<n>.pt`` and ``models.csv`` into ``folder``, and remove what only an earlier call wrote.

    Args:
        files: the models, in their order; on the disk once where the file system has hard links.
        table: what ``models.csv`` says of them. It is written where there is a model, or was one.
    """
    models = folder / "models"
    if files:
        models.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        share_state(file, models / f"{number}.pt")
    for file in models.glob("*.pt"):
        if file.stem.isdigit() and int(file.stem) >= len(files):
            remove_state(file)
    if files or (folder / "models.csv").exists():
        with replacing(folder / "models.csv") as path:
            table.to_csv(path, index=False)
