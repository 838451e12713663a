"""What happens to the device that sessions compute on."""

from __future__ import annotations


def breaks_device(error: BaseException) -> bool:
    """Whether this process can compute nothing more on its GPU after ``error``.

    CUDA reports a broken context again with every later call; only another process gets a new one. Torch
    raises ``torch.AcceleratorError`` since 2.8, and before a plain ``RuntimeError`` with CUDA's text. Lack of
    memory breaks nothing. What a workload raises because of such an error, or while handling it, counts too.
    """
    link: BaseException | None = error
    while link is not None:
        if _is_broken(link):
            return True
        link = link.__cause__ or link.__context__
    return False


def _is_broken(error: BaseException) -> bool:
    kinds, text = {kind.__name__ for kind in type(error).__mro__}, str(error)
    if "OutOfMemoryError" in kinds or "out of memory" in text:
        return False
    return "AcceleratorError" in kinds or (isinstance(error, RuntimeError) and "CUDA error:" in text)
