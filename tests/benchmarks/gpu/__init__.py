"""Every check that needs a GPU, in one program: ``python -m tests.benchmarks.gpu``."""
