"""A torch workload with what the shipped ones lack: batch norm, numbers for targets, epochs with a rest."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from search_spaces import Config, build_space
from workloads import Fidelity, Objective
from workloads.knobs import Knob, Knobs
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, dropout


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # Batch norm takes a bias away again; its gradient would be rounding noise, which Adam amplifies.
        self.hidden = nn.Linear(4, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.output = nn.Linear(width, 1)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        features = torch.relu(self.norm(self.hidden(inputs)))
        outputs: Tensor = self.output(dropout(features, probability, key, layer=0))
        return outputs.squeeze(-1)


class Regression(TorchWorkload):
    knobs = Knobs(
        learning_rate=Knob(default=1e-2, mutable=True, low=0.0),
        weight_decay=Knob(default=0.0, mutable=True, low=0.0),
        dropout=Knob(default=0.1, mutable=True, low=0.0, high=0.9),
        width=Knob(default=5, low=1, whole=True),
    )
    evaluation = ("loss",)

    def __init__(self, batch_size: int = 7) -> None:
        definition = {
            "parameters": {
                "learning_rate": {"type": "float", "low": 1e-3, "high": 1e-1, "log": True, "mutable": True},
                "dropout": {"type": "float", "low": 0.0, "high": 0.5, "mutable": True},
                "width": {"type": "int", "low": 3, "high": 8},
            }
        }
        super().__init__(
            build_space(definition), [Objective("validation_loss")], Fidelity("step", largest=100), batch_size
        )

    def module(self, config: Config) -> nn.Module:
        return Net(int(config["width"]))

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        return (model(batch.inputs, hyperparameters["dropout"], key) - batch.targets).square().mean()

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        return {"loss": (model(split.inputs) - split.targets).square().mean()}

    def data(self, device: torch.device) -> Splits:
        inputs = torch.sin(torch.arange(4 * 60, dtype=torch.float32)).view(60, 4)
        rows = Batch(inputs.to(device), inputs.sum(1).to(device))
        return Splits(*(Batch(*(part[chosen] for part in rows)) for chosen in _PARTS))


_PARTS = slice(0, 30), slice(30, 45), slice(45, 60)
