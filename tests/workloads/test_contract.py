from collections.abc import Callable
from functools import partial
from pathlib import Path
from pydoc import locate

import pytest
import yaml

from orchestrator.config.workload import assemble_workload
from search_spaces import Config, ConfigurationError, build_space
from tests.conftest import composed
from tests.workloads.command.programs import CALL, SCRIPTS, made
from tests.workloads.contract import StateContract, WorkloadContract
from tests.workloads.library.tabular.people import write_people
from tests.workloads.loop import loops
from tests.workloads.torch.loop import trainings
from tests.workloads.torch.packed.cases import write_text
from tests.workloads.torch.regression import Regression
from workloads import Fidelity, Objective, Workload
from workloads.function import from_function
from workloads.library.adapters import Adapters
from workloads.library.calibration import Calibration
from workloads.library.compression import Compression
from workloads.library.control.front import ControlFront
from workloads.library.control.workload import Control
from workloads.library.digits import Digits
from workloads.library.elastic import Elastic
from workloads.library.functions.bbob import Bbob
from workloads.library.functions.mf_hartmann import MfHartmann
from workloads.library.merging.workload import Merging
from workloads.library.mixtures import Mixtures
from workloads.library.preferences.workload import Preferences
from workloads.library.several_rewards import SeveralRewards
from workloads.library.shakespeare import Shakespeare
from workloads.library.tabular.adult import Adult
from workloads.library.tabular.models import ScikitLearn
from workloads.library.training_free.workload import TrainingFree
from workloads.time_to_target import TimeToTarget
from workloads.torch.algorithms import ALGORITHMS


def parabola(config: Config, seed: int, fidelity: int) -> dict[str, float]:
    x = float(config["x"])
    return {"value": (x - 1) ** 2 + seed % 2 + 1 / fidelity, "size": abs(x)}


def function_workload() -> Workload:
    space = build_space({"parameters": {"x": {"type": "float", "low": -2, "high": 2, "mutable": True}}})
    return from_function(
        parabola, space, [Objective("value"), Objective("size")], Fidelity("epoch", largest=9)
    )


def small_shakespeare(folder: Path) -> Workload:
    space = build_space(
        {
            "parameters": {
                "learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "mutable": True},
                "dropout": {"type": "float", "low": 0.0, "high": 0.2, "mutable": True},
                "layers": {"type": "constant", "value": 1},
                "heads": {"type": "constant", "value": 2},
                "width": {"type": "constant", "value": 8},
            }
        }
    )
    return Shakespeare(space, context=8, batch_size=4, evaluated=4, data=str(write_text(folder)))


def small_preferences(folder: Path) -> Workload:
    space = build_space(
        {
            "parameters": {
                "loss": {"type": "constant", "value": "kto"},
                "learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "mutable": True},
                "kto_beta": {"type": "float", "low": 0.1, "high": 1.0, "mutable": True},
            }
        }
    )
    size = {"prompt": 4, "response": 6, "layers": 1, "heads": 2, "width": 8, "pretraining": 5}
    amount = {"lists": 20, "evaluated": 6, "batch_size": 4}
    return Preferences(space, data=str(write_text(folder)), reward="varied", **size, **amount)


