"""A linear classifier of scikit-learn on handwritten digits, trained by passes over the data."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from workloads.adapters import sklearn

X, y = load_digits(return_X_y=True)


def train(config, ctx):
    estimator = SGDClassifier(learning_rate="constant", eta0=config["rate"], alpha=config["alpha"])
    sklearn.fit(ctx, estimator, X[:1200], y[:1200], accuracy)


def accuracy(estimator):
    return {"accuracy": estimator.score(X[1200:], y[1200:])}
