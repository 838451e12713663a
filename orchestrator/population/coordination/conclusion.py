"""How a population study ends: what the driver learns of its models, and what the journal says last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.population.coordination.messages import Outcome
from orchestrator.population.coordination.writing import PopulationJournal, final_event
from orchestrator.population.evolution import Evolution
from orchestrator.population.snapshots.saving import Saving
from orchestrator.run.directory import RunDirectory
from orchestrator.run.faults import storage_failure


class Conclusion:
    """The study's models, as far as they are known, and the journal's last line.

    Args:
        evolution: the population.
        saving: of its weights.
        run: the run directory.
        journal: of the study.

    Attributes:
        written: whether the journal has the last line.
    """

    def __init__(
        self, evolution: Evolution, saving: Saving, run: RunDirectory, journal: PopulationJournal
    ) -> None:
        self._evolution, self._saving = evolution, saving
        self._run, self._journal = run, journal
        self.written = False

    def outcome(self, failure: str | None) -> Outcome:
        """How things stand in a study that has failed for a reason, or has not failed."""
        best, weights = self._saving.best()
        return Outcome(
            failure=failure,
            finished=self._evolution.finished,
            concluded=self.written,
            best=None if best is None else best.member,
            config=None if best is None else dict(best.config),
            weights=weights,
            snapshot=self._saving.newest,
            models=tuple((dict(one.config), file) for one, file in self._saving.models()),
        )

    def write(self, tests: Sequence[Mapping[str, float]]) -> None:
        """Write the last line: the models and their metrics on held-out data.

        Args:
            tests: of each model that :meth:`outcome` names, in that order; fewer where they are not known.
        """
        models = self._saving.models()
        if not models:
            raise RuntimeError("a study is concluded after its last snapshot")
        kept = [(one, file.relative_to(self._run.path)) for one, file in models]
        self._journal.write(final_event(kept, tests))
        self._journal.sync()
        self.written = True

    def write_stop(self, reason: str) -> None:
        """Write that the study ended early; a full disk does not matter then."""
        try:
            self._journal.write({"event": "stopped", "reason": reason})
            self._journal.sync()
        except OSError as error:
            if not storage_failure(error):
                raise
