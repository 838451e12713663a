"""A workload of two blocks that tells which publication each of them comes from."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping

import numpy as np

from orchestrator.population.history.history import PopulationHistory
from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Device, Fidelity, Metrics, Objective, State

BLOCKS = ("left", "right")
SPACE = {
    "parameters": {
        "rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "mutable": True},
        **{name: {"type": "categorical", "choices": ["a", "b", "c"]} for name in BLOCKS},
    }
}


class BlockWalk:
    """Losses are random; after each interval both blocks hold a number that no other interval gives.

    Metrics: ``loss``; ``mark``, that number; ``left`` and ``right``, what the blocks held before.
    """

    def __init__(self) -> None:
        self.space: SearchSpace = build_space(SPACE)
        self.objectives = (Objective("loss"),)
        self.fidelity = Fidelity("step", largest=1000)
        self.blocks: Mapping[str, tuple[str, ...]] = {name: (name,) for name in BLOCKS}

    def start(self, config: Config, seed: int, device: Device) -> BlockWalkSession:
        return BlockWalkSession(config, seed)

    def crossed(self, first: State, second: State, blocks: Collection[str]) -> State:
        return {**first, **{name: second[name] for name in blocks}}


class BlockWalkSession:
    def __init__(self, config: Config, seed: int) -> None:
        self.config, self.seed, self.age = config, seed, 0
        self.held = {name: (0.0, config[name]) for name in BLOCKS}

    def advance(self, amount: int) -> Metrics:
        held = {name: value for name, (value, _) in self.held.items()}
        self.age += amount
        loss, mark = np.random.default_rng([self.seed, self.age, *map(hash, held.values())]).random(2)
        self.held = {name: (float(mark), self.config[name]) for name in BLOCKS}
        return {"loss": float(loss), "mark": float(mark), **held}

    def configure(self, config: Config) -> None:
        assert all(config[name] == self.config[name] for name in BLOCKS)
        self.config = config

    def state(self) -> State:
        return {**self.held, "age": self.age}

    def load(self, state: State) -> None:
        for name in BLOCKS:
            assert state[name][1] == self.config[name], "a block is of another build than its configuration"
        self.held, self.age = {name: tuple(state[name]) for name in BLOCKS}, state["age"]

    def perturb_blocks(self, blocks: Collection[str], keep: float, noise: float, seed: int) -> None:
        for name in blocks:
            value, kind = self.held[name]
            self.held[name] = keep * value + noise, kind


def check_marks(history: PopulationHistory) -> int:
    """Hold what blocks held against what the journal says of where they come from; how many crossed."""
    crossed = 0
    for life in history.lives:
        for before, after in itertools.pairwise(life):
            source, second = history.source(before), history.second_source(before)
            assert (second is None) == (before.crossover is None)
            for name in BLOCKS:
                mark = 0.0 if source is None else source.metrics["mark"]
                if before.crossover is not None and name in before.crossover.blocks:
                    assert second is not None and before.change is not None
                    mark = before.change.keep * second.metrics["mark"] + before.change.noise
                    crossed += 1
                    assert after.config[name] == second.config[name]
                elif source is not None:
                    assert after.config[name] == source.config[name]
                assert after.metrics[name] == mark
    return crossed
