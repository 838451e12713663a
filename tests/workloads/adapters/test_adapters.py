"""Trainings by other libraries keep to the contract of workloads, and say what is missing or wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR

from orchestrator.preflight.session import preflight
from orchestrator.preflight.subject import Subject
from search_spaces import ConfigurationError
from tests.orchestrator.test_readme import block
from tests.workloads.adapters import loops
from tests.workloads.adapters.loops import LOOPS
from tests.workloads.contract import WorkloadContract
from workloads import Device, Workload
from workloads.adapters import sklearn, stable_baselines3, transformers
from workloads.adapters.objects import Objects
from workloads.adapters.rates import take_over
from workloads.loop import Loop


def made(name: str) -> Workload:
    packages, make = LOOPS[name]
    for package in packages:
        pytest.importorskip(package)
    return make()


class TestContract(WorkloadContract):
    @pytest.fixture(params=LOOPS)
    def workload(self, request: pytest.FixtureRequest) -> Workload:
        return made(request.param)


@pytest.mark.parametrize("name", LOOPS)
def test_a_preflight_has_no_note(name: str) -> None:
    workload = made(name)
    metrics = tuple(objective.name for objective in workload.objectives)
    assert preflight(Subject(workload, "workload", metrics, 0, copied=True)).notes == []


@pytest.mark.parametrize(
    ("package", "function", "extra"),
    [
        ("xgboost", lambda ctx: loops.xgboost.boost(ctx, {}, None, None), "boosting"),
        ("lightgbm", lambda ctx: loops.lightgbm.boost(ctx, {}, None, None), "boosting"),
        ("lightning", lambda ctx: loops.lightning.fit(ctx, None), "lightning"),
        ("stable_baselines3", lambda ctx: loops.stable_baselines3.learn(ctx, None, 1), "rl"),
        ("transformers", lambda ctx: loops.transformers.fit(ctx, None), "transformers"),
    ],
)
def test_a_missing_library_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, function: Any, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    workload = loops.loop(lambda config, ctx: function(ctx), "l2")
    with pytest.raises(ConfigurationError) as caught:
        workload.start({"rate": 0.1, "size": 3}, 0, Device()).advance(1)
    assert str(caught.value) == (
        f"workload.function: expected the packages of the extra {extra!r}, which "
        f"workloads.adapters.{package} needs, got '{package}' (pip install 'orchestrator[{extra}]')"
    )


def test_an_estimator_that_cannot_go_on_is_refused() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    def train(config: Any, ctx: Any) -> None:
        sklearn.fit(ctx, KNeighborsClassifier(), loops.ROWS, loops.CLASSES, lambda estimator: {})

    with pytest.raises(TypeError, match="KNeighborsClassifier: expected an estimator with partial_fit or a"):
        loops.loop(train, "error").start({"rate": 0.1, "size": 3}, 0, Device()).advance(1)


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_learning_rate_of_ones_own_is_the_base_of_a_schedule_that_goes_on(scheduled: bool) -> None:
    def made(rate: float) -> tuple[torch.optim.Optimizer, list[Any]]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=rate, momentum=rate)
        return optimizer, [ExponentialLR(optimizer, 0.5)] if scheduled else []

    (parent, parents), (own, schedulers), (fresh, _) = made(0.1), made(0.3), made(0.3)
    for _ in range(2):
        parent.step()
        for scheduler in parents:
            scheduler.step()
    own.load_state_dict(parent.state_dict())
    for scheduler, other in zip(schedulers, parents, strict=True):
        scheduler.load_state_dict(other.state_dict())
    take_over(own, fresh.param_groups, schedulers)
    assert own.param_groups[0]["lr"] == pytest.approx(0.3 / 4 if scheduled else 0.3)
    assert own.param_groups[0]["momentum"] == 0.3
    for scheduler in schedulers:
        own.step()
        scheduler.step()
        assert own.param_groups[0]["lr"] == pytest.approx(0.3 / 8)


def test_the_readmes_estimator_is_trained() -> None:
    scope: dict[str, Any] = {}
    exec(block("python", "sklearn.fit(ctx"), scope)
    objective = {"name": "accuracy", "direction": "max"}
    workload = Loop(scope["train"], loops.space("rate"), [objective], largest=9)
    assert workload.start({"rate": 0.01, "size": 3}, 0, Device()).advance(5)["accuracy"] > 0.8


@pytest.mark.parametrize(
    "name",
    [
        ["os", "system"],
        ["builtins", "print"],
        ["sklearn.utils", "check_array"],
        ["sklearn.utils", "__setattr__"],
        ["sklearn.datasets._rcv1", "GzipFile"],  # imported there
        ["numpy.random_tools", "Generator"],
    ],
)
def test_a_checkpoint_of_somebody_else_executes_nothing(name: list[str]) -> None:
    session = loops.loop(loops.sgd, "error").start({"rate": 0.1, "size": 3}, 0, Device())
    evil = {"$made": name, "of": {"$items": ("true",)}, "state": None}
    session.load({"age": 1, "checkpoint": evil})
    with pytest.raises(ValueError, match=rf"holds {'.'.join(name)}, which is not loaded"):
        session.advance(1)


def test_a_checkpoint_of_an_agent_runs_no_bytes() -> None:
    name = ["stable_baselines3.common.vec_env.base_vec_env", "CloudpickleWrapper"]
    evil = {"$made": "", "of": {"$items": ({"$class": name},)}, "state": np.frombuffer(b"code", np.uint8)}
    with pytest.raises(ValueError, match="CloudpickleWrapper, which is not loaded"):
        stable_baselines3._OBJECTS.together(evil)


@pytest.mark.parametrize("value", [{1}, b"1", len, Device(), [dict, 1], np.float64])
def test_what_no_checkpoint_can_give_back_is_not_taken_apart(value: Any) -> None:
    with pytest.raises(TypeError):
        Objects("sklearn").apart([value])


def test_random_states_go_on_where_they_were() -> None:
    objects = Objects()
    for one in (np.random.RandomState(1), np.random.default_rng(1)):
        other = objects.together(objects.apart(one))
        assert (type(other), other.random()) == (type(one), one.random())


@pytest.mark.parametrize("name", ["../evil.pt", "/tmp/evil.index.json", "..", "train.py", "a/b.pt", 1])
def test_a_checkpoint_of_a_trainer_is_written_to_its_own_folder(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ValueError, match="expected the name of a Trainer's file"):
        transformers._write({"trainer_state.json": "{}", name: "evil"}, tmp_path / "parent")
    assert list(tmp_path.iterdir()) == []
