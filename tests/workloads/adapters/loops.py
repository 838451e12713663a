"""A training of each library, as its users have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search_spaces import SearchSpace, build_space
from workloads.adapters import lightgbm, lightning, sklearn, stable_baselines3, transformers, xgboost
from workloads.loop import Context, Loop

ROWS = np.random.default_rng(0).normal(size=(120, 5))
TARGETS = ROWS[:, 0] * ROWS[:, 1] + ROWS[:, 2]
CLASSES = (TARGETS > 0).astype(int)
TRAIN, REST = slice(0, 80), slice(80, 120)


def space(name: str, low: float = 1e-3, high: float = 0.3) -> SearchSpace:
    rate = {"type": "float", "low": low, "high": high, "log": True, "mutable": True}
    return build_space({"parameters": {name: rate, "size": {"type": "int", "low": 2, "high": 5}}})


def _error(targets: np.ndarray) -> Callable[[Any], dict[str, float]]:
    return lambda estimator: {"error": 1 - estimator.score(ROWS[REST], targets[REST])}


def sgd(config: Mapping[str, Any], ctx: Context) -> None:
    from sklearn.linear_model import SGDClassifier

    estimator = SGDClassifier(learning_rate="constant", eta0=config["rate"])
    sklearn.fit(ctx, estimator, ROWS[TRAIN], CLASSES[TRAIN], _error(CLASSES))


def network(config: Mapping[str, Any], ctx: Context) -> None:
    from sklearn.neural_network import MLPRegressor

    estimator = MLPRegressor(hidden_layer_sizes=[config["size"]], learning_rate_init=config["rate"])
    sklearn.fit(ctx, estimator, ROWS[TRAIN], TARGETS[TRAIN], _error(TARGETS))


def forest(config: Mapping[str, Any], ctx: Context) -> None:
    from sklearn.ensemble import RandomForestClassifier

    estimator = RandomForestClassifier(max_depth=config["size"], min_weight_fraction_leaf=config["rate"])
    sklearn.fit(ctx, estimator, ROWS[TRAIN], CLASSES[TRAIN], _error(CLASSES))


def boosting(config: Mapping[str, Any], ctx: Context) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    estimator = HistGradientBoostingRegressor(learning_rate=config["rate"], max_depth=config["size"])
    sklearn.fit(ctx, estimator, ROWS[TRAIN], TARGETS[TRAIN], _error(TARGETS), iterations=2)


def with_xgboost(config: Mapping[str, Any], ctx: Context) -> None:
    from xgboost import DMatrix

    params = {"eta": config["rate"], "max_depth": config["size"], "subsample": 0.7, "colsample_bynode": 0.6}
    train, rest = (DMatrix(ROWS[part], TARGETS[part]) for part in (TRAIN, REST))
    xgboost.boost(ctx, params, train, rest, rounds=2)


def with_lightgbm(config: Mapping[str, Any], ctx: Context) -> None:
    from lightgbm import Dataset

    params = {
        "learning_rate": config["rate"], "max_depth": config["size"], "min_data_in_leaf": 2,
        "bagging_fraction": 0.7, "bagging_freq": 1,
    }  # fmt: skip
    train = Dataset(ROWS[TRAIN], TARGETS[TRAIN], free_raw_data=False)
    rest = Dataset(ROWS[REST], TARGETS[REST], reference=train, free_raw_data=False)
    lightgbm.boost(ctx, params, train, rest)


def with_lightning(config: Mapping[str, Any], ctx: Context) -> None:
    """A module with dropout and a schedule, over shuffled data."""
    import torch
    from lightning import LightningModule
    from torch import Tensor, nn
    from torch.utils.data import DataLoader, TensorDataset

    rows, targets = torch.tensor(ROWS).float(), torch.tensor(TARGETS).float().unsqueeze(1)

    class Module(LightningModule):  # type: ignore[misc]
        def __init__(self, width: int, rate: float) -> None:
            super().__init__()
            self.rate = rate
            self.net = nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, 1))

        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def validation_step(self, batch: list[Tensor], index: int) -> None:
            self.log("error", nn.functional.mse_loss(self.net(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.Adam(self.parameters(), lr=self.rate)
            return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]

        def train_dataloader(self) -> Any:
            return DataLoader(TensorDataset(rows[TRAIN], targets[TRAIN]), batch_size=16, shuffle=True)

        def val_dataloader(self) -> Any:
            return DataLoader(TensorDataset(rows[REST], targets[REST]), batch_size=40)

    lightning.fit(ctx, Module(config["size"], config["rate"]))


def with_transformers(config: Mapping[str, Any], ctx: Context) -> None:
    """A tiny language model with random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    shape = GPT2Config(vocab_size=11, n_positions=8, n_embd=4 * config["size"], n_layer=1, n_head=2)
    tokens = torch.arange(24 * 8).view(24, 8) % 11
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    args = TrainingArguments(
        output_dir=".", num_train_epochs=50, per_device_train_batch_size=8, learning_rate=config["rate"],
        weight_decay=0.01, use_cpu=True, report_to="none",
    )  # fmt: skip
    trainer = Trainer(GPT2LMHeadModel(shape), args, train_dataset=rows, eval_dataset=rows[:8])
    transformers.fit(ctx, trainer)


def with_ppo(config: Mapping[str, Any], ctx: Context) -> None:
    from stable_baselines3 import PPO

    model = PPO(
        "MlpPolicy", "CartPole-v1", learning_rate=config["rate"], n_steps=64, batch_size=32, n_epochs=2,
        policy_kwargs={"net_arch": [config["size"]]}, device="cpu",
    )  # fmt: skip
    stable_baselines3.learn(ctx, model, total_timesteps=50 * 64)


def loop(function: Any, objective: str, **bounds: float) -> Loop:
    return Loop(function, space("rate", **bounds), [objective], largest=50)


LOOPS: dict[str, tuple[tuple[str, ...], Callable[[], Loop]]] = {
    "sklearn_sgd": (("sklearn",), lambda: loop(sgd, "error")),
    "sklearn_network": (("sklearn",), lambda: loop(network, "error")),
    "sklearn_forest": (("sklearn",), lambda: loop(forest, "error", low=1e-3, high=0.1)),
    "sklearn_boosting": (("sklearn",), lambda: loop(boosting, "error")),
    "xgboost": (("xgboost",), lambda: loop(with_xgboost, "rmse")),
    "lightning": (("lightning",), lambda: loop(with_lightning, "error")),
    "transformers": (("transformers",), lambda: loop(with_transformers, "eval_loss")),
    "ppo": (("stable_baselines3",), lambda: loop(with_ppo, "reward")),
    "lightgbm": (("lightgbm",), lambda: loop(with_lightgbm, "l2")),
}
"""What has to be installed, and the workload."""
