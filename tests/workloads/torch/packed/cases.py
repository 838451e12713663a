"""Workloads and members that the packed engine is compared with the loop on."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from search_spaces import Config
from tests.workloads.torch.regression import Regression
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.library.shakespeare import Shakespeare
from workloads.torch import TorchSession, TorchWorkload

MEMBERS = 5


@dataclass(frozen=True)
class Case:
    """One workload, and the members that train it.

    Args:
        make: the workload, from a folder with a text.
        config: member ``i``'s hyperparameters; all that can be are its own.
        exact: whether float32 is close enough for 1e-6 after 50 steps.
    """

    make: Callable[[Path], TorchWorkload]
    config: Callable[[int], Config]
    exact: bool = False

    def sessions(self, text: Path, dtype: torch.dtype, members: int = MEMBERS) -> list[TorchSession]:
        workload = self.make(text)
        return [TorchSession(workload, self.config(i), 100 + i, Device(), dtype) for i in range(members)]


def write_text(folder: Path) -> Path:
    """A text with as many characters as Shakespeare's, in an order with a pattern."""
    alphabet = (string.ascii_letters + string.punctuation)[:65]
    codes = torch.randint(65, (6000,), generator=torch.Generator().manual_seed(0)).cummax(0).values % 65
    mixed = torch.where(torch.arange(6000) % 3 == 0, torch.arange(6000) * 7 % 65, codes)
    (folder / "input.txt").write_text("".join(alphabet[code] for code in mixed.tolist()))
    return folder


def _digits(member: int) -> Config:
    return {
        "learning_rate": 1e-3 * (member + 1),
        "weight_decay": 0.02 * member,
        "momentum": 0.8 + 0.03 * member,
        "dropout": 0.1 * member,
        "label_smoothing": 0.05 * member,
        "width": 8,
    }


def _optimizer(name: str) -> Callable[[int], Config]:
    return lambda member: {**_digits(member), "optimizer": name, "learning_rate": 1e-4 * (member + 1)}


def _gpt(member: int) -> Config:
    return {
        "learning_rate": 1e-3 * (member + 1),
        "weight_decay": 0.1 * member,
        "dropout": 0.1 * member,
        "layers": 2,
        "heads": 2,
        "width": 16,
    }


CASES = {
    "mlp": Case(lambda _: Digits(batch_size=16), _digits, exact=True),
    "mlp_sgd": Case(lambda _: Digits(batch_size=16), _optimizer("sgd"), exact=True),
    # A sign flips with the last bit of what it is taken of.
    "mlp_lion": Case(lambda _: Digits(batch_size=16), _optimizer("lion")),
    # Its moments start anew at members' own ages.
    "mlp_spam": Case(
        lambda _: Digits(batch_size=16), lambda m: {**_optimizer("spam")(m), "spam_interval": 7 + m}
    ),
    "cnn": Case(lambda _: Digits(model="cnn", batch_size=16), _digits, exact=True),
    "cnn_batch_norm": Case(lambda _: Digits(model="cnn_batch_norm", batch_size=16), _digits),
    "batch_norm_regression": Case(
        lambda _: Regression(), lambda member: {"dropout": 0.1 * member, "learning_rate": 3e-3 * (member + 1)}
    ),
    "gpt": Case(lambda text: Shakespeare(context=16, batch_size=4, evaluated=9, data=str(text)), _gpt),
}
