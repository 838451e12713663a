"""``python -m orchestrator.subsets``: few tasks that stand for many, some to develop on, some to test."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from orchestrator.analysis.analysis import mean_scores
from orchestrator.analysis.references import REFERENCES, load_references
from orchestrator.analysis.report import read_results
from orchestrator.analysis.subsets import Measure, choose_subsets, star_discrepancy
from orchestrator.benchmark.records import Results
from orchestrator.benchmark.task import TaskType
from orchestrator.command_line import OneLineParser, refuse
from orchestrator.interrupt import INTERRUPTED
from orchestrator.randomness import stream
from orchestrator.results import replacing
from search_spaces import ConfigurationError

_SMALLEST = 1e-8


def main(argv: Sequence[str]) -> int:
    """Choose the tasks and print them as YAML; returns the exit code: 0 done, 2 refused, 130 interrupted."""
    given = _parser().parse_args(argv)
    try:
        results = read_results(given.run)
        references = load_references(given.run / REFERENCES, results.tasks)
        names, points = performance(results, references, given.methods)
        names, points = _of_type(results, names, points, given.type)
        text = _chosen(names, spread(points) if given.log else points, given.size, given.seed, given.measure)
        if given.output is not None:
            with replacing(given.output) as temporary:
                temporary.write_text(text, encoding="utf-8")
        sys.stdout.write(text)
    except (ConfigurationError, OSError) as error:
        return refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def performance(
    results: Results, references: Mapping[str, tuple[float, ...]], methods: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Tasks on which all of ``methods`` have a cell that counts, and their mean normalised performance.

    Returns:
        Names, and points in [0, 1] of shape ``(tasks, methods)``; 0 is the best.

    Raises:
        ConfigurationError: fewer than two methods, or one that the study does not have.
    """
    for method in methods:
        if method not in results.methods:
            raise ConfigurationError("--methods", f"some of {', '.join(results.methods)}", method)
    if len(set(methods)) < max(2, len(methods)):
        raise ConfigurationError("--methods", "two or more different ones (carps: three)", list(methods))
    table = mean_scores(results, references).pivot(index="task", columns="method", values="normalised")
    table = table.reindex(index=list(results.tasks), columns=list(methods)).dropna()
    return list(table.index), table.to_numpy(dtype=float)


def spread(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on a logarithmic scale, again in [0, 1]: for those that clump near the best.

    Normalised losses do where bad evaluations are far worse than good ones; carps takes the logarithm then.
    """
    logs = np.log10(np.maximum(points, _SMALLEST))
    low, high = logs.min(initial=0.0), logs.max(initial=-np.inf)
    return np.asarray((logs - low) / (high - low)) if high > low else np.zeros_like(points)


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="python -m orchestrator.subsets", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="run directory of a benchmark study on many tasks")
    parser.add_argument(
        "--methods", nargs="+", required=True, metavar="METHOD", help="about three that behave differently"
    )
    parser.add_argument("--size", type=int, required=True, metavar="K", help="tasks in each of both subsets")
    parser.add_argument("--type", choices=get_args(TaskType), help="only tasks of this type, as carps does")
    parser.add_argument("--seed", type=int, default=0, help="of the search (default: %(default)s)")
    parser.add_argument(
        "--measure",
        choices=get_args(Measure),
        default="uniform",
        help="what subsets are compared with: the uniform distribution, as carps does, so that they cover all"
        " performances evenly; or all tasks, so that they are distributed alike (default: %(default)s)",
    )
    parser.add_argument("--log", action="store_true", help="place tasks by the logarithm of performance")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write what is printed, too")
    return parser


def _of_type(
    results: Results, names: Sequence[str], points: NDArray[np.float64], kind: str | None
) -> tuple[list[str], NDArray[np.float64]]:
    rows = [row for row, name in enumerate(names) if kind in (None, results.tasks[name].type)]
    return [names[row] for row in rows], points[rows]


def _chosen(names: Sequence[str], points: NDArray[np.float64], size: int, seed: int, measure: Measure) -> str:
    if not 1 <= size <= len(names) // 2:
        found = f"{len(names)} tasks have a finished cell of every method"
        expected = "at least 1, and at most half of the tasks"
        raise ConfigurationError("--size", expected, size, found)
    if seed < 0:
        raise ConfigurationError("--seed", "0 or more", seed)
    subsets = choose_subsets(points, size, stream(seed, "subsets"), measure=measure)
    dev, test = (star_discrepancy(points, subset, measure) for subset in subsets)
    head = f"# star discrepancy ({measure}) of {size} of {len(names)} tasks: dev {dev:.4f}, test {test:.4f}\n"
    chosen = {
        key: [names[row] for row in subset] for key, subset in zip(("dev", "test"), subsets, strict=True)
    }
    return head + str(yaml.safe_dump(chosen, sort_keys=False, width=1000))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
