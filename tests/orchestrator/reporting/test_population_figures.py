"""What the figures of a population show, as data: distributions, the family tree, the front of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator import pareto
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.methods.random_search import RandomSearch
from orchestrator.reporting.population import spread, troubles
from orchestrator.reporting.population.density import ROWS, _decades, densities
from orchestrator.reporting.population.front import model_front
from orchestrator.reporting.population.front_plots import chart, picture
from orchestrator.reporting.population.genealogy import MOST_BRANCHES, Tree, tree
from orchestrator.reporting.population.summary import headline
from orchestrator.text import number
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal, killed_and_resumed
from tests.orchestrator.population.harness import Population


def history_of(**study: Any) -> PopulationHistory:
    return PopulationHistory.from_events(PopulationJournal(**study).events())


def tree_of(history: PopulationHistory) -> Tree:
    found = tree(history)
    assert found is not None
    return found


@pytest.mark.parametrize("size", [2, 7])
def test_every_member_counts_once_at_every_age(size: int) -> None:
    history = history_of(size=size, generations=5, failures={(1, 3): "boom"})
    shown = densities(history)
    assert shown is not None
    objective, rate, dropout, warm = shown.panels
    for panel in shown.panels:
        assert panel.share.shape == (len(panel.rows) - 1, 5)
        assert np.all((panel.share == 0) == np.isnan(panel.shades))
    for panel in (rate, dropout, warm):
        assert panel.share.sum(axis=0) == pytest.approx(np.ones(5))
    failed = [1.0, 1.0, (size - 1) / size, 1.0, 1.0]
    assert objective.share.sum(axis=0) == pytest.approx(failed)
    assert len(rate.rows) == ROWS + 1 and warm.rows.tolist() == [-0.5, 0.5, 1.5]
    assert warm.ticks == ((0.0, 1.0), ("False", "True"))


def test_the_winners_path_is_its_ancestry_on_the_axis_that_is_drawn() -> None:
    history = history_of(size=8, generations=6)
    best, shown = history.best(), densities(history)
    assert best is not None and shown is not None
    rate = shown.panels[1]
    chain = history.chain(best)
    assert rate.winner[1::2, 0].tolist() == [one.age for one in chain]
    assert 10 ** rate.winner[1::2, 1] == pytest.approx([one.config["learning_rate"] for one in chain])
    assert (rate.winner[:, 1] >= rate.rows[0]).all() and (rate.winner[:, 1] <= rate.rows[-1]).all()


def test_a_branch_for_every_birth_and_copy() -> None:
    history = history_of(size=8, generations=6)
    shown = tree_of(history)
    assert shown.total == len(shown.branches) == 8 + history.exploits
    assert shown.thinned == ""
    copies = {
        (one.parent, one.parent_generation, one.member, one.generation + 1)
        for one in history.records()
        if one.copies and one.generation < 6
    }
    drawn = {
        (shown.branches[one.parent].member, one.split, one.member, one.first)
        for one in shown.branches
        if one.parent is not None
    }
    assert drawn == copies
    assert sum(one.survivors for one in shown.branches if one.parent is None) == 8


def crossings(shown: Tree) -> int:
    """How often a copy's line down to its branch crosses a branch between."""
    count = 0
    for row, one in enumerate(shown.branches):
        if one.parent is not None:
            for other in shown.branches[one.parent + 1 : row]:
                count += other.first - 1 < one.split < other.last
    return count


@pytest.mark.parametrize("size", [4, 16, 60])
def test_no_copy_crosses_a_branch(size: int) -> None:
    shown = tree_of(history_of(size=size, generations=12))
    assert crossings(shown) == 0
    assert all(one.parent is None or one.parent < row for row, one in enumerate(shown.branches))


def test_the_winners_line_leads_from_new_weights_to_the_best() -> None:
    history = history_of(size=16, generations=12)
    best = history.best()
    assert best is not None
    line = [one for one in tree_of(history).branches if one.winner]
    line.sort(key=lambda one: one.first)
    assert line[0].parent is None
    chain = [one.place for one in history.chain(best)]
    assert chain == [(one.member, number) for one in line for number in range(one.first, one.winner + 1)]


def test_a_large_tree_is_thinned_to_those_with_the_most_descendants_and_says_so() -> None:
    history = history_of(size=120, generations=16)
    shown = tree_of(history)
    assert len(shown.branches) <= MOST_BRANCHES + 16 < shown.total == 120 + history.exploits
    assert shown.thinned.startswith(f"{len(shown.branches):,} of {shown.total:,} branches: ")
    assert all(one.survivors >= shown.least or one.winner for one in shown.branches)
    assert crossings(shown) == 0
    assert any(one.winner for one in shown.branches)


@pytest.mark.parametrize("size", [4, 60])
def test_families_add_up_to_the_population(size: int) -> None:
    history = history_of(size=size, generations=12)
    shown = tree_of(history)
    assert shown.shares.shape == (len(shown.families), 12)
    assert shown.shares.sum(axis=0) == pytest.approx(np.ones(12))
    best = history.best()
    assert best is not None
    assert shown.families[0] == f"member {history.chain(best)[0].member}"


def test_there_is_no_tree_where_nobody_copies(tmp_path: Path) -> None:
    population = Population(tmp_path / "run", size=4, generations=6, method=RandomSearch(2))
    population.train(conclude=True)
    assert tree(population.history()) is None


