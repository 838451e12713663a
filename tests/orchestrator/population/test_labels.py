"""Members train with what their labels stand for, and change to what other labels stand for."""

from __future__ import annotations

from typing import Any

from orchestrator.population.island.member import judge
from search_spaces import Config, build_space
from workloads.contract import Device, Metrics, Objective
from workloads.function import from_function

SPACE = build_space(
    {
        "parameters": {
            "layers": {"type": "categorical", "choices": {"small": [64], "none": None}},
            "policy": {"type": "categorical", "choices": {"weak": {"cut": 1}}, "mutable": True},
        }
    }
)


class Watched:
    """Keeps the configurations that its sessions are given."""

    def __init__(self) -> None:
        self.given: list[Config] = []
        self._plain = from_function(lambda config: 0.0, SPACE, ["loss"])
        self.space, self.objectives, self.fidelity = SPACE, (Objective("loss"),), self._plain.fidelity

    def start(self, config: Config, seed: int, device: Device) -> Any:
        self.given.append(config)
        session, given = self._plain.start(config, seed, device), self.given

        class Session:
            def advance(self, amount: int) -> Metrics:
                return session.advance(amount)

            def configure(self, config: Config) -> None:
                given.append(config)

            def state(self) -> Any:
                return session.state()

            def load(self, state: Any) -> None:
                session.load(state)

            def test(self) -> Metrics:
                return {"loss": 0.0}

        return Session()


def test_a_member_is_judged_with_what_its_labels_stand_for() -> None:
    workload = Watched()
    assert judge(workload, {"layers": "none", "policy": "weak"}, 0, {"age": 1}, Device()) == {"loss": 0.0}
    assert workload.given == [{"layers": None, "policy": {"cut": 1}}] * 2
