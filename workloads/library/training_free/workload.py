"""Which mix of scores that need no training finds the best architecture."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Metrics, Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed
from workloads.library.computed import Computed
from workloads.library.training_free.networks import ARCHITECTURES, errors
from workloads.library.training_free.scores import SCORES, order, table


class TrainingFree(Computed):
    """Weigh scores of networks that are not trained; the network that they rank first is trained.

    RoBoT's first half (He et al. 2024, arXiv 2403.07591): Bayesian optimisation of the weights of six scores,
    each scaled to [0, 1] over all 320 architectures. A trial's value is the error of the architecture that
    its mix ranks first, so that trials with the same one cost one training.

    Metrics: ``validation_error`` (share of wrong answers on digits; the objective), ``architecture`` (its
    number).

    Parameters, with defaults for those that the space leaves out: ``<score>_weight`` of gradient_norm, snip,
    grasp, fisher, synflow and jacobian (0; from -1 to 1 in the usual space).

    Args:
        space: what varies; None: all weights.
        objectives: None: minimise ``validation_error``.
        steps: of training.
        start_seed: of the first weights, and of the order of batches.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        steps: int = 60,
        start_seed: int = 0,
    ) -> None:
        self._steps, self._seed = at_least("steps", steps, 1), checked_seed(start_seed)
        super().__init__(
            build_space({"parameters": _SPACE}) if space is None else space,
            _KNOBS,
            (Objective("validation_error"),) if objectives is None else objectives,
            ["validation_error", "architecture"],
        )

    def _metrics(self, config: Config) -> Metrics:
        full = _KNOBS.complete(config)
        number = int(order(table(self._seed), [float(full[name]) for name in _NAMES])[0])
        error = errors(ARCHITECTURES[number], self._steps, self._seed).validation
        return {"validation_error": error, "architecture": float(number)}


_NAMES = tuple(f"{name}_weight" for name in SCORES)
_KNOBS = Knobs(**{name: Knob(default=0.0) for name in _NAMES})
_SPACE = {name: {"type": "float", "low": -1.0, "high": 1.0} for name in _NAMES}
"""The usual search space."""
