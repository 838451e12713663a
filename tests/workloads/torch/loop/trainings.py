"""Trainings as people have them: models, optimizers and data of every kind, in miniature."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from search_spaces import SearchSpace, build_space
from workloads.torch.loop import TorchLoop, Training

ROWS = 30
INPUTS = torch.sin(torch.arange(4.0 * ROWS)).view(ROWS, 4)
TARGETS = INPUTS.sum(1, keepdim=True)


class Augmented(Dataset[tuple[Tensor, Tensor]]):
    """Draws from every global generator for each row, as augmentation does."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        noise = torch.randn(4) + random.random() + float(np.random.random())  # noqa: NPY002
        return INPUTS[row] + 0.1 * noise, TARGETS[row]


class Shuffled(IterableDataset[tuple[Tensor, Tensor]]):
    """A stream that shuffles itself."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for row in torch.randperm(ROWS).tolist():
            yield INPUTS[row] + 0.1 * torch.randn(4), TARGETS[row]


def network(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(width, 1),
    )


def score(model: nn.Module) -> dict[str, float]:
    return {"error": float((model(INPUTS) - TARGETS).square().mean())}


def usual(config: Mapping[str, Any]) -> Training:
    model = network(int(config["width"]))
    return Training(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=config["learning_rate"]),
        data=DataLoader(Augmented(), batch_size=8, shuffle=True),
        loss=nn.functional.mse_loss,
        evaluate=score,
        test=score,
    )


def elaborate(config: Mapping[str, Any]) -> Training:
    """Two groups, momentum, a schedule for each step, mixed precision, accumulation and clipping."""
    model, rate = network(int(config["width"])), float(config["learning_rate"])
    groups = [{"params": model[4].parameters(), "lr": 10 * rate}, {"params": model[0].parameters()}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    return Training(
        model=model,
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, [10 * rate, rate], total_steps=500),
        data=DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4, shuffle=True, drop_last=True),
        loss=nn.functional.mse_loss,
        evaluate=score,
        precision="bfloat16",
        accumulate=3,
        clip=1.0,
    )


def streamed(config: Mapping[str, Any]) -> Training:
    """A stream of batches in another form, and a schedule by the training loss."""
    model = network(int(config["width"]))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=config["learning_rate"], momentum=0.5)
    return Training(
        model=model,
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5),
        data=DataLoader(Shuffled(), batch_size=8, collate_fn=_named),
        batch_loss=lambda model, batch: (model(batch["x"]) - batch["y"]).square().mean(),
        evaluate=score,
    )


def second_order(config: Mapping[str, Any]) -> Training:
    """An optimizer that computes the gradient several times in a step."""
    model = nn.Linear(4, 1)
    return Training(
        model=model,
        optimizer=torch.optim.LBFGS(model.parameters(), lr=config["learning_rate"], max_iter=3),
        data=[(INPUTS, TARGETS)],
        loss=nn.functional.mse_loss,
        evaluate=score,
    )


def _named(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {"x": torch.stack([x for x, _ in rows]), "y": torch.stack([y for _, y in rows])}


def space(*more: str) -> SearchSpace:
    rate = {"type": "float", "low": 1e-3, "high": 1e-1, "log": True, "mutable": True}
    share = {"type": "float", "low": 0.1, "high": 0.9, "mutable": True}
    width = {"type": "int", "low": 3, "high": 8}
    return build_space({"parameters": {"learning_rate": rate, "width": width, **dict.fromkeys(more, share)}})


def torch_loop(build: Any, *more: str, **options: Any) -> TorchLoop:
    length = options or {"steps": 500}
    return TorchLoop(build, space(*more), ["error"], **length)
