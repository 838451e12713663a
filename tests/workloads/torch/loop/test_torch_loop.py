"""Training whose parts are the user's: what changes in flight, and that it goes on exactly."""

from __future__ import annotations

import dataclasses
from collections import UserDict
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

from orchestrator.preflight.session import preflight
from orchestrator.preflight.subject import Subject
from search_spaces import ConfigurationError
from tests.workloads.contract import same
from tests.workloads.torch.loop.trainings import (
    INPUTS,
    TARGETS,
    Augmented,
    Shuffled,
    elaborate,
    score,
    space,
    streamed,
    torch_loop,
    usual,
)
from workloads import Device
from workloads.state import restore, take_state
from workloads.torch.loop import TorchLoop, Training
from workloads.torch.loop.session import TrainingSession
from workloads.torch.loop.training import moved

CONFIG = {"learning_rate": 0.01, "width": 4}
Build = Callable[[Mapping[str, Any]], Training]


def changed(build: Build, **parts: Any) -> Build:
    return lambda config: dataclasses.replace(build(config), **parts)


def start(build: Build, *more: str, seed: int = 3, **options: Any) -> TrainingSession:
    config = {**CONFIG, **dict.fromkeys(more, 0.5)}
    return torch_loop(build, *more, **options).start(config, seed, Device())


def goes_on_exactly(build: Build, before: int, after: int, **options: Any) -> bool:
    unbroken, broken = start(build, **options), start(build, **options)
    unbroken.advance(before)
    restore(broken, take_state(unbroken), CONFIG)
    return same(broken.advance(after), unbroken.advance(after)) and same(broken.state(), unbroken.state())


# Batch norm needs two rows, so no batch is left with one.
LOADERS: dict[str, Callable[[], Any]] = {
    "shuffled": lambda: DataLoader(Augmented(), batch_size=8, shuffle=True),
    "own generator": lambda: DataLoader(Augmented(), batch_size=8, shuffle=True, generator=torch.Generator()),
    "subset": lambda: DataLoader(Augmented(), batch_size=8, sampler=SubsetRandomSampler(range(20))),
    "weighted": lambda: DataLoader(Augmented(), 8, sampler=WeightedRandomSampler([1.0] * 30, 24)),
    "stream": lambda: DataLoader(Shuffled(), batch_size=8),
    "single rows": lambda: DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=None, shuffle=True),
    "list": lambda: list(zip(INPUTS.split(7), TARGETS.split(7), strict=True)),
    "workers": lambda: DataLoader(Augmented(), batch_size=8, shuffle=True, num_workers=2),
    "lasting workers": lambda: DataLoader(
        Augmented(), batch_size=8, shuffle=True, num_workers=1, persistent_workers=True
    ),
    "stream of workers": lambda: DataLoader(Shuffled(), batch_size=8, num_workers=1),
}


@pytest.mark.parametrize("name", LOADERS)
def test_data_of_every_kind_go_on_in_the_middle_of_an_epoch(name: str) -> None:
    def build(config: Mapping[str, Any]) -> Training:
        training = usual(config)
        training.data = LOADERS[name]()
        if name == "single rows":
            training.model = nn.Linear(4, 1)
            training.optimizer = torch.optim.SGD(training.model.parameters(), lr=0.01)
        return training

    assert goes_on_exactly(build, 6, 5)


def test_workers_change_nothing_in_what_is_drawn() -> None:
    sessions = [start(changed(usual, data=LOADERS[name]())) for name in ("shuffled", "workers")]
    assert same(*(session.advance(9) for session in sessions))


def test_epochs_are_shuffled_by_the_members_seed() -> None:
    seen: dict[int, list[list[float]]] = {}

    for seed in (1, 2):
        batches: list[list[float]] = seen.setdefault(seed, [])

        def record(model: nn.Module, batch: Any, batches: list[list[float]] = batches) -> torch.Tensor:
            batches.append(batch[0][:, 0].tolist())
            return (model(batch[0]) - batch[1]).square().mean()

        data = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=10, shuffle=True)
        start(changed(usual, data=data, loss=None, batch_loss=record), seed=seed, epochs=9).advance(2)
    for batches in seen.values():
        first, second = sum(batches[:3], []), sum(batches[3:], [])  # noqa: RUF017
        assert sorted(first) == sorted(second) == sorted(INPUTS[:, 0].tolist())
        assert first != second
    assert seen[1] != seen[2]


def test_a_skipped_batch_is_not_read() -> None:
    class Counted(Augmented):
        read = 0

        def __getitem__(self, row: int) -> Any:
            Counted.read += 1
            return super().__getitem__(row)

    build = changed(usual, data=DataLoader(Counted(), batch_size=10, shuffle=True))
    donor, receiver = start(build), start(build)
    donor.advance(2)
    state, before = take_state(donor), Counted.read
    restore(receiver, state, CONFIG)
    receiver.advance(1)
    assert Counted.read - before == 10


