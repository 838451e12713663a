"""Lightning: a unit of training is an epoch, after its validation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from search_spaces.extras import needs_extra
from workloads.adapters.rates import as_built, take_over
from workloads.loop import Context


def fit(ctx: Context, module: Any, data: Any = None, **options: Any) -> None:
    """Train a Lightning module, and report after each epoch what it has logged.

    Where the population changes hyperparameters, the module is made anew with them and goes on from the
    checkpoint: weights, the optimizers' states and the schedulers' are its parent's; learning rate, weight
    decay, momentum and betas are those of its own ``configure_optimizers``.

    Args:
        ctx: of ``train(config, ctx)``.
        module: a ``LightningModule``.
        data: a ``LightningDataModule``, or the training's ``DataLoader``; None: the module has its own.
        options: more arguments of Lightning's ``Trainer``.
    """
    with needs_extra("workload.function", "lightning", "workloads.adapters.lightning"):
        import lightning

    class Reporter(lightning.Callback):  # type: ignore[misc]
        """Reports epochs, and lets the module's own options hold after a checkpoint is loaded."""

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            del pl_module
            # Lightning has built the optimizers by now, and restores their states after this hook.
            built.extend(as_built(one, _schedulers(trainer, one)) for one in trainer.optimizers)
            # Right before the first batch is drawn, as a report seeds before the next epoch's.
            ctx.reseed()

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            del pl_module
            for optimizer, own in zip(trainer.optimizers, built, strict=True) if checkpoint else ():
                take_over(optimizer, own, _schedulers(trainer, optimizer))

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            del pl_module
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            ctx.report(metrics, checkpoint=lambda: save(trainer))

    checkpoint: Any = ctx.checkpoint
    built: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="lightning-") as folder:
        file = Path(folder, "last.ckpt")

        def save(trainer: Any) -> Any:
            # As a state: the bytes of two files with the same content may differ.
            trainer.save_checkpoint(file)
            return torch.load(file, weights_only=True)

        if checkpoint is not None:
            torch.save(checkpoint, file)
        callbacks = [*options.pop("callbacks", ()), Reporter()]
        trainer = lightning.Trainer(**{**_usual(ctx), **options, "callbacks": callbacks})
        trainer.fit(module, data, ckpt_path=file if checkpoint else None, weights_only=True)


def _usual(ctx: Context) -> dict[str, Any]:
    return {
        "max_epochs": -1,  # until it is stopped
        "accelerator": "gpu" if ctx.device.startswith("cuda") else "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }


def _schedulers(trainer: Any, optimizer: Any) -> list[Any]:
    schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
    return [one for one in schedulers if getattr(one, "optimizer", None) is optimizer]
