"""Do scores of untrained networks find a better architecture than training as many at random does?

``python -m tests.benchmarks.training_free [--starts N] [--trainings N]``: for each start, the test error of
the architecture that is best by validation among as many as are trained: drawn at random, the first of each
score's ranking and of the sum of all, those that TPE chooses, and RoBoT's (He et al. 2024, arXiv
2403.07591). RoBoT searches the weights of the mix with one trial less than trainings, by Optuna's Gaussian
process (the paper: another library's, with an upper confidence bound), and then trains the first of the best
mix's ranking until there are as many. Each start has its own first weights; random search is the mean of
many draws. p is Wilcoxon's against RoBoT over the starts. ``--folder`` draws ``training_free.png`` there. The
last line is JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.analysis import statistics
from orchestrator.optimizers.optuna import OptunaGp, OptunaTpe
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import build_space
from tests.benchmarks.dots import draw_dots
from tests.benchmarks.measuring import print_figures, progress
from workloads.contract import Objective
from workloads.library.training_free.networks import ARCHITECTURES, Architecture, Errors, errors
from workloads.library.training_free.scores import SCORES, Floats, order, table
from workloads.library.training_free.workload import TrainingFree

STEPS, DRAWS = 60, 200
_CHOICES = {
    "parameters": {
        "depth": {"type": "ordinal", "values": [1, 2, 3, 4, 6]},
        "width": {"type": "ordinal", "values": [4, 8, 16, 32]},
        "activation": {"type": "categorical", "choices": ["relu", "gelu", "tanh", "sigmoid"]},
        "normalised": {"type": "categorical", "choices": [True, False]},
        "skips": {"type": "categorical", "choices": [True, False]},
    }
}


def chosen(trained: Iterable[int], known: Sequence[Errors]) -> float:
    """The test error of the one that is best by validation; of equals the first."""
    return known[min(trained, key=lambda number: known[number].validation)].test


def robot(scores: Floats, known: Sequence[Errors], trainings: int, seed: int) -> list[int]:
    """The architectures that RoBoT trains."""
    optimizer = OptunaGp(TrainingFree(steps=1).space, [Objective("validation_error")], seed)
    trained: dict[int, None] = {}
    best, weights = np.inf, [0.0] * len(SCORES)
    for _ in range(trainings - 1):
        (suggestion,) = optimizer.ask()
        own = [float(suggestion.config[f"{name}_weight"]) for name in SCORES]
        number = int(order(scores, own)[0])
        trained[number] = None
        loss = known[number].validation
        if loss <= best:
            best, weights = loss, own
        optimizer.tell([Trial(suggestion, (loss,))])
    for number in order(scores, weights).tolist():
        if len(trained) < trainings:
            trained[number] = None
    return list(trained)


def by_tpe(known: Sequence[Errors], trainings: int, seed: int) -> list[int]:
    """The architectures that TPE trains: fewer where it suggests the same ones over and over."""
    optimizer = OptunaTpe(build_space(_CHOICES), [Objective("validation_error")], seed)
    trained: dict[int, None] = {}
    for _ in range(20 * trainings):  # what was trained before costs nothing
        (suggestion,) = optimizer.ask()
        number = ARCHITECTURES.index(Architecture(**suggestion.config))
        trained[number] = None
        optimizer.tell([Trial(suggestion, (known[number].validation,))])
        if len(trained) == trainings:
            break
    return list(trained)


def found(start: int, trainings: int) -> dict[str, float]:
    """Test errors by method."""
    scores, known = table(start), [errors(one, STEPS, start) for one in ARCHITECTURES]
    rng = stream(start, "training-free")
    draws = [chosen(rng.choice(len(known), trainings, replace=False), known) for _ in range(DRAWS)]

    def first(weights: Sequence[float]) -> float:
        return chosen(order(scores, weights)[:trainings], known)

    alone = {name: first([float(name == other) for other in SCORES]) for name in SCORES}
    return {
        "random": float(np.mean(draws)),
        **alone,
        "sum": first([1.0] * len(SCORES)),
        "tpe": chosen(by_tpe(known, trainings, start), known),
        "robot": chosen(robot(scores, known, trainings, start), known),
        "all": chosen(range(len(known)), known),
    }


def report(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Print the table; its figures."""
    methods = [name for name in rows[0] if name != "all"]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    ranks = statistics.mean_ranks(np.stack([values[name] for name in methods], axis=1))
    figures: dict[str, Any] = {
        "friedman_p": statistics.friedman(np.stack([values[name] for name in methods], axis=1))[1]
    }
    for name, rank in zip(methods, ranks, strict=True):
        p = 1.0 if name == "robot" else statistics.wilcoxon(values[name], values["robot"])[0]
        figures |= {f"{name}_error": float(values[name].mean()), f"{name}_p": float(p)}
        mean, deviation = 100 * values[name].mean(), 100 * values[name].std(ddof=1)
        print(f"{name:>16}: {mean:5.2f} ± {deviation:4.2f} %, mean rank {rank:.1f}, p = {p:.3g}")
    print(f"{'all 320 trained':>16}: {100 * values['all'].mean():5.2f} %")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    if options.starts < 2:
        parser.error("--starts: expected at least 2, which a test can compare")
    if not 2 <= options.trainings <= len(ARCHITECTURES):
        parser.error(f"--trainings: expected 2 to {len(ARCHITECTURES)}")
    torch.set_num_threads(1)
    rows = []
    for start in range(options.starts):
        rows.append(found(start, options.trainings))
        progress(f"{start + 1}/{options.starts}: {rows[-1]}")
    if options.folder is not None:
        values = {name: np.array([100 * row[name] for row in rows]) for name in rows[0]}
        title = f"the best of {options.trainings}"
        draw_dots({title: values}, "test error, %", options.folder / "training_free.png")
    print_figures({"starts": options.starts, "trainings": options.trainings, **report(rows)})


if __name__ == "__main__":
    main()
