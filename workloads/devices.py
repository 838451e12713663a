"""What happens to the device that sessions compute on."""

from __future__ import annotations

_PEER_GONE = (
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "remote process exited",
    "socket closed",
    "timed out waiting",
    "application timeout caused pair closure",
)
"""What torch's gloo and NCCL say when another process of the group is gone or silent, in lower case."""


class ProcessesLostError(RuntimeError):
    """Processes that computed together with this one are gone, or wait for one that failed."""


def breaks_device(error: BaseException) -> bool:
    """Whether this process can compute nothing more on its GPU after ``error``.

    CUDA reports a broken context again with every later call; only another process gets a new one. Torch
    raises ``torch.AcceleratorError`` since 2.8, and before a plain ``RuntimeError`` with CUDA's text. Lack of
    memory breaks nothing. What a workload raises because of such an error, or while handling it, counts too.
    So does :class:`ProcessesLostError`: the device of several processes is all of theirs.
    """
    link: BaseException | None = error
    while link is not None:
        if _is_broken(link):
            return True
        link = link.__cause__ or link.__context__
    return False


def lacks_memory(error: BaseException) -> bool:
    """Whether there was no memory for what was computed, on a GPU or on the machine."""
    if isinstance(error, MemoryError) or "OutOfMemoryError" in _kinds(error):
        return True
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def lost_a_peer(failure: str) -> bool:
    """Whether a process failed, with this text, only because another of its group was gone."""
    return any(text in failure.lower() for text in _PEER_GONE)


def _is_broken(error: BaseException) -> bool:
    if isinstance(error, ProcessesLostError):
        return True
    if lacks_memory(error):
        return False
    return "AcceleratorError" in _kinds(error) or (
        isinstance(error, RuntimeError) and "CUDA error:" in str(error)
    )


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
