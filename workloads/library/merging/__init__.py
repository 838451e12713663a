"""Merging models that were fine-tuned from one start: the models, the workload, and the known methods."""
