"""Trainings by other libraries keep to the contract of workloads, and say what is missing or wrong."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

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
from workloads.adapters.rates import as_built, take_over
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


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer, float], LRScheduler]] = {
    "one cycle": lambda optimizer, rate: OneCycleLR(optimizer, rate, total_steps=20),
    "cyclic": lambda optimizer, rate: CyclicLR(optimizer, 1e-3, rate, step_size_up=4),
    "cosine": lambda optimizer, rate: CosineAnnealingLR(optimizer, 20),
    "plateau": lambda optimizer, rate: ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
    "sequential": lambda optimizer, rate: SequentialLR(
        optimizer,
        [LambdaLR(optimizer, lambda step: (step + 1) / 4), LambdaLR(optimizer, lambda step: 1 / (step + 1))],
        [2],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_a_schedule_goes_on_as_if_the_rate_had_always_been_the_new_one(name: str, rate: float) -> None:
    def made(rate: float) -> tuple[torch.optim.Optimizer, Any, list[dict[str, Any]]]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=rate, momentum=0.9)
        scheduler = SCHEDULES[name](optimizer, rate)
        return optimizer, scheduler, as_built(optimizer, [scheduler])

    def step(optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
        optimizer.step()
        scheduler.step(*[1.0] * (name == "plateau"))

    (parent, parents, _), (own, scheduler, built), (always, reference, _) = made(0.1), made(rate), made(rate)
    for _ in range(5):
        step(parent, parents)
        step(always, reference)
    own.load_state_dict(parent.state_dict())
    scheduler.load_state_dict(copy.deepcopy(parents.state_dict()))
    take_over(own, built, [scheduler])
    for _ in range(5):
        found, expected = (
            [one.param_groups[0][option] for option in ("lr", "momentum")] for one in (own, always)
        )
        assert found == (expected if rate == 0.1 else pytest.approx(expected))
        step(own, scheduler)
        step(always, reference)


def test_a_learning_rate_after_zero_is_the_new_one() -> None:
    own = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.0)
    scheduler = ExponentialLR(own, 0.5)
    take_over(own, [{"lr": 0.3}], [scheduler])
    assert own.param_groups[0]["lr"] == 0.3


def test_a_trainer_keeps_its_own_optimizer_and_every_data_sets_metrics() -> None:
    pytest.importorskip("transformers")
    from transformers import Trainer, TrainerCallback, TrainingArguments

    seen: list[tuple[float, float]] = []

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor, return_loss: bool = True) -> dict[str, torch.Tensor]:
            return {"loss": (self.weight * x).mean() ** 2}

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            group = parts["optimizer"].param_groups[0]
            seen.append((group["lr"], group["weight_decay"]))

    def train(config: Any, ctx: Any) -> None:
        args = TrainingArguments(
            output_dir=".", num_train_epochs=50, use_cpu=True, report_to="none", remove_unused_columns=False
        )
        model, rows = Model(), [{"x": torch.ones(1)}]
        decay = 0.0 if config["rate"] == 0.1 else 0.5
        optimizer = torch.optim.SGD(model.parameters(), lr=config["rate"], weight_decay=decay)
        schedule = LambdaLR(optimizer, lambda step: 1.0)
        trainer = Trainer(
            model, args, train_dataset=rows, eval_dataset={"a": rows, "b": rows},
            optimizers=(optimizer, schedule), callbacks=[Watch()],
        )  # fmt: skip
        transformers.fit(ctx, trainer)

    workload = loops.loop(train, "eval_a_loss")
    parent, child = (workload.start({"rate": rate, "size": 3}, 0, Device()) for rate in (0.1, 0.2))
    assert {"eval_a_loss", "eval_b_loss"} <= parent.advance(1).keys()
    child.load(parent.state())
    child.advance(1)
    assert seen == [(0.1, 0.0), (0.2, 0.5)]


def test_statistics_around_environments_in_other_processes_are_taken_over() -> None:
    pytest.importorskip("stable_baselines3")
    import gymnasium
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

    def made() -> Any:
        inner = SubprocVecEnv([lambda: gymnasium.make("CartPole-v1")], "fork")
        return PPO("MlpPolicy", VecNormalize(inner), n_steps=8, batch_size=8, n_epochs=1, device="cpu")

    parent, child = made(), made()
    try:
        parent.learn(8)
        stable_baselines3._restore(child, stable_baselines3._saved(parent))
        assert child.env.ret_rms.var == parent.env.ret_rms.var
        # One more: the observation that its environments begin with.
        assert child.env.obs_rms.count == parent.env.obs_rms.count + 1
    finally:
        parent.env.close()
        child.env.close()


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
