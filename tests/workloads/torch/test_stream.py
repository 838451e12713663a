import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import ConfigurationError
from workloads.torch.stream import BatchStream

sizes = st.integers(1, 40).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(1, rows)))
seeds = st.integers(0, 2**63 - 1)


@settings(deadline=None)
@given(sizes, seeds, st.integers(0, 200), st.integers(1, 50))
def test_a_batch_depends_on_seed_and_step_alone(
    size: tuple[int, int], seed: int, first: int, count: int
) -> None:
    block = BatchStream(*size, seed).batches(first, count)
    assert block.shape == (count, size[1])
    backwards = BatchStream(*size, seed)
    for offset in reversed(range(count)):
        assert torch.equal(backwards.batches(first + offset, 1)[0], block[offset])


@settings(deadline=None)
@given(sizes, seeds, st.integers(0, 5))
def test_an_epoch_has_no_row_twice(size: tuple[int, int], seed: int, epoch: int) -> None:
    stream = BatchStream(*size, seed)
    rows = stream.batches(epoch * stream.steps_per_epoch, stream.steps_per_epoch).flatten().tolist()
    assert len(set(rows)) == len(rows) == size[0] // size[1] * size[1]
    assert set(rows) <= set(range(size[0]))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = BatchStream(1000, 100, 0).batches(0, 20).view(2, 1000)
    other = BatchStream(1000, 100, 1).batches(0, 10).flatten()
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(first.sort().values, second.sort().values)


@pytest.mark.parametrize("batch_size", [0, 11])
def test_batches_must_fit_the_rows(batch_size: int) -> None:
    with pytest.raises(ConfigurationError, match="batch_size: expected 1 to 10"):
        BatchStream(10, batch_size, 0)
