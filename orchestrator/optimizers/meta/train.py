"""Trains the network of ``optimizer=meta``: ``python -m orchestrator.optimizers.meta.train``.

On draws of the prior; on BBOB's functions where ioh is installed (extra benchmark); and on LCBench's where
``YAHPO_DATA_DIR`` names YAHPO Gym's files. The weights know which families they were trained on. The same
seed, families and library versions give the same weights up to the arithmetic of the machine.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from orchestrator.optimizers.meta import weights
from orchestrator.optimizers.meta.buckets import log_density
from orchestrator.optimizers.meta.network import NeuralProcess, Shape
from orchestrator.optimizers.meta.prior import Functions, drawn
from orchestrator.optimizers.meta.scale import LossScale
from orchestrator.randomness import derived_seed, stream

Family = Callable[[int, int, np.random.Generator], Functions]
"""Gives so many functions at so many configurations."""

QUERIES = 40
RESULTS = (3, 64)
"""The fewest and the most results that the network learns to predict from."""
SHARES = {"prior": 0.6, "bbob": 0.25, "lcbench": 0.15}
"""How often a batch is of each family, where it can be had."""
_CLIP = 1.0


def families(seed: int) -> dict[str, Family]:
    """Those that can be had here, by name."""
    found: dict[str, Family] = {"prior": drawn}
    if find_spec("ioh"):
        from orchestrator.optimizers.meta.families import bbob

        found["bbob"] = bbob
    if find_spec("onnxruntime"):
        from orchestrator.optimizers.meta.families import LcBench, lcbench_folder

        folder = lcbench_folder()
        if folder is not None:
            found["lcbench"] = LcBench(folder, stream(seed, "lcbench"))
    return found


def loss(network: NeuralProcess, functions: Functions, results: int) -> Tensor:
    """The mean negative logarithm of the predicted density of what is not among the first results."""
    scale = LossScale.of(functions.losses[:, :results])
    scaled = torch.from_numpy(scale.scaled(functions.losses)).float()
    units = torch.from_numpy(functions.units).float()
    categorical = torch.from_numpy(functions.categorical)
    logits = network(units[:results], scaled[:, :results], units[results:], categorical)
    # One wild loss is not to decide a step.
    return -log_density(logits, scaled[:, results:]).clamp(min=-12.0).mean()


def trained(made: dict[str, Family], seed: int, steps: int, functions: int, rate: float) -> NeuralProcess:
    """A network after ``steps`` of AdamW on batches of functions, with a warm-up and a cosine."""
    torch.manual_seed(derived_seed(seed, "network"))
    network = NeuralProcess(Shape())
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    rng, began, sums = stream(seed, "tasks"), time.process_time(), [0.0, 0.0]
    shares = np.array([SHARES[name] for name in made])
    for step in range(steps):
        name = str(rng.choice(list(made), p=shares / shares.sum()))
        results = int(np.exp(rng.uniform(np.log(RESULTS[0]), np.log(RESULTS[1] + 1))))
        batch = loss(network, made[name](functions, results + QUERIES, rng), results)
        optimizer.zero_grad()
        batch.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        sums = [sums[0] + batch.item(), sums[1] + 1]
        if (step + 1) % 100 == 0:
            _say(f"{step + 1}/{steps}: {sums[0] / sums[1]:.3f} after {time.process_time() - began:.0f} s")
            sums = [0.0, 0.0]
    return network.eval()


def _rate(step: int, steps: int) -> float:
    warm = max(1, min(200, steps // 10))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4200)
    parser.add_argument("--functions", type=int, default=32, help="in each step")
    parser.add_argument("--rate", type=float, default=1e-3, help="the highest learning rate")
    parser.add_argument("--out", type=Path, default=weights.FILE, help="the file of weights")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    made = families(given.seed)
    _say(f"trains on {', '.join(made)}")
    network = trained(made, given.seed, given.steps, given.functions, given.rate)
    weights.save(network, list(made), given.seed, given.steps, given.out)


if __name__ == "__main__":
    main()
