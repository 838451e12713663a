"""Tasks that record their times, and an optimizer that does what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.benchmark.records import CellKey, CellResult, Evaluation
from orchestrator.benchmark.task import Task
from orchestrator.search import Capabilities, Optimizer
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config, SearchSpace, build_space
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Objective
from workloads.function import FunctionSession, from_function

SPACE = build_space({"parameters": {"n": {"type": "int", "low": 0, "high": 99}}})
PLANE = build_space({"parameters": {name: {"type": "float", "low": -5, "high": 5} for name in ("x", "y")}})
LOSS = Objective("loss")
_ONE_CALL = Fidelity("call")
_NOTHING_KNOWN = Facts()


@dataclass(frozen=True)
class Recorded:
    """A function of which something is known."""

    function: Callable[..., dict[str, float] | float]
    space: SearchSpace = SPACE
    objectives: tuple[Objective, ...] = (LOSS,)
    fidelity: Fidelity = _ONE_CALL
    facts: Facts = _NOTHING_KNOWN
    constraints: tuple[Objective, ...] = ()

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        made = from_function(self.function, self.space, self.objectives, self.fidelity)
        return made.start(config, seed, device)


class Scripted(Optimizer):
    """Suggests ``n`` for each entry of a script, a pair ``(n, fidelity)``, or nothing for None.

    ``log`` says what has happened: ``ask 0`` for the suggestion of 0, ``tell 1 0`` for what was told at once.
    An entry that is an exception is raised.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def __init__(
        self,
        script: Sequence[int | tuple[int, int] | Exception | None],
        objectives: Sequence[Objective] = (LOSS,),
    ) -> None:
        super().__init__(SPACE, objectives, seed=0)
        self._script = list(script)
        self.log: list[str] = []

    def tell(self, trials: Sequence[Trial]) -> None:
        self.log.append(" ".join(["tell", *(str(trial.config["n"]) for trial in trials)]))
        super().tell(trials)

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        entry = self._script.pop(0) if self._script else None
        if isinstance(entry, Exception):
            raise entry
        if entry is None:
            return None
        n, fidelity = entry if isinstance(entry, tuple) else (entry, None)
        self.log.append(f"ask {n}")
        return {"n": n}, fidelity

    def _learn(self, trial: Trial) -> None:
        """Nothing is learnt."""


def n_of(evaluation: Evaluation) -> int:
    """What was evaluated."""
    return int(evaluation.trial.config["n"])


def timed(durations: Sequence[float]) -> Recorded:
    """A workload for which ``n`` takes ``durations[n]``, and has the loss ``-n``."""

    def function(config: Config) -> dict[str, float]:
        n = int(config["n"])
        return {"loss": -float(n), "time": durations[n]}

    return Recorded(function, facts=Facts(deterministic=True, seconds="time"))


def task(workload: Recorded, evaluations: int, multi_fidelity: bool = False) -> Task:
    return Task("suite/n=1", "suite", workload, multi_fidelity, evaluations)


def result(
    key: CellKey,
    losses: Sequence[Sequence[float]] = ((0.5,),),
    digest: str = "a",
    status: Literal["finished", "failed"] = "finished",
) -> CellResult:
    """A cell with an evaluation per row of ``losses``."""
    evaluations = tuple(
        Evaluation(Trial(Suggestion({"n": i}, None, i), tuple(row)), 1.0, float(i), float(i + 1))
        for i, row in enumerate(losses)
    )
    reason = "" if status == "finished" else "ValueError: no"
    return CellResult(key, digest, evaluations, status, reason, seconds=0.25)