def shipped(name: str, study: str = "search") -> Callable[[], Workload]:
    """Makes the workload that ``conf/workload/<name>.yaml`` describes, with its own search space."""

    def make() -> Workload:
        config = composed(f"+study={study}", f"workload={name}")
        return assemble_workload(config, build_space(config["search_space"]))

    return make


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "pbt_toy": shipped("pbt_toy"),
    "function": function_workload,
    "loop_with_state": lambda: loops.loop(loops.with_state),
    "loop_with_folder": lambda: loops.loop(loops.with_folder),
    "loop_when_asked": lambda: loops.loop(loops.when_asked, unit="step", progress="step"),
    "loop_generator": lambda: loops.loop(loops.generator),
    "torch_loop": lambda: trainings.torch_loop(trainings.usual),
    "torch_loop_elaborate": lambda: trainings.torch_loop(trainings.elaborate, "momentum"),
    "torch_loop_streamed": lambda: trainings.torch_loop(trainings.streamed, epochs=50),
    "torch_loop_second_order": lambda: trainings.torch_loop(trainings.second_order),
    "digits_mlp": Digits,
    "digits_blocks": shipped("digits_blocks"),
    "digits_cnn": lambda: Digits(model="cnn", batch_size=16),
    "batch_norm_regression": Regression,
    "digits_trade_off": shipped("digits_trade_off"),
    "digits_noise": shipped("digits_noise"),
    "breast_cancer": shipped("breast_cancer"),
    "bbob": Bbob,
    "bnh": shipped("bnh"),
    "dtlz2": shipped("dtlz2"),
    "kursawe": shipped("kursawe"),
    "calibration": lambda: Calibration(width=4, steps=5),
    "compression": lambda: Compression(width=4, steps=5),
    "adapters": lambda: Adapters(context=8, batch_size=4, pretraining=3, length=20_000, evaluated=4),
    "elastic": lambda: Elastic(steps=5),
    "merging": lambda: Merging(width=4, pretraining=5, finetuning=5),
    "mf_hartmann": MfHartmann,
    "mixtures": lambda: Mixtures(context=8, width=8, batch_size=4, length=20_000, evaluated=4),
    "training_free": lambda: TrainingFree(steps=3),
    "zdt": shipped("zdt"),
    "prompts": shipped("prompts", study="preference"),
    "program": made,
    "program_in_place": lambda: made(command=[*CALL, "{hyperparameters}", "{checkpoint}", "{checkpoint}"]),
    "program_from_the_start": lambda: made(command=[*CALL, "{hyperparameters}"]),
    "served_program": lambda: made(command=["{python}", str(SCRIPTS / "served.py")], serve=True),
    "control": lambda: Control(environments=2, steps=4, batches=1, evaluated=1),
    "pendulum": lambda: Control(environment="pendulum", environments=2, steps=4, batches=1, evaluated=1),
    "pendulum_front": lambda: ControlFront(environments=2, steps=4, batches=1, evaluated=1),
    "time_to_target": lambda: TimeToTarget(Digits, "validation_loss", 1e9, interval=2, clock=no_time),
    "random_forest": lambda: ScikitLearn(model="random_forest", dataset="iris"),
}


def digits_by(algorithm: str) -> Workload:
    """A small network that this training algorithm trains, with options of its own."""
    own = {f"{algorithm}_learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "mutable": True}}
    if "momentum" in ALGORITHMS[algorithm].defaults:
        own[f"{algorithm}_momentum"] = {"type": "float", "low": 0.5, "high": 0.9, "mutable": True}
    fixed = {
        name: {"type": "constant", "value": value}
        for name, value in {"width": 8, "optimizer": algorithm}.items()
    }
    return Digits(build_space({"parameters": {**own, **fixed}}), batch_size=8)


def no_time() -> float:
    """A clock that stands still, since workloads are functions of their seeds."""
    return 0.0


BY_ALGORITHM = {f"digits_by_{name}": partial(digits_by, name) for name in ALGORITHMS}
"""Every training algorithm, of which some need an extra."""


def small_rewards(folder: Path) -> Workload:
    size = {"prompt": 4, "response": 6, "layers": 1, "heads": 2, "width": 8, "pretraining": 5}
    amount = {"prompts": 20, "evaluated": 6, "batch_size": 4, "group": 2}
    return SeveralRewards(data=str(write_text(folder)), **size, **amount)


WITH_DATA: dict[str, Callable[[Path], Workload]] = {
    "adult": lambda folder: Adult(data_dir=str(write_people(folder))),
    "shakespeare": small_shakespeare,
    "preferences": small_preferences,
    "several_rewards": small_rewards,
}
"""Workloads whose data have to be there first, in a folder."""

SHIPPED = sorted((Path(__file__).parents[2] / "conf" / "workload").glob("*.yaml"))


@pytest.fixture(scope="module")
def with_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workload]:
    """Makes each of those once."""
    made: dict[str, Workload] = {}

    def make(name: str) -> Workload:
        if name not in made:
            made[name] = WITH_DATA[name](tmp_path_factory.mktemp(name))
        return made[name]

    return make


class TestContract(WorkloadContract):
    @pytest.fixture(params=[*WORKLOADS, *WITH_DATA])
    def workload(self, request: pytest.FixtureRequest, with_data: Callable[[str], Workload]) -> Workload:
        name = str(request.param)
        return WORKLOADS[name]() if name in WORKLOADS else with_data(name)


class TestAlgorithms(StateContract):
    """Of training algorithms their own state; all else is the network's, which is above."""

    @pytest.fixture(params=list(BY_ALGORITHM))
    def workload(self, request: pytest.FixtureRequest) -> Workload:
        try:
            return BY_ALGORITHM[str(request.param)]()
        except ConfigurationError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def tested(with_data: Callable[[str], Workload]) -> set[type]:
    """The classes of all workloads above."""
    return {type(make()) for make in WORKLOADS.values()} | {type(with_data(name)) for name in WITH_DATA}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_workload_is_forgotten(path: Path, tested: set[type]) -> None:
    target = locate(yaml.safe_load(path.read_text())["_target_"])
    assert target in tested, f"{path.stem} of conf/workload has no line in {__file__}"
