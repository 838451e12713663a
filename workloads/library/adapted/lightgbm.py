"""LightGBM's trees on handwritten digits; a unit of training is a round of boosting."""

from lightgbm import Dataset
from sklearn.datasets import load_digits

from workloads.adapters import lightgbm

X, y = load_digits(return_X_y=True)


def train(config, ctx):
    data = Dataset(X[:1200], y[:1200], free_raw_data=False)
    validation = Dataset(X[1200:], y[1200:], reference=data, free_raw_data=False)
    params = {**config, "objective": "multiclass", "num_class": 10}
    lightgbm.boost(ctx, params, data, validation)
