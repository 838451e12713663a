from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.preference_losses import against_dpo, by_loss, difference


def test_a_loss_is_told_by_its_best_its_median_and_its_front() -> None:
    trials = pd.DataFrame(
        {
            "config.loss": ["dpo", "ipo", "dpo", "ipo", "dpo"],
            "validation_win_rate": [0.75, 0.6, 1.0, np.nan, 0.5],
            "validation_kl": [5.0, 2.0, 10.0, np.nan, 0.0],
            "metrics.validation_length": [11.0, 12.0, 13.0, np.nan, 14.0],
        }
    )
    dpo, ipo = by_loss(trials).to_dict("records")
    # Of 0.5 times 20: 0.25 times 15 up to a win rate of 0.75, and 0.25 times 10 beyond.
    assert dpo == pytest.approx(
        {
            "loss": "dpo",
            "trials": 3,
            "best": 1.0,
            "median": 0.75,
            "quartile": 0.625,
            "best_kl": 10.0,
            "best_length": 13.0,
            "front": (0.25 * 15 + 0.25 * 10) / 10,
        }
    )
    assert (ipo["median"], ipo["best_kl"]) == (0.3, 2.0)
    assert 0 < difference(trials)[1] < 1
    # One of ipo's two is above one of dpo's three: two of the ten orders have no more. Twice that is p.
    assert against_dpo(trials)["p"].to_dict() == pytest.approx({"ipo": 0.4})
