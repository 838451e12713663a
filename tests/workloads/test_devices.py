"""Which errors leave a process without its GPU."""

from __future__ import annotations

import pytest
import torch

from workloads.devices import breaks_device, lacks_memory

ASSERTION = "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported asynchronously"


class AcceleratorError(RuntimeError):
    """As torch names it since 2.8."""


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (AcceleratorError(ASSERTION), True),
        (AcceleratorError("an illegal memory access was encountered"), True),
        (RuntimeError(ASSERTION), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), False),
        (AcceleratorError("CUDA error: out of memory"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("CUDA error: said a user"), False),
        (KeyError("loss"), False),
    ],
)
def test_cuda_errors_but_lack_of_memory_break_it(error: Exception, broken: bool) -> None:
    assert breaks_device(error) is broken


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (AcceleratorError("CUDA error: out of memory"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            True,
        ),
        (MemoryError(), True),
        (RuntimeError(ASSERTION), False),
        (ValueError("out of memory, said a user"), False),
    ],
)
def test_lack_of_memory_is_known_on_gpus_and_cpus(error: Exception, lacks: bool) -> None:
    assert lacks_memory(error) is lacks


def test_what_is_raised_in_its_place_is_no_better() -> None:
    with pytest.raises(ValueError, match="the loss") as caught:
        try:
            raise RuntimeError(ASSERTION)
        except RuntimeError as error:
            raise ValueError("the loss is wrong") from error
    assert breaks_device(caught.value)
    with pytest.raises(KeyError) as caught_too:
        try:
            raise RuntimeError(ASSERTION)
        except RuntimeError:
            _ = {}["loss"]
    assert breaks_device(caught_too.value)


if hasattr(torch, "AcceleratorError"):

    def test_torch_calls_it_so() -> None:
        assert breaks_device(torch.AcceleratorError("device-side assert triggered"))
