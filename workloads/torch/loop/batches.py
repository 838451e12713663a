"""The batches of a DataLoader in an order that can be gone on with anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader, Dataset, IterableDataset

from workloads.generators import GeneratorStates, Purpose, derived_seed, own_generators, seed_generators

_CHUNK = 64
"""Batches whose rows are drawn at once: changing the generators' states costs as much as drawing a batch."""


class Batches:
    """Batch after batch of one epoch after another, by a member's seed.

    The rows of an epoch are a function of the seed and the epoch. Over a map-style data set, what is drawn in
    making a batch (augmentation) is a function of the seed and the batch's place, whichever worker makes it.
    So batches can be skipped without being read. Those of an iterable data set are read again.

    Args:
        loader: what the user gave.
        seed: the member's.

    Attributes:
        epoch: whole epochs so far.
        batch: batches taken of this one.
    """

    def __init__(self, loader: Iterable[Any], seed: int) -> None:
        self._seed, self._given = seed, loader
        self._order: _Order | None = None
        if _is_map_style(loader):
            self._order = _Order(loader.batch_sampler, seed)  # type: ignore[attr-defined]
        self._loader = loader if self._order is None else _rebuilt(loader, self._order)
        self.epoch = self.batch = 0
        self._iterator: Iterator[Any] | None = None

    def take(self, count: int) -> list[Any]:
        """Up to ``count`` more batches of this epoch; none: it is over, and the next call begins another.

        Raises:
            ValueError: the epoch has none at all.
        """
        if self._iterator is None:
            self._begin()
        assert self._iterator is not None
        taken: list[Any] = []
        while len(taken) < count:
            seed_generators(derived_seed(self._seed, Purpose.DATA, self.epoch, self.batch))
            try:
                taken.append(next(self._iterator))
            except StopIteration:
                break
            self.batch += 1
        if not self.batch:
            raise ValueError("Training.data: expected at least one batch, got none")
        if not taken:
            self.epoch, self.batch, self._iterator = self.epoch + 1, 0, None
        return taken

    def go_to(self, epoch: int, batch: int) -> None:
        """Go on there."""
        self.epoch, self.batch, self._iterator = epoch, batch, None

    def _begin(self) -> None:
        """Begin the epoch anew, and skip what has been taken of it."""
        seed_generators(derived_seed(self._seed, Purpose.ORDER, self.epoch))
        _tell_epoch(self._given, self.epoch, derived_seed(self._seed, Purpose.ORDER, self.epoch))
        if self._order is not None:
            self._order.place = self.epoch, self.batch
        self._iterator = iter(self._loader)
        if self._order is None:
            for number in range(self.batch):
                seed_generators(derived_seed(self._seed, Purpose.DATA, self.epoch, number))
                next(self._iterator, None)


class _Order:
    """The rows of one epoch's batches from one of them on, for a loader to read.

    Apart from :class:`Batches`, which would otherwise refer to itself by the loader: a loader's worker
    processes end at once only where nothing refers to it any more.

    Args:
        sampler: draws the rows of each batch.
        seed: the member's.

    Attributes:
        place: the epoch, and the first batch.
    """

    def __init__(self, sampler: Iterable[Any], seed: int) -> None:
        self._sampler, self._seed, self.place = sampler, seed, (0, 0)

    def __iter__(self) -> Iterator[_Rows]:
        epoch, first = self.place
        batches = _drawn(self._sampler, derived_seed(self._seed, Purpose.ORDER, epoch))
        for number, rows in enumerate(islice(batches, first, None), first):
            yield _Rows(rows, derived_seed(self._seed, Purpose.DATA, epoch, number))


class _Rows(list[Any]):
    """Indices of one batch, and the seed of what is drawn in making it."""

    def __init__(self, rows: Iterable[Any], seed: int) -> None:
        super().__init__(rows)
        self.seed = seed

    def __reduce__(self) -> tuple[Any, ...]:
        return _Rows, (list(self), self.seed)


class _Seeded(Dataset[Any]):
    """A data set that seeds the global generators before each batch, in the process that makes it."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        # A user's worker_init_fn looks for the attributes of the user's own data set.
        if name == "_data":
            raise AttributeError(name)
        return getattr(self._data, name)

    def __getitems__(self, rows: _Rows) -> list[Any]:
        seed_generators(rows.seed)
        together = getattr(self._data, "__getitems__", None)
        found: list[Any] = together(list(rows)) if together else [self._data[row] for row in rows]
        return found


def _is_map_style(loader: Iterable[Any]) -> bool:
    """Whether the loader makes batches of rows that a sampler chooses, in torch's own way."""
    return (
        type(loader) is DataLoader
        and loader.batch_sampler is not None
        and not isinstance(loader.dataset, IterableDataset)
    )


def _rebuilt(loader: Any, rows: _Order) -> DataLoader[Any]:
    """The same loader of the batches whose rows are given."""
    return DataLoader(
        _Seeded(loader.dataset),
        batch_sampler=rows,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


def _drawn(sampler: Iterable[Any], seed: int) -> Iterator[Any]:
    """What a sampler draws from the global generators, whatever others draw from them meanwhile."""
    with own_generators():
        seed_generators(seed)
        iterator, states = iter(sampler), GeneratorStates.now()
    while True:
        with own_generators():
            states.restore()
            chunk = list(islice(iterator, _CHUNK))
            states = GeneratorStates.now()
        yield from chunk
        if len(chunk) < _CHUNK:
            return


def _tell_epoch(loader: Any, epoch: int, seed: int) -> None:
    """Let samplers and data sets that shuffle by themselves know the epoch, and seed their own generators."""
    samplers = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    for part in (loader, getattr(loader, "dataset", None), *samplers, getattr(samplers[1], "sampler", None)):
        if callable(tell := getattr(part, "set_epoch", None)):
            tell(epoch)
        generator = getattr(part, "generator", None)
        if callable(seeding := getattr(generator, "manual_seed", None)):
            seeding(seed)
