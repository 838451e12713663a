"""Makes the results that are compared."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from orchestrator.preflight.sandbox import untouched
from orchestrator.randomness import user_seed
from orchestrator.run.directory import keep_traceback
from orchestrator.run.faults import of_the_machine
from orchestrator.text import first_line
from search_spaces import Config
from workloads.capabilities import ShownSession
from workloads.contract import Device, Workload
from workloads.outcomes import RAISED_ANYWHERE, numbers


class HopelessError(Exception):
    """Nothing can be compared, for a reason that is not a single configuration's."""


@dataclass(frozen=True)
class Maker:
    """Trains configurations fully, one after another, in this process.

    Args:
        workload: what is trained.
        seed: of every result, so that results differ by their configurations alone.
        device: where it is trained.
        failures: where tracebacks are kept.
    """

    workload: Workload
    seed: int
    device: Device
    failures: Path

    def make(self, config: Config, number: int) -> tuple[dict[str, float], str, str]:
        """Metrics, the result in words where the workload has any, and why there is no result.

        Args:
            number: of the option, for its traceback.

        Raises:
            HopelessError: the machine has no room; the same may succeed later.
        """
        try:
            with untouched():
                return self._made(config)
        except RAISED_ANYWHERE as error:
            if of_the_machine(error):
                raise HopelessError(first_line(str(error)) or type(error).__name__) from error
            keep_traceback(self.failures, f"option {number}", traceback.format_exc())
            return {}, "", f"{type(error).__name__}: {first_line(str(error))}"

    def _made(self, config: Config) -> tuple[dict[str, float], str, str]:
        workload = self.workload
        session = workload.start(workload.space.meant(config), user_seed(self.seed), self.device)
        try:
            metrics = numbers(session.advance(workload.fidelity.largest))
            return metrics, session.show() if isinstance(session, ShownSession) else "", ""
        finally:
            if callable(close := getattr(session, "close", None)):
                close()
