"""Spaces that were checked before: the same, and nothing is read until it is needed."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np

from search_spaces import SearchSpace, build_space, trusted_space

DEFINITION = {
    "parameters": {
        "rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True, "mutable": True},
        "rule": {"type": "categorical", "choices": ["adam", "sgd"]},
        "momentum": {"type": "float", "low": 0, "high": 0.99},
    },
    "conditions": [{"child": "momentum", "parent": "rule", "equals": "sgd"}],
    "forbidden": [{"rule": "adam", "rate": 0.1}],
}


def test_it_is_the_space_of_its_definition() -> None:
    trusted, built = trusted_space(DEFINITION), build_space(DEFINITION)
    assert trusted.sample(50, np.random.default_rng(3)) == built.sample(50, np.random.default_rng(3))
    assert (trusted.mutable, trusted.names, trusted.ties()) == (built.mutable, built.names, built.ties())
    assert trusted.configuration_space == built.configuration_space


def test_it_is_read_once_and_no_sooner_than_it_is_used() -> None:
    reads = []

    def read() -> SearchSpace:
        reads.append(1)
        return build_space(DEFINITION)

    space = SearchSpace.deferred(read)
    assert not reads
    assert space.names == ("rate", "rule", "momentum")
    assert space.default() == space.default()
    assert reads == [1]


def test_it_travels_between_processes() -> None:
    space = trusted_space(DEFINITION)
    assert pickle.loads(pickle.dumps(space)).names == space.names
    assert pickle.loads(pickle.dumps(space)).default() == space.default()  # also after it was read


def test_workers_and_the_command_line_begin_without_configspace() -> None:
    """Its import takes a third of the time in which a worker starts."""
    modules = "workloads", "orchestrator.cli.program", "orchestrator.engine.search_worker"
    more = "orchestrator.engine.population_island", "orchestrator.engine.cell_worker"
    script = f"import sys, {', '.join(modules + more)}; print('ConfigSpace' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
