"""PBT's own parts: burn-in and margin. Its rules have tests of their own."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.past import Setting
from orchestrator.population.records import MemberInterval
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.explore import NoExplore, Perturb
from search_spaces import ConfigurationError
from tests.orchestrator.population.method_contract import PLAIN, publish, report
from workloads.contract import Objective


def population(size: int = 4, *, burn_in: int = 0, margin: float | None = None) -> Evolution:
    method = Pbt(Truncation(0.25), NoExplore(), burn_in=burn_in, margin=margin)
    return Evolution(PLAIN, (Objective("loss0"),), method, size=size, generations=20, seed=0)


def copies(evolution: Evolution, generation: int, losses: list[float]) -> list[bool]:
    intervals = publish(evolution, generation, np.array(losses)[:, None])
    return [interval.copies for interval in intervals]


WORST_LAST = [1.0, 2.0, 3.0, 4.0]


def test_nobody_is_replaced_in_its_burn_in_after_birth_or_a_copy() -> None:
    evolution = population(burn_in=2)
    replaced = [copies(evolution, generation, WORST_LAST)[3] for generation in range(1, 10)]
    assert replaced == [False, False, True] * 3


def test_a_burn_in_spares_nobody_who_failed() -> None:
    evolution = population(burn_in=5)
    assert copies(evolution, 1, [1.0, 2.0, 3.0, np.nan]) == [False, False, False, True]


@pytest.mark.parametrize(
    ("losses", "replaced"),
    [
        # Mean 2.5, deviation 1.118: the bounds of one deviation are 1.38 and 3.62.
        ([1.0, 2.0, 3.0, 4.0], True),
        # Mean 2.5, deviation 1.5: the best, 2, is no better than 1.
        ([2.0, 2.0, 2.0, 5.0], False),
        # Mean 3.25, deviation 1.3: the worst, 4, is no worse than 4.55.
        ([1.0, 4.0, 4.0, 4.0], False),
    ],
)
def test_who_is_near_the_mean_is_not_replaced(losses: list[float], replaced: bool) -> None:
    assert copies(population(margin=1.0), 1, losses)[3] is replaced


def test_a_margin_spares_nobody_who_failed() -> None:
    assert copies(population(margin=9.0), 1, [1.0, 2.0, 3.0, np.nan])[3]


def test_the_hyperparameters_decided_on_go_with_whichever_publication_comes() -> None:
    """Unless the parent has been built anew since: what is fixed at birth belongs to the weights."""
    method = Pbt(Truncation(0.5), Perturb())
    first = {"rate": 0.1, "decay": 0.5, "depth": 2}
    evolution = Evolution(
        PLAIN, (Objective("loss0"),), method, size=2, generations=9, seed=0, initial=[first]
    )
    evolution.decide([report(0, 1, np.array([1.0]))], alone=True)
    (decided,) = evolution.decide([report(1, 1, np.array([2.0]))], alone=True)
    assert decided.parent == 0 and decided.next_config["depth"] == 2
    evolution.decide([report(0, 2, np.array([1.0]))], alone=True)
    revised = evolution.revise(1, (0, 2))
    assert (revised.parent_generation, revised.config) == (2, decided.next_config)


def test_hyperparameters_taken_over_unchanged_are_those_of_the_publication_that_comes() -> None:
    initial = [{"rate": rate, "decay": 0.5, "depth": 2} for rate in (0.1, 0.2, 0.4)]
    evolution = Evolution(
        PLAIN,
        (Objective("loss0"),),
        Pbt(Truncation(0.34), NoExplore()),
        size=3,
        generations=9,
        seed=0,
        initial=initial,
    )

    def publish(member: int, generation: int, loss: float) -> MemberInterval:
        (interval,) = evolution.decide([report(member, generation, np.array([loss]))], alone=True)
        return interval

    publish(0, 1, 2.0)
    publish(2, 1, 1.0)
    decided = publish(1, 1, 3.0)
    assert decided.parent == 2 and decided.next_config["rate"] == 0.4
    publish(1, 2, 0.5)
    assert publish(2, 2, 9.0).next_config["rate"] == 0.4  # member 1's, which came from it
    publish(0, 2, 0.1)
    assert publish(2, 3, 9.0).next_config["rate"] == 0.1
    latest = publish(2, 4, 9.0)
    assert latest.config["rate"] == 0.1
    evolution.lives[1][-1] = decided
    revised = evolution.revise(1, {2: 4})
    assert (revised.parent_generation, revised.config["rate"]) == (4, 0.1)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"burn_in": -1}, "burn_in"),
        ({"burn_in": True}, "burn_in"),
        ({"margin": -0.5}, "margin"),
        ({"margin": "x"}, "margin"),
    ],
)
def test_wrong_values_are_refused(arguments: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Pbt(NoExploit(), NoExplore(), **arguments)  # type: ignore[arg-type]
    assert caught.value.key == key


def test_a_margin_needs_one_objective() -> None:
    objectives = (Objective("a"), Objective("b"))
    with pytest.raises(ConfigurationError, match="margin"):
        Pbt(NoExploit(), NoExplore(), margin=1.0).serves(Setting(PLAIN, objectives, 4, 9))
