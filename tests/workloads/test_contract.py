from collections.abc import Callable

import pytest

from search_spaces import Config, build_space
from tests.workloads.contract import WorkloadContract
from tests.workloads.torch.regression import Regression
from workloads import Fidelity, Objective, Workload
from workloads.function import from_function
from workloads.library.digits import Digits
from workloads.library.digits_trade_off import DigitsTradeOff
from workloads.library.functions.bbob import Bbob
from workloads.library.functions.mf_hartmann import MfHartmann
from workloads.library.functions.zdt import Zdt
from workloads.library.pbt_toy import PbtToy
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


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "pbt_toy": PbtToy,
    "function": function_workload,
    "digits_mlp": Digits,
    "digits_cnn": lambda: Digits(model="cnn", batch_size=16),
    "batch_norm_regression": Regression,
    "digits_trade_off": DigitsTradeOff,
    "breast_cancer": BreastCancer,
    "bbob": Bbob,
    "mf_hartmann": MfHartmann,
    "zdt": Zdt,
    "random_forest": lambda: ScikitLearn(model="random_forest", dataset="iris"),
}


class TestContract(WorkloadContract):
    @pytest.fixture(params=WORKLOADS)
    def workload(self, request: pytest.FixtureRequest) -> Workload:
        return WORKLOADS[request.param]()