def schedule(make: Callable[[torch.optim.Optimizer], Any], pace: Any = "step") -> Build:
    def build(config: Mapping[str, Any]) -> Training:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=config["learning_rate"], momentum=0.9)
        data = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=10, shuffle=True)
        return Training(
            model, optimizer, data, score, nn.functional.mse_loss, scheduler=make(optimizer), schedule=pace
        )

    return build


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "step": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "milestones": lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 20),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 20),
    "warm-up": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.9)], [3]
    ),
}


def rate(session: TrainingSession) -> float:
    return float(session._training.optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("pace", ["step", "epoch"])
def test_a_schedule_goes_on_and_multiplies_the_new_learning_rate(name: str, pace: Any) -> None:
    build = schedule(SCHEDULES[name], pace)
    assert goes_on_exactly(build, 4, 4)
    plain, higher = start(build), start(build)
    for _ in range(4):
        higher.configure({"learning_rate": 0.03})
        plain.advance(2)
        higher.advance(2)
        assert rate(higher) == pytest.approx(3 * rate(plain), rel=1e-12)
    restore(higher, take_state(plain), CONFIG)
    assert rate(higher) == rate(plain)


def test_without_a_schedule_the_learning_rate_is_the_present_one_exactly() -> None:
    donor, own = start(usual), torch_loop(usual).start({"learning_rate": 0.03, "width": 4}, 0, Device())
    donor.advance(2)
    restore(own, take_state(donor), {"learning_rate": 0.07, "width": 4})
    assert rate(own) == 0.07


def test_groups_keep_their_ratios() -> None:
    session = start(elaborate)
    before = [group["lr"] for group in session._training.optimizer.param_groups]
    session.configure({"learning_rate": 0.02})
    after = [group["lr"] for group in session._training.optimizer.param_groups]
    assert after == pytest.approx([2 * one for one in before], rel=1e-12)


def test_a_learning_rate_that_a_plateau_has_lowered_stays_lowered() -> None:
    build = changed(streamed, evaluate=score)
    session = start(build, epochs=50)
    session._training.scheduler.threshold = 10.0  # nothing counts as progress
    session.advance(4)
    assert rate(session) < CONFIG["learning_rate"]
    low = rate(session)
    session.configure({"learning_rate": 0.02})
    assert rate(session) == pytest.approx(2 * low, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "optimizer", "option"),
    [
        ("weight_decay", torch.optim.AdamW, lambda group: group["weight_decay"]),
        ("momentum", torch.optim.AdamW, lambda group: group["betas"][0]),
        ("momentum", torch.optim.SGD, lambda group: group["momentum"]),
        ("beta2", torch.optim.Adam, lambda group: group["betas"][1]),
        ("eps", torch.optim.Adam, lambda group: group["eps"]),
        ("alpha", torch.optim.RMSprop, lambda group: group["alpha"]),
    ],
)
def test_options_of_the_optimizer_change_in_flight(
    name: str, optimizer: Any, option: Callable[[Any], float]
) -> None:
    def build(config: Mapping[str, Any]) -> Training:
        training = usual(config)
        training.optimizer = optimizer(training.model.parameters(), lr=config["learning_rate"])
        group = training.optimizer.param_groups[0]
        if name == "weight_decay":
            group[name] = config[name]
        return training

    session = start(build, name)
    session.advance(1)
    built = option(session._training.optimizer.param_groups[0])
    session.configure({**CONFIG, name: 0.25})
    now = option(session._training.optimizer.param_groups[0])
    # One that the training was not built with is scaled.
    assert now == pytest.approx(0.25 if name == "weight_decay" else built / 2)


@pytest.mark.parametrize("more", [(), ("beta1",)])
def test_options_that_are_tensors_change_in_flight_and_stay_tensors(more: tuple[str, ...]) -> None:
    def build(config: Mapping[str, Any]) -> Training:
        training = usual(config)
        training.optimizer = torch.optim.Adam(
            training.model.parameters(),
            lr=torch.tensor(config["learning_rate"]),
            betas=(torch.tensor(0.5), torch.tensor(0.9)),
            foreach=False,
        )
        return training

    def options(session: TrainingSession) -> list[float]:
        group = session._training.optimizer.param_groups[0]
        assert isinstance(group["lr"], torch.Tensor)
        assert isinstance(group["betas"][0], torch.Tensor)
        return [float(group["lr"]), float(group["betas"][0])]

    donor, receiver = start(build, *more), start(build, *more)
    config = {**CONFIG, "learning_rate": 0.02, **dict.fromkeys(more, 0.8)}
    changed = pytest.approx([0.02, 0.8 if more else 0.5])
    donor.advance(1)
    donor.configure(config)
    for _ in range(3):
        state = take_state(donor)
        assert options(donor) == changed
    assert same(state, take_state(donor))
    restore(receiver, state, config)
    assert options(receiver) == changed
    assert same(receiver.advance(2), donor.advance(2))


