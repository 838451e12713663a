"""Made-up people in the files of the Adult data."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from workloads.library.tabular.adult import FILES

HEADER = (
    "age, workclass, fnlwgt, education, education-num, marital-status, occupation, relationship, race, sex, "
    "capital-gain, capital-loss, hours-per-week, native-country, classification\n"
)
CATEGORIES = {"work": 8, "marital": 7, "job": 15, "relation": 6, "race": 5, "country": 42}
"""How many there are of each kind, as in the real data; besides these, the work of some is unknown."""


def _people(count: int, dot: str) -> str:
    rng = np.random.default_rng(count)
    drawn = {
        name: [f"{name}-{number}" for number in rng.integers(0, among, count)]
        for name, among in CATEGORIES.items()
    }
    unknown = rng.random(count) < 0.1
    ages, women, rich = rng.integers(17, 90, count), rng.random(count) < 0.5, rng.random(count) < 0.5
    rows = [
        f"{ages[i]}, {'?' if unknown[i] else drawn['work'][i]}, 7, Bachelors, 13, {drawn['marital'][i]}, "
        f"{drawn['job'][i]}, {drawn['relation'][i]}, {drawn['race'][i]}, {'Female' if women[i] else 'Male'}, "
        f"2174, 0, 40, {drawn['country'][i]}, {'>50K' if rich[i] else '<=50K'}{dot}\n"
        for i in range(count)
    ]
    return HEADER + "".join(rows)


def write_people(folder: Path) -> Path:
    """Both files, with as many people as the real ones; returns the folder."""
    for name, count, dot in zip(FILES, (32_561, 16_281), ("", "."), strict=True):
        (folder / name).write_bytes(gzip.compress(_people(count, dot).encode(), 1))
    return folder
