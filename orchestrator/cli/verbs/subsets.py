"""``subsets``: a few tasks that stand for many, some to develop on, some to test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.refusals import OneLineParser, whole

_ABOUT = "Choose a few tasks that stand for many, some to develop on, some to test, and print them as YAML."
TYPES = ("BB", "MF", "MO", "MOMF")
MEASURES = ("uniform", "tasks")


def main(argv: Sequence[str]) -> int:
    """Choose the tasks and print them as YAML."""
    given = _parser().parse_args(argv)
    text = _chosen(given)
    if given.output is not None:
        from orchestrator.run.results import replacing

        with replacing(given.output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="python -m orchestrator subsets", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="run directory of a benchmark study on many tasks")
    parser.add_argument(
        "--methods", nargs="+", required=True, metavar="METHOD", help="about three that behave differently"
    )
    parser.add_argument(
        "--size", type=whole, required=True, metavar="K", help="tasks in each of both subsets"
    )
    parser.add_argument("--type", choices=TYPES, help="only tasks of this type, as carps does")
    parser.add_argument("--seed", type=whole, default=0, help="of the search (default: %(default)s)")
    parser.add_argument(
        "--measure",
        choices=MEASURES,
        default="uniform",
        help="what subsets are compared with: the uniform distribution, as carps does, so that they cover all"
        " performances evenly; or all tasks, so that they are distributed alike (default: %(default)s)",
    )
    parser.add_argument("--log", action="store_true", help="place tasks by the logarithm of performance")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write what is printed, too")
    return parser


def _chosen(given: argparse.Namespace) -> str:
    """The subsets as YAML. Imports what it needs only now, so that help comes at once."""
    import yaml

    from orchestrator.analysis.references import REFERENCES, load_references
    from orchestrator.analysis.subsets import choose_subsets, performance, spread, star_discrepancy
    from orchestrator.randomness import stream
    from orchestrator.reporting.benchmark import report
    from search_spaces.errors import ConfigurationError

    results = report.read_results(given.run)
    for method in given.methods:
        if method not in results.methods:
            raise ConfigurationError("--methods", f"some of {', '.join(results.methods)}", method)
    if len(set(given.methods)) < max(2, len(given.methods)):
        raise ConfigurationError("--methods", "two or more different ones (carps: three)", given.methods)
    references = load_references(given.run / REFERENCES, results.tasks)
    names, points = performance(results, references, given.methods)
    rows = [row for row, name in enumerate(names) if given.type in (None, results.tasks[name].type)]
    names, points = [names[row] for row in rows], points[rows]
    if not 1 <= given.size <= len(names) // 2:
        found = f"{len(names)} tasks have a finished cell of every method"
        raise ConfigurationError("--size", "at least 1, and at most half of the tasks", given.size, found)
    if given.seed < 0:
        raise ConfigurationError("--seed", "0 or more", given.seed)
    points = spread(points) if given.log else points
    subsets = choose_subsets(points, given.size, stream(given.seed, "subsets"), measure=given.measure)
    dev, test = (star_discrepancy(points, subset, given.measure) for subset in subsets)
    head = (
        f"# star discrepancy ({given.measure}) of {given.size} of {len(names)} tasks: "
        f"dev {dev:.4f}, test {test:.4f}\n"
    )
    chosen = {
        key: [names[row] for row in subset] for key, subset in zip(("dev", "test"), subsets, strict=True)
    }
    return head + str(yaml.safe_dump(chosen, sort_keys=False, width=1000))
