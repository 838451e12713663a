"""Whether dueling Bayesian optimisation asks better questions than chance does, with programs as judges.

``python -m tests.benchmarks.preference_questions [--seeds 10] [--questions 20]`` prints for each task how
good the option with the highest posterior utility is, by what the judge goes by: the share of a large random
sample that is better (0: nothing is). Both ways use the same model for that; they differ in the pairs alone.
Prompts are judged by words that they have, BBOB's functions by their values, noisily in the last task.
``--folder`` draws ``preference_questions.png`` there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.statistics import wilcoxon
from orchestrator.preference.duel import Compared, Duel
from orchestrator.preference.judges import ByMetric, Judge, Mentions
from orchestrator.preference.making import Maker
from orchestrator.preference.questions import Comparison, Question, Shown
from orchestrator.preference.standings import standing
from search_spaces import Config, build_space
from tests.benchmarks.dots import draw_dots
from tests.benchmarks.measuring import study_config
from workloads.contract import Device, Workload
from workloads.library.functions.bbob import Bbob
from workloads.library.prompts import Prompts

SAMPLE, INITIAL = 2000, 5
WORDS = ("three", "important", "sentence", "explain", "numbers")


@dataclass(frozen=True)
class Task:
    """What is compared, who judges by which seed, and how good a result truly is: less is better."""

    workload: Workload
    judge: Callable[[int], Judge]
    loss: Callable[[Shown], float]


def tasks() -> dict[str, Task]:
    """The tasks by name."""
    prompts = Prompts(build_space(study_config("+study=prompts")["search_space"]))
    words = Mentions(WORDS)

    def wordless(shown: Shown) -> float:
        found, short = words.value(shown.text)
        return -1000.0 * found - short

    found = {"prompts": Task(prompts, lambda seed: words, wordless)}
    for function, dimension in ((1, 3), (8, 2), (15, 3), (21, 2)):
        made = Bbob(function=function, dimension=dimension)
        found[f"bbob f{function} {dimension}d"] = Task(
            made, lambda seed: ByMetric("f"), lambda shown: shown.metrics["f"]
        )
    noisy = Bbob(function=1, dimension=3)
    found["bbob f1 3d, noise"] = Task(
        noisy, lambda seed: ByMetric("f", noise=5.0, seed=seed), lambda shown: shown.metrics["f"]
    )
    return found


def shown(task: Task, config: Config, number: int = 0) -> Shown:
    """A result, which all of these workloads have at once."""
    metrics, text, _ = Maker(task.workload, 0, Device(), Path()).make(config, number)
    return Shown(number, config, metrics, text)


def chosen(task: Task, seed: int, questions: int, initial: int) -> float:
    """The true loss of the option that is believed to be the best after so many questions."""
    duel, judge = Duel(task.workload, task.workload.space, seed, initial), task.judge(seed)
    configs: list[Config] = []
    comparisons: list[Comparison] = []
    for question in range(questions):
        pair = duel.next(Compared(configs, tuple(comparisons)))
        if pair is None:
            break
        numbers = []
        for config in pair:
            if config not in configs:
                configs.append(config)
            numbers.append(configs.index(config))
        first, second = (shown(task, configs[number], number) for number in numbers)
        answer = judge.prefer(Question(question, questions, first, second))
        comparisons.append(Comparison(numbers[0], numbers[1], answer))
    found = standing(duel, Compared(configs, tuple(comparisons)))
    assert found is not None
    return task.loss(shown(task, configs[found.options[0]]))


def better(task: Task, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a random sample that is better than each loss."""
    sample = task.workload.space.sample(SAMPLE, np.random.default_rng(0))
    values = np.array([task.loss(shown(task, config)) for config in sample])
    return np.asarray((values[None, :] < losses[:, None]).mean(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to draw")
    given = parser.parse_args()
    panels: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, task in tasks().items():
        ways = {"qEUBO": INITIAL, "random": given.questions}
        shares = {}
        for way, initial in ways.items():
            losses = [chosen(task, seed, given.questions, initial) for seed in range(given.seeds)]
            shares[way] = better(task, np.array(losses))
        p, _ = wilcoxon(shares["qEUBO"], shares["random"])
        medians = (f"{way} {np.median(found):.4f} (worst {found.max():.4f})" for way, found in shares.items())
        print(f"{name}: {', '.join(medians)}, n = {given.seeds}, p = {p:.4f}", flush=True)
        panels[name] = {way: 100 * found for way, found in shares.items()}
    if given.folder is not None:
        draw_dots(panels, "options that are better, %", given.folder / "preference_questions.png")


if __name__ == "__main__":
    main()
