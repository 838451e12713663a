"""A tiny language model with random weights, trained by Hugging Face's Trainer; a unit is an epoch."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from workloads.adapters import transformers

text = torch.tensor(list(b"the quick brown fox jumps over the lazy dog. " * 40))
rows = [{"input_ids": row, "labels": row} for row in text[: 32 * 56].view(56, 32)]
EPOCHS = 20


def train(config, ctx):
    shape = GPT2Config(vocab_size=128, n_positions=32, n_embd=32, n_layer=1, n_head=2)
    arguments = TrainingArguments(
        output_dir=".",
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=8,
        learning_rate=config["learning_rate"],
        weight_decay=config["weight_decay"],
        use_cpu=ctx.device == "cpu",
        report_to="none",
    )
    trainer = Trainer(GPT2LMHeadModel(shape), arguments, train_dataset=rows[:48], eval_dataset=rows[48:])
    transformers.fit(ctx, trainer)
