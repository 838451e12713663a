"""MoDoMoDo's predictor of mixtures, searches and a population, on ``workload=mixtures``, at equal training.

``python -m tests.benchmarks.mixtures SEEDS`` prints a JSON line for each method and seed. Each trains twelve
models for as long and looks at them equally often; the best model at any look, by validation, is judged once
on the texts' test parts. ``python -m tests.benchmarks.mixtures FILE… [--folder FOLDER]`` reads such lines and
prints the table with tests; ``--folder`` draws ``mixtures.png`` there.

``uniform``: twelve seeds of the uniform mixture. ``tpe``: Optuna's TPE over the weights. ``predictor``: a
lattice of ten mixtures, and two models at the predicted optimum. ``pbt``: a population whose weights change
while it trains.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from orchestrator.analysis import statistics
from orchestrator.optimizers.optuna import OptunaTpe
from orchestrator.trial import Trial
from tests.benchmarks.dots import draw_dots
from tests.benchmarks.pbt_against_schedules import Task, trained_population
from workloads.contract import Device
from workloads.library.language.sources import SOURCES
from workloads.library.mixtures import Mixtures, Predictor, predictor, simplex

Floats = NDArray[np.float64]
TASK = Task(Mixtures, 12, 10, 10, "test_loss")
_LATTICE = 3
_OURS = "predictor"


class Found(NamedTuple):
    """One trained model: its shares, its best validation loss, and its test loss at that look."""

    shares: Floats
    validation: float
    test: float


Train = Callable[[Floats], Found]
"""Trains a mixture of these weights ``(sources,)`` with a seed of its own."""


def trained(workload: Mixtures, weights: Floats, seed: int) -> Found:
    """One mixture that stays as it is, looked at as often as a population."""
    config = weighted(weights)
    session = workload.start(config, seed, Device())
    best = (math.inf, math.nan)
    for _ in range(TASK.generations):
        validation = session.advance(TASK.interval)["validation_loss"]
        if validation < best[0]:
            best = validation, session.test()["test_loss"]
    return Found(weights / weights.sum(), *best)


def weighted(weights: Floats) -> dict[str, float]:
    """The configuration with these weights."""
    return {f"{name}_weight": max(float(w), 1e-6) for name, w in zip(SOURCES, weights, strict=True)}


def uniform(train: Train, seed: int) -> list[Found]:
    del seed
    return [train(np.ones(len(SOURCES))) for _ in range(TASK.size)]


def tpe(train: Train, seed: int) -> list[Found]:
    workload = TASK.workload()
    optimizer = OptunaTpe(workload.space, workload.objectives, seed)
    found = []
    for _ in range(TASK.size):
        (suggestion,) = optimizer.ask(1)
        found.append(train(np.array([float(suggestion.config[f"{name}_weight"]) for name in SOURCES])))
        optimizer.tell([Trial(suggestion, (found[-1].validation,))])
    return found


def predicted(train: Train, seed: int) -> list[Found]:
    del seed
    pilots = [train(row) for row in simplex(len(SOURCES), _LATTICE)]
    best = _fitted(pilots).best(len(SOURCES))
    return [*pilots, *(train(best) for _ in range(TASK.size - len(pilots)))]


def _fitted(pilots: list[Found]) -> Predictor:
    return predictor(np.stack([one.shares for one in pilots]), np.array([one.validation for one in pilots]))


METHODS = {"uniform": uniform, "tpe": tpe, "predictor": predicted}
"""What chooses mixtures that stay as they are."""


def run(method: str, seed: int) -> dict[str, Any]:
    """One method with one seed."""
    began = time.process_time()
    if method == "pbt":
        result, notes = trained_population(TASK, method, seed), {}
    else:
        result, notes = _searched(method, seed)
    seconds = round(time.process_time() - began, 1)
    return {"method": method, "seed": seed, **result, **notes, "seconds": seconds}


def _searched(method: str, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    workload, counter = Mixtures(), iter(range(1000 * seed, 1000 * (seed + 1)))
    found = METHODS[method](lambda weights: trained(workload, weights, next(counter)), seed)
    best = min(found, key=lambda one: one.validation)
    notes: dict[str, Any] = {"shares": best.shares.round(2).tolist()}
    if method == _OURS:
        last = found[len(simplex(len(SOURCES), _LATTICE)) :]
        model = _fitted(found[: -len(last)])
        notes |= {
            "optimum": last[0].shares.round(2).tolist(),
            "expected": float(model.loss(last[0].shares[None])[0]),
            "reached": float(np.mean([one.validation for one in last])),
        }
    return {"score": best.test, "validation": best.validation}, notes


def table(lines: pd.DataFrame) -> str:
    """Test losses, with Friedman's test and Wilcoxon's of each pair with the predictor."""
    scores = lines.pivot_table(index="seed", columns="method", values="score").dropna()
    if len(scores) < 2:
        raise SystemExit(f"expected all methods with at least 2 seeds, got {len(scores)}")
    ranks: Mapping[str, float] = dict(zip(scores, statistics.mean_ranks(scores.to_numpy()), strict=True))
    ours = scores[_OURS].to_numpy()
    rows = ["| method | test loss ± sd | rank | p against the predictor |", "|---|---|---|---|"]
    for method in sorted(scores, key=lambda name: ranks[name]):
        own = scores[method]
        p = "" if method == _OURS else f"{statistics.wilcoxon(ours, own.to_numpy())[0]:.3f}"
        rows.append(f"| {method} | {own.mean():.3f} ± {own.std():.3f} | {ranks[method]:.1f} | {p} |")
    friedman = statistics.friedman(scores.to_numpy())[1]
    return "\n".join([f"Friedman p = {friedman:.2g}, n = {len(scores)} seeds", *rows])


def main() -> None:
    """Run, or read what was run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="+", help="the number of seeds to run, or files of what was run")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    if options.what[0].isdigit():
        torch.set_num_threads(1)
        for seed in range(int(options.what[0])):
            for method in (*METHODS, "pbt"):
                print(json.dumps(run(method, seed)), flush=True)
        return
    if missing := [name for name in options.what if not Path(name).is_file()]:
        parser.error(f"expected a number of seeds, or files of lines, got {missing[0]}")
    lines = pd.concat([pd.read_json(Path(name), lines=True) for name in options.what])
    print(table(lines))
    if options.folder is not None:
        values = {str(name): own["score"].to_numpy() for name, own in lines.groupby("method")}
        draw_dots({"twelve models each": values}, "test loss", options.folder / "mixtures.png")


if __name__ == "__main__":
    main()
