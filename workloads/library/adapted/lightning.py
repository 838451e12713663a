"""A Lightning module on handwritten digits; a unit of training is an epoch."""

import torch
from lightning import LightningDataModule, LightningModule
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from workloads.adapters import lightning

digits = load_digits()
images, labels = torch.tensor(digits.data).float() / 16, torch.tensor(digits.target)


class Network(LightningModule):
    def __init__(self, width, learning_rate):
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
        )

    def training_step(self, batch, _):
        return cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("loss", cross_entropy(self.layers(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def train(config, ctx):
    parts = TensorDataset(images[:1200], labels[:1200]), TensorDataset(images[1200:], labels[1200:])
    data = LightningDataModule.from_datasets(*parts, batch_size=64)
    lightning.fit(ctx, Network(config["width"], config["learning_rate"]), data)
