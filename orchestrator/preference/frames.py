"""A preference study's history as data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from orchestrator.preference.history import PreferenceHistory
from orchestrator.preference.standings import record

OPTION_COLUMNS = ["option", "utility", "deviation", "better", "worse", "equal", "failure", "text"]
ANSWER_COLUMNS = ["question", "first", "second", "answer"]


def options(history: PreferenceHistory) -> pd.DataFrame:
    """One row per configuration that has a result or has failed, by number.

    Columns: option; utility and deviation of its posterior, as of the last start's end (only differences of
    utilities mean anything; NaN: not compared); better, worse and equal, how often it was; failure; text;
    ``config.<parameter>`` and ``metric.<name>``.
    """
    standing, rows = history.standing, []
    known = dict(zip(standing.options, range(len(standing.options)), strict=True)) if standing else {}
    for option in history.options:
        place = known.get(option.number)
        utility = deviation = np.nan
        if standing is not None and place is not None:
            utility, deviation = standing.utilities[place], standing.deviations[place]
        counts = record(history, option.number)
        own = [option.number, utility, deviation, *counts, option.failure, option.text]
        row = dict(zip(OPTION_COLUMNS, own, strict=True))
        row |= {f"config.{name}": value for name, value in option.config.items()}
        rows.append(row | {f"metric.{name}": value for name, value in option.metrics.items()})
    return pd.DataFrame(rows, columns=None if rows else OPTION_COLUMNS)


def answers(history: PreferenceHistory) -> pd.DataFrame:
    """One row per answered question: its options in the order shown, and which was better."""
    rows = [[n, one.first, one.second, one.answer] for n, one in enumerate(history.comparisons)]
    return pd.DataFrame(rows, columns=ANSWER_COLUMNS)
