"""How much faster members train together: packed populations against loops over independent models.

``python -m tests.benchmarks.packed`` trains K members of three kinds on one thread, by turns: a plain loop of
K models with ``torch.optim.AdamW`` as one would write it by hand (``nn.Dropout``, torch's own attention), the
same with ``fused=True``, and this project's engines (loop, packed, compiled). Each turn is some training
steps and one evaluation of every member. Prints milliseconds per step of all K members, medians over the
rounds, and ends with one line of JSON: how many times as fast as the plain loops the compiled pack is
(``mlp_64``, ``mlp_64_fused``, ...) and the pack that is not compiled (``mlp_64_eager``), and how much longer
than the fastest engine the one takes that the start-up probe chose (``mlp_64_probe``; 1: it is the fastest).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from search_spaces import Config
from tests.benchmarks.measuring import print_figures, progress
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.library.language.text import DATA_VARIABLE, VOCABULARY
from workloads.library.shakespeare import Shakespeare
from workloads.packing import Course, Engine
from workloads.torch import Batch, TorchSession, TorchWorkload
from workloads.torch.packed import Packer

DROPOUT = 0.1
ENGINES: tuple[Engine, ...] = ("loop", "packed", "compiled")
LONG = 100_000
"""Intervals ahead of the probe, so many that compiling is worth trying."""


@dataclass(frozen=True)
class Case:
    """Members of one kind.

    Args:
        members: how many.
        steps: per turn.
        workload: what they train.
        config: their hyperparameters.
        plain: the same model as one would write it by hand.
    """

    members: int
    steps: int
    workload: TorchWorkload
    config: Config
    plain: Callable[[], nn.Module]


def mlp() -> nn.Module:
    """64-64-64-10 on 8x8 images."""
    hidden = (
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
    )
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, 10))


def cnn() -> nn.Module:
    """16 and 32 channels on 8x8 images."""
    first = (nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    second = (nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(128, 10))


class PlainBlock(nn.Module):
    """A transformer's block with torch's own attention and dropout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.input, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width), nn.Dropout(DROPOUT)
        )
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, features: Tensor) -> Tensor:
        count, length, width = features.shape
        parts = self.input(self.attention_norm(features)).view(count, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=DROPOUT if self.training else 0.0, is_causal=True
        )
        features = features + self.dropout(
            self.output(attended.transpose(1, 2).reshape(count, length, width))
        )
        outputs: Tensor = features + self.wide(self.norm(features))
        return outputs


class PlainGPT(nn.Module):
    """:class:`workloads.library.language.gpt.GPT` as one would write it by hand."""

    def __init__(self, context: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        self.characters, self.positions = nn.Embedding(VOCABULARY, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(PlainBlock(width, heads) for _ in range(layers)))
        self.dropout, self.norm = nn.Dropout(DROPOUT), nn.LayerNorm(width)
        self.output = nn.Linear(width, VOCABULARY, bias=False)
        self.output.weight = self.characters.weight

    def forward(self, inputs: Tensor) -> Tensor:
        places = torch.arange(inputs.shape[1], device=inputs.device)
        features = self.dropout(self.characters(inputs) + self.positions(places))
        logits: Tensor = self.output(self.norm(self.blocks(features)))
        return logits


def cases(text: str | None) -> dict[str, Case]:
    """What is measured; the GPT only where there is a text."""
    digits: Config = {"dropout": DROPOUT, "learning_rate": 1e-3}
    found = {
        "mlp_64": Case(64, 50, Digits(batch_size=64), {**digits, "width": 64}, mlp),
        "cnn_16": Case(16, 50, Digits(model="cnn", batch_size=32), {**digits, "width": 32}, cnn),
    }
    if text is not None:
        gpt: Config = {"dropout": DROPOUT, "learning_rate": 1e-3, "layers": 2, "heads": 4, "width": 64}
        workload = Shakespeare(context=64, batch_size=12, evaluated=12, data=text)
        found["gpt_16"] = Case(16, 10, workload, gpt, lambda: PlainGPT(64, 2, 4, 64))
    return found


class PlainLoop:
    """K independent models with their optimizers, one after the other.

    Args:
        device: where.
        fused: whether AdamW is.
    """

    def __init__(self, case: Case, device: Device, fused: bool) -> None:
        where = torch.device(device.name)
        self._splits = case.workload.data(where)
        self._models = [case.plain().to(where) for _ in range(case.members)]
        self._optimizers = [
            torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=fused)
            for model in self._models
        ]
        self._batch_size, self._device = case.workload.batch_size, where

    def turn(self, steps: int) -> None:
        """Train every model and evaluate it."""
        for model, optimizer in zip(self._models, self._optimizers, strict=True):
            model.train()
            for batch in self._batches(steps):
                optimizer.zero_grad()
                _loss(model, batch).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            model.eval()
            with torch.inference_mode():
                float(_loss(model, self._splits.validation))

    def _batches(self, steps: int) -> Iterator[Batch]:
        inputs, targets = self._splits.train
        for _ in range(steps):
            rows = torch.randint(len(targets), (self._batch_size,), device=self._device)
            yield Batch(inputs[rows], targets[rows])


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    logits = model(batch.inputs)
    return nn.functional.cross_entropy(logits.flatten(0, -2), batch.targets.flatten())


