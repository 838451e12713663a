"""UCI Adult: who earns much, without telling men and women apart."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from search_spaces import ConfigurationError, SearchSpace
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs
from workloads.library.tabular.classifier import (
    KNOBS,
    SPACE,
    TabularClassifier,
    split,
    unless_diverged,
    weighted_loss,
)
from workloads.torch import Batch, ModelFunction, Splits

if TYPE_CHECKING:
    import pandas as pd

VARIABLE = "ADULT_DATA_DIR"
FILES = ("adult.data.gz", "adult.test.gz")


class Adult(TabularClassifier):
    """The 48,842 people of UCI Adult (Becker and Kohavi 1996): whether one earns more than 50,000 dollars a
    year.

    They are split once and for all, stratified by income and sex, into 29,306 to train on, 9,768 to validate
    and 9,768 to test. The final weight and the name of the education are left out (the years stay),
    categories are one-hot, an unknown one is a category.

    Metrics: ``validation_accuracy`` (share of right answers, larger is better) and ``validation_unfairness``
    (the demographic-parity difference: by how much the share of people said to earn much differs between
    women and men, smaller is better), the objectives; ``validation_loss`` (cross-entropy in nats),
    ``train_loss``; in the end ``test_accuracy`` and so on.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (1e-2),
    dropout (0), positive_weight (1), fairness (0; weight in training of the squared difference between the
    mean probabilities of women and men), mutable; width (32; hidden units) and
    optimizer (adamw), fixed at the start.

    Args:
        space: what varies; None: all of them.
        objectives: None: accuracy and unfairness.
        batch_size: people per step.
        steps: training steps at full fidelity.
        data_dir: folder with adult.data.gz and adult.test.gz, a header line in each; None: what the
            environment's ADULT_DATA_DIR says, else scikit-learn fetches the data from OpenML, once.

    Raises:
        ConfigurationError: an argument is none of these.
    """

    knobs = Knobs(**KNOBS, fairness=Knob(default=0.0, mutable=True, low=0.0))
    evaluation = ("accuracy", "unfairness", "loss")
    environment = (VARIABLE,)
    default_objectives = (
        Objective("validation_accuracy", "max", reference=0.5),
        Objective("validation_unfairness", "min", reference=0.5),
    )
    default_space = SPACE | {
        "positive_weight": {"type": "float", "low": 0.3, "high": 3.0, "log": True, "mutable": True},
        "fairness": {"type": "float", "low": 0.01, "high": 100.0, "log": True, "mutable": True},
    }
    columns = 91
    training_rows = 29_306

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        batch_size: int = 256,
        steps: int = 600,
        data_dir: str | None = None,
    ) -> None:
        super().__init__(space, objectives, batch_size, steps)
        found = data_dir or os.environ.get(VARIABLE)
        self.data_dir = None if found is None else str(Path(found).expanduser().absolute())

    def prepare(self) -> None:
        """Make sure that the data are there; fetches them if need be."""
        if self.data_dir is None:
            _table(None)
            return
        missing = [name for name in FILES if not (Path(self.data_dir) / name).is_file()]
        if missing:
            raise ConfigurationError("data_dir", f"a folder with {' and '.join(FILES)}", self.data_dir)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        logits = model(batch.inputs, hyperparameters["dropout"], key)
        rich, woman = batch.targets % 2, batch.targets // 2
        error = weighted_loss(logits, rich, hyperparameters["positive_weight"])
        return error + hyperparameters["fairness"] * _difference(torch.sigmoid(logits), woman) ** 2

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        logits = model(split.inputs)
        rich, woman = split.targets % 2, split.targets // 2
        said = (logits > 0).to(logits.dtype)
        values = {
            "accuracy": (said == rich).to(logits.dtype).mean(),
            "unfairness": _difference(said, woman).abs(),
            "loss": weighted_loss(logits, rich, torch.ones_like(logits[0])),
        }
        return {name: unless_diverged(value, logits) for name, value in values.items()}

    def data(self, device: torch.device) -> Splits:
        """Targets are 0 to 3: income, plus 2 for women."""
        return _splits(self.data_dir, device)


def _difference(values: Tensor, woman: Tensor) -> Tensor:
    """Mean over men minus mean over women, ``()``; 0 if either group is empty."""
    women = woman.to(values.dtype)
    men = 1 - women
    means = [(values * group).sum() / group.sum().clamp(min=1) for group in (men, women)]
    both = (men.sum() > 0) & (women.sum() > 0)
    return torch.where(both, means[0] - means[1], torch.zeros_like(means[0]))


@cache
def _splits(data_dir: str | None, device: torch.device) -> Splits:
    import pandas as pd

    table = _table(data_dir)
    rich = table.pop("income").str.startswith(">50K").to_numpy()
    woman = (table["sex"] == "Female").to_numpy()
    for column in ("capital-gain", "capital-loss"):
        table[column] = np.log1p(table[column])
    inputs = pd.get_dummies(table, dtype=np.float32).to_numpy(np.float32)
    return split(inputs, rich.astype(np.int64) + 2 * woman, (9_768, 9_768), device)


@cache
def _table(data_dir: str | None) -> pd.DataFrame:
    """All people, in the order of the original files: plain numbers and texts."""
    import pandas as pd

    if data_dir is None:
        table = _fetched()
    else:
        parts = [pd.read_csv(Path(data_dir) / name, skipinitialspace=True) for name in FILES]
        table = pd.concat(parts, ignore_index=True)
    table = table.set_axis([*table.columns[:-1], "income"], axis=1)
    table = table.drop(columns=["fnlwgt", "education"])
    texts = table.columns.difference(
        ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    )
    table[texts] = table[texts].astype(object).fillna("?")
    return table


def _fetched() -> pd.DataFrame:
    from sklearn.datasets import fetch_openml

    try:
        # Fewer retries and no delay are refused; the warning about a retry is noise before the error.
        with warnings.catch_warnings(action="ignore"):
            data = fetch_openml("adult", version=2, as_frame=True, n_retries=1, delay=0.1)
    except OSError as error:
        hint = f"OpenML cannot be reached: {error}; or set {VARIABLE}"
        raise ConfigurationError("data_dir", f"a folder with {' and '.join(FILES)}", None, hint) from error
    table: pd.DataFrame = data.frame
    return table
