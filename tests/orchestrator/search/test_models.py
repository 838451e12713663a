"""Which of a search's trials keep their weights, and what is left of those on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from orchestrator.reporting.search.results import write_models
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.search.finals.best import best_rows
from orchestrator.search.finals.models import StoredModels, TrialModels
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.trials.running import Assignment
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion
from tests.orchestrator.studies.in_process import search_in_process
from tests.orchestrator.test_readme import block
from workloads.contract import Objective
from workloads.library.digits import Digits
from workloads.state_files import load_state

ONE, TWO = (Objective("loss"),), (Objective("loss"), Objective("other"))


class Trained:
    """A session that has weights, or none."""

    def __init__(self, state: Any) -> None:
        self._state = state

    def state(self) -> Any:
        if isinstance(self._state, Exception):
            raise self._state
        return self._state


def models(folder: Path, objectives: tuple[Objective, ...] = ONE, limit: int = 2) -> TrialModels:
    return TrialModels(folder, objectives, (), 9, limit)


def offer(kept: TrialModels, trial: int, *losses: float, fidelity: int = 9, state: Any = None) -> None:
    metrics = dict(zip(("loss", "other"), losses, strict=False))
    work, report = Assignment(trial, Suggestion({})), Report(fidelity, metrics, 1.0, done=True)
    kept.offer(work, report, Trained(state or {"w": torch.ones(2)}))  # type: ignore[arg-type]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def test_the_lowest_losses_come_first_and_of_equals_the_earliest() -> None:
    losses = np.array([[3.0], [1.0], [2.0], [1.0]])
    assert best_rows(losses, ONE, 3) == [1, 3, 2]
    assert best_rows(losses, ONE, None) == [1, 3, 2, 0]
    assert best_rows(np.empty((0, 1)), ONE, 3) == []


def test_with_several_objectives_the_front_loses_the_least_contribution() -> None:
    # As in a population's archive: (6, 3.5) adds least, then (2, 6).
    front = np.array([(9.0, 1.0), (1.0, 9.0), (2.0, 6.0), (3.0, 4.0), (6.0, 3.5), (9.0, 9.0)])
    assert best_rows(front, TWO, 4) == [1, 2, 3, 0]
    assert best_rows(front, TWO, 3) == [1, 3, 0]
    assert best_rows(front, TWO, None) == [1, 2, 3, 4, 0]


def test_only_what_may_be_among_the_best_is_written_and_what_is_displaced_goes(tmp_path: Path) -> None:
    kept = models(tmp_path)
    for trial, loss in enumerate((3.0, 2.0, 5.0)):
        offer(kept, trial, loss)
    assert files(tmp_path) == ["trial-0.pt", "trial-1.pt"]
    offer(kept, 3, 1.0)
    # The one that it displaces stays until the study has heard of it.
    assert files(tmp_path) == ["trial-0.pt", "trial-1.pt", "trial-3.pt"]
    kept.settle()
    assert files(tmp_path) == ["trial-1.pt", "trial-3.pt"]
    assert load_state(tmp_path / "trial-3.pt")["session"]["w"].tolist() == [1.0, 1.0]


def test_with_several_objectives_a_worker_keeps_its_front(tmp_path: Path) -> None:
    kept = models(tmp_path, TWO, limit=1)
    for trial, losses in enumerate([(3.0, 1.0), (1.0, 3.0), (4.0, 4.0), (0.5, 2.0)]):
        offer(kept, trial, *losses)
        kept.settle()
    assert files(tmp_path) == ["trial-0.pt", "trial-3.pt"]


@pytest.mark.parametrize(
    ("fidelity", "loss", "state", "limit"),
    [(3, 1.0, None, 2), (9, float("nan"), None, 2), (9, 1.0, {"age": 9}, 2), (9, 1.0, None, 0)],
)
def test_nothing_is_kept_of_what_has_no_weights_or_no_result(
    tmp_path: Path, fidelity: int, loss: float, state: Any, limit: int
) -> None:
    offer(models(tmp_path, limit=limit), 0, loss, fidelity=fidelity, state=state)
    assert files(tmp_path) == []


def test_a_state_that_cannot_be_had_is_said_and_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(models(tmp_path), 4, 1.0, state=ValueError("no checkpoint"))
    assert files(tmp_path) == []
    assert capsys.readouterr().out == "the weights of trial 4 are not kept: ValueError: no checkpoint\n"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a search over networks, with two workers."""
    path = tmp_path_factory.mktemp("search")
    more = ("workload=digits", "search_space=digits", "workload.steps=27", "search.trials=6")
    more = (
        *more,
        "optimizer=random",
        "search.archive=3",
        "preflight=false",
        "search.concurrency=2",
        "tracking=none",
    )
    assert search_in_process(path, *more, study="search") == 0
    return path


def test_a_search_leaves_models_that_plain_torch_loads_as_the_readme_says(
    searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(searched)
    history = SearchHistory.from_events(read_journal(run.journal))
    write_models(run.results, history, StoredModels(run.models, 3))
    table = pd.read_csv(run.results / "models.csv")
    losses = sorted(record.trial.losses[0] for record in history.ended if record.trial)
    assert table["metric.validation_error"].tolist() == pytest.approx(losses[:3])
    assert files(run.models) == sorted(f"trial-{trial}.pt" for trial in table["trial"])
    monkeypatch.chdir(searched)
    snippet = block("python", "read_csv")
    images, labels = Digits().data(torch.device("cpu")).validation
    for number, row in table.iterrows():
        space: dict[str, Any] = {}
        exec(snippet.replace("iloc[0]", f"iloc[{number}]"), space)
        with torch.inference_mode():
            error = (space["model"].eval()(images).argmax(-1) != labels).double().mean()
        assert float(error) == pytest.approx(row["metric.validation_error"], abs=1e-6)


def test_what_a_worker_that_died_has_left_is_removed_in_the_end(searched: Path) -> None:
    run = RunDirectory(searched)
    history = SearchHistory.from_events(read_journal(run.journal))
    (run.models / "trial-99.pt").touch()
    before = files(run.models)
    StoredModels(run.models, 3).prune(history)
    assert files(run.models) == [name for name in before if name != "trial-99.pt"]
