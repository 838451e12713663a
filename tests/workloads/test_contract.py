from collections.abc import Callable
from pathlib import Path
from pydoc import locate

import pytest
import yaml

from search_spaces import Config, build_space
from tests.workloads.contract import WorkloadContract
from tests.workloads.library.tabular.people import write_people
from tests.workloads.torch.packed.cases import write_text
from tests.workloads.torch.regression import Regression
from workloads import Fidelity, Objective, Workload
from workloads.function import from_function
from workloads.library.digits import Digits
from workloads.library.digits_trade_off import DigitsTradeOff
from workloads.library.functions.bbob import Bbob
from workloads.library.functions.bnh import Bnh
from workloads.library.functions.dtlz2 import Dtlz2
from workloads.library.functions.kursawe import Kursawe
from workloads.library.functions.mf_hartmann import MfHartmann
from workloads.library.functions.zdt import Zdt
from workloads.library.pbt_toy import PbtToy
from workloads.library.shakespeare import Shakespeare
from workloads.library.tabular.adult import Adult
from workloads.library.tabular.breast_cancer import BreastCancer
from workloads.library.tabular.models import ScikitLearn


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


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "pbt_toy": PbtToy,
    "function": function_workload,
    "digits_mlp": Digits,
    "digits_cnn": lambda: Digits(model="cnn", batch_size=16),
    "batch_norm_regression": Regression,
    "digits_trade_off": DigitsTradeOff,
    "breast_cancer": BreastCancer,
    "bbob": Bbob,
    "bnh": Bnh,
    "dtlz2": Dtlz2,
    "kursawe": Kursawe,
    "mf_hartmann": MfHartmann,
    "zdt": Zdt,
    "random_forest": lambda: ScikitLearn(model="random_forest", dataset="iris"),
}

WITH_DATA: dict[str, Callable[[Path], Workload]] = {
    "adult": lambda folder: Adult(data_dir=str(write_people(folder))),
    "shakespeare": small_shakespeare,
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


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_workload_is_forgotten(path: Path, with_data: Callable[[str], Workload]) -> None:
    target = locate(yaml.safe_load(path.read_text())["_target_"])
    made = [make() for make in WORKLOADS.values()] + [with_data(name) for name in WITH_DATA]
    assert target in map(type, made), f"{path.stem} of conf/workload has no line in {__file__}"
