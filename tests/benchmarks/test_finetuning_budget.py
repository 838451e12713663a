from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.finetuning_budget import by_share, difference


def test_a_share_is_told_at_its_best_learning_rate() -> None:
    shares, rates = (0.0, 0.5, 1.0), (1e-3, 1e-2)
    cells = list(itertools.product(shares, rates))
    trials = pd.DataFrame(
        {
            "config.supervised": [share for share, _ in cells],
            "config.learning_rate": [rate for _, rate in cells],
            "validation_win_rate": [0.6, 0.7, 0.8, np.nan, 0.5, 0.55],
            "std.validation_win_rate": [0.01, 0.02, 0.03, np.nan, 0.05, 0.06],
            "metrics.validation_kl": [1.0, 2.0, 3.0, np.nan, 5.0, 6.0],
        }
    )
    found = by_share(trials)
    assert found["win_rate"].tolist() == [0.7, 0.8, 0.55]
    assert found["rate"].tolist() == [1e-2, 1e-3, 1e-2]
    assert found["kl"].tolist() == [2.0, 3.0, 6.0]
    assert found["sd"].tolist() == [0.02, 0.03, 0.06]
    # Ranks of the shares: 2, 1, 3 and, with the trial that has diverged last, 1, 3, 2.
    assert difference(trials)[0] == pytest.approx(12 / (2 * 3 * 4) * (3**2 + 4**2 + 5**2) - 3 * 2 * 4)
    assert difference(trials)[2] == 2
