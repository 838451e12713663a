"""Studies from Python and notebooks; the command line stays the first way."""

from orchestrator.api.running import resume, run
from orchestrator.api.stored import Run

__all__ = ["Run", "resume", "run"]