def engine_turn(case: Case, engine: Engine, device: Device) -> Callable[[int], object]:
    """Training and evaluating all members by one of this project's engines."""
    sessions = [TorchSession(case.workload, case.config, seed, device) for seed in range(case.members)]
    if engine == "loop":
        return lambda steps: [session.advance(steps) for session in sessions]
    pack = Packer(engine, device).pack(sessions)

    def turn(steps: int) -> None:
        pack.advance(steps)
        if pack.fallback is not None:
            raise RuntimeError(pack.fallback)

    return turn


def measure(name: str, case: Case, device: Device, rounds: int) -> dict[str, float]:
    """Median seconds per step of all members, by variant."""
    turns: dict[str, Callable[[int], object]] = {
        "plain": PlainLoop(case, device, fused=False).turn,
        "fused": PlainLoop(case, device, fused=True).turn,
        **{engine: engine_turn(case, engine, device) for engine in ENGINES},
    }
    for variant, turn in turns.items():
        began = time.perf_counter()
        turn(1)
        progress(f"{name} {variant}: first turn {time.perf_counter() - began:.1f} s")
    times: dict[str, list[float]] = {variant: [] for variant in turns}
    for _ in range(rounds):
        for variant, turn in turns.items():
            began = time.perf_counter()
            turn(case.steps)
            times[variant].append((time.perf_counter() - began) / case.steps)
    return {variant: median(past) for variant, past in times.items()}


def chosen(case: Case, device: Device) -> Engine:
    """The engine that the probe at the start of a long study chooses."""
    configs: Sequence[Config] = [case.config] * case.members
    choice = case.workload.choose_engine(configs, device, Course(case.steps, LONG), may_loop=True)
    progress(f"  the probe: {choice.engine}, since {choice.reason}")
    return choice.engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="turns of every variant")
    parser.add_argument("--cases", nargs="*", help="some of mlp_64, cnn_16, gpt_16 (all)")
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--text", default=os.environ.get(DATA_VARIABLE), help="folder of tinyshakespeare")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device, figures = Device(options.device), {}
    for name, case in cases(options.text).items():
        if options.cases and name not in options.cases:
            continue
        seconds = measure(name, case, device, options.rounds)
        print(
            name,
            json.dumps({variant: f"{1000 * time_:.2f} ms" for variant, time_ in seconds.items()}),
            flush=True,
        )
        figures[name] = seconds["plain"] / seconds["compiled"]
        figures[f"{name}_fused"] = seconds["fused"] / seconds["compiled"]
        figures[f"{name}_eager"] = seconds["plain"] / seconds["packed"]
        figures[f"{name}_probe"] = seconds[chosen(case, device)] / min(seconds[engine] for engine in ENGINES)
    print_figures(figures)


if __name__ == "__main__":
    main()
