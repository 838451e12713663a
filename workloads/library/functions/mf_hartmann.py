"""Hartmann's functions with a fidelity (Kandasamy et al. 2017), as mf-prior-bench and carps define them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from statistics import NormalDist
from struct import pack
from typing import ClassVar, Literal

import numpy as np

from search_spaces import ConfigurationError, SearchSpace
from search_spaces.reading import listing
from workloads.capabilities import Facts
from workloads.contract import Fidelity, Metrics, Objective
from workloads.library.functions.box import BoxFunction

BIAS_AND_NOISE = {"good": (2.5, 2.0), "moderate": (3.0, 3.0), "bad": (3.5, 4.0), "terrible": (4.0, 5.0)}
"""How far low fidelities flatten the function, and the scale of their noise."""

_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_WIDTHS = {
    3: np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    6: np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    ),
}
_CENTRES = {
    3: 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
    6: 1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
}
_FIDELITY = Fidelity("z", smallest=1, largest=100)
_STANDARD_NORMAL = NormalDist()


class MfHartmann(BoxFunction):
    """Hartmann's function of 3 or 6 numbers in [0, 1] at a fidelity z of 1 to 100, exact at 100.

    With ``l = log(z) / log(100)``, ``f = -sum((a_i - bias * (1 - l)) * exp(-sum(w_ij * (x_j - c_ij)**2)))
    + noise * (1 - l) * abs(n)``, ``n`` standard normal: the noise is never negative. This, ``bias`` and
    ``noise`` of each quality and the cost are those of mf-prior-bench 1.10.0; the range of z is carps' (there
    it is 3 to 100). There, ``n`` is the first draw of a generator seeded with a product of one seed for
    everything, z and Python's hash of the point; here it comes from a cryptographic hash of the session's
    seed, the point and z.

    At z = 100 the quality makes no difference: to methods that choose no fidelity, all qualities of a
    dimension are the same task.

    Metrics: ``f``, the objective, smaller is better; ``cost``, what an evaluation at z costs, the paper's
    ``.05 + .95 * (z / 100)**2``, taken for seconds.

    Args:
        space: floats called ``x1``, ``x2``, … within [0, 1]; None: all of it.
        objectives: None: minimise ``f``.
        dimension: 3 or 6.
        quality: of the low fidelities: good, moderate, bad or terrible.

    Raises:
        ConfigurationError: an argument is none of these.
    """

    _OPTIMA: ClassVar = {3: -3.862779787332663, 6: -3.3223680114155147}

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        dimension: Literal[3, 6] = 3,
        quality: Literal["good", "moderate", "bad", "terrible"] = "good",
    ) -> None:
        if dimension not in self._OPTIMA:
            raise ConfigurationError("dimension", "3 or 6", dimension)
        if quality not in BIAS_AND_NOISE:
            raise ConfigurationError("quality", f"one of {listing(BIAS_AND_NOISE)}", quality)
        box = [(0.0, 1.0)] * dimension
        super().__init__(space, objectives, box, [Objective("f")], ["cost"], _FIDELITY)
        self.dimension, self.quality = dimension, quality

    @property
    def facts(self) -> Facts:
        return Facts(optimum=self._OPTIMA[self.dimension], seconds="cost")

    def metrics(self, x: list[float], fidelity: int, seed: int) -> Metrics:
        z = min(fidelity, _FIDELITY.largest)
        missing = 1 - math.log(z) / math.log(_FIDELITY.largest)
        bias, noise = BIAS_AND_NOISE[self.quality]
        distances = (_WIDTHS[self.dimension] * (np.array(x) - _CENTRES[self.dimension]) ** 2).sum(axis=1)
        value = -float((_HEIGHTS - bias * missing) @ np.exp(-distances))
        if missing > 0:
            value += noise * missing * abs(_normal(x, z, seed))
        return {"f": value, "cost": 0.05 + 0.95 * (z / _FIDELITY.largest) ** 2}


def _normal(x: list[float], z: int, seed: int) -> float:
    """A standard normal number that seed, point and fidelity alone decide."""
    digest = blake2b(pack(f"<Qq{len(x)}d", seed % 2**64, z, *x), digest_size=8).digest()
    return _STANDARD_NORMAL.inv_cdf(((int.from_bytes(digest, "little") >> 11) + 0.5) / 2**53)
