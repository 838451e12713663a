"""Which pairs are compared: closed forms, BoTorch's own function, and what may never happen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.acquisition.preference import AnalyticExpectedUtilityOfBestOption
from botorch.models.pairwise_gp import PairwiseGP

from orchestrator.preference.duel import Compared, Duel, encoded
from orchestrator.preference.model import Utilities
from orchestrator.preference.pairs import best_pair, chance_of_better, expected_best
from orchestrator.preference.questions import Answer, Comparison
from orchestrator.preference.standings import standing
from search_spaces import build_space
from search_spaces.values import config_key
from workloads.contract import Objective
from workloads.function import from_function
from workloads.library.functions.bbob import Bbob
from workloads.library.prompts import Prompts

COLOURS = {"type": "categorical", "choices": ["red", "green", "blue"]}


def prompts(count: int = 6) -> Prompts:
    texts = [f"{word} the text{' briefly' * (n % 2)}." for n, word in enumerate("abcdefgh"[:count])]
    return Prompts(build_space({"parameters": {"prompt": {"type": "categorical", "choices": texts}}}))


def test_the_better_of_two_standard_normals() -> None:
    found = expected_best(np.zeros(2), np.eye(2))
    assert found[0, 1] == pytest.approx(1 / np.sqrt(np.pi))  # E max of two independent standard normals
    assert found[0, 0] == 0.0


def test_without_doubt_the_better_one_counts() -> None:
    assert expected_best(np.array([1.0, 3.0]), np.zeros((2, 2))).tolist() == [[1, 3], [3, 3]]


def test_it_is_what_botorch_computes() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.random((6, 2)))
    model = PairwiseGP(points, torch.tensor([[0, 1], [2, 3], [4, 5], [0, 5]]))
    with torch.no_grad():
        posterior = model.posterior(points).distribution
        ours = expected_best(posterior.mean.numpy(), posterior.covariance_matrix.numpy())
        theirs = AnalyticExpectedUtilityOfBestOption(model)
        for first, second in ((0, 1), (2, 5), (3, 4)):
            value = float(theirs(points[[first, second]].unsqueeze(0)))
            assert ours[first, second] == pytest.approx(value, abs=1e-5)
            assert ours[second, first] == pytest.approx(ours[first, second])


def test_no_pair_is_chosen_twice_in_either_order() -> None:
    values = np.array([[0.0, 3.0, 2.0], [3.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
    assert best_pair(values, []) == (0, 1)
    assert best_pair(values, [(1, 0)]) == (0, 2)
    assert best_pair(values, [(1, 0), (0, 2), (1, 2)]) is None


def test_the_chance_of_equal_options_is_even() -> None:
    assert chance_of_better(np.zeros(2), np.eye(2), 0, 1) == pytest.approx(0.5)
    assert chance_of_better(np.array([1.0, 0.0]), np.eye(2) / 2, 0, 1) == pytest.approx(0.841345, abs=1e-6)


def test_the_model_orders_what_was_ordered_and_is_even_about_equals() -> None:
    features = np.array([[0.0], [0.5], [1.0]])
    told = [Comparison(0, 1, "second"), Comparison(1, 2, "second"), Comparison(2, 0, "first")]
    low, middle, high = Utilities(features, told, seed=0).at(features).mean
    assert low < middle < high
    even = Utilities(features, [Comparison(0, 2, "equal")], seed=0).at(features).mean
    assert even[0] == pytest.approx(even[2], abs=1e-6)


@pytest.mark.parametrize(("answer", "orders"), [("first", ((3, 5),)), ("second", ((5, 3),))])
def test_an_answer_orders_its_options(answer: Answer, orders: object) -> None:
    assert Comparison(3, 5, answer).orders == orders


def play(duel: Duel, questions: int) -> Compared:
    """Answer by the text's place in the alphabet."""
    configs, comparisons, asked = [], [], set()
    for _ in range(questions):
        pair = duel.next(Compared(configs, tuple(comparisons)))
        if pair is None:
            break
        keys = frozenset(map(config_key, pair))
        assert len(keys) == 2 and keys not in asked
        asked.add(keys)
        configs += [one for one in pair if one not in configs]
        first, second = map(configs.index, pair)
        texts = [config_key(one) for one in pair]
        comparisons.append(Comparison(first, second, "first" if texts[0] < texts[1] else "second"))
    return Compared(configs, tuple(comparisons))


def test_a_list_is_compared_until_no_pair_is_left_and_its_best_is_found() -> None:
    workload = prompts(3)
    duel = Duel(workload, workload.space, seed=1, initial=2)
    past = play(duel, 20)
    assert len(past.comparisons) == 3  # of 3 options
    found = standing(duel, past)
    assert found is not None and found.chance > 0.5 and sum(found.utilities) == pytest.approx(0)
    assert [str(past.configs[n]["prompt"])[0] for n in found.options] == ["a", "b", "c"]


def test_questions_are_a_function_of_the_seed_and_the_answers() -> None:
    workload = Bbob(dimension=2)
    first, second, other = (Duel(workload, workload.space, seed, 2) for seed in (0, 0, 1))
    past = play(first, 2)
    assert second.next(past) == first.next(past)
    assert other.next(Compared([])) != first.next(Compared([]))


def test_an_option_that_failed_is_not_asked_about() -> None:
    workload = prompts(3)
    duel = Duel(workload, workload.space, seed=0, initial=9)
    configs = duel.next(Compared([]))
    assert configs is not None
    left = duel.next(Compared(configs, failed=frozenset({0})))
    assert left is not None and configs[0] not in left


def test_categories_are_coordinates_of_their_own_and_inactive_is_zero() -> None:
    number = {"type": "float", "low": 0, "high": 10}
    condition = {"child": "width", "parent": "colour", "equals": "red"}
    space = build_space({"parameters": {"colour": COLOURS, "width": number}, "conditions": [condition]})
    rows = encoded(space, [{"colour": "red", "width": 5.0}, {"colour": "blue"}])
    assert rows.tolist() == [[1, 0, 0, 0.5], [0, 0, 1, 0]]


def test_conditions_are_kept_in_a_space_that_is_too_large_to_list() -> None:
    number = {"type": "float", "low": 0, "high": 10}
    condition = {"child": "width", "parent": "colour", "equals": "red"}
    space = build_space({"parameters": {"colour": COLOURS, "width": number}, "conditions": [condition]})
    workload = from_function(lambda config, seed, fidelity: {}, space, [Objective("loss")])
    for config in play(Duel(workload, space, 0, 2), 3).configs:
        assert ("width" in config) == (config["colour"] == "red")


def test_prompts_that_share_words_are_close() -> None:
    texts = ["Summarise the text.", "Summarise the text now.", "Why?", *(f"Say {n} words." for n in range(9))]
    space = build_space({"parameters": {"prompt": {"type": "categorical", "choices": texts}}})
    rows = Prompts(space, dimensions=3).embed([{"prompt": text} for text in texts[:3]])
    assert np.linalg.norm(rows[0] - rows[1]) < np.linalg.norm(rows[0] - rows[2])
    assert rows.shape == (3, 3) and np.isfinite(rows).all()
