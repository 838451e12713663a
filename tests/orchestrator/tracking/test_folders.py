"""The record lies where the study was started, whatever that folder is called."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.tracking.mlflow_client import connect


@pytest.mark.parametrize("name", ["a%20b?c#d"])
def test_a_folder_of_any_name_keeps_the_record_with_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three first studies at once, in a folder whose name means something in a URI."""
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: connect("sqlite:///mlflow.db", "pretended"), range(3)))
    assert len({one.experiment_id for one in made}) == 1
    client = made[0].client
    run = client.create_run(made[0].experiment_id).info.run_id
    client.log_text(run, "text", "note.txt")
    sqlites = {"mlflow.db-shm", "mlflow.db-wal"}  # while it is open, where the file system allows them
    assert {path.name for path in (tmp_path / name).iterdir()} - sqlites == {"mlartifacts", "mlflow.db"}
    assert list((tmp_path / name / "mlartifacts").rglob("note.txt"))
    assert [path.name for path in tmp_path.iterdir()] == [name]
