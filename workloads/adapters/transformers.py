"""Hugging Face's Trainer: a unit of training is an epoch, after its evaluation."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from search_spaces.extras import needs_extra
from workloads.adapters.rates import as_built, take_over
from workloads.contract import State
from workloads.loop import Context

_STATE = "trainer_state.json"
_FILE = re.compile(rf"[\w.-]+(\.safetensors|\.pt|\.index\.json)|{re.escape(_STATE)}")
_CLOCK = ("_runtime", "_per_second", "_time")


def fit(ctx: Context, trainer: Any) -> None:
    """Train with a ``Trainer``, and report after each epoch what its evaluation says.

    Metrics are called as the Trainer calls them (``eval_loss``), without those that measure time. The number
    of epochs in its arguments must be that of a full training: its schedule ends there. Where the population
    changes hyperparameters, the Trainer is made anew with them and goes on from the checkpoint. Learning
    rate, weight decay, momentum and betas are those of its own optimizer; the learning rate is the base of
    the schedule.

    Args:
        ctx: of ``train(config, ctx)``.
        trainer: has data to train and to evaluate on. Where and when it saves and evaluates is set here.
    """
    with needs_extra("workload.function", "transformers", "workloads.adapters.transformers"):
        import transformers

    checkpoint: Any = ctx.checkpoint
    built: list[dict[str, Any]] = []
    load = trainer._load_optimizer_and_scheduler

    def load_parent(folder: str | None) -> None:
        # The last moment at which the optimizer has the options that it was built with.
        built[:] = as_built(*_unwrapped(trainer.optimizer, trainer.lr_scheduler))
        load(folder)

    with tempfile.TemporaryDirectory(prefix="trainer-") as folder:
        args, epoch = trainer.args, transformers.trainer_utils.IntervalStrategy.EPOCH
        args.output_dir, args.save_total_limit, args.disable_tqdm = folder, 1, True
        args.eval_strategy = epoch
        args.save_strategy = transformers.trainer_utils.SaveStrategy.EPOCH
        # Else the order of the rows would follow from the generator's seed at the moment of each start.
        trainer.accelerator.dataloader_config.data_seed = ctx.seed % 2**31
        for shown in (transformers.ProgressCallback, transformers.PrinterCallback):
            trainer.remove_callback(shown)
        trainer.add_callback(_reporter(ctx, built))
        trainer._load_optimizer_and_scheduler = load_parent
        resumed = None if checkpoint is None else _write(checkpoint, Path(folder, "parent"))
        trainer.train(resume_from_checkpoint=resumed)


def _reporter(ctx: Context, built: Sequence[dict[str, Any]]) -> Any:
    """Reports epochs, and lets the Trainer's own options hold after a checkpoint is loaded.

    Args:
        built: the options that the optimizer was built with; empty where no checkpoint is loaded.
    """
    import transformers

    class Reporter(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.metrics: dict[str, float] = {}

        def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            del args, state, control
            optimizer, schedulers = _unwrapped(parts["optimizer"], parts["lr_scheduler"])
            if built:
                take_over(optimizer, built, schedulers)
            else:
                as_built(optimizer, schedulers)

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            del args, state, control, parts
            self.metrics = {}
            ctx.reseed()

        def on_evaluate(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            del args, state, control
            numbers = {k: v for k, v in parts["metrics"].items() if not k.endswith(_CLOCK)}
            # Several data sets are evaluated one after the other.
            self.metrics |= {name: float(value) for name, value in numbers.items()}

        def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            del control, parts
            saved = Path(args.output_dir, f"checkpoint-{state.global_step}")
            ctx.report(self.metrics, checkpoint=lambda: _read(saved))

    return Reporter()


def _unwrapped(optimizer: Any, scheduler: Any) -> tuple[Any, list[Any]]:
    """Torch's optimizer and its schedulers; Accelerate wraps both."""
    return getattr(optimizer, "optimizer", optimizer), [getattr(scheduler, "scheduler", scheduler)]


def _read(folder: Path) -> State:
    """A checkpoint as a state: weights, optimizer, schedule and progress, without generators and times."""
    from safetensors.torch import load_file

    files: dict[str, Any] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".safetensors":
            files[file.name] = load_file(file)
        elif file.suffix == ".pt":
            files[file.name] = torch.load(file, weights_only=True)
        elif file.name.endswith(".index.json"):
            files[file.name] = file.read_text(encoding="utf-8")
    progress = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    files[_STATE] = json.dumps({**progress, "log_history": []}, sort_keys=True)
    return files


def _write(files: State, folder: Path) -> str:
    """The files that :func:`_read` found, in a new folder.

    Raises:
        ValueError: a file has another kind of name, such as a path that leads out of the folder.
    """
    for name in files:
        if not (isinstance(name, str) and _FILE.fullmatch(name)):
            raise ValueError(f"a checkpoint holds {name!r}, expected the name of a Trainer's file")
    from safetensors.torch import save_file

    folder.mkdir()
    for name, content in files.items():
        if name.endswith(".safetensors"):
            save_file(content, folder / name, metadata={"format": "pt"})
        elif name.endswith(".pt"):
            torch.save(content, folder / name)
        else:
            (folder / name).write_text(content, encoding="utf-8")
    return str(folder)
