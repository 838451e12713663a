"""XGBoost's trees on handwritten digits; a unit of training is a round of boosting."""

from sklearn.datasets import load_digits
from xgboost import DMatrix

from workloads.adapters import xgboost

X, y = load_digits(return_X_y=True)


def train(config, ctx):
    params = {**config, "objective": "multi:softprob", "num_class": 10, "eval_metric": "mlogloss"}
    xgboost.boost(ctx, params, DMatrix(X[:1200], y[:1200]), DMatrix(X[1200:], y[1200:]))
