"""Names of :mod:`orchestrator.engine.ray_private` for the studies that do not run on the engine yet."""

from orchestrator.engine.ray_private import forgive, prepare_tune

__all__ = ["forgive", "prepare_tune"]