def test_asynchronous_members_copy_those_ahead_and_behind(tmp_path: Path) -> None:
    population = Population(tmp_path / "run", size=9, islands=3, synchronous=False)
    population.train(conclude=True)
    history = population.history()
    shown = tree_of(history)
    assert shown.shares.sum(axis=0) == pytest.approx(np.ones(12))
    assert sum(one.survivors for one in shown.branches if one.parent is None) == 9
    assert sum(one.last - one.first + 1 for one in shown.branches) == 9 * 12


def test_the_front_of_models_and_its_hypervolume() -> None:
    history = history_of(size=6, generations=5, objectives=(ACCURACY, LOSS))
    shown = model_front(history)
    assert shown is not None and shown.pairs == ((0, 1),)
    assert shown.published.shape == (30, 2)
    assert (np.diff(shown.volumes) >= 0).all() and len(shown.volumes) == 5
    losses = np.array([one.losses for one in history.records()])
    corner = pareto.reference_point(history.start.objectives, losses)
    assert shown.volumes[-1] == pytest.approx(pareto.hypervolume(losses, corner))
    last = shown.boundaries[0].corners
    for model in shown.models:
        assert (np.isclose(last, model).all(axis=1)).any(), "every model is a corner of the front"
    assert model_front(history_of(objectives=(LOSS,))) is None


def test_three_objectives_have_a_panel_for_each_pair_and_one_for_the_hypervolume() -> None:
    events = PopulationJournal(size=6, generations=4, objectives=(ACCURACY, LOSS)).events()
    events[0]["objectives"] = [*events[0]["objectives"], {"name": "size", "direction": "min"}]
    for event in events:
        if event["event"] == "interval":
            size = float(event["member"] + event["generation"])
            event["metrics"] = {**event["metrics"], "size": size}
            event["losses"] = [*event["losses"], size]
    unfinished = [event for event in events if event["event"] != "final"]
    shown = model_front(PopulationHistory.from_events(unfinished))
    assert shown is not None and shown.pairs == ((0, 1), (0, 2), (1, 2))
    assert len(picture(shown).axes) == 4
    assert len({trace.yaxis for trace in chart(shown).data}) == 4


def test_a_staircase_by_hand() -> None:
    corners = pareto.staircase([[1.0, 3.0], [2.0, 1.0]], [4.0, 4.0])
    assert corners.tolist() == [[1, 4], [1, 3], [2, 3], [2, 1], [4, 1]]


def test_a_logarithmic_axis_is_labelled_however_narrow_it_is() -> None:
    values, labels = _decades(np.linspace(np.log10(2.1e-3), np.log10(4.8e-3), 5))
    assert labels == ("0.0021", "0.0048") and values == pytest.approx((np.log10(2.1e-3), np.log10(4.8e-3)))
    assert _decades(np.linspace(-3.0, -1.0, 5))[1] == ("0.001", "0.01", "0.1")


def test_spreads_are_shares_of_those_at_birth_and_collapse_is_told() -> None:
    events = PopulationJournal(size=8, generations=6).events()
    for event in events:
        if event["event"] == "interval":
            config, member = event["config"], event["member"]
            halved = 0.5 ** (event["generation"] - 1)
            config["learning_rate"] = 10.0 ** (-2 + halved * (member - 4))
            config["dropout"] = 0.1 + 0.01 * member * (event["generation"] < 4)
            config["warm"] = bool(member % 2)
    shown = spread.describe(PopulationHistory.from_events(events))
    assert shown is not None
    rows = dict(zip(shown.names, shown.shares, strict=True))
    assert rows["learning_rate"] == pytest.approx(0.5 ** np.arange(6))
    assert rows["dropout"] == pytest.approx([1, 1, 1, 0, 0, 0])
    assert rows["warm"] == pytest.approx(np.ones(6))
    assert shown.names == ("warm", "learning_rate", "dropout")
    assert dict(shown.collapsed) == {"learning_rate": 5, "dropout": 4}


def test_failures_and_what_was_taken_back_are_told_by_reason() -> None:
    study = PopulationJournal(failures={(1, 2): "boom", (2, 2): "boom", (0, 3): "bang"})
    assert troubles.describe(history_of()) is None
    found = troubles.describe(PopulationHistory.from_events(killed_and_resumed(study.events(), 3, 1)))
    assert found is not None
    boom, bang = found.reasons
    assert (boom.text, boom.intervals, boom.members, boom.first, boom.last) == ("boom", 2, (1, 2), 2, 2)
    assert (bang.text, bang.intervals) == ("bang", 1)
    assert found.taken_back == 8


def test_the_headline_names_the_best_and_what_it_can_be_compared_with() -> None:
    history = history_of(objectives=(ACCURACY,))
    (sentence,) = headline(history)
    best = history.best()
    assert best is not None
    assert sentence.startswith(f"accuracy (higher is better): {number(-best.losses[0])}, the best of 4")
    assert f"median in the end is {number(float(-np.median(history.losses(5))))}" in sentence
    assert f"the first generation was {number(float(-history.losses(1).min()))}" in sentence
    assert list(headline(PopulationHistory.from_events(PopulationJournal().events()[:3]))) == []
