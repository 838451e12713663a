"""What a model of the trials says about the hyperparameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.surrogate import FEWEST_TRIALS, MOST_TRIALS, Surrogate, surrogate
from search_spaces import build_space
from tests.orchestrator.search_journals import ACCURACY, SPACE, SearchJournal, space


def modelled(pairs: int = 3, **study: Any) -> Surrogate | None:
    history = SearchHistory.from_events(SearchJournal(objectives=(ACCURACY,), **study).events())
    return surrogate(history, space(), 0, log=False, slices=6, pairs=pairs)


def test_the_model_finds_what_matters_and_where_it_is_best() -> None:
    model = modelled(trials=150)
    assert model is not None
    assert model.fit > 0.5 and model.trials == 150
    first = model.slices[0]
    assert first.name == "learning_rate"
    # The pretended study learns best near 0.01, which is the middle of its logarithmic range.
    assert first.units[np.argmin(first.mean)] == pytest.approx(0.5, abs=0.12)
    moved = [float(np.ptp(one.mean)) for one in model.slices]
    assert moved == sorted(moved, reverse=True)
    assert all((one.spread >= 0).all() for one in model.slices)


def test_slices_and_contours_stand_at_values_that_parameters_can_take() -> None:
    model = modelled(trials=60)
    assert model is not None and len(model.contours) == 3
    columns = {column.name: column for column in space().codec.columns}
    assert {one.name for one in model.slices} == set(columns)
    for one in model.slices:
        values = columns[one.name].from_units(one.units)
        assert (np.diff(values) > 0).all()
        if columns[one.name].size:
            assert len(values) == columns[one.name].size
    for pair in model.contours:
        assert pair.mean.shape == (len(pair.y), len(pair.x)) and np.isfinite(pair.mean).all()
        assert set(pair.names) <= {one.name for one in model.slices[:3]}


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_as_many_pairs_as_are_asked_for(pairs: int) -> None:
    model = modelled(trials=30, pairs=pairs)
    assert model is not None and len(model.contours) == pairs


def test_the_same_trials_give_the_same_model() -> None:
    first, second = modelled(trials=40), modelled(trials=40)
    assert first is not None and second is not None
    assert first.fit == second.fit
    assert all((a.mean == b.mean).all() for a, b in zip(first.slices, second.slices, strict=True))


def test_few_trials_have_no_model() -> None:
    assert modelled(trials=FEWEST_TRIALS - 1) is None
    assert modelled(trials=FEWEST_TRIALS) is not None
    assert modelled(trials=40, failures=dict.fromkeys(range(40), "boom")) is None


def test_a_logarithm_is_modelled_where_that_is_asked_for() -> None:
    events = SearchJournal(trials=60).events()
    history = SearchHistory.from_events(events)
    plain, log = (surrogate(history, space(), 0, log=one, slices=6, pairs=1) for one in (False, True))
    assert plain is not None and log is not None
    values = history.archive.losses[:, 0]
    for model, shown in ((plain, values), (log, np.log10(values))):
        means = np.concatenate([one.mean for one in model.slices])
        assert np.nanmin(shown) <= means.min() and means.max() <= np.nanmax(shown)


def test_of_very_many_trials_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.search.history import surrogate as module

    monkeypatch.setattr(module, "MOST_TRIALS", 25)
    model = modelled(trials=60)
    assert model is not None and model.trials == 25 < MOST_TRIALS


def test_a_space_of_one_parameter_has_a_slice_and_no_contour() -> None:
    events = SearchJournal(trials=30, objectives=(ACCURACY,)).events()
    for event in events:
        if event["event"] == "suggested":
            event["config"] = {"learning_rate": event["config"]["learning_rate"]}
    alone = build_space(
        {"parameters": {"learning_rate": SPACE["parameters"]["learning_rate"]}}, "search_space"
    )
    model = surrogate(SearchHistory.from_events(events), alone, 0, log=False, slices=6, pairs=3)
    assert model is not None
    assert (len(model.slices), model.contours) == (1, ())
