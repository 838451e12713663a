"""The median stopping rule, over arrays.

Golovin et al. 2017 (Google Vizier, section 3.2.2): a trial stops if its best result so far is strictly worse
than the median of the running averages of the other trials, each up to the same fidelity.
"""

from __future__ import annotations

from collections.abc import Sequence


def goes_on(best: float, averages: Sequence[float], fewest: int) -> bool:
    """Whether a trial goes on.

    Args:
        best: its lowest loss so far.
        averages: running averages of all other trials that have come as far, ascending.
        fewest: how many others are needed; with fewer there is no verdict and the trial goes on.
    """
    if len(averages) < fewest:
        return True
    half, odd = divmod(len(averages), 2)
    return best <= (averages[half] if odd else (averages[half - 1] + averages[half]) / 2)