def test_the_users_own_hyperparameters_go_to_configure() -> None:
    def build(config: Mapping[str, Any]) -> Training:
        training = usual(config)
        drop = training.model[3]  # type: ignore[index]

        def configure(config: Mapping[str, Any]) -> None:
            drop.p = config["dropout"]

        return dataclasses.replace(training, configure=configure)

    session = start(build, "dropout")
    session.configure({**CONFIG, "dropout": 0.9})
    assert session._training.model[3].p == 0.9  # type: ignore[index]


def test_a_hyperparameter_that_nothing_takes_over_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        start(usual, "dropout")
    assert str(caught.value) == (
        "search_space.parameters.dropout.mutable: expected false, since AdamW has no option 'dropout' and "
        "Training no 'configure', got True (give Training(configure=...), a function of the configuration "
        "that changes dropout)"
    )


def test_accumulation_is_a_larger_batch() -> None:
    def build(size: int, accumulate: int) -> Build:
        def make(config: Mapping[str, Any]) -> Training:
            model = nn.Linear(4, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            data = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=size)
            return Training(model, optimizer, data, score, nn.functional.mse_loss, accumulate=accumulate)

        return make

    one, other = (start(build(size, count)).advance(5) for size, count in ((10, 1), (5, 2)))
    assert one["error"] == pytest.approx(other["error"], rel=1e-5)


def test_gradients_are_clipped() -> None:
    build = schedule(lambda optimizer: None)
    session = start(changed(build, clip=1e-3))
    before = [weight.detach().clone() for weight in session._training.model.parameters()]
    session.advance(1)
    moved = [
        now.detach() - old for now, old in zip(session._training.model.parameters(), before, strict=True)
    ]
    assert float(torch.cat([one.flatten() for one in moved]).norm()) == pytest.approx(1e-5, rel=1e-3)


def test_batches_of_types_of_their_own_are_moved_by_themselves() -> None:
    class Named(UserDict[str, torch.Tensor]):
        def to(self, device: torch.device) -> Named:
            return Named({name: value.to(device) for name, value in self.items()})

    device = torch.device("meta")
    packed = moved([pack_sequence([torch.ones(2), torch.ones(1)])], device)[0]
    assert isinstance(packed, PackedSequence)
    assert packed.data.device == device
    assert not packed.batch_sizes.is_meta  # which torch wants on the CPU
    batch = moved(Named(x=INPUTS), device)
    assert isinstance(batch, Named)
    assert batch["x"].device == device


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_goes_on_exactly_and_scales_losses_of_float16_alone(precision: Any) -> None:
    seen: list[torch.dtype] = []

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.dtype)
        return nn.functional.mse_loss(outputs.float(), targets)

    build = changed(usual, precision=precision, loss=loss)
    assert goes_on_exactly(build, 3, 3)
    assert set(seen) == {getattr(torch, precision)}
    assert ("scaler" in start(build).state()) == (precision == "float16")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"loss": None}, "Training: expected either a loss or a batch_loss, got 'neither'"),
        ({"batch_loss": score}, "Training: expected either a loss or a batch_loss, got 'both'"),
        (
            {"precision": "half"},
            r"Training\.precision: expected one of float32, bfloat16, float16, got 'half'",
        ),
        ({"schedule": "batch"}, r"Training\.schedule: expected one of step, epoch, got 'batch'"),
        (
            {"precision": "float16", "optimizer": torch.optim.LBFGS([torch.zeros(1)])},
            r"Training\.precision: expected float32 or bfloat16, since LBFGS .* unscaled, got 'float16'",
        ),
        ({"accumulate": 0}, r"Training\.accumulate: expected at least 1, got 0"),
        ({"data": iter([1])}, r"Training\.data: expected batches that can be gone through again"),
        ({"data": []}, r"Training\.data: expected at least one batch, got none"),
        ({"data": [INPUTS]}, r"Training\.loss: expected batches of \(inputs, targets\), got Tensor"),
        ({"evaluate": lambda model: 0.5}, r"Training\.evaluate: expected metrics by name, got 0\.5"),
    ],
)
def test_what_is_wrong_with_the_parts_is_said(parts: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigurationError, TypeError, ValueError), match=message):
        start(changed(usual, **parts)).advance(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1, "steps": 1}, r"epochs: expected epochs or steps of a full training, got \(1, 1\)"),
        ({"epochs": None}, r"epochs: expected epochs or steps"),
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        (
            {"build": "my.build", "steps": 1},
            r"build: expected a function of the configuration, got 'my\.build'",
        ),
    ],
)
def test_a_wrong_definition_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TorchLoop(**{"build": usual, "space": space(), "objectives": ["error"], **options})


def test_a_function_that_returns_no_training_is_named() -> None:
    with pytest.raises(TypeError, match="build: expected it to return a Training, got None"):
        start(lambda config: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("build", [usual, elaborate, streamed])
def test_a_preflight_has_no_note(build: Build) -> None:
    assert preflight(Subject(torch_loop(build), "workload", ("error",), 0, copied=True)).notes == []
