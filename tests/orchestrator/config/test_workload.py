"""What a workload's definition says of itself, and what a study says instead."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.workload import assemble_workload, with_own_spaces
from search_spaces import ConfigurationError, build_space
from workloads import Fidelity, Objective

OWN = {"parameters": {"rate": {"type": "float", "low": 0.1, "high": 1.0}}}
OTHER = {"parameters": {"rate": {"type": "float", "low": 0.2, "high": 0.3}}}


class Fixed:
    """A workload with objectives of its own."""

    objectives = (Objective("loss"),)
    fidelity = Fidelity()

    def __init__(self, space: object) -> None:
        self.space = space

    def start(self, config: object, seed: int, device: object) -> object:
        raise NotImplementedError


def config(workload: Any, search_space: Any = None, objectives: Any = (), suites: Any = None) -> Any:
    return {
        "workload": workload,
        "search_space": search_space or {},
        "objectives": list(objectives),
        "benchmark": {"suites": suites or {}, "seeds": 5},
    }


def test_a_workloads_own_space_is_used_where_no_other_is_chosen() -> None:
    given = {"_target_": "x.Y", "space": OWN, "noise": 0.1}
    found = with_own_spaces(config(given))
    assert found["search_space"] == OWN
    assert found["workload"] == {"_target_": "x.Y", "noise": 0.1}
    assert given["space"] is OWN, "what was given is left alone"


def test_a_chosen_space_replaces_the_own_one_as_a_whole() -> None:
    found = with_own_spaces(config({"_target_": "x.Y", "space": OWN}, OTHER))
    assert found["search_space"] == OTHER
    assert found["workload"] == {"_target_": "x.Y"}


def test_suites_have_workloads_with_own_spaces_too() -> None:
    suites = {
        "own": {"workload": {"_target_": "x.Y", "space": OWN}, "search_space": {}, "evaluations": 3},
        "other": {"workload": {"_target_": "x.Y"}, "search_space": {}, "evaluations": None},
    }
    found = with_own_spaces(config({}, suites=suites))["benchmark"]
    assert found["seeds"] == 5
    assert found["suites"]["own"] == {"workload": {"_target_": "x.Y"}, "search_space": OWN, "evaluations": 3}
    assert found["suites"]["other"] == suites["other"]


def test_a_wrong_space_is_refused_under_the_key_that_was_written() -> None:
    wrong = {"parameters": {"rate": {"type": "float", "low": 2.0, "high": 1.0}}}
    with pytest.raises(ConfigurationError, match=r"^workload\.space\.parameters\.rate"):
        with_own_spaces(config({"space": wrong}))
    suites = {"s": {"workload": {"space": wrong}, "search_space": {}}}
    with pytest.raises(ConfigurationError, match=r"^benchmark\.suites\.s\.workload\.space\.parameters\.rate"):
        with_own_spaces(config({}, suites=suites))


def test_objectives_for_a_workload_that_takes_none_are_refused_under_their_own_key() -> None:
    given = config({"_target_": f"{__name__}.Fixed"}, objectives=[{"name": "size"}])
    with pytest.raises(ConfigurationError) as error:
        assemble_workload(given, build_space(OWN))
    assert str(error.value) == (
        "objectives: expected none, since Fixed has objectives of its own and takes no others, got ['size'] "
        "(give Fixed an argument 'objectives')"
    )
