"""Training loops as people have them; they know of this program no more than they must."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from search_spaces import SearchSpace, build_space
from workloads.loop import Context, Loop, Step


def space() -> SearchSpace:
    return build_space(
        {
            "parameters": {
                "lr": {"type": "float", "low": 1e-3, "high": 1e-1, "log": True, "mutable": True},
                "width": {"type": "int", "low": 2, "high": 8},
            }
        }
    )


class Learner:
    """A network, its optimizer and noisy data from torch's global generator."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.model = nn.Sequential(
            nn.Linear(4, int(config["width"])), nn.Dropout(0.1), nn.Linear(int(config["width"]), 1)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config["lr"])

    def epoch(self) -> float:
        inputs = torch.randn(16, 4) + float(np.random.normal()) + random.random()  # noqa: NPY002
        loss = (self.model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: Mapping[str, Any], lr: float) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = lr


def with_state(config: Mapping[str, Any], ctx: Context) -> None:
    """Reports state dicts, as references."""
    learner = Learner(config)
    if ctx.checkpoint:
        learner.load(ctx.checkpoint, config["lr"])
    for _ in range(ctx.age, 100):
        ctx.report(loss=learner.epoch(), checkpoint=learner.state())


def with_folder(config: Mapping[str, Any], ctx: Context) -> None:
    """Overwrites one folder of its own again and again."""
    learner = Learner(config)
    with tempfile.TemporaryDirectory() as own:
        if ctx.checkpoint:
            learner.load(torch.load(ctx.checkpoint / "weights.pt"), config["lr"])
        for epoch in range(ctx.age, 100):
            loss = learner.epoch()
            torch.save(learner.state(), Path(own, "weights.pt"))
            Path(own, "about.json").write_text(json.dumps({"epoch": epoch}))
            ctx.report({"loss": loss, "val/epoch": epoch}, checkpoint=own)


def when_asked(config: Mapping[str, Any], context: Context) -> None:
    """Counts steps, reports where an interval ends, and saves where somebody wants it."""
    learner = Learner(config)
    if context.checkpoint:
        learner.load(context.checkpoint, config["lr"])
    for step in range(context.age + 1, 101):
        loss = learner.epoch()
        context.report(loss=loss, step=step, checkpoint=learner.state)


def generator(config: Mapping[str, Any], ctx: Context) -> Iterator[Step]:
    learner = Learner(config)
    if ctx.checkpoint:
        learner.load(ctx.checkpoint, config["lr"])
    while True:
        yield Step({"loss": learner.epoch()}, learner.state())


def loop(function: Any, **options: Any) -> Loop:
    return Loop(function, space(), ["loss"], largest=100, **options)
