"""Makes torch repeat its numbers exactly, at the cost of speed."""

from __future__ import annotations

import os

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_REPEATABLE = (":4096:8", ":16:8")
"""The two settings with which cuBLAS repeats itself."""


def compute_deterministically() -> None:
    """Let torch compute the same numbers every time on the same hardware, or raise where it cannot.

    To be called before this process first uses CUDA: cuBLAS reads its setting once.
    """
    if os.environ.get(_WORKSPACE) not in _REPEATABLE:
        os.environ[_WORKSPACE] = _REPEATABLE[0]
    import torch

    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    # TF32 would give the same numbers again, but others than GPUs without it.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
