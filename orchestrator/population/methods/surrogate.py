"""PB2's surrogate: what an interval will gain, and the hyperparameters that promise most.

Imports torch, so import it where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orchestrator.population.methods.gaussian import MOST_ROWS, GaussianProcess, maximise
from orchestrator.population.methods.improvements import Configurations, Context, Improvements
from orchestrator.population.methods.kernels import Inputs, Kernel
from orchestrator.population.rules.contract import Floats

RESTARTS = 10
"""Random points from which the acquisition function is climbed."""

MOST_CLIMBED = 16
"""Members replaced together for each of whom the acquisition function is climbed."""

GROUPS, CANDIDATES = 8, 256
"""Of more members: the groups that they are chosen for in, and the random points that each chooses from."""

MOST_RUNNING = 100
"""Running configurations, the last ones, that a proposal keeps away from."""


def promise(crowded: GaussianProcess, inputs: Inputs) -> Tensor:
    """PB2's acquisition ``mean + sqrt(0.2 * log(0.4 * n)) * variance``, shape ``(q,)``; differentiable.

    As in the authors' code it is the variance, not the deviation. Below 3 observations the mean alone counts:
    the logarithm is negative.

    Args:
        crowded: the process, with variances after what is running now.
        inputs: what is asked about.
    """
    mean, variance = crowded(inputs)
    return mean + optimism(crowded) * variance


def optimism(process: GaussianProcess) -> float:
    """What a variance counts for after as many observations as a process has."""
    return math.sqrt(max(0.0, 0.2 * math.log(0.4 * len(process.targets))))


@dataclass(frozen=True)
class Surrogate:
    """Predicts gains from the round, the loss before it, numbers and categories.

    Args:
        process: its inputs are scaled losses and then numbers.
        low: the loss that counts as 0.
        span: how much more counts as 1.
    """

    process: GaussianProcess
    low: float
    span: float

    @classmethod
    def fit(
        cls,
        kernel: Kernel,
        seen: Improvements,
        configurations: Configurations,
        asked: Floats,
        scores: Floats | None = None,
    ) -> Surrogate:
        """The surrogate of past intervals.

        Args:
            kernel: of its process.
            seen: the intervals, at least one; the last ``MOST_ROWS`` count.
            configurations: what they were trained with; rows match.
            asked: losses that it will be asked about, which the scale must hold, shape ``(k,)``.
            scores: what counts in place of the standardised gains; rows match.
        """
        scores = None if scores is None else scores[-MOST_ROWS:]
        seen, configurations = seen[-MOST_ROWS:], configurations.last(MOST_ROWS)
        losses = np.concatenate([seen.before, asked])
        low, span = float(losses.min()), float(np.ptp(losses)) or 1.0
        points = np.column_stack([(seen.before - low) / span, configurations.numbers])
        inputs = Inputs.of(seen.rounds, points, configurations.categories)
        return cls(
            GaussianProcess.fit(kernel, inputs, seen.standardised if scores is None else scores), low, span
        )

    def crowded(self, context: Context, running: Configurations) -> GaussianProcess:
        """Its process after what runs now has published; the last ``MOST_RUNNING`` count."""
        others = running.last(MOST_RUNNING)
        return self.process.with_fantasies(
            self.inputs(context, torch.from_numpy(others.numbers), others.categories)
        )

    def best(
        self, context: Context, chosen: Floats, running: Configurations, rng: np.random.Generator
    ) -> Floats:
        """The numbers that promise most, each in [0, 1], shape ``(d,)``.

        Args:
            context: what the coming interval begins with.
            chosen: its categories, shape ``(c,)``.
            running: what trains now; fantasised in the same context.
            rng: source of the points where the search begins.
        """
        crowded = self.crowded(context, running)

        def worth(points: Tensor) -> Tensor:
            categories = np.tile(chosen, (len(points), 1))
            return promise(crowded, self.inputs(context, points, categories))

        return maximise(worth, rng.random((RESTARTS, running.numbers.shape[1])))

    def several(
        self, contexts: Sequence[Context], chosen: Floats, running: Configurations, rng: np.random.Generator
    ) -> Floats:
        """Numbers for members that are replaced together, each away from those before, shape ``(k, d)``.

        More than :data:`MOST_CLIMBED` (the authors have populations of 4 and 8) are chosen for in groups of
        nearly equal losses, which share a context and random candidates. The best candidate is taken for one
        member after another, and the variances of all are lowered each time as if it had been observed.

        Args:
            contexts: what the coming interval of each begins with.
            chosen: the categories of each, shape ``(k, c)``.
            running: what trains now.
            rng: source of randomness.
        """
        count = len(contexts)
        numbers = np.empty((count, running.numbers.shape[1]))
        if count <= MOST_CLIMBED:
            for row, context in enumerate(contexts):
                numbers[row] = self.best(context, chosen[row], running, rng)
                running = running.joined(numbers[row], chosen[row])
            return numbers
        order = np.argsort([context.before for context in contexts], kind="stable")
        for group in np.array_split(order, GROUPS):
            rounds, losses = zip(*((contexts[row].round, contexts[row].before) for row in group), strict=True)
            shared = Context(int(np.median(rounds)), float(np.mean(losses)))
            numbers[group] = self._in_turn(shared, chosen[group], running, rng)
            running = running.joined(numbers[group], chosen[group])
        return numbers

    def _in_turn(
        self, context: Context, chosen: Floats, running: Configurations, rng: np.random.Generator
    ) -> Floats:
        """The best candidates for one member after another, shape ``(k, d)``."""
        options, which = np.unique(chosen, axis=0, return_inverse=True)
        each = max(CANDIDATES // len(options), 2 * len(chosen))
        points = rng.random((each * len(options), running.numbers.shape[1]))
        of_option = np.repeat(np.arange(len(options)), each)
        asked = self.inputs(context, torch.from_numpy(points), options[of_option])
        crowded, kernel = self.crowded(context, running), self.process.kernel
        mean, variance = crowded(asked)
        spread, weight = crowded.spread(asked), optimism(crowded)
        taken = []
        for option in which.ravel().tolist():
            worth = (mean + weight * variance).numpy()
            place = int(np.where(of_option == option, worth, -np.inf).argmax())
            taken.append(place)
            one = Inputs(asked.times[[place]], asked.points[[place]], asked.choices[[place]])
            common = kernel(crowded.values, asked, one)[:, 0] - spread.T @ spread[:, place]
            column = common / math.sqrt(float(common[place].clamp_min(0.0)) + crowded.noise)
            variance = (variance - column.square()).clamp_min(0.0)
            spread = torch.cat([spread, column[None]])
            mean[place] = -torch.inf
        return points[taken]

    def inputs(self, context: Context, points: Tensor, categories: Floats) -> Inputs:
        """Inputs in one context that differ in numbers, shape ``(q, d)``, and categories, ``(q, c)``."""
        ones = torch.ones(len(points), dtype=torch.float64)
        loss = (context.before - self.low) / self.span
        joined = torch.cat([(ones * loss)[:, None], points], dim=1)
        return Inputs(ones * context.round, joined, torch.from_numpy(categories))
