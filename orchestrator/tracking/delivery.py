"""Delivers items to a run in MLflow, and finds out what MLflow does not take.

A call that fails tells little about why. Where the network failed, MLflow is away and everything waits. Else
a harmless write shows whether the run takes anything at all; where it does, the batch is halved until the
item that MLflow refuses stands alone, and that one is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import TypeVar

import mlflow

from orchestrator.tracking import address
from orchestrator.tracking.items import End, Item, Metric, Name, Param, Tag

KEY_TAG = "orchestrator.record"
METRICS_PER_CALL, SETTINGS_PER_CALL = 800, 50
"""Together below MLflow's limits of 1,000 entries and 1 MB in one call."""
ATTEMPTS = 3
"""An item is given up after this many failures whose reason is unclear while its run takes other things."""


_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST", "RESOURCE_ALREADY_EXISTS"}
_KEPT_OUT = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "REQUEST_LIMIT_EXCEEDED"}

T = TypeVar("T")


class TrackingError(Exception):
    """MLflow could not record something; it may work later."""


class DeletedError(Exception):
    """The run is not in MLflow any more."""


class Delivery:
    """Delivers items to the runs of one study.

    Args:
        client: MLflow's.
        key: what all of the runs carry as a tag.
        notes: gets a line for each item that is left out.
    """

    def __init__(self, client: mlflow.MlflowClient, key: str, notes: list[str]) -> None:
        self._client, self._key, self._notes = client, key, notes
        self._refused: set[str] = set()

    def send(self, run_id: str, items: Sequence[Item]) -> None:
        """Record ``items`` of one run, its end last; what MLflow refuses is dropped, with a note.

        Raises:
            DeletedError: the run is gone.
            Exception: MLflow is away.
        """
        for call in _calls(items):
            self._send(run_id, call)
        for name in [item for item in items if isinstance(item, Name)][-1:]:
            rename = partial(self._client.update_run, run_id, name=name.text)
            self._tried(run_id, name, rename)
        for end in (item for item in items if isinstance(item, End)):
            stop = partial(self._client.set_terminated, run_id, end.status, end.time)
            self._tried(run_id, end, stop)

    def is_gone(self, run_id: str) -> bool:
        """Whether somebody deleted the run, or removed it for good."""
        try:
            return bool(self._client.get_run(run_id).info.lifecycle_stage != "active")
        except mlflow.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return True
            raise

    def _send(self, run_id: str, items: Sequence[Item]) -> None:
        """Record all items that MLflow takes; what it refuses is dropped, with a note.

        Raises:
            DeletedError: the run is gone.
            Exception: MLflow is away.
        """
        items = [item for item in items if not (isinstance(item, Metric) and item.key in self._refused)]
        if len(items) == 1:
            self._tried(run_id, items[0], lambda: self._batch(run_id, items))
            return
        try:
            self._batch(run_id, items)
        except Exception as error:  # noqa: BLE001 - MLflow's stores raise whatever their transport raises
            self._check_at_work(run_id, error)
            middle = len(items) // 2
            self._send(run_id, items[:middle])
            self._send(run_id, items[middle:])

    def _tried(self, run_id: str, item: Item, record: Callable[[], object]) -> None:
        """Record one item, or drop it where it is refused."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                record()
            except Exception as error:  # noqa: BLE001 - as above
                self._check_at_work(run_id, error)
                if attempt == ATTEMPTS or getattr(error, "error_code", "") in _REFUSALS:
                    self._drop(item, error)
                    return
            else:
                return

    def _batch(self, run_id: str, items: Sequence[Item]) -> None:
        metrics = [
            mlflow.entities.Metric(i.key, i.value, i.time, i.step) for i in items if isinstance(i, Metric)
        ]
        params = [mlflow.entities.Param(i.key, i.value) for i in items if isinstance(i, Param)]
        tags = [mlflow.entities.RunTag(i.key, i.value) for i in items if isinstance(i, Tag)]
        if metrics or params or tags:
            self._client.log_batch(run_id, metrics, params, tags, synchronous=True)

    def _check_at_work(self, run_id: str, error: Exception) -> None:
        """Return where the run takes other things, so that ``error`` is about what it was to take.

        Raises:
            DeletedError: the run is gone.
            Exception: MLflow is away: ``error``, or what the harmless write came to.
        """
        if _is_away(error):
            raise error
        if self.is_gone(run_id):
            raise DeletedError from error
        self._client.set_tag(run_id, KEY_TAG, self._key)

    def _drop(self, item: Item, error: Exception) -> None:
        name = getattr(item, "name", None) or getattr(item, "key", None) or getattr(item, "text", "its end")
        if isinstance(item, Metric):
            self._refused.add(item.key)
        where = f" of {item.run}" if item.run else ""
        kind = type(item).__name__.lower()
        self._notes.append(
            f"MLflow refuses the {kind} {name!r}{where}, which is left out ({address.in_one_line(error)})"
        )


def _is_away(error: BaseException) -> bool:
    """Whether a call failed on its way, or at the door, whatever it was about."""
    link: BaseException | None = error
    while link is not None:
        # Too many answers of 500 are one of the server's errors, which may be about an item.
        if isinstance(link, OSError | TrackingError) and type(link).__name__ != "RetryError":
            return True
        link = link.__cause__ or link.__context__
    return getattr(error, "error_code", "") in _KEPT_OUT


def _calls(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Items for one call each, within MLflow's limits; of params and tags with one key, the last."""
    params = {item.key: item for item in items if isinstance(item, Param)}
    tags = {item.key: item for item in items if isinstance(item, Tag)}
    portions = zip_longest(
        _portions([item for item in items if isinstance(item, Metric)], METRICS_PER_CALL),
        _portions([*params.values()], SETTINGS_PER_CALL),
        _portions([*tags.values()], SETTINGS_PER_CALL),
        fillvalue=(),
    )
    return ([*metrics, *own_params, *own_tags] for metrics, own_params, own_tags in portions)


def _portions(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))
