"""A network that is trained once for many sizes, and then searched for the best of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Metrics, Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed
from workloads.library.computed import Computed
from workloads.library.fitting import digits, wrong
from workloads.torch import Batch, cross_entropy
from workloads.torch.randomness import Purpose, generator_seed, seeded_initialisation

BLOCKS = ("block1", "block2", "block3", "block4")
WIDTH, UNIT, MOST = 48, 12, 8
"""Features between blocks; hidden units of a step of a block's size; the largest size."""
Sizes = tuple[int, ...]
"""Of each block, 0 to 8; 0 leaves it out."""


class Elastic(Computed):
    """Choose the size of each block of a residual network for digits, whose weights serve all sizes.

    The largest network is trained once. Every step also trains the smallest and two random ones within it,
    which learn the largest one's answers (the sandwich rule with distillation; Yu and Huang 2019, arXiv
    1903.05134). A smaller block takes the first of the largest block's hidden units. So what a size is worth
    costs one evaluation and no training, as in InstaTune (Sridhar et al. 2023, arXiv 2308.15609), which
    fine-tunes a large model in this way; here there is nothing to fine-tune, and training starts afresh.

    Metrics: ``validation_error`` (share of wrong answers), ``multiply_adds`` (of one image).

    Parameters, with defaults for those that the space leaves out: block1 to block4 (0 to 8, of 12 hidden
    units each; 8).

    Args:
        space: what varies; None: the blocks.
        objectives: None: both metrics, to be small.
        steps: of training, once per process.
        start_seed: of the network.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        steps: int = 500,
        start_seed: int = 0,
    ) -> None:
        self._steps = at_least("steps", steps, 1)
        self._seed = checked_seed(start_seed)
        most = float(multiply_adds((MOST,) * len(BLOCKS)))
        usual = (Objective("validation_error", reference=0.9), Objective("multiply_adds", reference=most))
        super().__init__(
            build_space({"parameters": _SPACE}) if space is None else space,
            _KNOBS,
            usual if objectives is None else objectives,
            ["validation_error", "multiply_adds"],
        )

    def error(self, sizes: Sizes, split: Batch) -> float:
        """The share of wrong answers of a network of these sizes."""
        return error_of(super_network(self._steps, self._seed), sizes, split)

    def _metrics(self, config: Config) -> Metrics:
        full = _KNOBS.complete(config)
        sizes = tuple(int(full[name]) for name in BLOCKS)
        error = self.error(sizes, digits().validation)
        return {"validation_error": error, "multiply_adds": float(multiply_adds(sizes))}


class ElasticNetwork(nn.Module):
    """64 pixels, 48 features, four residual blocks of up to 96 hidden units, 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.output = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 10)
        self.widen = nn.ModuleList(nn.Linear(WIDTH, UNIT * MOST) for _ in BLOCKS)
        self.narrow = nn.ModuleList(nn.Linear(UNIT * MOST, WIDTH) for _ in BLOCKS)

    def forward(self, inputs: Tensor, sizes: Sizes) -> Tensor:
        """Logits ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        features = torch.relu(self.stem(inputs.flatten(1)))
        for size, wide, narrowed in zip(sizes, self.widen, self.narrow, strict=True):
            widen, narrow = cast(nn.Linear, wide), cast(nn.Linear, narrowed)
            if size:
                units = size * UNIT
                hidden = torch.relu(nn.functional.linear(features, widen.weight[:units], widen.bias[:units]))
                features = features + nn.functional.linear(hidden, narrow.weight[:, :units], narrow.bias)
        logits: Tensor = self.output(features)
        return logits


def multiply_adds(sizes: Sizes) -> int:
    """Of one image, those of its matrices."""
    return 64 * WIDTH + sum(2 * WIDTH * UNIT * size for size in sizes) + WIDTH * 10


def error_of(network: ElasticNetwork, sizes: Sizes, split: Batch) -> float:
    """The share of wrong answers."""
    with torch.no_grad():
        return wrong(network(split.inputs, sizes), split.targets)


@cache
def super_network(steps: int, seed: int) -> ElasticNetwork:
    """Trained by the sandwich rule, once per process."""
    rng = np.random.default_rng(generator_seed(seed, Purpose.NOISE, 0))
    largest, smallest = (MOST,) * len(BLOCKS), (0,) * len(BLOCKS)
    drawn = rng.integers(0, MOST + 1, (steps, _RANDOM, len(BLOCKS))).tolist()
    plan = [[largest, smallest, *(tuple(sizes) for sizes in step)] for step in drawn]
    return trained_network(plan, seed)


def trained_network(plan: Sequence[Sequence[Sizes]], seed: int) -> ElasticNetwork:
    """A network after AdamW at 3e-3, frozen.

    Args:
        plan: the sizes that each step trains; the first learns the labels, the others its answers.
        seed: of the first weights and the order of batches.
    """
    with seeded_initialisation(seed):
        network = ElasticNetwork()
    generator = torch.Generator().manual_seed(generator_seed(seed, Purpose.ORDER, 0))
    optimizer, data = torch.optim.AdamW(network.parameters(), lr=_RATE), digits().train
    with torch.enable_grad():
        for first, *others in plan:
            rows = torch.randint(len(data.targets), (_BATCH,), generator=generator)
            logits = network(data.inputs[rows], first)
            loss = cross_entropy(logits, data.targets[rows])
            taught = torch.softmax(logits.detach(), -1)
            for sizes in others:
                loss = loss + nn.functional.cross_entropy(network(data.inputs[rows], sizes), taught)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval().requires_grad_(False)


_RATE, _BATCH, _RANDOM = 3e-3, 64, 2
_KNOBS = Knobs(**{name: Knob(default=MOST, low=0, high=MOST, whole=True) for name in BLOCKS})
_SPACE = {name: {"type": "int", "low": 0, "high": MOST} for name in BLOCKS}
"""The usual search space."""
