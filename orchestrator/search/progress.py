"""How far a search has come: what may still begin, and whether it is over."""

from __future__ import annotations

from orchestrator.search.state import SearchState


class Progress:
    """Follows from what a search knows, and from whether it has been halted.

    Args:
        state: what the search knows.
        trials: how many trials it may have; evaluations of finalists are none of them.

    Attributes:
        spent: whether a budget is spent: no trial begins, and those that run end at their next report.
        halted: whether the study was interrupted, or ended early because nothing works.
        hopeless: why the study was halted, if that was because nothing works.
    """

    def __init__(self, state: SearchState, trials: int) -> None:
        self._state, self._most = state, trials
        self.spent = self.halted = False
        self.hopeless = ""

    @property
    def over(self) -> bool:
        """Whether no trial will be handed out any more; one that runs may be lost and handed out again."""
        return self.halted or (self.searched and self._state.finalists.settled)

    @property
    def finished(self) -> bool:
        """Whether every trial that the study can have has ended."""
        return not self.halted and self.over

    @property
    def searched(self) -> bool:
        """Whether no trial of the search itself runs, and none will be handed out any more."""
        if not (self.spent or self._all_suggested):
            return False
        trials, finals = self._state.trials, self._state.finalists.finals
        pending = len(trials) - finals.pending
        return pending == (sum(one not in finals for one in trials.again) if self.spent else 0)

    @property
    def may_begin(self) -> bool:
        """Whether the search itself may have another trial now."""
        return not (self.over or self.spent or self._all_suggested)

    @property
    def may_ask(self) -> bool:
        """Whether the optimizer is to be asked for another trial now."""
        return self.room > 0

    @property
    def room(self) -> int:
        """For how many more trials the optimizer may be asked now."""
        optimizer = self._state.optimizer
        if not (self.may_begin and optimizer.may_be_asked):
            return 0
        return self._most - self._tried - optimizer.kept

    @property
    def _all_suggested(self) -> bool:
        return self._state.optimizer.exhausted or self._tried >= self._most

    @property
    def _tried(self) -> int:
        return self._state.trials.count - len(self._state.finalists.finals.runs)
